"""What nodes tell each other about calls: arrays in MessagePack, each with its tag.

A payload goes as its sender wrote it: ``codec`` is the name of its serializer, ``is_plain`` as in
``Payload``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode, encode
from radiod.wire.codecs import CODECS, CodecName, Payload
from radiod.wire.options import CancelMode

__all__ = [
    "CallLetter",
    "Declined",
    "Dropped",
    "Failed",
    "Invoke",
    "Packed",
    "Reset",
    "Stop",
    "Yielded",
    "pack",
    "read_call",
    "unpack",
    "write_call",
]


class Packed(Struct, array_like=True, frozen=True):
    """A payload."""

    codec: CodecName
    args: bytes
    kwargs: bytes
    is_plain: bool


class Invoke(Struct, array_like=True, frozen=True, tag="invoke"):
    """To the callee's node: INVOCATION of a callee, or the next chunk of one; ``request``: the caller's node
    counts them."""

    session: int
    request: int
    registration: int
    details: dict[str, Any]
    payload: Packed


class Stop(Struct, array_like=True, frozen=True, tag="stop"):
    """To the callee's node: INTERRUPT."""

    request: int
    mode: CancelMode
    reason: str


class Dropped(Struct, array_like=True, frozen=True, tag="drop"):
    """To the callee's node: nobody waits for the answer; the callee need not be told."""

    request: int


class Yielded(Struct, array_like=True, frozen=True, tag="yield"):
    """To the caller's node: YIELD; ``details``: what it says of a payload that is passed through."""

    session: int
    request: int
    is_progress: bool
    details: dict[str, Any]
    payload: Packed


class Failed(Struct, array_like=True, frozen=True, tag="failed"):
    """To the caller's node: the call has ended with this error."""

    session: int
    request: int
    error: str
    details: dict[str, Any]
    payload: Packed


class Declined(Struct, array_like=True, frozen=True, tag="declined"):
    """To the caller's node: this callee does not take the call, another one may."""

    session: int
    request: int
    error: str
    text: str


class Reset(Struct, array_like=True, frozen=True, tag="reset"):
    """Something of what you have told was lost: your calls here have ended."""


CallLetter = Invoke | Stop | Dropped | Yielded | Failed | Declined | Reset

DECODER: Final[msgspec.msgpack.Decoder[CallLetter]] = msgspec.msgpack.Decoder(CallLetter)


def write_call(letter: CallLetter) -> bytes:
    """A letter as bytes."""
    return encode(letter)


def read_call(data: bytes) -> CallLetter | None:
    """The letter in ``data``; None: there is none."""
    return decode(DECODER, data)


def pack(payload: Payload | None) -> Packed:
    """A payload for a letter; None: an empty one."""
    if payload is None:
        return NOTHING
    return Packed(payload.codec.name, payload.args, payload.kwargs, payload.is_plain)


def unpack(packed: Packed) -> Payload:
    """The payload of a letter."""
    payload = Payload(CODECS[packed.codec], packed.args, packed.kwargs)
    payload.is_plain = packed.is_plain
    return payload


NOTHING = Packed("json", b"", b"", True)
