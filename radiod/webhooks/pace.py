"""A few requests begin in each turn: one takes a third of a millisecond, and many may be due at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from radiod.core.timers import Clock, Timers

__all__ = ["SHARE_S", "Pace"]

SHARE_S: Final = 0.001
"""Seconds of one turn for all webhooks together; one that has begun takes its time."""


class Pace:
    """Has what is due done in order, as much as fits into each turn."""

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._due: deque[Callable[[], None]] = deque()
        self._is_going = False

    def soon(self, what: Callable[[], None]) -> None:
        """Have it done in a turn to come."""
        self._due.append(what)
        self._go_on()

    def _go_on(self) -> None:
        if self._due and not self._is_going:
            self._is_going = True
            self._timers.at(self._clock.seconds(), self._go)

    def _go(self) -> None:
        until = self._clock.seconds() + SHARE_S
        try:
            while self._due:
                self._due.popleft()()
                if self._clock.seconds() >= until:
                    break
        finally:
            # One that fails does not keep the others waiting for ever.
            self._is_going = False
            self._go_on()
