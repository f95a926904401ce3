"""What has come of something long, segment by segment, until it is there."""

from __future__ import annotations

from typing import Final

__all__ = ["Pieces"]

MIN_PIECE: Final = 16_384
"""Bytes: shorter segments are gathered, since each object costs its 50 bytes, however little is in it."""


class Pieces:
    """Bytes that come in segments. Taking n bytes costs O(n), however they were cut."""

    __slots__ = ("_pieces", "_short", "size")

    def __init__(self, data: bytes = b"") -> None:
        self._pieces: list[bytes | bytearray] = []
        # Short segments, gathered until they are worth a place in the list.
        self._short = bytearray()
        self.size = 0
        self.add(data)

    def add(self, data: bytes) -> None:
        """Append a segment."""
        self.size += len(data)
        if len(data) < MIN_PIECE:
            self._short += data
            if len(self._short) >= MIN_PIECE:
                self._close_short()
        else:
            self._close_short()
            self._pieces.append(data)

    def _close_short(self) -> None:
        if self._short:
            self._pieces.append(self._short)
            self._short = bytearray()

    def take(self) -> bytes:
        """Everything that has come; nothing is left."""
        self._close_short()
        pieces, self._pieces, self.size = self._pieces, [], 0
        return b"".join(pieces)
