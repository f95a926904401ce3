"""The count of one topic's events, and those of them that are kept."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Final

from radiod.core.history.blocks import Undecoded, Written
from radiod.core.history.bounds import RECORD_BYTES, HistoryBounds
from radiod.core.history.events import KeptEvent
from radiod.core.history.positions import Position
from radiod.core.history.room import Room

__all__ = ["History"]

COMPACT_ABOVE: Final = 64
"""Dropped records leave holes in front; above this many, when they are the majority, the holes are closed."""


class History:
    """The count of one topic's events, and its past.

    Records have an index that never changes: the first one ever had 0, ``first`` is that of the oldest one
    held, ``end`` that of the next one to come. ``seq`` is that of the last event, kept or not; ``assigned``
    may be ahead of it where events are on their way to the log. Numbers of those that fail there are
    never used again. Records that another process kept are bytes until somebody asks for them.
    """

    __slots__ = (
        "_bytes",
        "_hole",
        "_past",
        "_records",
        "assigned",
        "epoch",
        "first",
        "is_dropped",
        "is_logged",
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
        # Whether its events happen when the log says so.
        self.is_logged = keep.is_durable
        # The pattern of the configuration that has it kept; and the room it shares with others so kept.
        self.pattern = ""
        self.room: Room | None = None
        # The room's: whether it has an entry in its heap.
        self.is_ranked = False
        # Where it waits to make room for others; None: it does not.
        self.pool: dict[str, History] | None = None
        # Events that are on their way to the log.
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
        # None in the place of each that is yet to be taken from the past of another process, where it has its
        # index.
        self._records: list[Any] = []
        self._past: Undecoded | None = None

    @property
    def position(self) -> Position:
        """That of the last event."""
        return Position(self.epoch, self.seq)

    @property
    def first_order(self) -> int:
        """The number, among all of the realm, of the oldest event that is held; there must be one."""
        record = self._records[self._hole]
        order: int = self._undecoded.order(self.first) if record is None else record.order
        return order

    @property
    def end(self) -> int:
        """Index of the next record to come."""
        return self.first + len(self._records) - self._hole

    def __len__(self) -> int:
        return len(self._records) - self._hole

    def at(self, index: int) -> KeptEvent:
        """The record of that index, ``first`` up to but not including ``end``."""
        place = self._hole + index - self.first
        record: KeptEvent | None = self._records[place]
        if record is None:
            record = self._records[place] = self._undecoded.take(index)
        return record

    @property
    def _undecoded(self) -> Undecoded:
        """Where the records are that are not read yet; there must be some."""
        past = self._past
        assert past is not None
        return past

    def _seq_at(self, index: int) -> int:
        record = self._records[self._hole + index - self.first]
        seq: int = self._undecoded.seq(index) if record is None else record.seq
        return seq

    def _since_at(self, index: int) -> float:
        record = self._records[self._hole + index - self.first]
        since: float = self._undecoded.since(index) if record is None else record.since
        return since

    def _size_at(self, index: int) -> int:
        record = self._records[self._hole + index - self.first]
        size: int = self._undecoded.size(index) if record is None else record.size
        return size

    def since(self, index: int) -> Iterator[KeptEvent]:
        """The records held from that index on, oldest first."""
        for at in range(max(index, self.first), self.end):
            yield self.at(at)

    def written(self) -> list[KeptEvent | Written]:
        """All records held, those that were not read yet as they are."""
        held = self._records[self._hole :]
        if self._past is None:
            return held
        past, first = self._past, self.first
        return [past.written(first + at) if one is None else one for at, one in enumerate(held)]

    def index_since(self, moment: float) -> int:
        """The index of the oldest event of that moment or later (monotonic seconds); ``end``: none is."""
        return self.first + bisect_left(range(self.first, self.end), moment, key=self._since_at)

    def after(self, position: Position) -> tuple[int, bool]:
        """Where to go on behind ``position``.

        Returns: the index of the next record, or of the oldest one held if more may have been between; and
            whether nothing that came after the position is missing.
        """
        if position.epoch != self.epoch or not self.unheld <= position.seq <= self.seq:
            return self.first, False
        at = bisect_right(range(self.first, self.end), position.seq, key=self._seq_at)
        return self.first + at, position.seq >= self.spoiled

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

    def resume(self, at: Position, unheld: int, past: Undecoded) -> None:
        """Go on where another process stopped, with its last events, none up to ``unheld``."""
        self.epoch = at.epoch
        self.seq = self.assigned = at.seq
        self.unheld = unheld
        if past.count:
            self._past = past
            self._records = [None] * past.count
            self._bytes = past.bytes
            if self.room is not None:
                self.room.bytes += past.bytes + past.count * RECORD_BYTES
                self.room.begin(self, past.order(0))

    def before_last(self, count: int) -> Position:
        """The position behind which the last ``count`` records come, or as many as are held."""
        first = self.end - count
        return Position(self.epoch, self._seq_at(first - 1) if first > self.first else self.unheld)

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
        while len(self):
            oldest = self._records[self._hole]
            since = self._undecoded.since(self.first) if oldest is None else oldest.since
            if len(self) <= keep.size and self._bytes <= keep.bytes and since >= now - keep.seconds:
                return
            self.drop_first()

    def growth(self, size: int) -> int:
        """By how much what it holds would grow with an event of ``size`` bytes, ``RECORD_BYTES`` aside.

        Less than nothing where the event takes the place of larger ones.
        """
        keep, held, records = self.keep, self._bytes + size, len(self) + 1
        index = self.first
        while index < self.end and (records > keep.size or held > keep.bytes):
            held -= self._size_at(index)
            records -= 1
            index += 1
        return held - self._bytes + (records - len(self) - 1) * RECORD_BYTES

    def clear(self) -> None:
        """Drop everything."""
        while len(self):
            self.drop_first()

    def drop_first(self) -> None:
        """Drop the oldest record; there must be one."""
        record = self._records[self._hole]
        if record is None:
            size, self.unheld = self._size_at(self.first), self._seq_at(self.first)
            self._undecoded.drop(self.first)
        else:
            size, self.unheld = record.size, record.seq
        self._bytes -= size
        room = self.room
        if room is not None:
            room.bytes -= size + RECORD_BYTES
            if len(self._records) - self._hole == 1:
                room.end()
        self._records[self._hole] = None
        self._hole += 1
        self.first += 1
        if self._hole > COMPACT_ABOVE and self._hole * 2 > len(self._records):
            del self._records[: self._hole]
            self._hole = 0
