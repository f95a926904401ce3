"""A server that sends its clients away: nobody new is let in, and everybody is told when to come back."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from radiod.core.timers import Clock
from radiod.errors import TryLater

__all__ = ["LEAST_S", "PER_LISTENER_S", "REFUSED_S", "Draining"]

LEAST_S: Final = 1.0
"""Seconds before which nobody who is sent away shall come back."""

WIDTH_S: Final = 2.0
LARGEST_WIDTH_S: Final = 120.0
PER_LISTENER_S: Final = 0.001
"""They come back over so many seconds, or over so many for each that is sent away at once: a server can let
in about a thousand in a second."""

REFUSED_S: Final = 5.0
"""Seconds before which nobody shall come back to a server that is drained, and may stay so."""


class Draining:
    """Whether one server is drained. ``is_on``: nobody new is let in.

    Args:
        chance: a number from 0 to below 1, another one each time.
        refused: as ``Statistics.refused``.
    """

    def __init__(self, clock: Clock, chance: Callable[[], float], refused: dict[str, int]) -> None:
        self._clock = clock
        self._chance = chance
        self._refused = refused
        self._until = 0.0
        self._width = WIDTH_S
        self.is_on = False
        # Connections of those who poll that were there when it began: each poll comes anew.
        self._known: set[object] = set()

    def begin(self, seconds: float, known: set[object]) -> None:
        """Let nobody in who is not ``known``; those who are there end over so many seconds from now on."""
        self.is_on = True
        self._until = self._clock.seconds() + seconds
        self._width = WIDTH_S
        self._known = known

    def end(self) -> None:
        """Let everybody in."""
        self.is_on = False
        self._known = set()

    def all_at_once(self, listeners: int) -> None:
        """So many are about to be sent away at once: they must not all come back at once."""
        self._width = min(max(WIDTH_S, PER_LISTENER_S * listeners), LARGEST_WIDTH_S)

    def retry_after(self) -> float:
        """Seconds after which one who is sent away now shall come back: another number for each."""
        return LEAST_S + self._chance() * self._width

    def check(self) -> None:
        """Somebody new wants to come in. Raises: TryLater: nobody is let in."""
        if self.is_on:
            self._refused["draining"] += 1
            left = self._until - self._clock.seconds()
            raise TryLater(max(left, REFUSED_S) + self.retry_after())

    def check_poll(self, connection: object) -> None:
        """Somebody polls, who may have been here before, on the same connection. Raises: TryLater."""
        if self.is_on and connection not in self._known:
            self.check()

    def forget(self, connection: object) -> None:
        """Who polls there was sent away."""
        self._known.discard(connection)

    def longest_wait(self) -> float:
        """Seconds after which who begins to wait now is sent away: evenly over what is left of the time."""
        if not self.is_on:
            return inf
        return self._chance() * max(0.0, self._until - self._clock.seconds())
