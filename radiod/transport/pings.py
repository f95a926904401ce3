"""Pings for all connections by one timer, and the end of those that do not answer."""

from __future__ import annotations

from typing import Final, Protocol

from radiod.core.timers import Deadline
from radiod.transport.clock import ReactorClock

__all__ = ["NOTHING_ASKED", "Pinged", "Pinger"]

TURNS: Final = 30
"""An interval is divided into so many turns; connections share the turn in which they came."""

CROWD: Final = 64
"""Connections of a turn above which more are put where there are fewest: after a restart all come at once,
and pinging ten thousand of them together would stall everybody for a fifth of a second."""

NOTHING_ASKED: Final = 0.0


class Pinged(Protocol):
    """A connection that can be pinged.

    ``asked_at`` is when it was pinged last (monotonic seconds), or ``NOTHING_ASKED``, which the connection
    itself must set when anything arrives. ``turn`` is the pinger's.
    """

    asked_at: float
    turn: int

    def ping(self) -> None:
        """Send a ping."""

    def give_up(self) -> None:
        """The peer has not answered in time."""


class Pinger:
    """Pings each connection every ``interval`` seconds; one must say something within ``timeout`` seconds.

    The first ping comes up to one turn early, or at any time in the interval when many came together.
    """

    def __init__(self, clock: ReactorClock, interval: float, timeout: float) -> None:
        self._clock = clock
        self._seconds_per_turn = interval / TURNS
        self._timeout = timeout
        self._turns: list[set[Pinged]] = [set() for _ in range(TURNS)]
        # The turn whose connections were pinged last.
        self._turn = 0
        self._count = 0
        self._next: Deadline | None = None

    def __len__(self) -> int:
        """Connections that are pinged."""
        return self._count

    def add(self, connection: Pinged) -> None:
        """Ping ``connection`` from now on."""
        turn = self._turn
        if len(self._turns[turn]) >= CROWD:
            turn = min(range(TURNS), key=lambda each: len(self._turns[each]))
        connection.turn = turn
        self._turns[turn].add(connection)
        self._count += 1
        if self._next is None:
            self._wait(self._clock.seconds())

    def remove(self, connection: Pinged) -> None:
        """Leave ``connection`` alone; again and again does nothing."""
        turn = self._turns[connection.turn]
        if connection in turn:
            turn.remove(connection)
            self._count -= 1
            if not self._count and self._next is not None:
                self._next.cancel()
                self._next = None

    def _wait(self, last: float) -> None:
        """Plan the next turn, counted from when the last one was due: a late one must not delay the rest."""
        due = last + self._seconds_per_turn
        self._next = self._clock.timers.at(due, lambda: self._ping(due))

    def _ping(self, due: float) -> None:
        self._wait(due)
        self._turn = (self._turn + 1) % TURNS
        now = self._clock.seconds()
        asked = [connection for connection in self._turns[self._turn] if connection.asked_at == NOTHING_ASKED]
        for connection in asked:
            connection.asked_at = now
            connection.ping()
        if asked:
            turn = self._turn
            self._clock.timers.at(now + self._timeout, lambda: self._check(turn, now))

    def _check(self, turn: int, asked_at: float) -> None:
        """Give up those of a turn that have been silent since they were asked."""
        for connection in [each for each in self._turns[turn] if each.asked_at == asked_at]:
            connection.give_up()
