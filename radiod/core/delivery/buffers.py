"""What a listener that does not keep up still has to receive: a bounded queue, and its policy."""

from __future__ import annotations

from collections import deque
from typing import Final, cast

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.holdings import Account
from radiod.core.delivery.settings import MAX_SIZE, BufferSettings
from radiod.core.delivery.totals import Tally

__all__ = ["MAX_MARKS", "Buffer"]

MAX_MARKS: Final = 100
"""Marks that one buffer holds beside its events."""


class Buffer:
    """Events that wait, oldest first, and between them how many were lost at that place.

    Marks (``Broadcast.is_end_mark``) keep their place among the events, but neither take their room nor make
    room for them; they have a bound of their own. Events are shared with all other listeners, so a slot
    costs a reference, and memory only where this is the last one that holds the event.
    """

    __slots__ = ("_account", "_mark_bytes", "_queue", "_tally", "bytes", "marks", "samples", "settings")

    def __init__(self, settings: BufferSettings, tally: Tally, account: Account | None = None) -> None:
        self.settings = settings
        self._tally = tally
        # Of the session, if anybody counts what it holds.
        self._account = account
        # An integer in the queue: so many were lost here. Two of them are never side by side.
        self._queue: deque[Broadcast | int] = deque()
        # Events that are no marks, and their payload bytes.
        self.samples = 0
        self.bytes = 0
        self.marks = 0
        self._mark_bytes = 0

    def __len__(self) -> int:
        return self.samples + self.marks

    def __bool__(self) -> bool:
        """As Python has it by ``__len__``; compiled code does not look there."""
        return len(self) > 0

    @property
    def is_clear(self) -> bool:
        """True when neither an event nor the news of a loss waits."""
        return not self._queue

    @property
    def has_untold(self) -> bool:
        """True when a loss is to be told with the next event that comes, since none waits to tell it with."""
        return bool(self._queue) and not len(self)

    @property
    def begins_with_mark(self) -> bool:
        """True when ``take`` would return a mark."""
        first = next((item for item in self._queue if type(item) is not int), None)
        return first is not None and cast("Broadcast", first).is_end_mark

    def ends_with(self, broadcast: Broadcast) -> bool:
        """True when this event waits behind all others."""
        return bool(self._queue) and self._queue[-1] is broadcast

    def fits(self, broadcast: Broadcast) -> bool:
        """True when ``offer`` would take the event without dropping any."""
        size = len(broadcast.payload)
        settings = self.settings
        if broadcast.is_end_mark:
            return self.marks < MAX_MARKS and self._mark_bytes + size <= settings.max_bytes
        if settings.latest:
            return size <= settings.max_bytes
        return self.samples < (settings.size or MAX_SIZE) and self.bytes + size <= settings.max_bytes

    def offer(self, broadcast: Broadcast) -> int:
        """Queue an event, making room as the policy says.

        An event above ``max_bytes`` is dropped itself. Returns: how many events were lost.
        """
        settings = self.settings
        is_sample = not broadcast.is_end_mark
        if is_sample and settings.latest and self.samples and len(broadcast.payload) <= settings.max_bytes:
            self._conflate(0)
        if self.fits(broadcast):
            self._append(broadcast)
            return 0
        if (
            is_sample
            and settings.policy in ("ring", "clear")
            and len(broadcast.payload) <= settings.max_bytes
        ):
            lost = 0
            while not self.fits(broadcast) or (settings.policy == "clear" and self.samples):
                self._drop_oldest(1)
                lost += 1
            self._append(broadcast)
            return self._count(lost)
        self.lose(1)
        return self._count(1)

    def refuse(self) -> int:
        """An event may not be queued, though it had room here. Returns: how many events were lost: it."""
        self.lose(1)
        return self._count(1)

    def shed(self) -> int:
        """Drop what the policy drops when it is full; there must be a sample. Returns: how many were lost."""
        policy, lost = self.settings.policy, 1
        if policy == "skip":
            self._drop_newest()
            return self._count(lost)
        self._drop_oldest(1)
        while policy == "clear" and self.samples > 1:
            self._drop_oldest(1)
            lost += 1
        return self._count(lost)

    def take(self) -> tuple[Broadcast, int]:
        """The oldest event, and how many were lost before it. Raises: IndexError: the buffer is empty."""
        if not len(self):
            raise IndexError("no event waits")
        item = self._queue.popleft()
        lost = 0
        if isinstance(item, int):
            lost = item
            item = cast("Broadcast", self._queue.popleft())
        self._forget(item)
        return item, lost

    def take_lost(self) -> int:
        """How many were lost that nobody was told of. Only while no event waits."""
        return cast("int", self._queue.pop()) if self._queue else 0

    @property
    def unsaid(self) -> int:
        """How many the listener has not heard of: those that wait, and those that were lost between them."""
        return len(self) + sum(lost for lost in self._queue if isinstance(lost, int))

    def lose(self, count: int) -> None:
        """Remember that so many events were lost behind all that waits."""
        if count:
            if self._queue and isinstance(self._queue[-1], int):
                count += cast("int", self._queue.pop())
            self._queue.append(count)

    def put_back(self, lost: int) -> None:
        """What ``take`` told was lost could not be told: it will be with the next event."""
        if lost:
            if self._queue and isinstance(self._queue[0], int):
                lost += cast("int", self._queue.popleft())
            self._queue.appendleft(lost)

    def tune(self, settings: BufferSettings) -> int:
        """Go on with other settings; a buffer that has become too small drops as its new policy says.

        Returns: how many events were lost.
        """
        self.settings = settings
        if settings.latest:
            self._conflate(1)
        lost = 0
        while self.samples > (settings.size or MAX_SIZE) or self.bytes > settings.max_bytes:
            if settings.policy in ("ring", "clear"):
                self._drop_oldest(1)
            else:
                self._drop_newest()
            lost += 1
        if lost and settings.policy == "clear":
            while self.samples > 1:
                self._drop_oldest(1)
                lost += 1
        return self._count(lost)

    def _conflate(self, keep: int) -> None:
        while self.samples > keep:
            self._drop_oldest(0)
            self._tally.conflated += 1

    def _count(self, lost: int) -> int:
        self._tally.by_policy[self.settings.policy] += lost
        return lost

    def discard(self) -> None:
        """Nobody will take what waits: the buffer must not be used any more."""
        self._tally.queued -= len(self)
        self._tally.queued_bytes -= self.bytes + self._mark_bytes
        if self._account is not None:
            self._account.change(-self.bytes - self._mark_bytes)

    def _append(self, broadcast: Broadcast) -> None:
        self._queue.append(broadcast)
        size = len(broadcast.payload)
        self._tally.queued += 1
        self._tally.queued_bytes += size
        if self._account is not None:
            self._account.change(size)
        if broadcast.is_end_mark:
            self.marks += 1
            self._mark_bytes += size
        else:
            self.samples += 1
            self.bytes += size

    def _forget(self, broadcast: Broadcast) -> None:
        size = len(broadcast.payload)
        self._tally.queued -= 1
        self._tally.queued_bytes -= size
        if self._account is not None:
            self._account.change(-size)
        if broadcast.is_end_mark:
            self.marks -= 1
            self._mark_bytes -= size
        else:
            self.samples -= 1
            self.bytes -= size

    def _drop_oldest(self, lost: int) -> None:
        """Remove the oldest sample from among the marks, and leave ``lost`` in its place."""
        queue = self._queue
        before: list[Broadcast | int] = []
        while isinstance(item := queue.popleft(), int) or item.is_end_mark:
            before.append(item)
        self._forget(item)
        if before and isinstance(before[-1], int):
            lost += cast("int", before.pop())
        self.put_back(lost)
        queue.extendleft(reversed(before))

    def _drop_newest(self) -> None:
        """Remove the newest sample from among the marks, and leave a loss in its place."""
        queue = self._queue
        behind: list[Broadcast | int] = []
        while isinstance(item := queue.pop(), int) or item.is_end_mark:
            behind.append(item)
        self._forget(item)
        lost = 1
        if behind and isinstance(behind[-1], int):
            lost += cast("int", behind.pop())
        self.lose(lost)
        queue.extend(reversed(behind))
