"""What the claim of a channel says, and what nodes tell each other of it."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.channels.settings import ChannelSettings
from radiod.core.cluster.encoding import decode, encode

__all__ = [
    "ChannelRecord",
    "Known",
    "WriterRecord",
    "read_channel",
    "read_known",
    "read_writer",
    "write_channel",
    "write_known",
    "write_writer",
]


class ChannelRecord(Struct, array_like=True, frozen=True):
    """A channel that a session created, as all nodes know it; of a private one neither name nor key.

    ``id``: of its control key, and so its own; ``is_open``: it may be used, all that belongs to it is there;
    ``born``: epoch and number with which its log begins, if it has one; ``expires``: when it ends, in seconds
    since 1970; ``node``, ``session``: the incarnation and the session that own it, 0: nobody does; ``waits``:
    until when somebody may come as its owner, before it ends; ``orphaned``: how often an owner was gone.
    """

    id: str
    settings: ChannelSettings
    is_open: bool
    born: tuple[str, int] | None
    expires: float | None
    node: int
    session: int
    waits: float | None = None
    orphaned: int = 0


class WriterRecord(Struct, array_like=True, frozen=True):
    """The session that has the slot of a single-writer channel; ``is_forced``: by the control key."""

    node: int
    session: int
    is_forced: bool


class Known(Struct, array_like=True, frozen=True):
    """Whoever gets this is to know the claim of a place, as of this number, before it answers."""

    place: str
    revision: int


CHANNEL: Final = msgspec.msgpack.Decoder(ChannelRecord)
WRITER: Final = msgspec.msgpack.Decoder(WriterRecord)
KNOWN: Final = msgspec.msgpack.Decoder(Known)


def write_channel(record: ChannelRecord) -> bytes:
    """The value of a claim."""
    return encode(record)


def read_channel(value: bytes) -> ChannelRecord | None:
    """What a claim says; None: nothing that a node of this version has written."""
    return decode(CHANNEL, value)


def write_known(letter: Known) -> bytes:
    """A letter as bytes."""
    return encode(letter)


def read_known(data: bytes) -> Known | None:
    """The letter in ``data``; None: there is none."""
    return decode(KNOWN, data)


def write_writer(record: WriterRecord) -> bytes:
    """The value of a slot's claim."""
    return encode(record)


def read_writer(value: bytes) -> WriterRecord | None:
    """What the claim of a slot says; None: nothing."""
    return decode(WRITER, value)
