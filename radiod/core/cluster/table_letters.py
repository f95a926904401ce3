"""What nodes tell each other of their tables: what each has of sessions, subscribers and people present.

A table is told to those who mirror it: all of it as ``Begin``, any number of ``Part``, and ``End``, then each
change. Changes that happen meanwhile come in between, and every part says how things are when it is sent.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode, encode

__all__ = [
    "Again",
    "Begin",
    "Drop",
    "End",
    "Fence",
    "Key",
    "Part",
    "Put",
    "Reset",
    "TableLetter",
    "Unwatch",
    "Watch",
    "is_session",
    "is_subscriber",
    "read_tables",
    "write_tables",
]

Shape = dict[str, type]

SESSION: Final[Shape] = {
    "session": int,
    "authid": str,
    "authrole": str,
    "authmethod": str,
    "authprovider": str,
}
SUBSCRIPTION: Final[Shape] = {"id": int, "created": str, "uri": str, "match": str}
"""What is told of each, at least."""

Key = int | str | tuple[int, int]
"""What an entry of a table is found by."""


class Watch(Struct, array_like=True, frozen=True, tag="watch"):
    """The sender mirrors these from now on: it is to be told all of them."""

    tables: tuple[str, ...]


class Unwatch(Struct, array_like=True, frozen=True, tag="unwatch"):
    """The sender does not mirror this any more."""

    table: str


class Reset(Struct, array_like=True, frozen=True, tag="reset"):
    """The sender mirrors nothing but what follows."""


class Again(Struct, array_like=True, frozen=True, tag="again"):
    """Letters were lost: say again what you mirror."""


class Begin(Struct, array_like=True, frozen=True, tag="begin"):
    """All of a table follows."""

    table: str


class Part(Struct, array_like=True, frozen=True, tag="part"):
    """Some of a table: keys and values."""

    table: str
    entries: list[tuple[Key, Any]]


class End(Struct, array_like=True, frozen=True, tag="end"):
    """This was all of it."""

    table: str


class Put(Struct, array_like=True, frozen=True, tag="put"):
    """An entry is there, or has another value, which is not None."""

    table: str
    key: Key
    value: Any


class Drop(Struct, array_like=True, frozen=True, tag="drop"):
    """An entry is gone. ``is_quiet``: nobody is to be told so."""

    table: str
    key: Key
    is_quiet: bool = False


class Fence(Struct, array_like=True, frozen=True, tag="fence"):
    """A question: it is answered when all before is taken in, and what that has the node ask for is there."""


TableLetter = Watch | Unwatch | Reset | Again | Begin | Part | End | Put | Drop | Fence

DECODER: Final[msgspec.msgpack.Decoder[TableLetter]] = msgspec.msgpack.Decoder(TableLetter)


def is_session(key: Any, value: Any) -> bool:
    """Whether that is an entry of the table of sessions."""
    return isinstance(key, int) and _is(value, SESSION)


def is_subscriber(key: Any, value: Any) -> bool:
    """Whether that is an entry of the table of subscribers."""
    return isinstance(key, tuple) and _is(value, SUBSCRIPTION)


def _is(value: Any, shape: Shape) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in shape.items())


def write_tables(letter: TableLetter) -> bytes:
    """A letter as bytes."""
    return encode(letter)


def read_tables(data: bytes) -> TableLetter | None:
    """The letter in ``data``; None: there is none."""
    return decode(DECODER, data)
