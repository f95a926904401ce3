"""What the store holds, and the ways it fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

__all__ = [
    "LOST",
    "FileError",
    "LostEvent",
    "Position",
    "StoreError",
    "StoreFull",
    "StoredChannel",
    "StoredEvent",
]

LOST: Final = "lost"
"""In place of a serializer: the row says only that there was an event, which was damaged."""


class StoreError(Exception):
    """The store cannot do what it was asked to. ``str`` is one line without payload or secrets."""


class StoreFull(StoreError):
    """Too much waits to be written already: try again later."""


class FileError(StoreError):
    """A file that was named is there already, or cannot be made."""


class StoredChannel(Struct, frozen=True, kw_only=True):
    """A durable channel.

    ``control_key_hash``: SHA-256 of its control key, None for a channel that nobody controls.
    ``expires``: seconds since 1970, None for one that does not end by itself.
    """

    realm: str
    name: str
    settings: dict[str, Any]
    control_key_hash: bytes | None
    expires: float | None


class Position(Struct, frozen=True):
    """How far a channel has counted: the last ``seq`` of its ``epoch``, whether that event is held or not."""

    epoch: str
    seq: int


class StoredEvent(Struct, frozen=True, kw_only=True):
    """One event of a channel's history.

    ``time``: seconds since 1970. ``args`` and ``kwargs``: bytes in the serializer ``codec_name``, as their
    publisher wrote them. ``details_json``, ``options_json``: JSON, as given to the store.
    """

    epoch: str
    seq: int
    time: float
    publication: int
    codec_name: str
    args: bytes
    kwargs: bytes
    details_json: bytes
    options_json: bytes

    @classmethod
    def of_row(cls, epoch: str, row: Sequence[Any]) -> StoredEvent:
        """That of a row of the table, whose columns are in the order of the fields, from ``seq`` on."""
        return cls(**dict(zip(cls.__struct_fields__, (epoch, *row), strict=True)))


class LostEvent(Struct, frozen=True):
    """In place of an event that was stored, and cannot be read any more."""

    seq: int
