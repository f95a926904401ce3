"""Batched serializations: many WAMP messages in one WebSocket message (WAMP specification, "Serializers").

In JSON each message is followed by a separator, in the binary serializers preceded by its length in four
bytes, most significant first. Autobahn|Python separates by 0x18 where the specification says 0x1E ("\\30",
read as octal); neither byte can occur in JSON, so both are taken, and a client is answered in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from radiod.errors import PeerError

__all__ = ["MOST_MESSAGES", "RECORD_SEPARATOR", "SEPARATED", "sized", "split_separated", "split_sized"]

RECORD_SEPARATOR: Final = 0x1E
AUTOBAHNS_SEPARATOR: Final = 0x18

MOST_MESSAGES: Final = 1024
"""In one batch, all of which are held until they have been handled."""

_SAME_SEPARATOR: Final = bytes.maketrans(b"\x18", b"\x1e")
_LENGTH_BYTES: Final = 4


def sized(message: bytes) -> bytes:
    """A batch of one binary message."""
    return len(message).to_bytes(_LENGTH_BYTES, "big") + message


SEPARATED: Final[Mapping[int, Callable[[bytes], bytes]]] = {
    RECORD_SEPARATOR: lambda message: message + b"\x1e",
    AUTOBAHNS_SEPARATOR: lambda message: message + b"\x18",
}
"""By separator: makes a batch of one JSON message."""


def split_separated(batch: bytes) -> tuple[list[bytes], int]:
    """The JSON messages in a batch, and the separator behind the last one.

    Raises: PeerError: the batch or a message in it is empty, the last one is not followed by a separator, or
        there are more than ``MOST_MESSAGES``.
    """
    if not batch or batch[-1] not in SEPARATED:
        raise PeerError("every message of a batch must be followed by the byte 0x1e")
    same = batch.translate(_SAME_SEPARATOR)
    # The piece behind the last separator is empty, unless it holds what was one too many.
    messages = same.split(b"\x1e", MOST_MESSAGES)
    if messages.pop():
        raise _too_many()
    if not all(messages):
        raise PeerError("an empty message in a batch")
    return messages, batch[-1]


def split_sized(batch: bytes) -> list[bytes]:
    """The binary messages in a batch.

    Raises: PeerError: the batch or a message in it is empty, it ends within a message or a length, or there
        are more than ``MOST_MESSAGES``.
    """
    messages: list[bytes] = []
    start, end = 0, len(batch)
    while start < end or not messages:
        if len(messages) == MOST_MESSAGES:
            raise _too_many()
        size = int.from_bytes(batch[start : start + _LENGTH_BYTES], "big")
        start += _LENGTH_BYTES
        if start + size > end:
            raise PeerError("a batch ends within a message, or within the length in front of it")
        if not size:
            raise PeerError("an empty message in a batch")
        messages.append(batch[start : start + size])
        start += size
    return messages


def _too_many() -> PeerError:
    return PeerError(f"more than {MOST_MESSAGES} messages in a batch")
