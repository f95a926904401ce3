"""Frames around serialized messages: WebSocket (RFC 6455) and WAMP RawSocket, server side.

Of WebSocket only the plain case is taken here: one unfragmented, uncompressed data frame per message. The
rest (control frames, fragments, compressed messages, violations) is left to ``reader``.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError

__all__ = [
    "PONG",
    "plain_frames",
    "rawsocket_frame",
    "rawsocket_frames",
    "rawsocket_wanted",
    "unmask",
    "websocket_frame",
]

TEXT: Final = 0x81
BINARY: Final = 0x82

MESSAGE: Final = 0
PING: Final = 1
PONG: Final = 2

RAWSOCKET_HEAD: Final = 4

MOST_FRAMES: Final = 128
"""Frames that are taken apart at once: thousands of empty ones fit into what one read brings."""

LONG: Final = 4096
"""Bytes from which unmasking as one integer is the slower way: six times slower at 1 MiB."""


def _bad_frame(kind: int, size: int, limit: int) -> PeerError:
    if kind > PONG:
        return PeerError(f"RawSocket frame of unknown kind {kind}")
    return PeerError(f"RawSocket frame of {size} bytes, {limit} are allowed", PAYLOAD_SIZE_EXCEEDED)


def websocket_frame(payload: bytes, first_byte: int) -> bytes:
    """One unmasked, final frame around ``payload``; ``first_byte`` is ``TEXT`` or ``BINARY``."""
    size = len(payload)
    # Heads as integers: formatting takes three times as long.
    if size < 126:
        return (first_byte << 8 | size).to_bytes(2, "big") + payload
    if size < 65536:
        return (first_byte << 24 | 126 << 16 | size).to_bytes(4, "big") + payload
    return (first_byte << 72 | 127 << 64 | size).to_bytes(10, "big") + payload


def rawsocket_frame(payload: bytes, kind: int = MESSAGE) -> bytes:
    """One RawSocket frame: its kind and a 24-bit length in front of ``payload`` (< 2**24 bytes)."""
    return (kind << 24 | len(payload)).to_bytes(4, "big") + payload


def rawsocket_frames(data: bytes, limit: int) -> tuple[list[tuple[int, bytes]], int]:
    """Take complete RawSocket frames off the front of ``data``, up to ``MOST_FRAMES``.

    Returns: (kind, payload) of each, and the offset of the first byte that belongs to none.
    Raises: PeerError: the first frame is longer than ``limit`` bytes, or of no known kind. A bad frame behind
        good ones ends them, and raises when it is the first.
    """
    frames: list[tuple[int, bytes]] = []
    start, end = 0, len(data)
    while end - start >= RAWSOCKET_HEAD:
        kind, size = data[start], int.from_bytes(data[start + 1 : start + 4], "big")
        if kind > PONG or size > limit:
            if frames:
                break
            raise _bad_frame(kind, size, limit)
        stop = start + RAWSOCKET_HEAD + size
        if stop > end:
            break
        frames.append((kind, data[start + RAWSOCKET_HEAD : stop]))
        start = stop
        if len(frames) == MOST_FRAMES:
            break
    return frames, start


def rawsocket_wanted(data: bytes) -> int:
    """How many bytes there must be, from the first of ``data`` on, before looking again is of use."""
    if len(data) < RAWSOCKET_HEAD:
        return RAWSOCKET_HEAD
    return RAWSOCKET_HEAD + int.from_bytes(data[1:RAWSOCKET_HEAD], "big")


@cache
def _xor_table(byte: int) -> bytes:
    return bytes(other ^ byte for other in range(256))


def unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR ``payload`` with the repeated 4-byte ``mask``, without a loop over its bytes."""
    size = len(payload)
    if size >= LONG:
        unmasked = bytearray(size)
        for at, byte in enumerate(mask):
            unmasked[at::4] = payload[at::4].translate(_xor_table(byte))
        return bytes(unmasked)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def plain_frames(data: bytes, first_byte: int, limit: int) -> tuple[list[bytes], int]:
    """Take plain client frames off the front of ``data``, up to ``MOST_FRAMES``.

    Args:
        data: bytes received, beginning at a frame boundary.
        first_byte: ``TEXT`` or ``BINARY``; a frame of the other kind is not plain.
        limit: largest payload in bytes; a longer frame is not plain.

    Returns:
        the unmasked payloads, and the offset of the first byte that is not part of them: the end of
        ``data``, an incomplete frame, or a frame that somebody else, or another call, must look at.
    """
    payloads = []
    start, end = 0, len(data)
    while end - start >= 6 and data[start] == first_byte:
        size = data[start + 1] - 0x80
        if size < 0:
            break
        begin = start + 6
        # A length in more bytes than it needs is a violation; an unfinished head is just short.
        if size == 126:
            begin += 2
            size = data[start + 2] << 8 | data[start + 3]
            if size < 126:
                break
        elif size == 127:
            begin += 8
            size = int.from_bytes(data[start + 2 : start + 10], "big")
            if size < 65536:
                break
        stop = begin + size
        if size > limit or stop > end:
            break
        payloads.append(unmask(data[begin:stop], data[begin - 4 : begin]))
        start = stop
        if len(payloads) == MOST_FRAMES:
            break
    return payloads, start
