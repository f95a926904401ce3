"""The grammar of MessagePack, as tables of a scan.

Keys that are no texts are put in other words even for receivers of MessagePack: Autobahn|Python's decoder
refuses them and wampy's some of them. So are extension types other than timestamps, each of which means
something else, or the end of the session, to the decoders of stock clients; even ``undefined`` is one that
Autobahn|JS does not know.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from math import isfinite
from typing import Final

from radiod.wire.scan import Scan

__all__ = ["MsgpackScan", "is_numbers"]

LENGTH_BYTES: Final = {
    **{first: 1 << first - 0xD9 for first in (0xD9, 0xDA, 0xDB)},
    **{first: 1 << first - 0xC4 for first in (0xC4, 0xC5, 0xC6)},
    **{first: 1 << first - 0xC7 for first in (0xC7, 0xC8, 0xC9)},
    **{first: 2 << (first & 1) for first in (0xDC, 0xDD, 0xDE, 0xDF)},
}
FLOATS: Final = {0xCA: ">f", 0xCB: ">d"}
TIMESTAMP: Final = 0xFF
"""Type -1."""

YEARS: Final = range(-62_135_596_800, 253_402_300_800)
"""Seconds of the years 1 to 9999, from 1970."""


class MsgpackScan(Scan):
    """A scan of MessagePack."""

    __slots__ = ()

    short_text = 0xA0
    short_texts = 32

    def _length(self, at: int) -> tuple[int, int]:
        end = at + 1 + LENGTH_BYTES[self.data[at]]
        return int.from_bytes(self.data[at + 1 : end], "big"), end

    def _short(self, at: int) -> int:
        end = at + self.data[at] - 0x9F
        self.texts.append(self.data[at + 1 : end])
        return end

    def _text(self, at: int) -> int:
        length, at = self._length(at)
        self.texts.append(self.data[at : at + length])
        return at + length

    def _bytes(self, at: int) -> int:
        length, at = self._length(at)
        return at + length

    def _list(self, at: int) -> int:
        first = self.data[at]
        count, at = (first & 15, at + 1) if first < 0xA0 else self._length(at)
        return self._open(at, count, False)

    def _map(self, at: int) -> int:
        first = self.data[at]
        count, at = (first & 15, at + 1) if first < 0xA0 else self._length(at)
        return self._open(at, count, True)

    def _fixed_extension(self, at: int) -> int:
        return self._extension(at + 1, 1 << self.data[at] - 0xD4)

    def _long_extension(self, at: int) -> int:
        length, at = self._length(at)
        return self._extension(at, length)

    def _extension(self, at: int, length: int) -> int:
        """``at``: of the type."""
        end = at + 1 + length
        self.is_rich = True
        kind = self.data[at]
        content = self.data[at + 1 : end]
        if kind == TIMESTAMP:
            if not _is_date(content):
                self.fault = "a timestamp is no date of the years 1 to 9999"
        else:
            self.is_odd = True
        return end

    def _malformed(self, at: int) -> int:
        raise ValueError("a value begins with a byte that means nothing")

    def _key(self, at: int) -> int:
        first = self.data[at]
        if first in (0xD9, 0xDA, 0xDB):
            length, at = self._length(at)
            self.keys.append(self.data[at : at + length])
            return at + length
        end = self._bytes(at) if 0xC4 <= first <= 0xC6 else at + self.sizes[first]
        if end == at or (first in FLOATS and not self._is_finite(at, end)):
            return self._strange_key(at)
        self._note_odd_key()
        self.is_odd = True
        return end

    def _is_finite(self, at: int, end: int) -> bool:
        data = self.data[at + 1 : end].ljust(8, b"\0")
        return isfinite(struct.unpack_from(FLOATS[self.data[at]], data)[0])


def _is_date(content: bytes) -> bool:
    """Whether a timestamp of 32, 64 or 96 bits says one."""
    if len(content) == 4:
        return True
    if len(content) == 8:
        both = int.from_bytes(content, "big")
        nanoseconds, seconds = both >> 34, both & (1 << 34) - 1
    elif len(content) == 12:
        nanoseconds, seconds = struct.unpack(">Iq", content)
    else:
        return False
    return nanoseconds < 1_000_000_000 and seconds in YEARS


def _size(first: int) -> int:
    if first < 0x80 or first >= 0xE0 or first in (0xC0, 0xC2, 0xC3):
        return 1
    return {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}.get(
        first, 0
    )


_HANDLERS: Final[dict[Callable[[MsgpackScan, int], int], tuple[int, ...]]] = {
    MsgpackScan._map: (*range(0x80, 0x90), 0xDE, 0xDF),
    MsgpackScan._list: (*range(0x90, 0xA0), 0xDC, 0xDD),
    MsgpackScan._short: (*range(0xA0, 0xC0),),
    MsgpackScan._bytes: (0xC4, 0xC5, 0xC6),
    MsgpackScan._text: (0xD9, 0xDA, 0xDB),
    MsgpackScan._long_extension: (0xC7, 0xC8, 0xC9),
    MsgpackScan._fixed_extension: (0xD4, 0xD5, 0xD6, 0xD7, 0xD8),
}
_BY_FIRST: Final = {first: handler for handler, firsts in _HANDLERS.items() for first in firsts}

MsgpackScan.sizes = [_size(first) for first in range(256)]
MsgpackScan.handlers = [_BY_FIRST.get(first, MsgpackScan._malformed) for first in range(256)]
MsgpackScan.ones = bytes(first for first in range(256) if MsgpackScan.sizes[first] == 1)


LONG_NUMBERS: Final = frozenset((0xCA, 0xCB, 0xCE, 0xCF, 0xD2, 0xD3))


def is_numbers(data: bytes) -> bool:
    """Whether it may be one long list of numbers, which a scan skips faster than any decoder."""
    return data[:2] in (b"\x91\xdc", b"\x91\xdd") and data[4 if data[1] == 0xDC else 6] in LONG_NUMBERS
