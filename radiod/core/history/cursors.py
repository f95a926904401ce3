"""Cursors: how far a listener has come on each of several channels, as one text for a stream's ids.

``c1`` and, for each channel, ``.``, eight characters that stand for its name, its epoch, ``-`` and its seq:
``c1.K3kXvM8tf00dcafe1234-17``. Opaque for clients, URL-safe, and never a single position, which has a colon.
Names are not in it: whoever comes back says them again, and so a cursor is short however long they are.
Fifty channels with the epochs of this server (12 characters) take 1,902 characters at most. What is longer
than ``MAX_LENGTH`` was not made here, and is refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from radiod.core.history.positions import Position
from radiod.core.ids import MAX_ID
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["MAX_LENGTH", "MOST_CHANNELS", "cursor", "moved", "positions"]

MOST_CHANNELS: Final = 50
MAX_LENGTH: Final = 4096
"""Characters, all of them ASCII."""

_BEGIN: Final = "c1"
"""The form's number: an old cursor is refused, not misread, when the form changes."""

_PART: Final = re.compile(r"\.([0-9A-Za-z_-]{8})([0-9A-Za-z]{1,64})-(0|[1-9][0-9]{0,15})", re.ASCII)
_FORM: Final = re.compile(rf"{_BEGIN}(?:{_PART.pattern}){{0,{MOST_CHANNELS}}}", re.ASCII)


def cursor(at: Mapping[str, Position]) -> str:
    """The cursor of who stands at these positions, channel by channel.

    Raises: ValueError: there are too many channels.
    """
    if len(at) > MOST_CHANNELS:
        raise ValueError(f"a cursor of more than {MOST_CHANNELS} channels")
    return _BEGIN + "".join(f".{_tag(channel)}{one.epoch}-{one.seq}" for channel, one in at.items())


def moved(text: str, channel: str, at: Position) -> str:
    """The cursor behind the next event, one of ``channel``; the caller sees to it that they are not too many.

    From equal texts it leads to equal ones: listeners that keep step can share what is made of it.
    """
    part = f".{_tag(channel)}"
    begin = text.find(part)
    if begin < 0:
        return f"{text or _BEGIN}{part}{at.epoch}-{at.seq}"
    end = text.find(".", begin + 1)
    return f"{text[:begin]}{part}{at.epoch}-{at.seq}{text[end:] if end >= 0 else ''}"


def positions(name: str, value: Any, channels: Iterable[str]) -> dict[str, Position]:
    """Where a cursor says that each of ``channels`` stood; those that it does not know are missing.

    Two channels may have one tag, by somebody's design: one of them gets the other's position then, and since
    its epoch is another, the listener is told that something is missing.
    Raises: Refused: ``invalid_argument``, naming the parameter: that is no cursor.
    """
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not _FORM.fullmatch(value):
        raise _no_cursor(name)
    by_tag: dict[str, Position] = {}
    for part in _PART.finditer(value):
        seq = int(part[3])
        if seq > MAX_ID:
            raise _no_cursor(name)
        by_tag[part[1]] = Position(part[2], seq)
    tags = ((channel, _tag(channel)) for channel in channels)
    return {channel: by_tag[tag] for channel, tag in tags if tag in by_tag}


def _no_cursor(name: str) -> Refused:
    what = "must be an id of a stream of several channels; a position of one channel is none"
    return Refused(INVALID_ARGUMENT, f"{name} {what}")


@lru_cache(maxsize=10_000)
def _tag(channel: str) -> str:
    """48 bits of the name's SHA-256."""
    digest = hashlib.sha256(channel.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:6]).decode("ascii")
