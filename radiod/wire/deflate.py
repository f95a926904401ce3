"""Compression of WebSocket messages: permessage-deflate (RFC 7692), server side.

Neither side takes its context over from message to message. So a message is compressed on its own, once for
all listeners that negotiated compression, and a connection holds neither compressor nor inflater: together
these would be 300 KiB each.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError
from radiod.wire.frames import websocket_frame

__all__ = ["COMPRESSED", "EXTENSION", "Inflater", "accept", "deflated_frame", "inflate"]

EXTENSION: Final = "permessage-deflate"
COMPRESSED: Final = 0x40
"""The bit RSV1 of a frame's first byte."""

COMPRESS_FROM: Final = 128
"""Bytes: shorter messages hardly shrink, and are sent as they are."""

# Half of level 6's time on long messages for 3 % more bytes. With more memory zlib makes no fewer bytes, and
# malloc may hand it back to the system after every message, which costs several times what 1 KiB does.
_LEVEL: Final = 4
_MEMORY: Final = 5
_WINDOW_BITS: Final = 15
# Ends what a sender flushed; it is not sent (RFC 7692, 7.2.1).
_TAIL: Final = b"\x00\x00\xff\xff"

_CLIENT_BITS: Final = re.compile("[89]|1[0-5]")
_ANSWER: Final = f"{EXTENSION}; server_no_context_takeover; client_no_context_takeover"

Offer = tuple[str, Mapping[str, Sequence[str | bool]]]
"""An extension's name, and the values of each parameter; True: it has none."""


def accept(offers: Iterable[Offer]) -> str | None:
    """The answer to the first of a client's offers that can be accepted; None: to none of them.

    A window smaller than 32 KiB is not offered for what the server sends: the same bytes go to all.
    """
    for name, parameters in offers:
        if name == EXTENSION and all(_is_fine(*parameter) for parameter in parameters.items()):
            is_asked = "server_max_window_bits" in parameters
            return f"{_ANSWER}; server_max_window_bits={_WINDOW_BITS}" if is_asked else _ANSWER
    return None


def _is_fine(name: str, values: Sequence[str | bool]) -> bool:
    if len(values) != 1:
        return False
    (value,) = values
    match name:
        case "server_no_context_takeover" | "client_no_context_takeover":
            return value is True
        case "server_max_window_bits":
            return value == str(_WINDOW_BITS)
        case "client_max_window_bits":
            return value is True or _CLIENT_BITS.fullmatch(str(value)) is not None
    return False


def deflated_frame(payload: bytes, first_byte: int) -> bytes:
    """As ``websocket_frame``, compressed if that makes it shorter."""
    if len(payload) >= COMPRESS_FROM:
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY)
        data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
        if len(data) - len(_TAIL) < len(payload):
            return websocket_frame(data[: -len(_TAIL)], first_byte | COMPRESSED)
    return websocket_frame(payload, first_byte)


class Inflater:
    """One compressed message, inflated as it comes in, to ``limit`` bytes in all.

    Methods raise PeerError: the message is malformed, or (``PAYLOAD_SIZE_EXCEEDED``) too long; no more than
    one byte above the limit is ever made of it.
    """

    __slots__ = ("_inflater", "_left", "_limit")

    def __init__(self, limit: int) -> None:
        self._inflater = zlib.decompressobj(-_WINDOW_BITS)
        self._limit = self._left = limit

    def feed(self, data: bytes) -> bytes:
        """The next part of the message."""
        inflated = self._inflate(data)
        # A message may end the stream, and then one zero byte pads it (RFC 7692, 7.2.3.4).
        if self._inflater.unused_data not in (b"", b"\x00"):
            raise PeerError("compressed data goes on behind its end")
        return inflated

    def finish(self) -> None:
        """The message ends here."""
        if self._inflate(_TAIL):
            raise PeerError("compressed data ends within a block")

    def _inflate(self, data: bytes) -> bytes:
        try:
            # Never 0, which would mean without limit.
            inflated = self._inflater.decompress(data, self._left + 1)
        except zlib.error:
            raise PeerError("malformed compressed data") from None
        self._left -= len(inflated)
        if self._left < 0:
            raise PeerError(f"a message of more than {self._limit} bytes", PAYLOAD_SIZE_EXCEEDED)
        return inflated


def inflate(data: bytes, limit: int) -> bytes:
    """A whole message. Raises: PeerError: as ``Inflater``."""
    inflater = Inflater(limit)
    inflated = inflater.feed(data)
    inflater.finish()
    return inflated
