"""Messages of a batched subprotocol that leave in one write: one WebSocket message holds as many as it may.

In a browser a message of WebSocket costs far more than what is in it, so a page is told a burst of events in
a few. Each waits in a frame of its own, the same bytes for all who listen; only the heads are made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from radiod.wire.batches import MOST_MESSAGES
from radiod.wire.deflate import deflated_frame
from radiod.wire.frames import websocket_frame

__all__ = ["MOST_BYTES", "Bundle", "bundled", "bundled_deflated"]

Bundle = Callable[[Sequence[bytes]], bytes]
"""Makes one write of frames."""

MOST_BYTES: Final = 1 << 16
"""Of all messages in one; a longer one is alone. A listener begins with the first when the last is there."""

_CONTROL: Final = 0x08
"""The bit of a frame's first byte that only those of control frames have."""
_MEDIUM: Final = 126
_LONG: Final = 127


def bundled(frames: Sequence[bytes]) -> bytes:
    """One write of whole, uncompressed frames of one message each, and of control frames, in their order."""
    return _bundled(frames, None)


def bundled_deflated(frames: Sequence[bytes]) -> bytes:
    """The same, compressed."""
    return _bundled(frames, deflated_frame)


def _bundled(frames: Sequence[bytes], compress: Callable[[bytes, int], bytes] | None) -> bytes:
    write: list[bytes] = []
    together: list[bytes] = []
    size = 0
    for frame in frames:
        is_control = frame[0] & _CONTROL
        if together and (is_control or size + len(frame) > MOST_BYTES or len(together) == MOST_MESSAGES):
            write.append(_message(together, compress))
            together, size = [], 0
        if is_control:
            write.append(frame)
        else:
            together.append(frame)
            size += len(frame)
    if together:
        write.append(_message(together, compress))
    return write[0] if len(write) == 1 else b"".join(write)


def _message(frames: list[bytes], compress: Callable[[bytes, int], bytes] | None) -> bytes:
    """One frame of the payloads of all; there must be one."""
    first = frames[0]
    if compress is not None:
        return compress(b"".join(map(_payload, frames)), first[0])
    return first if len(frames) == 1 else websocket_frame(b"".join(map(_payload, frames)), first[0])


def _payload(frame: bytes) -> bytes:
    length = frame[1]
    return frame[2 if length < _MEDIUM else 4 if length < _LONG else 10 :]
