"""What nodes tell each other of how many listen: where somebody wants to know, and how many do there.

A node's watched places, all of them, are one or several ``Watched``, of which the last says so. A place is
a public topic, or stands for a private channel (``Places``).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode

__all__ = ["Counts", "ReaderLetter", "Unwatch", "Want", "Watch", "Watched", "read_readers", "write_readers"]


class Watched(Struct, array_like=True, frozen=True, tag="watched"):
    """Some of all places that the sender watches."""

    places: tuple[str, ...]
    is_first: bool
    is_last: bool


class Watch(Struct, array_like=True, frozen=True, tag="watch"):
    """The sender watches these, too; it is to be told the counts, also those that are 0."""

    places: tuple[str, ...]


class Unwatch(Struct, array_like=True, frozen=True, tag="unwatch"):
    """The sender does not watch these any more."""

    places: tuple[str, ...]


class Counts(Struct, array_like=True, frozen=True, tag="counts"):
    """How many sessions of the sender listen, by place."""

    counts: dict[str, int]


class Want(Struct, array_like=True, frozen=True, tag="want"):
    """Letters were lost: tell all again."""


ReaderLetter = Watched | Watch | Unwatch | Counts | Want

ENCODER = msgspec.msgpack.Encoder()
DECODER: Final[msgspec.msgpack.Decoder[ReaderLetter]] = msgspec.msgpack.Decoder(ReaderLetter)


def write_readers(letter: ReaderLetter) -> bytes:
    """A letter as bytes."""
    return ENCODER.encode(letter)


def read_readers(data: bytes) -> ReaderLetter | None:
    """The letter in ``data``; None: there is none."""
    return decode(DECODER, data)
