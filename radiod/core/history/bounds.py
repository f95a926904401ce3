"""How much of a topic's past is kept."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

__all__ = ["NOTHING", "RECORD_BYTES", "HistoryBounds"]

RECORD_BYTES: Final = 1024
"""About what an event takes in memory besides, when it is kept."""


class HistoryBounds(Struct, frozen=True, kw_only=True):
    """How much of a topic's past is kept: at most ``size`` events, ``seconds`` old, of ``bytes`` in all.

    Payloads count, and black- and whitelists.

    ``is_durable``: in the log too; nobody gets an event, and its publisher no answer, before it is there.
    """

    size: int
    seconds: float
    bytes: int
    is_durable: bool = False

    @property
    def most(self) -> int:
        """About how many bytes of memory it takes when it is full."""
        return self.bytes + self.size * RECORD_BYTES


NOTHING: Final = HistoryBounds(size=0, seconds=0.0, bytes=0)
"""Events are counted only."""
