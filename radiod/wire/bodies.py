"""Bodies of HTTP requests: where they end, and what of what came is theirs (RFC 9112, 6 and 7.1).

A reader takes bytes as they come and keeps nothing of the body. What is no body ends in ``BadHead``: from
there on nobody knows where the next request begins.
"""

from __future__ import annotations

import re
from typing import Final

from radiod.wire.heads import MAX_DIGITS, MAX_HEAD_BYTES, BadHead, Head

__all__ = ["Body", "ChunkedBody", "SizedBody", "body_of", "has_body", "is_gzip"]

CHUNKS_A_STEP: Final = 256
"""Chunks of one ``take``: they may be of one byte each, and cost more than that."""

# A size, and an extension that is read over. No white space in front of it: some take that for a digit less.
DIGITS: Final = re.compile(rb"[0-9A-Fa-f]*")
BEHIND_SIZE: Final = re.compile(rb"(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n")

# What a chunked body waits for.
AT_SIZE: Final = 0
IN_DATA: Final = 1
BEHIND_DATA: Final = 2
IN_TRAILER: Final = 3


class Body:
    """``is_over``: the end has come; ``rest``: what came and was not taken yet.

    Behind the end that is no body any more.
    """

    __slots__ = ("is_over", "rest")

    def __init__(self) -> None:
        self.is_over = False
        self.rest = b""

    def take(self, data: bytes) -> bytes:
        """Take more bytes. Returns: what of them is the body's.

        Call it again, with ``rest``, while it is not over and something is left there.
        Raises: BadHead: this is no body, or is too long.
        """
        raise NotImplementedError


class SizedBody(Body):
    """A body of a known length."""

    __slots__ = ("_left",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size
        self.is_over = not size

    def take(self, data: bytes) -> bytes:
        """As ``Body.take``."""
        left = self._left
        if len(data) < left:
            self._left = left - len(data)
            return data
        self._left = 0
        self.is_over = True
        self.rest = data[left:]
        return data[:left]


class ChunkedBody(Body):
    """A body in chunks, of at most ``limit`` bytes. Extensions and trailers are read over."""

    __slots__ = ("_left", "_limit", "_overhead", "_state")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit
        self._left = 0
        # Bytes of extensions and trailers so far: no body is a way to send more of them than a head.
        self._overhead = 0
        self._state = AT_SIZE

    def take(self, data: bytes) -> bytes:
        """As ``Body.take``; of many small chunks it takes some at a time.

        What came before something wrong is given first: what is wrong there comes to light first.
        """
        pieces: list[bytes] = []
        at = 0
        for _ in range(CHUNKS_A_STEP):
            if self.is_over:
                break
            if self._state == IN_DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if self._left:
                    break
                self._state = BEHIND_DATA
            end = data.find(b"\n", at) + 1
            try:
                if not end:
                    self._check_partial(data[at:])
                    break
                self._take_line(data[at:end])
            except BadHead:
                if any(pieces):
                    break
                raise
            at = end
        self.rest = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_line(self, line: bytes) -> None:
        if self._state == BEHIND_DATA:
            if line != b"\r\n":
                raise BadHead(400)
            self._state = AT_SIZE
        elif self._state == AT_SIZE:
            self._take_size(line)
        elif line == b"\r\n":
            self.is_over = True
        else:
            self._count(len(line))
            if not TRAILER.fullmatch(line):
                raise BadHead(400)

    def _take_size(self, line: bytes) -> None:
        digits = self._digits(line)
        self._count(len(line) - digits - 2)
        if not digits or not BEHIND_SIZE.fullmatch(line, digits):
            raise BadHead(400)
        size = int(line[:digits], 16)
        self._limit -= size
        if self._limit < 0:
            raise BadHead(413)
        self._left = size
        self._state = IN_DATA if size else IN_TRAILER

    def _check_partial(self, line: bytes) -> None:
        """A line that has not ended is kept, and so it has a bound: that of the whole line, since reads may
        cut it anywhere."""
        size = len(line)
        if self._state == BEHIND_DATA:
            if not b"\r\n".startswith(line):
                raise BadHead(400)
            return
        if self._state == AT_SIZE:
            size -= self._digits(line)
        # Of the line's end, or of that of all.
        if line.endswith(b"\r"):
            size -= 1
        self._count(size)
        self._overhead -= size

    def _digits(self, line: bytes) -> int:
        """How many digits a size has. Raises: BadHead: more than any size that is allowed."""
        found = DIGITS.match(line)
        digits = 0 if found is None else found.end()
        if digits > MAX_DIGITS:
            raise BadHead(413)
        return digits

    def _count(self, size: int) -> None:
        self._overhead += size
        if self._overhead > MAX_HEAD_BYTES:
            raise BadHead(431)


def has_body(head: Head) -> bool:
    """Whether a request has a body, whoever wants it."""
    return head.is_chunked or bool(head.length)


def body_of(head: Head, limit: int) -> Body | None:
    """What reads the body of a request; None: it has none. Raises: BadHead: 413, it is announced too long."""
    if head.is_chunked:
        return ChunkedBody(limit)
    size = head.length
    if size is None:
        return None
    if size > limit:
        raise BadHead(413)
    return SizedBody(size) if size else None


def is_gzip(head: Head) -> bool:
    """Whether the body is compressed. Raises: BadHead: 415, in a way that is not known here."""
    if head.coding is None:
        return False
    codings = [one for one in head.tokens(b"content-encoding") if one not in (b"", b"identity")]
    if codings not in ([], [b"gzip"], [b"x-gzip"]):
        raise BadHead(415, "the body may be compressed by gzip only")
    return bool(codings)
