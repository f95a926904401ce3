"""One key of the book of keys."""

from __future__ import annotations

from radiod.access.changes import Row
from radiod.access.openings import Openings
from radiod.access.standing import Standing
from radiod.auth.keys import Key
from radiod.core.access.records import KeyRecord
from radiod.core.holders import Holder
from radiod.secret import Secret

__all__ = ["Entry", "encoded", "signing_of"]


class Entry:
    """One key of the book. ``key``: what it is in its realm, None: there is no such realm any more."""

    __slots__ = ("is_fixed", "key", "row", "secrets", "standing")

    def __init__(
        self, record: KeyRecord, key: Key | None, standing: Standing, secrets: Openings, *, is_fixed: bool
    ) -> None:
        self.row = Row(record)
        self.key = key
        self.standing = standing
        self.secrets = secrets
        self.is_fixed = is_fixed

    @property
    def record(self) -> KeyRecord:
        """As it is now."""
        return self.row.record

    @property
    def holder(self) -> Holder:
        """Who has it."""
        return self.standing.holder


def signing_of(record: KeyRecord) -> Secret | None:
    """What a key signs with, as it is kept; None: it signs nothing."""
    return None if record.signing is None else Secret(record.signing.decode())


def encoded(signing: str | None) -> bytes | None:
    """How that is kept."""
    return None if signing is None else signing.encode()
