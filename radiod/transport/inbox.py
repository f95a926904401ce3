"""What peers sent and nobody has taken yet: every peer has its share of a turn, and no more (ADR 22).

A peer may send thousands of messages in one read, or one batch. They are taken in order, until its share is
used up, or its reads are paused; the rest waits in an ``Inbox``, the peer is not read meanwhile, and those
that wait go on one after the other in the next turns. A message that comes alone passes all of this by.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final, Protocol

from radiod.transport.clock import ReactorClock

__all__ = ["SLICE_S", "TURN_MESSAGES", "TURN_S", "Inbox", "Turns", "Work"]

TURN_S: Final = 0.005
"""Seconds of one turn for everything that waits, and for a peer that is the only one to send much."""

SLICE_S: Final = 0.001
"""Seconds of one turn for each of several peers that send much."""

TURN_MESSAGES: Final = 256
"""Messages of one peer in one turn: what they cause, writes above all, is done behind them."""

Work = Iterator[None]
"""Takes messages, one for each ``next``."""


class Taker(Protocol):
    """The part of an outlet that is concerned with what comes in."""

    inbox: Inbox | None
    # Nothing may be taken now.
    is_held: bool

    def update_reads(self) -> None:
        """``inbox``, or something else that has to do with reading, has changed."""


class Turns:
    """Shares the reactor's turns among the peers of one server that sent much at once."""

    def __init__(self, clock: ReactorClock) -> None:
        self._clock = clock
        self._queue: deque[Inbox] = deque()
        # Whether the next turn, or this one, is for those that wait; and when peers that send much now, too,
        # have had what is left of this turn.
        self._is_due = False
        self._until = 0.0
        self._now: Callable[[], float] = clock.seconds
        # When what is being taken now had come in, by ``time.monotonic``; 0: nothing is.
        self.arrived = 0.0

    def take_all(
        self,
        outlet: Taker,
        receive: Callable[[bytes], None],
        messages: list[bytes],
        read: Callable[[bytes], Work],
    ) -> None:
        """As ``take``, for some messages, at most ``TURN_MESSAGES``, behind which nothing has come.

        Most reads that bring several bring few, and each look at the clock counts: none is behind the last.
        """
        left = len(messages)
        now = self._now
        until = min(now() + SLICE_S, self._until) if self._queue else now() + TURN_S
        work = map(receive, messages)
        for _ in work:
            left -= 1
            if not left:
                return
            if outlet.is_held or now() >= until:
                self._keep(outlet, work, read)
                return

    def take(self, outlet: Taker, work: Work, read: Callable[[bytes], Work]) -> None:
        """Do ``work`` as far as it goes in this turn, and what is left in the next ones.

        Args:
            outlet: the peer's; it is not held.
            read: makes work of bytes that come meanwhile.
        """
        now = self._now
        until = min(now() + SLICE_S, self._until) if self._queue else now() + TURN_S
        if not _work(work, outlet, now, until):
            self._keep(outlet, work, read)

    def _keep(self, outlet: Taker, work: Work, read: Callable[[bytes], Work]) -> None:
        outlet.inbox = inbox = Inbox(self, outlet, work, read)
        outlet.update_reads()
        if not outlet.is_held:
            inbox.wake()

    def put_off(self, outlet: Taker, data: bytes, read: Callable[[bytes], Work]) -> None:
        """Keep what comes while the peer should not be read: TLS has more at hand than was asked for."""
        if outlet.inbox is None:
            outlet.inbox = Inbox(self, outlet, iter(()), read)
        outlet.inbox.add(data)

    def queue(self, inbox: Inbox) -> None:
        """Have somebody go on in the next turn."""
        self._queue.append(inbox)
        if not self._is_due:
            self._plan()

    def _plan(self) -> None:
        self._is_due = True
        self._until = self._now() + TURN_S
        self._clock.soon(self._go_on)

    def _go_on(self) -> None:
        now = self._now
        until = now() + TURN_S
        queue = self._queue
        # Everybody at most once in a turn: whoever is not done is the last in the next.
        count = len(queue)
        try:
            while count and (then := now()) < until:
                count -= 1
                inbox = queue.popleft()
                inbox.go_on(now, min(then + SLICE_S, until) if queue else until)
        finally:
            self._is_due = False
            if queue:
                self._plan()


class Inbox:
    """What one peer sent and nobody has taken yet; it exists only while there is something."""

    __slots__ = (
        "_arrived",
        "_behind",
        "_is_queued",
        "_is_working",
        "_on_end",
        "_outlet",
        "_read",
        "_turns",
        "_work",
    )

    def __init__(self, turns: Turns, outlet: Taker, work: Work, read: Callable[[bytes], Work]) -> None:
        self._turns = turns
        self._outlet = outlet
        self._work = work
        self._read = read
        # When the first of it came.
        self._arrived = turns.arrived or monotonic()
        # Bytes behind it, as they came.
        self._behind: list[bytes] = []
        self._is_queued = False
        self._is_working = False
        # Called when everything has been taken.
        self._on_end: tuple[Callable[[], None], ...] = ()

    def then(self, what: Callable[[], None]) -> None:
        """Call ``what`` when everything has been taken, behind whatever else was to be called."""
        self._on_end += (what,)

    def add(self, data: bytes) -> None:
        """Put bytes behind everything else."""
        self._behind.append(data)

    def take_behind(self) -> bytes:
        """The bytes behind what is being taken, for somebody else."""
        data, self._behind = b"".join(self._behind), []
        return data

    def wake(self) -> None:
        """The outlet is not held any more: go on in the next turn."""
        if not self._is_queued:
            self._is_queued = True
            self._turns.queue(self)

    def go_on(self, now: Callable[[], float], until: float) -> None:
        """Take as much as there is time for, unless the outlet is held, or has let go of this."""
        self._is_queued = False
        outlet = self._outlet
        while outlet.inbox is self and not outlet.is_held:
            self._is_working = True
            self._turns.arrived = self._arrived
            is_done = _work(self._work, outlet, now, until)
            self._turns.arrived = 0.0
            self._is_working = False
            if not is_done:
                if outlet.inbox is self and not outlet.is_held:
                    self.wake()
                return
            if not self._behind:
                self._end()
                return
            data, self._behind = b"".join(self._behind), []
            self._work = self._read(data)

    def go_through(self) -> None:
        """Do what is left without a pause: it costs nothing, since the session is over."""
        # It may be this very work that has ended the session.
        if not self._is_working:
            for _ in self._work:
                pass

    def _end(self) -> None:
        if self._outlet.inbox is self:
            self._outlet.inbox = None
            self._outlet.update_reads()
        for what in self._on_end:
            what()


def _work(work: Work, outlet: Taker, now: Callable[[], float], until: float) -> bool:
    """Go on with work as long as it may. Returns: whether it is done."""
    left = TURN_MESSAGES
    for _ in work:
        left -= 1
        if outlet.is_held or not left or now() >= until:
            return False
    return True
