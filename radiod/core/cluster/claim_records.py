"""The record of a stream that one claim is, as bytes."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode

__all__ = ["ClaimRecord", "read_claim", "write_claim"]


class ClaimRecord(Struct, array_like=True, frozen=True):
    """One claim, or its end.

    ``value``: None: it is released; ``node``: the incarnation that wrote this; ``token``: nobody else's, by
    which a node knows what it wrote without having heard so.
    """

    about: str
    key: str
    value: bytes | None
    node: int
    token: str
    why: str = ""


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(ClaimRecord)


def write_claim(record: ClaimRecord) -> bytes:
    """The record as bytes."""
    return ENCODER.encode(record)


def read_claim(data: bytes) -> ClaimRecord | None:
    """The record in ``data``; None: it is none of ours."""
    return decode(DECODER, data)
