"""Values as sections of a state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct

from radiod.state.format import Section

__all__ = ["section", "sections"]

_UNSAYABLE = (TypeError, ValueError, OverflowError, RecursionError)


def section(kind: bytes, value: Struct) -> Section:
    """A value as a section."""
    return Section(kind, msgspec.msgpack.encode(value))


def sections(kind: bytes, values: Iterable[Struct]) -> Iterator[Section]:
    """A section for each value; one that MessagePack cannot express, a text that is none say, is left out."""
    for value in values:
        try:
            yield section(kind, value)
        except _UNSAYABLE:
            continue
