"""The audit: a chain of entries, each of which holds the hash of the one before.

``hash`` is the SHA-256 of ``previous`` (32 bytes, zeros before the first entry), followed by the JSON array
``[seq, time, actor, address, action, object, detail]``: UTF-8, without spaces, members of objects sorted.
What is changed, left out or put in between shows; a chain written anew shows to who kept a hash elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from radiod.core.access.records import Act, AuditEntry, Change
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = [
    "MAX_ENTRIES",
    "START",
    "ActRow",
    "AuditRow",
    "Link",
    "entry_of",
    "follows",
    "is_lost",
    "lost_row",
    "next_row",
    "written",
]

MAX_ENTRIES: Final = 1000
"""The most that one question is answered with."""

LOST: Final = "lost"
"""The action of an entry that was damaged, and that nobody can read any more."""

MAX_DETAIL_BYTES: Final = 16 * 1024


class Link(NamedTuple):
    """Where a chain goes on: number and hash of an entry."""

    seq: int
    hash: bytes


START: Final = Link(0, bytes(32))

ActRow = tuple[float, str, str, str, str, str]
"""An act as it is kept: the fields of ``Act``, ``detail`` as JSON."""

AuditRow = tuple[int, float, str, str, str, str, str, bytes, bytes]
"""An entry as it is kept: the fields of ``AuditEntry``, ``detail`` as JSON."""


def written(act: Act, changes: Sequence[Change] = ()) -> ActRow:
    """An act as it is kept. A ``detail`` of more than 16 KiB of JSON is left out: ``{"omitted": bytes}``.

    Raises: Refused: ``invalid_argument``: it, or a record of ``changes``, holds what cannot be written.
    """
    try:
        msgspec.json.encode([act.actor, act.address, act.action, act.object, *changes])
        detail = msgspec.json.encode(act.detail, order="deterministic")
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Refused(INVALID_ARGUMENT, "it holds what cannot be written down") from None
    if len(detail) > MAX_DETAIL_BYTES:
        detail = b'{"omitted":%d}' % len(detail)
    return float(act.time), act.actor, act.address, act.action, act.object, detail.decode()


def next_row(last: Link, act: ActRow) -> AuditRow:
    """The entry behind ``last``."""
    seq = last.seq + 1
    return (seq, *act, last.hash, _hash(last.hash, seq, *act))


def lost_row(seq: int, previous: bytes, hash: bytes) -> AuditRow:
    """In place of an entry that was damaged: it says that there was one, and nothing more."""
    return seq, 0.0, "", "", LOST, "", "{}", previous, hash


def is_lost(row: Sequence[Any]) -> bool:
    """Whether a row is one of those."""
    return len(row) == 9 and tuple(row[1:7]) == lost_row(0, b"", b"")[1:7]


def follows(last: Link, row: Sequence[Any]) -> bool:
    """Whether a row, which may hold anything, is what was written as the entry behind ``last``."""
    try:
        if is_lost(row):
            return bool(row[0] == last.seq + 1)
        seq, *act, previous, hash = row
        return Link(seq - 1, previous) == last and hash == _hash(previous, seq, *act)
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False


def entry_of(row: Sequence[Any]) -> AuditEntry:
    """What an entry tells; one that is not what was written, and may hold anything, is told as lost."""
    if not follows(Link(row[0] - 1, row[-2]), row):
        row = lost_row(row[0], row[-2], row[-1])
    seq, time, actor, address, action, object, detail, previous, hash = row
    return AuditEntry(
        seq=seq,
        time=time,
        actor=actor,
        address=address,
        action=action,
        object=object,
        detail=msgspec.json.decode(detail, type=dict[str, Any]),
        previous=previous,
        hash=hash,
    )


def _hash(
    previous: bytes, seq: int, time: float, actor: str, address: str, action: str, object: str, detail: str
) -> bytes:
    told = [seq, time, actor, address, action, object, msgspec.Raw(detail.encode())]
    return hashlib.sha256(previous + msgspec.json.encode(told)).digest()
