"""Bodies with ``Content-Encoding: gzip``, inflated a piece at a time (RFC 1952).

A piece is never longer than was asked for, and costs no more time than its bytes: of a bomb nothing is made
that nobody wants yet. Several members, one behind the other, are one body (RFC 1952, 2.2).
"""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["BadGzip", "Gunzip", "TooLong", "gunzip"]

_GZIP: Final = 31
"""A window of 32 KiB with gzip's header and trailer around, both of which zlib checks."""

_MOST_IN: Final = 16_384
"""Bytes given to zlib at a time: it hands back, as a copy, what it had no room to inflate."""


class BadGzip(ValueError):
    """The body is no whole gzip: status 400."""


class TooLong(ValueError):
    """The body inflates to more than its limit: status 413."""


class Gunzip:
    """One body, inflated as it comes in, to ``limit`` bytes in all.

    ``feed`` what came, then ``read`` until ``is_hungry``; when the body has ended, ``finish``. It holds what
    was fed and not yet read, and zlib's 40 KiB. Whoever feeds it bounds the compressed bytes: a header may
    have any length, and there may be any number of members that hold nothing.
    """

    __slots__ = ("_at", "_fed", "_has_more", "_inflater", "_is_first", "_left", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._fed = b""
        self._at = 0
        self._inflater = zlib.decompressobj(_GZIP)
        self._is_first = True
        # The last piece was as long as it may be, so that zlib may have more without being fed.
        self._has_more = False

    @property
    def is_hungry(self) -> bool:
        """Whether there is nothing to read before more is fed."""
        return not self._has_more and self._at >= len(self._fed)

    @property
    def is_whole(self) -> bool:
        """Whether the body may end here: with its last member."""
        return self.is_hungry and self._inflater.eof

    def feed(self, data: bytes) -> None:
        """More of the body as it came. May be done at any time; best when it ``is_hungry``."""
        self._fed = self._fed[self._at :] + data if self._at < len(self._fed) else data
        self._at = 0

    def read(self, most: int) -> bytes:
        """The next piece of the body, of at most ``most`` bytes (at least 1).

        It may be empty although there is more to read.
        Raises: BadGzip, TooLong: the body is refused, and there is nothing more to be read.
        """
        if self.is_hungry:
            return b""
        if self._inflater.eof:
            self._inflater = zlib.decompressobj(_GZIP)
            self._is_first = False
        # Never 0, which would mean without limit; one byte above the limit shows that there is more.
        most = min(most, self._left + 1)
        piece = self._inflate(most)
        self._has_more = len(piece) == most and not self._inflater.eof
        self._left -= len(piece)
        if self._left < 0:
            raise TooLong(f"the body inflates to more than {self._limit} bytes")
        return piece

    def finish(self) -> None:
        """The body ends here, and all of it was read. Raises: BadGzip: it ends too soon."""
        if not self.is_whole:
            raise BadGzip("the gzip body ends before it is whole")

    def _inflate(self, most: int) -> bytes:
        given = self._fed[self._at : self._at + _MOST_IN]
        try:
            piece = self._inflater.decompress(given, most)
        except zlib.error as error:
            raise self._bad(str(error)) from None
        rest = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
        self._at += len(given) - len(rest)
        if self._at >= len(self._fed):
            self._fed = b""
            self._at = 0
        return piece

    def _bad(self, reason: str) -> BadGzip:
        if "incorrect header" in reason:
            what = "the body is no gzip" if self._is_first else "the gzip body goes on behind its end"
            return BadGzip(what)
        return BadGzip("the gzip body is damaged")


def gunzip(body: bytes, limit: int) -> bytes:
    """A whole body at once, of at most ``limit`` bytes. Raises: BadGzip, TooLong."""
    inflater = Gunzip(limit)
    inflater.feed(body)
    pieces: list[bytes] = []
    while not inflater.is_hungry:
        pieces.append(inflater.read(65_536))
    inflater.finish()
    return b"".join(pieces)
