"""When what waits is written: at the end of the turn, or in a later one, so that every peer has its share."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import ClassVar, Final, NamedTuple

from twisted.logger import Logger

from radiod.core.budgets.guesses import Guesses
from radiod.core.budgets.unfinished import Unfinished
from radiod.core.histograms import Histogram
from radiod.core.statistics import REFUSALS
from radiod.core.timers import Deadline
from radiod.transport.census import Census
from radiod.transport.clock import ReactorClock
from radiod.transport.inbox import Turns
from radiod.transport.newcomers import Newcomers
from radiod.transport.strangers import Strangers
from radiod.wire.bundles import Bundle

__all__ = [
    "CHUNK",
    "DRAIN_BYTES",
    "FINISH_SECONDS",
    "READ_PAUSE",
    "RESTED_S",
    "Patience",
    "Schedule",
    "Scheduled",
]

CHUNK: Final = 1 << 16
"""Bytes: queues are flushed before they hold more, so a stalled listener never costs much more."""

READ_PAUSE: Final = 1 << 16
"""Bytes of unsent answers above which a peer must read before it may ask on."""

DRAIN_BYTES: Final = 1 << 20
"""Bytes of events that are sent to a connection that is behind when the server stops, or a little more."""

FINISH_SECONDS: Final = 2.0
"""How long a blocked connection may take to read what it was sent before it is closed."""

MANY: Final = 128
"""Turns whose delays are counted at once, or delays of one turn that are counted before the next."""

RESTED_S: Final = 0.002
"""Seconds of one turn for all outlets together that go on with it."""


class Patience(NamedTuple):
    """Bytes of unsent answers above which a peer is not read on, and above which its connection is cut."""

    pause_above: int
    cut_above: float


class Scheduled:
    """What is written in turns: an outlet."""

    __slots__ = ()

    def flush(self) -> None:
        """Write what is queued."""
        raise NotImplementedError

    def write_waiting(self) -> None:
        """Write what waits, unless the connection is blocked."""
        raise NotImplementedError

    def rest(self) -> None:
        """Write what waits in a later turn, unless the connection is blocked."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Write on after a rest."""
        raise NotImplementedError


class Schedule:
    """The turn's list of outlets that have something to send, and what all outlets of a server share.

    ``max_backlog`` is in bytes; ``strangers``: connections without a session. ``cut`` counts connections that
    were cut for their backlog; ``guesses``: wrong keys and failed logins by address; ``refused``: as
    ``Statistics.refused``; ``unfinished``: what came of messages that are not complete, each of which may
    take ``message_timeout`` seconds, and all together ``max_unfinished`` bytes; ``delays``: seconds from the
    arrival of what was published to the first write of its fan-out.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        clock: ReactorClock,
        max_backlog: int,
        refused: dict[str, int] | None = None,
        message_timeout: float = 10.0,
        max_unfinished: int = 64 << 20,
    ) -> None:
        self._clock = clock
        self.patience = Patience(READ_PAUSE, max_backlog)
        self._dirty: list[Scheduled] = []
        self._due: list[Scheduled] = []
        self._resting: deque[Scheduled] = deque()
        self._is_going_on = False
        self.seconds = clock.seconds
        # When the outlet that writes what waited has had its turn.
        self.until = inf
        self._turn_bytes = 0
        # What was joined last in this flush, and what it came to.
        self._parts: list[bytes] = []
        self._bundle: Bundle | None = None
        self._joined = b""
        self.strangers = Strangers()
        self.turns = Turns(clock)
        self.newcomers = Newcomers(clock)
        refused = dict.fromkeys(REFUSALS, 0) if refused is None else refused
        self.guesses = Guesses(clock, clock.timers, refused, self._slow)
        self.unfinished = Unfinished(clock, clock.timers, refused, message_timeout, max_unfinished)
        self.cut = 0
        self.census = Census()
        # When what was fanned out in this turn had come in, and how long such things took to leave.
        self.arrivals: list[float] = []
        self.delays = Histogram()
        # When such things left, and the arrivals of all that did.
        self._uncounted: list[tuple[float, list[float]]] = []

    def count_delays(self) -> None:
        """Have ``delays`` be up to date: many at once cost less."""
        self.delays.observe_all([left - arrival for left, some in self._uncounted for arrival in some])
        self._uncounted.clear()

    def counters(self) -> dict[str, int]:
        """What statistics tell of the way out: connections cut, those without a session, unfinished bytes."""
        return {
            "cut": self.cut,
            "strangers": len(self.strangers),
            "unfinished_bytes": self.unfinished.bytes,
        }

    def _slow(self, network: str) -> None:
        self.log.warn("slowing {peer}: many wrong keys or failed logins", peer=network, event="guessing")

    def mark_dirty(self, outlet: Scheduled) -> None:
        """Have the outlet flushed at the end of this turn."""
        if not self._dirty:
            self._clock.soon(self.flush)
        self._dirty.append(outlet)

    def flush(self) -> None:
        """Write everything that is queued."""
        dirty, self._dirty = self._dirty, []
        self._turn_bytes = 0
        if self.arrivals:
            arrivals, self.arrivals = self.arrivals, []
            self._uncounted.append((monotonic(), arrivals))
            if len(self._uncounted) >= MANY or len(arrivals) >= MANY:
                self.count_delays()
        try:
            for outlet in dirty:
                outlet.flush()
        finally:
            self._parts, self._joined = [], b""

    def join(self, queue: list[bytes], bundle: Bundle | None) -> bytes:
        """One write of all in a queue. Listeners of the same events have the same, joined once for all."""
        if queue != self._parts or bundle is not self._bundle:
            self._parts, self._bundle = queue.copy(), bundle
            self._joined = b"".join(queue) if bundle is None else bundle(queue)
        return self._joined

    def rest(self, outlet: Scheduled) -> None:
        """Have the outlet go on writing what waits in a later turn."""
        if not self._is_going_on:
            self._is_going_on = True
            self._clock.soon(self._go_on)
        self._resting.append(outlet)

    def _go_on(self) -> None:
        until = self.seconds() + RESTED_S
        try:
            # Everybody at most once in a turn: whoever rests again is the last in the next.
            for _ in range(len(self._resting)):
                self._resting.popleft().go_on()
                if self.seconds() >= until:
                    break
        finally:
            # One that fails does not keep the others waiting for ever.
            self._is_going_on = bool(self._resting)
            if self._is_going_on:
                self._clock.soon(self._go_on)

    def _write_due(self) -> None:
        due, self._due = deque(self._due), []
        until = self.seconds() + RESTED_S
        try:
            while due and self.seconds() < until:
                due.popleft().write_waiting()
        finally:
            # Those that had no time, and those behind one that failed.
            for outlet in due:
                outlet.rest()

    def soon(self, what: Callable[[], None]) -> None:
        """Call ``what`` at the end of this turn."""
        self._clock.soon(what)

    def after(self, seconds: float, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when so much time has passed."""
        return self._clock.timers.at(self._clock.seconds() + seconds, what)

    def count(self, size: int) -> None:
        """So many bytes more were queued in this turn: beyond a chunk they leave at once."""
        self._turn_bytes += size
        if self._turn_bytes > CHUNK:
            self.flush()

    def write_soon(self, outlet: Scheduled) -> None:
        """Have the outlet write what waits for it at the end of this turn."""
        if not self._due:
            self._clock.soon(self._write_due)
        self._due.append(outlet)
