"""A request's body while it comes: out of its framing, inflated if need be, and to whoever takes it.

Each step is bounded: a piece of what came, a piece of what it inflates to, or one thing that its taker does
with that. So a connection can do as many steps as its share of the turn allows.
"""

from __future__ import annotations

from typing import Final

from radiod.transport.http.routes import Taker
from radiod.transport.inbox import Work
from radiod.wire.bodies import Body
from radiod.wire.gunzip import BadGzip, Gunzip, TooLong
from radiod.wire.heads import BadHead

__all__ = ["Incoming"]

PIECE: Final = 1 << 16
"""Bytes that are inflated at a time."""


class Incoming:
    """One body.

    Args:
        body: reads its framing.
        gunzip: inflates it; None: it is not compressed.
        taker: takes it; None: it is collected, and ``whole`` at the end.
    """

    __slots__ = ("_body", "_gunzip", "_is_last", "_pieces", "_taker", "_work", "is_over", "rest", "size")

    def __init__(self, body: Body, gunzip: Gunzip | None, taker: Taker | None) -> None:
        self._body = body
        self._gunzip = gunzip
        self._taker = taker
        self._work: Work | None = None
        # Whether what the taker was given is the last piece.
        self._is_last = False
        self._pieces: list[bytes] = []
        self.rest = b""
        """What came and was not taken: of a line, or behind the body."""
        self.size = 0
        """Bytes that are kept until the body is whole."""
        self.is_over = False
        """Whether the body has been taken to its end."""

    @property
    def is_streamed(self) -> bool:
        """Whether somebody takes it piece by piece."""
        return self._taker is not None

    @property
    def has_ended(self) -> bool:
        """Whether all of it has come, though it may not have been taken yet."""
        return self._body.is_over

    def whole(self) -> bytes:
        """All that was collected."""
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def step(self, data: bytes) -> bool:
        """Do one step with what is there; ``rest`` is what is left of ``data``.

        Returns: whether there is more to do without more bytes.
        Raises: BadHead: the body is none, is too long, or no gzip.
        """
        self.rest = data
        if self._work is not None:
            return self._work_on(self._work)
        gunzip = self._gunzip
        if gunzip is not None and not gunzip.is_hungry:
            return self._inflate(gunzip)
        return self._take(data)

    def _take(self, data: bytes) -> bool:
        body = self._body
        piece = body.take(data)
        self.rest = body.rest
        is_stuck = len(self.rest) == len(data) and not body.is_over
        if self._gunzip is None:
            self._give(piece, is_last=body.is_over)
        elif piece:
            self._gunzip.feed(piece)
        elif body.is_over:
            self._finish(self._gunzip)
        return not self.is_over and not is_stuck and bool(self.rest or self._work or self._is_inflating())

    def _is_inflating(self) -> bool:
        return self._gunzip is not None and not self._gunzip.is_hungry

    def _inflate(self, gunzip: Gunzip) -> bool:
        try:
            piece = gunzip.read(PIECE)
        except TooLong as long:
            raise BadHead(413, str(long)) from None
        except BadGzip as bad:
            raise BadHead(400, str(bad)) from None
        if gunzip.is_hungry and self._body.is_over:
            self._finish(gunzip, piece)
        else:
            self._give(piece, is_last=False)
        return not self.is_over and bool(self.rest or self._work or self._is_inflating())

    def _finish(self, gunzip: Gunzip, piece: bytes = b"") -> None:
        try:
            gunzip.finish()
        except BadGzip as error:
            raise BadHead(400, str(error)) from None
        self._gunzip = None
        self._give(piece, is_last=True)

    def _give(self, piece: bytes, *, is_last: bool) -> None:
        if self._taker is not None:
            if piece or is_last:
                self._is_last = is_last
                self._work = self._taker.take(piece, is_last)
            return
        if piece:
            self._pieces.append(piece)
            self.size += len(piece)
        self.is_over = is_last

    def _work_on(self, work: Work) -> bool:
        try:
            next(work)
        except StopIteration:
            self._work = None
            self.is_over = self._is_last
            return not self.is_over and bool(self.rest or self._is_inflating())
        return True
