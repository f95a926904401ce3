"""Positions: how far a listener has come on a channel, as one text that is valid on every transport.

``epoch:seq``: seq grows with each event of the channel, by one, from 1. The epoch changes when that count
starts anew. Where several nodes share the count it grows by one or more: such an epoch begins with
``SKIPPING``, and nobody may tell by its numbers how many events are between two of them.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from radiod.core.ids import MAX_ID
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["SKIPPING", "Position", "position"]

FORM: Final = re.compile(r"([0-9A-Za-z]{1,64}):(0|[1-9][0-9]{0,15})", re.ASCII)


SKIPPING: Final = "x"
"""No epoch of a count without gaps begins so: those are hexadecimal."""


class Position(NamedTuple):
    """The event that was received last; seq 0: none yet."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def position(name: str, value: Any) -> Position:
    """The position that a text says. Raises: Refused: ``invalid_argument``, naming the parameter."""
    found = FORM.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[2]) > MAX_ID:
        raise Refused(INVALID_ARGUMENT, f"{name} must be a position, as in 'epoch:seq'")
    return Position(found[1], int(found[2]))
