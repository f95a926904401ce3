"""Time, and all deadlines of one core in one heap, driven by one timer outside."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

__all__ = ["Clock", "Deadline", "Timers", "Waker"]

COMPACT_ABOVE = 1024
"""Cancelled deadlines wait in the heap; above this many, when they are the majority, they are swept out."""


class Clock(Protocol):
    """Time."""

    def seconds(self) -> float:
        """Monotonic seconds: for every duration and deadline."""

    def time(self) -> float:
        """Seconds since 1970, UTC: only to tell people and other programs a date."""


class Waker(Protocol):
    """The one timer outside the core that drives every deadline inside it."""

    def wake_at(self, when: float) -> None:
        """Call ``Timers.run`` at ``when`` (monotonic seconds) or soon after; replaces the last request."""


class Deadline:
    """Something that will happen unless it is cancelled."""

    __slots__ = ("_timers", "what")

    def __init__(self, timers: Timers, what: Callable[[], None]) -> None:
        self._timers = timers
        self.what: Callable[[], None] | None = what

    def cancel(self) -> None:
        """It will not happen; cancelling twice, or too late, does nothing."""
        if self.what is not None:
            self.what = None
            self._timers.cancelled()


class Timers:
    """A heap of deadlines. Costs O(log n) to add, O(1) to cancel."""

    def __init__(self, waker: Waker) -> None:
        self._waker = waker
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = count()
        self._dead = 0

    def __len__(self) -> int:
        """Deadlines that are still to happen."""
        return len(self._heap) - self._dead

    def at(self, when: float, what: Callable[[], None]) -> Deadline:
        """Call ``what`` once ``when`` (monotonic seconds) has come; equal times run in order of asking."""
        deadline = Deadline(self, what)
        heapq.heappush(self._heap, (when, next(self._order), deadline))
        if self._heap[0][2] is deadline:
            self._waker.wake_at(when)
        return deadline

    def cancelled(self) -> None:
        """Count a cancelled deadline (``Deadline.cancel`` calls this)."""
        self._dead += 1
        if self._dead > COMPACT_ABOVE and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].what is not None]
            heapq.heapify(self._heap)
            self._dead = 0

    def run(self, now: float) -> None:
        """Run everything that is due at ``now``, and ask to be woken for the next.

        What a deadline raises leaves this method; those behind it are due still, and woken for.
        """
        try:
            while self._heap and self._heap[0][0] <= now:
                deadline = heapq.heappop(self._heap)[2]
                what, deadline.what = deadline.what, None
                if what is None:
                    self._dead -= 1
                else:
                    what()
        finally:
            if self._heap:
                self._waker.wake_at(self._heap[0][0])
