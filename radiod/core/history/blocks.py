"""Kept events as bytes, some hundred in a block, and read one by one: most are never asked for again.

A block is a count and, for each event, five numbers that bounds and positions go by: number, moment, order,
size, and where its row ends; behind them the rows, in MessagePack. Numbers are in the byte order of the
machine. What writes blocks sees to it that they come back as they were (a checksum); a row that cannot be
read all the same is an event that is lost to everybody, never another one.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from radiod.core.history.events import Damaged, KeptEvent
from radiod.core.history.written import read_told, write_details, write_options
from radiod.wire.codecs import CODECS, JSON, Payload
from radiod.wire.options import PublishOptions

__all__ = ["MOST", "Block", "Row", "Undecoded", "Written", "read_row", "write_block", "write_row"]

MOST: Final = 512
"""Events in a block; each block of a history but the last has so many."""

_WORD: Final = 8
_COLUMNS: Final = 5

_ENCODER: Final = msgspec.msgpack.Encoder()
_ROWS: Final = msgspec.msgpack.Decoder(tuple[float, int, str, bytes, bytes, bytes, bytes])
"""Date, publication's id, serializer, args, kwargs, details, options."""

_UNSAYABLE: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""What writing raises on what a text, or JSON, does not have."""


class Row(NamedTuple):
    """What is written of an event's content. ``time``: seconds since 1970."""

    time: float
    publication: int
    payload: Payload
    options: PublishOptions
    details: dict[str, Any]


def write_row(row: Row, to: bytearray) -> None:
    """Put it behind what is there; nothing where it cannot be written."""
    before, payload = len(to), row.payload
    try:
        details, options = write_details(row.details), write_options(row.options)
        values = row.time, row.publication, payload.codec.name, payload.args, payload.kwargs
        _ENCODER.encode_into((*values, details, options), to, -1)
    except _UNSAYABLE:
        del to[before:]


def read_row(data: Any) -> Row:
    """What was written; with a payload that is lost to everybody where it cannot be read."""
    try:
        time, publication, codec, args, kwargs, details, options = _ROWS.decode(data)
        told = read_told(options, details)
    except (msgspec.MsgspecError, ValueError):
        return Row(0.0, 0, Damaged(JSON, b"", b""), PublishOptions(), {})
    known = CODECS.get(codec)
    payload = Damaged(JSON, args, kwargs) if known is None else Payload(known, args, kwargs)
    return Row(time, publication, payload, told.options, told.details)


class Written:
    """An event that has not been read since it was written; as of a ``KeptEvent``, and ``row``: its bytes."""

    __slots__ = ("order", "row", "seq", "since", "size")

    def __init__(self, seq: int, since: float, order: int, size: int, row: Any) -> None:
        self.seq = seq
        self.since = since
        self.order = order
        self.size = size
        self.row: Any = row


def write_block(records: Sequence[KeptEvent | Written], now: float) -> bytes:
    """The records, at most ``MOST``, as bytes. ``now``: monotonic seconds that moments are told from."""
    body = bytearray()
    ends = array("q")
    for record in records:
        if isinstance(record, Written):
            body += record.row
        else:
            write_row(
                Row(record.time, record.publication, record.payload, record.options, record.details), body
            )
        ends.append(len(body))
    return b"".join(
        (
            array("q", [len(records)]).tobytes(),
            array("q", [record.seq for record in records]).tobytes(),
            array("d", [record.since - now for record in records]).tobytes(),
            array("q", [record.order for record in records]).tobytes(),
            array("q", [record.size for record in records]).tobytes(),
            ends.tobytes(),
            body,
        )
    )


class Block:
    """What ``write_block`` has written. ``left``: how many of its events nobody has taken yet."""

    __slots__ = ("body", "ends", "left", "orders", "seqs", "sinces", "sizes")

    def __init__(self, data: bytes) -> None:
        """Raises: ValueError: no block."""
        view: Any = memoryview(data)
        words: Any = view[: len(data) // _WORD * _WORD].cast("q")
        count = words[0] if len(words) else 0
        if not 0 < count <= min(MOST, (len(words) - 1) // _COLUMNS):
            raise ValueError("no block of events")
        columns = [words[1 + at * count : 1 + (at + 1) * count] for at in range(_COLUMNS)]
        self.left: int = count
        self.seqs: Any = columns[0]
        self.sinces: Any = view[_WORD * (1 + count) : _WORD * (1 + 2 * count)].cast("d")
        self.orders: Any = columns[2]
        self.sizes: Any = columns[3]
        self.ends: Any = columns[4]
        self.body: Any = view[_WORD * (1 + _COLUMNS * count) :]

    def __len__(self) -> int:
        return len(self.seqs)

    def row(self, at: int) -> Any:
        """The bytes of one row."""
        return self.body[self.ends[at - 1] if at else 0 : self.ends[at]]


class Undecoded:
    """The events of one history that are bytes yet; each is taken out once, read or dropped.

    They are told apart by their place, the oldest having 0. A block whose events are all taken is let go.

    Args:
        then: monotonic seconds, of this process, of the moment that the blocks' moments are told from.
    """

    __slots__ = ("_blocks", "_epoch", "_then", "_topic", "bytes", "count")

    def __init__(self, topic: str, epoch: str, blocks: Sequence[Block], then: float) -> None:
        """Raises: ValueError: these are not the blocks of one history."""
        if any(len(block) != MOST for block in blocks[:-1]):
            raise ValueError("a block is missing")
        self._topic = topic
        self._epoch = epoch
        self._blocks: list[Block | None] = list(blocks)
        self._then = then
        self.count = sum(len(block) for block in blocks)
        self.bytes: int = sum(sum(block.sizes) for block in blocks)

    def seq(self, at: int) -> int:
        """The number of an event that is not taken."""
        seq: int = self._block(at).seqs[at % MOST]
        return seq

    def since(self, at: int) -> float:
        """The moment of one, in monotonic seconds."""
        since: float = self._block(at).sinces[at % MOST]
        return since + self._then

    def order(self, at: int) -> int:
        """The order of one, among all of the realm."""
        order: int = self._block(at).orders[at % MOST]
        return order

    def size(self, at: int) -> int:
        """What one counts for, in bytes."""
        size: int = self._block(at).sizes[at % MOST]
        return size

    def written(self, at: int) -> Written:
        """One as it was written; it is not taken."""
        row = self._block(at).row(at % MOST)
        return Written(self.seq(at), self.since(at), self.order(at), self.size(at), row)

    def drop(self, at: int) -> None:
        """Take one out, unread."""
        block = self._block(at)
        block.left -= 1
        if not block.left:
            self._blocks[at // MOST] = None

    def take(self, at: int) -> KeptEvent:
        """Take one out."""
        row = read_row(self._block(at).row(at % MOST))
        record = KeptEvent(
            order=self.order(at),
            time=row.time,
            since=self.since(at),
            topic=self._topic,
            epoch=self._epoch,
            seq=self.seq(at),
            publication=row.publication,
            # Ids of sessions mean nothing to a new process.
            publisher=0,
            payload=row.payload,
            options=row.options,
            details=row.details,
        )
        record.size = self.size(at)
        self.drop(at)
        return record

    def _block(self, at: int) -> Block:
        block = self._blocks[at // MOST]
        assert block is not None
        return block
