"""What a listener that does not keep up still has to receive: a bounded queue with a policy."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radiod.core.broker import Broadcast

__all__ = ["Buffer"]


class Buffer:
    """A ring: the newest ``size`` events and at most ``max_bytes``; the oldest make room.

    Events are shared with all other listeners, so a slot costs a reference, and memory only where this is
    the last one that holds the event. ``lost`` counts what was dropped since the last ``take``.
    """

    __slots__ = ("_bytes", "_events", "lost", "max_bytes", "size")

    def __init__(self, size: int, max_bytes: int) -> None:
        self.size = size
        self.max_bytes = max_bytes
        self.lost = 0
        self._events: deque[Broadcast] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def bytes(self) -> int:
        """Payload bytes of the events held."""
        return self._bytes

    def offer(self, broadcast: Broadcast) -> int:
        """Queue an event, making room by dropping the oldest; an event above ``max_bytes`` is dropped itself.

        Returns: how many events were dropped.
        """
        size = len(broadcast.payload)
        dropped = 0
        if size > self.max_bytes:
            self.lost += 1
            return 1
        while len(self._events) >= self.size or self._bytes + size > self.max_bytes:
            self._bytes -= len(self._events.popleft().payload)
            dropped += 1
        self._events.append(broadcast)
        self._bytes += size
        self.lost += dropped
        return dropped

    def take(self) -> tuple[Broadcast, int]:
        """The oldest event, and how many were lost before it. Raises: IndexError: the buffer is empty."""
        broadcast = self._events.popleft()
        self._bytes -= len(broadcast.payload)
        lost, self.lost = self.lost, 0
        return broadcast, lost
