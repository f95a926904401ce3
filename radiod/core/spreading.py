"""Many things that end one after the other, evenly over some time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final, Generic, TypeVar

from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["SLICE_S", "TICK_S", "Spread"]

T = TypeVar("T")

TICK_S: Final = 0.05
"""Seconds between two looks at what is due: whoever ends many ends some at once."""

SLICE_S: Final = 0.005
"""Seconds of one turn; what is due and had no time ends in the next."""


class Spread(Generic[T]):
    """Ends things in an order left to chance, so that equal parts of the time see equal parts of them end.

    Args:
        chance: a number from 0 to below 1, another one each time.
        end: ends one thing, which may have ended by itself.
    """

    def __init__(
        self, clock: Clock, timers: Timers, chance: Callable[[], float], end: Callable[[T], None]
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._chance = chance
        self._end = end
        self._order = count()
        # (when it is due, order, thing)
        self._heap: list[tuple[float, int, T]] = []
        self._deadline: Deadline | None = None

    def __len__(self) -> int:
        """How many are left, those included that ended by themselves and are not due."""
        return len(self._heap)

    def begin(self, things: Iterable[T], seconds: float) -> None:
        """End these over so many seconds from now on; what was to end before belongs to them no more."""
        self.cancel()
        left = list(things)
        now, part = self._clock.seconds(), seconds / max(1, len(left))
        for place in range(len(left)):
            # One in each part of the time, which ever it is.
            other = place + int(self._chance() * (len(left) - place))
            left[place], left[other] = left[other], left[place]
            self._heap.append((now + part * (place + self._chance()), next(self._order), left[place]))
        heapq.heapify(self._heap)
        self._plan()

    def hasten(self) -> None:
        """End all that are left now, a slice of each turn at a time."""
        now = self._clock.seconds()
        self._heap = [(min(when, now), order, thing) for when, order, thing in self._heap]
        heapq.heapify(self._heap)
        self._plan()

    def cancel(self) -> None:
        """End none of those that are left."""
        self._heap.clear()
        self._forget()

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _plan(self, earliest: float = float("-inf")) -> None:
        self._forget()
        if self._heap:
            self._deadline = self._timers.at(max(self._heap[0][0], earliest), self._look)

    def _look(self) -> None:
        now = self._clock.seconds()
        heap, next_look = self._heap, now + TICK_S
        try:
            while heap and heap[0][0] <= now:
                self._end(heapq.heappop(heap)[2])
                then = self._clock.seconds()
                if then >= now + SLICE_S:
                    next_look = then
                    break
        finally:
            # One that fails to end does not keep the others.
            self._plan(next_look)
