"""Client frames that are not plain (RFC 6455, 5): control frames, fragments, pieces of frames, violations.

``frames.plain_frames`` takes what most connections send; a ``FrameReader`` exists only while there is
something else to be read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from radiod.wire.frames import unmask
from radiod.wire.pieces import Pieces

__all__ = ["CLOSE", "NO_CODE", "PING", "PONG", "FrameReader", "Inflate", "Violation", "close_code"]

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FINAL: Final = 0x80
RESERVED: Final = 0x70
COMPRESSED: Final = 0x40
OPCODE: Final = 0x0F
MAX_CONTROL_BYTES: Final = 125
MAX_SIZE: Final = (1 << 63) - 1
WIDE_LENGTHS: Final = {126: (2, 126), 127: (8, 65_536)}
"""The 7-bit length -> how many bytes of length follow, and the smallest length they may say."""

# Close codes (RFC 6455, 7.4.1, and the IANA registry)
NO_CODE: Final = 1005
PROTOCOL_ERROR: Final = 1002
INVALID_PAYLOAD: Final = 1007
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
SENDABLE: Final = frozenset([1000, 1001, 1002, 1003, *range(1007, 1015)])

Inflate = Callable[[bytes], bytes]
"""Decompresses one message; raises ``Violation``, also when the result is too big."""


class Violation(Exception):
    """What a client must not send; ``code`` is the close code that says so."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Head(NamedTuple):
    first: int
    is_masked: bool
    size: int
    # The smallest size that may be said in as many bytes as this one was.
    least: int
    payload_at: int

    @property
    def opcode(self) -> int:
        return self.first & OPCODE


def _head(data: bytes, at: int) -> _Head | None:
    """The frame head at ``data[at]``; None: it is not complete."""
    if len(data) < at + 2:
        return None
    is_masked, size = data[at + 1] >= 0x80, data[at + 1] & 0x7F
    wide, least = WIDE_LENGTHS.get(size, (0, 0))
    payload_at = at + 2 + wide + (4 if is_masked else 0)
    if len(data) < payload_at:
        return None
    if wide:
        size = int.from_bytes(data[at + 2 : at + 2 + wide], "big")
    return _Head(data[at], is_masked, size, least, payload_at)


class FrameReader:
    """Takes one connection's frames apart, beginning at a frame boundary.

    Args:
        limit: largest message in bytes, compressed or not, and in all its fragments together.
        max_fragments: most fragments of one message.
        inflate: decompresses messages; None: no compression was negotiated.
        is_deaf: nobody wants to know what messages say: they are empty, and nothing of them is kept.
    """

    __slots__ = (
        "_at",
        "_data",
        "_first",
        "_fragments",
        "_inflate",
        "_is_deaf",
        "_limit",
        "_max_fragments",
        "_pieces",
        "_size",
        "_skip",
        "_wanted",
    )

    def __init__(
        self, limit: int, max_fragments: int, inflate: Inflate | None = None, is_deaf: bool = False
    ) -> None:
        self._limit = limit
        self._is_deaf = is_deaf
        self._max_fragments = max_fragments
        self._inflate = inflate
        # What ``read`` is taking apart, and where it is; empty unless it was left in the middle.
        self._data = b""
        self._at = 0
        # What belongs to a frame that is not complete, and how many bytes are needed to say more about it.
        self._pieces = Pieces()
        self._wanted = 2
        # The message that has begun and not ended: its first byte, what has come of it, and how many bytes.
        self._first = 0
        self._fragments: list[bytes] = []
        self._size = 0
        # Bytes of the current frame still to be thrown away.
        self._skip = 0

    @property
    def is_idle(self) -> bool:
        """True: everything has been taken, no message is unfinished; the reader is no longer needed."""
        return not self._pieces.size and not self._fragments and not self._skip

    @property
    def size(self) -> int:
        """Bytes that are kept of a message that is not complete."""
        return self._pieces.size + (0 if self._is_deaf else self._size)

    def read(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Take more bytes.

        Yields: (opcode, payload): whole messages as ``TEXT`` or ``BINARY``, and control frames.
        Raises: Violation: after the frames before it; only ``finds_close`` makes sense from then on.
        """
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._pieces.add(data)
        if self._pieces.size < self._wanted:
            return
        self._data, self._at, self._wanted = self._pieces.take(), 0, 2
        while (head := _head(self._data, self._at)) is not None:
            self._check(head)
            end = head.payload_at + head.size
            if self._is_deaf and head.opcode < CLOSE:
                self._at = min(end, len(self._data))
                self._skip = end - self._at
                if (message := self._add(head, b"")) is not None:
                    yield message
                continue
            if len(self._data) < end:
                self._wanted = end - self._at
                break
            mask = self._data[head.payload_at - 4 : head.payload_at]
            payload = unmask(self._data[head.payload_at : end], mask)
            self._at = end
            if head.opcode >= CLOSE:
                yield head.opcode, payload
            elif (message := self._add(head, payload)) is not None:
                yield message
        self._pieces.add(self._unread())

    def _unread(self) -> bytes:
        """Take what ``read`` has not looked at."""
        rest = self._data[self._at :]
        self._data, self._at = b"", 0
        return rest

    def _check(self, head: _Head) -> None:
        reserved = head.first & RESERVED
        is_start = head.opcode in (TEXT, BINARY)
        if reserved and not (reserved == COMPRESSED and is_start and self._inflate is not None):
            raise Violation(PROTOCOL_ERROR, "reserved bits without an extension that uses them")
        if not head.is_masked:
            raise Violation(PROTOCOL_ERROR, "a client's frames must be masked")
        if head.size > MAX_SIZE or head.size < head.least:
            raise Violation(PROTOCOL_ERROR, "a length in more bytes than it needs, or above 2**63")
        if head.opcode >= CLOSE:
            self._check_control(head)
        else:
            self._check_data(head, is_start)

    def _check_control(self, head: _Head) -> None:
        if head.opcode > PONG:
            raise Violation(PROTOCOL_ERROR, "unknown control frame")
        if not head.first & FINAL or head.size > MAX_CONTROL_BYTES:
            raise Violation(PROTOCOL_ERROR, "control frames are whole, and of 125 bytes at most")

    def _check_data(self, head: _Head, is_start: bool) -> None:
        if head.opcode > BINARY:
            raise Violation(PROTOCOL_ERROR, "unknown data frame")
        if is_start is bool(self._fragments):
            raise Violation(PROTOCOL_ERROR, "a message inside another, or a continuation of nothing")
        if self._size + head.size > self._limit:
            raise Violation(TOO_BIG, f"messages may have {self._limit} bytes")
        if len(self._fragments) >= self._max_fragments:
            raise Violation(POLICY_VIOLATION, f"messages may have {self._max_fragments} fragments")

    def _add(self, head: _Head, payload: bytes) -> tuple[int, bytes] | None:
        if not self._fragments:
            self._first = head.first
        self._fragments.append(payload)
        self._size += head.size
        if not head.first & FINAL:
            return None
        message = b"".join(self._fragments)
        self._fragments.clear()
        self._size = 0
        if self._first & COMPRESSED and self._inflate is not None:
            message = self._inflate(message)
        return self._first & OPCODE, message

    def finds_close(self, data: bytes) -> bool:
        """Throw away what comes, violations too, until a close frame comes. Returns: whether it has."""
        data = self._unread() + self._pieces.take() + data
        at = 0
        while True:
            skipped = min(self._skip, len(data) - at)
            at += skipped
            self._skip -= skipped
            head = None if self._skip else _head(data, at)
            if head is None:
                self._pieces.add(data[at:])
                return False
            if head.opcode == CLOSE:
                return True
            self._skip = head.payload_at - at + head.size


def close_code(payload: bytes) -> int:
    """The code in a close frame, 1005 when there is none. Raises: Violation: no such payload may be sent."""
    if not payload:
        return NO_CODE
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not (code in SENDABLE or 3000 <= code < 5000):
        raise Violation(PROTOCOL_ERROR, "no code that a close frame may have")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(INVALID_PAYLOAD, "the reason for closing is not UTF-8") from None
    return code
