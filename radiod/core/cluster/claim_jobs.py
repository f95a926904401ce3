"""What one node does about each of its claims, one thing after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from radiod.core.timers import Clock, Timers

__all__ = ["ClaimJobs"]

K = TypeVar("K")


class ClaimJobs(Generic[K]):
    """Jobs by key: the next of a key begins, in a turn of its own, when the one before has ended.

    ``look``: decides anew on a key that was to be looked at.
    """

    def __init__(self, clock: Clock, timers: Timers, look: Callable[[K], None]) -> None:
        self._clock = clock
        self._timers = timers
        self._look = look
        self._queues: dict[K, deque[Callable[[], None]]] = {}
        self._looks: set[K] = set()

    def __len__(self) -> int:
        """Keys about which something is done, or will be."""
        return len(self._queues.keys() | self._looks)

    def has(self, key: K) -> bool:
        """Whether something is done about a key now."""
        return key in self._queues

    def add(self, key: K, job: Callable[[], None]) -> None:
        """Do this when all before it is done; it must come to ``end``."""
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((job,))
            job()
        else:
            queue.append(job)

    def end(self, key: K) -> None:
        """The job of a key has ended."""
        queue = self._queues[key]
        queue.popleft()
        if queue:
            self._timers.at(self._clock.seconds(), queue[0])
        else:
            del self._queues[key]

    def look_in(self, seconds: float, keys: list[K]) -> None:
        """Look at these keys then, but for those that are to be looked at already."""
        new = [key for key in keys if key not in self._looks]
        self._looks.update(new)
        if new:
            self._timers.at(self._clock.seconds() + seconds, lambda: self._look_at(new))

    def _look_at(self, keys: list[K]) -> None:
        self._looks.difference_update(keys)
        for key in keys:
            self._look(key)


LOOK_S: Final = 1.0
"""Before what does not fit is looked at again: it may be about to fit."""
