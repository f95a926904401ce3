"""The room that many topics' histories share: bytes, and where it is full, the oldest event of all goes.

What an event counts for is its payload, its lists and ``RECORD_BYTES``. The oldest is found through a heap of
(number of the first record, history), one entry for each history that holds any. Entries are not moved when
a history drops its first record by itself: the number in the heap is then too small, and is put right when it
comes up. Cost: O(log n) in the histories for each event that goes.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import Final, Protocol

__all__ = ["Ranked", "Room"]

STALE: Final = 64
"""Entries of histories that hold nothing any more; above these, and as many as hold something, they go."""


class Ranked(Protocol):
    """A history in the room, as ``History`` is. ``is_ranked``: the room's own."""

    is_ranked: bool

    def __len__(self) -> int:
        """Events that it holds."""

    @property
    def first_order(self) -> int:
        """The number of its oldest event."""

    def drop_first(self) -> None:
        """Drop that event."""


class Room:
    """Counts what the histories in it hold: they change ``bytes`` themselves, with each event.

    Args:
        is_durable: nothing ever goes to make room: what does not fit is refused before.
    """

    __slots__ = ("_heap", "_holding", "_is_durable", "bytes", "max_bytes", "reserved")

    def __init__(self, max_bytes: int, *, is_durable: bool = False) -> None:
        self._is_durable = is_durable
        self.max_bytes = max_bytes
        self.bytes = 0
        # For events on their way to the log.
        self.reserved = 0
        self._heap: list[tuple[int, Ranked]] = []
        # Histories that hold something.
        self._holding = 0

    def begin(self, history: Ranked, order: int) -> None:
        """A history that held nothing holds an event of that number."""
        if self._is_durable:
            return
        self._holding += 1
        if not history.is_ranked:
            history.is_ranked = True
            heappush(self._heap, (order, history))
            if len(self._heap) > 2 * self._holding + STALE:
                self._tidy()

    def end(self) -> None:
        """A history does not hold any event more."""
        if not self._is_durable:
            self._holding -= 1

    def shrink(self) -> int:
        """Drop the oldest events of all until the rest has room. Returns: how many."""
        dropped = 0
        while self.bytes > self.max_bytes:
            self._oldest().drop_first()
            dropped += 1
        return dropped

    def fits(self, size: int) -> bool:
        """Whether there is room for so much more, beside what is on its way."""
        return self.bytes + self.reserved + size <= self.max_bytes

    def _oldest(self) -> Ranked:
        """The history that holds the oldest event."""
        heap = self._heap
        while True:
            order, history = heap[0]
            if not len(history):
                history.is_ranked = False
                heappop(heap)
            elif history.first_order != order:
                heapreplace(heap, (history.first_order, history))
            else:
                return history

    def _tidy(self) -> None:
        for _, history in self._heap:
            history.is_ranked = len(history) > 0
        self._heap = [entry for entry in self._heap if entry[1].is_ranked]
        heapify(self._heap)
