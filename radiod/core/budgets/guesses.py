"""Failed logins and wrong keys, counted for each network that they come from, and the line they must wait in.

A network with more than a few failures is a suspect for a while. Whatever shows a secret from there, right
or wrong, waits its turn before it is looked at: the answers tell nothing else, and none comes sooner. Who has
the right secret gets in all the same, a few seconds later. Memory is bounded: ``MAX_NETWORKS`` are
remembered, and ``MAX_WAITING`` of each wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from radiod.core.promises import Promise
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import QUOTA, Refused

__all__ = ["FREE", "MAX_WAITING", "Guesses", "Turn"]

FREE: Final = 10
"""Failures that may come at once; they are forgotten one by one, within ``WINDOW`` seconds."""

WINDOW: Final = 60.0
WAIT: Final = 0.5
"""Seconds that a suspect waits at least."""

GAP: Final = 0.025
"""Seconds between two of one network that are looked at."""

MAX_WAITING: Final = 256
"""In line of one network: the last waits 6.4 s, less than a login may take."""

MAX_NETWORKS: Final = 10_000


class Turn(Promise[None]):
    """A place in the line: settles when it is its turn, or with ``Refused``."""

    __slots__ = ("_record", "due")

    def __init__(self, record: _Record, due: float) -> None:
        super().__init__()
        self._record = record
        self.due = due

    def leave(self) -> None:
        """Whoever waited has gone; after its turn this does nothing."""
        if self in self._record.line:
            self._record.line.remove(self)


class _Record:
    """One network. ``level``: failures not forgotten at ``at``; ``next``: when it may be looked at again."""

    __slots__ = ("at", "deadline", "level", "line", "next")

    def __init__(self, now: float) -> None:
        self.level = 0.0
        self.at = now
        self.next = now
        self.line: deque[Turn] = deque()
        self.deadline: Deadline | None = None

    def failures(self, now: float) -> float:
        return max(0.0, self.level - (now - self.at) * FREE / WINDOW)


class Guesses:
    """All networks with failures, of one server.

    Args:
        refused: ``Statistics.refused``.
        complain: is told each network that becomes a suspect.
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        refused: dict[str, int],
        complain: Callable[[str], None],
        max_networks: int = MAX_NETWORKS,
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._refused = refused
        self._complain = complain
        self._max_networks = max_networks
        # network -> its record, the one that failed longest ago first
        self._records: dict[str, _Record] = {}

    @property
    def networks(self) -> Mapping[str, object]:
        """Those that are remembered: always the same object, which is empty as long as all is well."""
        return self._records

    def wrong(self, network: str | None) -> None:
        """A secret from there was wrong; None: nobody knows where it came from."""
        self._refused["wrong_keys"] += 1
        if network is None:
            return
        now = self._clock.seconds()
        record = self._records.pop(network, None) or self._new(now)
        self._records[network] = record
        before = record.failures(now)
        record.level, record.at = min(before + 1, 2.0 * FREE), now
        if before < FREE <= record.level:
            self._complain(network)

    def _new(self, now: float) -> _Record:
        if len(self._records) >= self._max_networks:
            oldest = self._records.pop(next(iter(self._records)))
            self._stop(oldest)
            # Whoever is refused may leave the line for it.
            while oldest.line:
                oldest.line.popleft().settle(_too_many())
        return _Record(now)

    def turn(self, network: str | None) -> Turn | None:
        """What somebody from there must wait for before a secret is looked at; None: nothing.

        Raises: Refused: ``quota``: too many wait.
        """
        record = self._records.get(network) if network is not None else None
        if record is None:
            return None
        now = self._clock.seconds()
        if not record.line and record.failures(now) <= FREE - 1:
            return None
        if len(record.line) >= MAX_WAITING:
            self._refused["waiting_keys"] += 1
            raise _too_many()
        turn = Turn(record, now + WAIT)
        record.line.append(turn)
        if record.deadline is None:
            self._wait(record)
        return turn

    def _wait(self, record: _Record) -> None:
        when = max(record.line[0].due, record.next)
        record.deadline = self._timers.at(when, lambda: self._serve(record))

    def _serve(self, record: _Record) -> None:
        """Whoever is first in line, if that one still waits, is next."""
        record.deadline = None
        now = self._clock.seconds()
        first = record.line[0] if record.line else None
        is_due = first is not None and first.due <= now
        if is_due:
            record.line.popleft()
            record.next = now + GAP
        # Before the turn is taken: it may fail, or lead to another.
        if record.line:
            self._wait(record)
        if first is not None and is_due:
            first.settle(None)

    def _stop(self, record: _Record) -> None:
        if record.deadline is not None:
            record.deadline.cancel()


def _too_many() -> Refused:
    return Refused(QUOTA, "too many wrong keys or logins from this address: try again later")
