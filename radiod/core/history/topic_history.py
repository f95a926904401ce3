"""The count of one topic's events, and those of them that are kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import Any, Final

from radiod.core.history.bounds import RECORD_BYTES, HistoryBounds
from radiod.core.history.events import KeptEvent
from radiod.core.history.positions import Position
from radiod.core.history.room import Room

__all__ = ["History"]

COMPACT_ABOVE: Final = 64
"""Dropped records leave holes in front; above this many, when they are the majority, the holes are closed."""

_SEQ: Final = attrgetter("seq")
_SINCE: Final = attrgetter("since")


class History:
    """The count of one topic's events, and its past.

    Records have an index that never changes: the first one ever had 0, ``first`` is that of the oldest one
    held, ``end`` that of the next one to come. ``seq`` is that of the last event, kept or not; ``assigned``
    may be ahead of it where events are on their way to the journal. Numbers of those that fail there are
    never used again.
    """

    __slots__ = (
        "_bytes",
        "_hole",
        "_records",
        "assigned",
        "epoch",
        "first",
        "is_dropped",
        "is_ranked",
        "keep",
        "on_way",
        "pattern",
        "pool",
        "room",
        "seq",
        "spoiled",
        "topic",
        "unheld",
    )

    def __init__(self, topic: str, keep: HistoryBounds, epoch: str) -> None:
        self.topic = topic
        self.keep = keep
        self.epoch = epoch
        # The pattern of the configuration that has it kept; and the room it shares with others so kept.
        self.pattern = ""
        self.room: Room | None = None
        # The room's: whether it has an entry in its heap.
        self.is_ranked = False
        # Where it waits to make room for others; None: it does not.
        self.pool: dict[str, History] | None = None
        # Events that are on their way to the journal.
        self.on_way = 0
        self.seq = 0
        self.assigned = 0
        # The last event that is lost though it is within the bounds: who came so far has not missed it.
        self.spoiled = 0
        # No event up to this one is held: who has come as far has missed none that is not.
        self.unheld = 0
        self.first = 0
        self.is_dropped = False
        self._bytes = 0
        # How many records in front of the list are gone.
        self._hole = 0
        self._records: list[Any] = []

    @property
    def position(self) -> Position:
        """That of the last event."""
        return Position(self.epoch, self.seq)

    @property
    def first_order(self) -> int:
        """The number, among all of the realm, of the oldest event that is held; there must be one."""
        order: int = self._records[self._hole].order
        return order

    @property
    def end(self) -> int:
        """Index of the next record to come."""
        return self.first + len(self._records) - self._hole

    def __len__(self) -> int:
        return len(self._records) - self._hole

    def at(self, index: int) -> KeptEvent:
        """The record of that index, ``first`` up to but not including ``end``."""
        record: KeptEvent = self._records[self._hole + index - self.first]
        return record

    def since(self, index: int) -> Iterator[KeptEvent]:
        """The records held from that index on, oldest first."""
        for at in range(max(index, self.first), self.end):
            yield self.at(at)

    def index_since(self, moment: float) -> int:
        """The index of the oldest event of that moment or later (monotonic seconds); ``end``: none is."""
        at = bisect_left(self._records, moment, self._hole, key=_SINCE)
        return self.first + at - self._hole

    def after(self, position: Position) -> tuple[int, bool]:
        """Where to go on behind ``position``.

        Returns: the index of the next record, or of the oldest one held if more may have been between; and
            whether nothing that came after the position is missing.
        """
        if position.epoch != self.epoch or not self.unheld <= position.seq <= self.seq:
            return self.first, False
        at = bisect_right(self._records, position.seq, self._hole, key=_SEQ)
        return self.first + at - self._hole, position.seq >= self.spoiled

    def begin(self, at: Position, records: list[KeptEvent]) -> None:
        """Go on behind ``at``; ``records`` are the latest events up to there, oldest first."""
        self.epoch = at.epoch
        self.seq = self.assigned = at.seq
        self.unheld = records[0].seq - 1 if records else at.seq
        self._records = list(records)
        self._bytes = sum(record.size for record in records)
        if self.room is not None and records:
            self.room.bytes += self._bytes + len(records) * RECORD_BYTES
            self.room.begin(self, records[0].order)

    def before_last(self, count: int) -> Position:
        """The position behind which the last ``count`` records come, or as many as are held."""
        first = self.end - count
        return Position(self.epoch, self.at(first - 1).seq if first > self.first else self.unheld)

    def add(self, record: KeptEvent) -> None:
        """Count one more event, and keep it as far as the bounds allow."""
        self.seq = record.seq
        self.assigned = max(self.assigned, record.seq)
        self._records.append(record)
        self._bytes += record.size
        room = self.room
        if room is not None:
            room.bytes += record.size + RECORD_BYTES
            if len(self._records) - self._hole == 1:
                room.begin(self, record.order)
        self.expire(record.since)

    @property
    def bytes(self) -> int:
        """What the records held take, their own sizes alone."""
        return self._bytes

    def expire(self, now: float) -> None:
        """Drop what is beyond the bounds; ``now``: monotonic seconds."""
        keep = self.keep
        while len(self) and (
            len(self) > keep.size
            or self._bytes > keep.bytes
            or self._records[self._hole].since < now - keep.seconds
        ):
            self.drop_first()

    def growth(self, size: int) -> int:
        """By how much what it holds would grow with an event of ``size`` bytes, ``RECORD_BYTES`` aside.

        Less than nothing where the event takes the place of larger ones.
        """
        keep, held, records = self.keep, self._bytes + size, len(self) + 1
        at = self._hole
        while at < len(self._records) and (records > keep.size or held > keep.bytes):
            held -= self._records[at].size
            records -= 1
            at += 1
        return held - self._bytes + (records - len(self) - 1) * RECORD_BYTES

    def clear(self) -> None:
        """Drop everything."""
        while len(self):
            self.drop_first()

    def drop_first(self) -> None:
        """Drop the oldest record; there must be one."""
        record = self._records[self._hole]
        self._bytes -= record.size
        room = self.room
        if room is not None:
            room.bytes -= record.size + RECORD_BYTES
            if len(self._records) - self._hole == 1:
                room.end()
        self.unheld = record.seq
        self._records[self._hole] = None
        self._hole += 1
        self.first += 1
        if self._hole > COMPACT_ABOVE and self._hole * 2 > len(self._records):
            del self._records[: self._hole]
            self._hole = 0
