"""What is to happen later: one heap, and nobody's clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

__all__ = ["Deadline", "Deadlines"]


SWEEP_AT = 1000


class Deadline:
    """One of them; ``cancel`` may come at any time."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at = at
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It does not happen."""
        self.action = None


class Deadlines:
    """All that waits for its time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Deadline]] = []
        self._count = count()
        self._sweep_at = SWEEP_AT

    def after(self, seconds: float, action: Callable[[], None]) -> Deadline:
        """Have it happen in so many seconds."""
        deadline = Deadline(self._clock() + seconds, action)
        heapq.heappush(self._heap, (deadline.at, next(self._count), deadline))
        if len(self._heap) > self._sweep_at:
            self._sweep()
        return deadline

    def _sweep(self) -> None:
        """Most are canceled long before their time: those of calls that were answered."""
        self._heap = [each for each in self._heap if each[2].action is not None]
        heapq.heapify(self._heap)
        self._sweep_at = max(SWEEP_AT, 2 * len(self._heap))

    def next(self) -> float | None:
        """When ``run`` is wanted next."""
        while self._heap and self._heap[0][2].action is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self) -> None:
        """Do what is due, but nothing that is only said now."""
        now, end = self._clock(), next(self._count)
        while (at := self.next()) is not None and at <= now and self._heap[0][1] < end:
            deadline = heapq.heappop(self._heap)[2]
            action, deadline.action = deadline.action, None
            if action is not None:
                action()
