"""What Autobahn asks of a compression extension when it receives a message the long way."""

from __future__ import annotations

from typing import Final

from autobahn.exception import PayloadCorruptError, PayloadExceededError

from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError
from radiod.wire.deflate import EXTENSION, Inflater

__all__ = ["Inflating"]


class Inflating:
    """Stands in for Autobahn's ``PerMessageDeflate``, for one connection; ``limit`` in bytes of one message.

    Autobahn's own (26.10.2) cuts the end off messages that are up to 258 bytes too long when they end their
    stream (BFINAL), keeps its inflater between messages, and goes on inflating after it has failed the
    connection. This one is exact, holds nothing between messages, and inflates nothing once it refused one.
    """

    EXTENSION_NAME: Final = EXTENSION

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._inflater: Inflater | None = None
        self._is_broken = False

    def start_decompress_message(self) -> None:
        """A message begins."""
        if not self._is_broken:
            self._inflater = Inflater(self._limit)

    def decompress_message_data(self, data: bytes, max_output_len: int | None = None) -> bytes:
        """Its next part, inflated. Raises: PayloadExceededError, PayloadCorruptError: once at most."""
        if self._inflater is None:
            return b""
        try:
            return self._inflater.feed(data)
        except PeerError as error:
            raise self._broken(error) from None

    def end_decompress_message(self) -> None:
        """It ends. Raises: PayloadCorruptError."""
        inflater, self._inflater = self._inflater, None
        try:
            if inflater is not None:
                inflater.finish()
        except PeerError as error:
            raise self._broken(error) from None

    def _broken(self, error: PeerError) -> Exception:
        self._is_broken = True
        self._inflater = None
        is_too_long = error.uri == PAYLOAD_SIZE_EXCEEDED
        kind: type[Exception] = PayloadExceededError if is_too_long else PayloadCorruptError
        return kind(error.text)
