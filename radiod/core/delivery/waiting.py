"""Publishers that wait: acknowledged events in front of a full buffer of policy ``wait``."""

from __future__ import annotations

from collections import deque

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.buffers import MAX_MARKS
from radiod.core.delivery.holdings import Account
from radiod.core.delivery.receipts import Receipt
from radiod.core.delivery.settings import MAX_SIZE, BufferSettings

__all__ = ["WaitingPublishes"]


class WaitingPublishes:
    """Acknowledged events in front of a full buffer of policy ``wait``, and marks among them.

    Each with the number of events lost before it, its receipt, and when it is given up.
    """

    __slots__ = ("_account", "_bytes", "_events", "_mark_bytes", "_marks", "lost")

    def __init__(self, account: Account) -> None:
        self._account = account
        self._events: deque[tuple[int, Broadcast, Receipt | None, float]] = deque()
        # Payload bytes of events that are no marks, and of marks.
        self._bytes = 0
        self._mark_bytes = 0
        self._marks = 0
        # Lost behind everything that waits here.
        self.lost = 0

    def __len__(self) -> int:
        return len(self._events)

    def __bool__(self) -> bool:
        """As Python has it by ``__len__``; compiled code does not look there."""
        return len(self) > 0

    @property
    def first(self) -> Broadcast:
        """The event that has waited longest."""
        return self._events[0][1]

    @property
    def first_until(self) -> float:
        """When that event is given up."""
        return self._events[0][3]

    def has_room(self, broadcast: Broadcast, settings: BufferSettings) -> bool:
        """True while it is no longer than a buffer may be, and marks have their own bound.

        Nobody waits for a session that may hold no more.
        """
        size = len(broadcast.payload)
        if self._account.exceeded(size) is not None:
            return False
        if broadcast.is_end_mark:
            return self._marks < MAX_MARKS and self._mark_bytes + size <= settings.max_bytes
        samples = len(self._events) - self._marks
        return samples < (settings.size or MAX_SIZE) and self._bytes + size <= settings.max_bytes

    def add(self, broadcast: Broadcast, receipt: Receipt | None, until: float) -> None:
        """Let one more wait."""
        self._events.append((self.lost, broadcast, receipt, until))
        self.lost = 0
        self._note_one(broadcast, 1)

    def pop(self) -> tuple[int, Broadcast, Receipt | None]:
        """Remove the one that has waited longest."""
        lost, broadcast, receipt, _ = self._events.popleft()
        self._note_one(broadcast, -1)
        return lost, broadcast, receipt

    def _note_one(self, broadcast: Broadcast, sign: int) -> None:
        size = sign * len(broadcast.payload)
        self._account.change(size)
        if broadcast.is_end_mark:
            self._marks += sign
            self._mark_bytes += size
        else:
            self._bytes += size
