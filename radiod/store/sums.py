"""Checksums of what is stored: a disk, or a copy, may change a letter, and SQLite would not notice.

CRC-32, since it is against accidents: of all rows in which bits were changed, one in four thousand million
passes. An event's is salted with where it belongs, so that it is not taken for one of another channel.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

import msgspec

from radiod.store.records import StoredEvent
from radiod.wire.codecs import CODECS

__all__ = ["NONSENSE", "channel_sum", "event_sum", "is_whole", "row_sum", "salt", "stream_sum"]

NONSENSE: Final = (TypeError, UnicodeError, struct.error)
"""What sums of rows raise that hold values of types which nobody stored."""

# seq, time, publication, lengths of what follows: what is moved from one field to the next shows.
EVENT: Final = struct.Struct("<qdq5I")
STREAM: Final = struct.Struct("<qq")
EXPIRES: Final = struct.Struct("<d")

# zlib gives up the interpreter lock for more than 5 KiB, and a busy reactor gives it back late.
PIECE: Final = 5 * 1024


def salt(id: int, realm: str, channel: str) -> int:
    """What the sums of a stream's events begin with."""
    return crc32(_together(str(id), realm, channel))


def event_sum(salt: int, event: StoredEvent) -> int:
    """Of one event, but for its epoch: that is its stream's."""
    parts = (
        event.codec_name.encode(),
        event.args,
        event.kwargs,
        event.details_json,
        event.options_json,
    )
    head = EVENT.pack(event.seq, event.time, event.publication, *map(len, parts))
    whole = b"".join((head, *parts))
    if len(whole) <= PIECE:
        return crc32(whole, salt)
    view = memoryview(whole)
    for at in range(0, len(whole), PIECE):
        salt = crc32(view[at : at + PIECE], salt)
    return salt


def is_whole(event: StoredEvent, salt: int, sum: int | None) -> bool:
    """Whether an event is what was written; it may hold values of any type.

    None: it was written without a sum, so nothing but the types speaks against it.
    """
    try:
        return event_sum(salt, event) == sum or (sum is None and event.codec_name in CODECS)
    except (AttributeError, *NONSENSE):
        return False


def stream_sum(id: int, realm: str, channel: str, epoch: str, seq: int) -> int:
    """Of how far a channel has counted."""
    return crc32(_together(realm, channel, epoch), crc32(STREAM.pack(id, seq)))


def channel_sum(
    realm: str, name: str, settings: str, control_key_hash: bytes | None, expires: float | None
) -> int:
    """Of a channel; every text tells its length by the zero behind it."""
    end = b"" if expires is None else EXPIRES.pack(expires)
    return crc32(_together(realm, name, settings), crc32(end, crc32(control_key_hash or b"")))


def row_sum(table: str, values: Sequence[Any]) -> int:
    """Of one row of access: as MessagePack, which has one shortest form for each value.

    Raises: ValueError, TypeError, OverflowError: values that no column holds.
    """
    return crc32(msgspec.msgpack.encode([table, *values]))


def _together(*texts: str) -> bytes:
    return "\0".join(texts).encode("utf-8", "surrogateescape")
