"""What the records of logged topics hold, as arrays in MessagePack."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode as read

__all__ = ["Birth", "Epoch", "Logged", "decode", "encode"]


class Logged(Struct, array_like=True, tag="e", frozen=True):
    """One event. ``id``: the record's own; ``publisher``: id of its session; ``role``: that one's.

    ``time``: seconds since 1970, by the clock of the publisher's node; ``codec``, ``args``, ``kwargs``: the
    payload as it came; ``options``, ``details``: as ``core.history.written`` has them.
    """

    id: str
    topic: str
    publication: int
    publisher: int
    role: str
    time: float
    codec: str
    args: bytes
    kwargs: bytes
    options: bytes
    details: bytes
    is_end_mark: bool = False


class Birth(Struct, array_like=True, tag="b", frozen=True):
    """The first record of a topic: who stands there has missed none of its events."""

    topic: str


class Epoch(Struct, array_like=True, tag="x", frozen=True):
    """Which count of its stream the numbers of this and the records behind it belong to."""

    epoch: str


_DECODER: Final[msgspec.msgpack.Decoder[Logged | Birth | Epoch]] = msgspec.msgpack.Decoder(
    Logged | Birth | Epoch
)
_ENCODER: Final = msgspec.msgpack.Encoder()


def encode(record: Logged | Birth | Epoch) -> bytes:
    """As it is stored."""
    return _ENCODER.encode(record)


def decode(data: bytes) -> Logged | Birth | Epoch | None:
    """As it was written; None: no node of this version has."""
    return read(_DECODER, data)
