"""The grammar of CBOR (RFC 8949, sections 3 and 5.3), as tables of a scan.

A tag is kept where the decoders of stock clients agree about it, and what it says is right. Every other is
left out, and its content stays: some decoders take actions upon tags, or end the session over them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from functools import cache
from math import isfinite
from typing import Final

from radiod.wire.scan import ENDLESS, MOST_ODD_KEYS, Scan

__all__ = ["CborScan"]

MOST_TAGS: Final = 8
"""On one value."""

BIGNUM_BYTES: Final = 127
"""Of an integer, so that every double can hold it."""

BIGNUMS: Final = frozenset((2, 3))
REFERENCES: Final = frozenset((25, 29))
SET: Final = 258
KEPT: Final = frozenset((0, 1, 4, 30, 37, 100, 1004))
"""Dates, decimals, ratios, UUIDs: what they hold is checked by decoding it."""

ARRAYS: Final = {
    tag: size
    for size, tags in {1: (64, 68, 72), 2: (65, 69, 73, 77), 4: (66, 70, 74, 78, 81, 85), 8: (82, 86)}.items()
    for tag in tags
}
"""Arrays of numbers (RFC 8746): tag -> bytes of one number."""

SHORT_ASCII: Final = b"|".join(rb"[\x%02x][\0-\x7f]{%d}" % (0x60 + length, length) for length in range(24))
FLAT_VALUE: Final = (
    rb"[\0-\x17\x20-\x37\xf4-\xf6]|\xfb.{8}|[\x18\x38].|[\x19\x39\xf9]..|[\x1a\x3a\xfa].{4}|[\x1b\x3b].{8}|"
    + SHORT_ASCII
)


@cache
def _flat(pairs: int) -> Callable[[bytes, int], re.Match[bytes] | None]:
    """Matches the elements of a dictionary that most samples are: short keys, and numbers or short texts."""
    return re.compile(rb"(?>(?:%b)(?:%b)){%d}" % (SHORT_ASCII, FLAT_VALUE, pairs), re.DOTALL).match


FLOATS: Final = {0xF9: ">e", 0xFA: ">f", 0xFB: ">d"}


class CborScan(Scan):
    """A scan of CBOR."""

    __slots__ = ()

    short_text = 0x60
    short_texts = 24

    def _length(self, at: int) -> tuple[int, int]:
        """The number in the head at ``at``, and where the head ends."""
        info = self.data[at] & 31
        if info < 24:
            return info, at + 1
        if info > 27:
            raise ValueError("a value begins with a byte that means nothing")
        end = at + 1 + (1 << info - 24)
        return int.from_bytes(self.data[at + 1 : end], "big"), end

    def _text(self, at: int) -> int:
        length, at = self._length(at)
        self.texts.append(self.data[at : at + length])
        return at + length

    def _bytes(self, at: int) -> int:
        length, at = self._length(at)
        return at + length

    def _chunks(self, at: int) -> int:
        """A text or byte string in pieces: there are clients that do not read such."""
        self.is_odd = True
        kind = self.data[at] >> 5
        at += 1
        while self.data[at] != 0xFF:
            if self.data[at] >> 5 != kind or self.data[at] & 31 == 31:
                raise ValueError("a piece of a string is none")
            at = self._text(at) if kind == 3 else self._bytes(at)
        return at + 1

    def _list(self, at: int) -> int:
        count, at = (ENDLESS, at + 1) if self.data[at] == 0x9F else self._length(at)
        return self._open(at, count, False)

    def _map(self, at: int) -> int:
        first = self.data[at]
        if first < 0xB8 and not self.has_proto:
            flat = _flat(first & 31)(self.data, at + 1)
            if flat:
                self.depth = max(self.depth, len(self._stack) + 1)
                return flat.end()
        count, at = (ENDLESS, at + 1) if first == 0xBF else self._length(at)
        return self._open(at, count, True)

    def _break(self, at: int) -> int:
        # Between the key of a dictionary and its value an odd number of elements is left.
        if self._is_map or self._left < ENDLESS >> 1:
            raise ValueError("a break where nothing can end")
        self._left = 0
        return at + 1

    def _simple(self, at: int) -> int:
        """A simple value that nobody knows, or ``undefined``."""
        self.is_rich = True
        first = self.data[at]
        if first == 0xF7:
            return at + 1
        self.is_odd = True
        if first != 0xF8:
            return at + 1
        if self.data[at + 1] < 32:
            raise ValueError("a simple value below 32 in two bytes")
        return at + 2

    def _malformed(self, at: int) -> int:
        raise ValueError("a value begins with a byte that means nothing")

    def _tag(self, at: int) -> int:
        self.is_rich = self.has_tags = True
        tags = 0
        while self.data[at] >> 5 == 6:
            tag, at = self._length(at)
            self._note_tag(tag, at)
            tags += 1
        if self.data[at] == 0xFF:
            raise ValueError("a tag on nothing")
        if tags > MOST_TAGS:
            self.fault = f"a value has more than {MOST_TAGS} tags"
        return self._value(at)

    def _note_tag(self, tag: int, at: int) -> None:
        """Look at a tag, and at the first byte of what it stands for."""
        kind = self.data[at] >> 5
        if tag in REFERENCES:
            self.fault = "shared references mean nothing here"
        elif tag in BIGNUMS:
            if kind != 2 or self._string_length(at) > BIGNUM_BYTES:
                self.fault = f"a big integer must be a byte string of at most {BIGNUM_BYTES} bytes"
        elif tag == SET:
            self.is_odd |= kind != 4 or self._string_length(at) > MOST_ODD_KEYS
        elif tag in ARRAYS:
            self.is_odd |= kind != 2 or self._string_length(at) % ARRAYS[tag] != 0
        elif tag not in KEPT or kind == 6:
            # cbor-x (wampy) cannot make a date of a big integer.
            self.is_odd = True

    def _string_length(self, at: int) -> int:
        """The length of what begins at ``at``, one that fits nothing where it is not said."""
        return ENDLESS + 1 if self.data[at] & 31 == 31 else self._length(at)[0]

    def _key(self, at: int) -> int:
        first = self.data[at]
        kind = first >> 5
        if first == 0xFF and self._left >= ENDLESS >> 1:
            self._left = 0
            return at + 1
        if kind == 3:
            # In pieces it is looked at when it is put in other words.
            return self._chunks(at) if first == 0x7F else self._long_key(at)
        if kind == 2:
            self._note_odd_key()
            self.is_odd = True
            return self._chunks(at) if first == 0x5F else self._bytes(at)
        end = at + self.sizes[first]
        if end == at or (first in FLOATS and not self._is_finite(at, end)):
            return self._strange_key(at)
        self._note_odd_key()
        return end

    def _long_key(self, at: int) -> int:
        length, at = self._length(at)
        self.keys.append(self.data[at : at + length])
        return at + length

    def _is_finite(self, at: int, end: int) -> bool:
        data = self.data[at + 1 : end].ljust(8, b"\0")
        return isfinite(struct.unpack_from(FLOATS[self.data[at]], data)[0])


def _size(first: int) -> int:
    kind, info = first >> 5, first & 31
    if kind == 2 and info < 24:
        return 1 + info
    if kind in (0, 1) and info < 28:
        return 1 if info < 24 else 1 + (1 << info - 24)
    if first in (0xF4, 0xF5, 0xF6):
        return 1
    return {0xF9: 3, 0xFA: 5, 0xFB: 9}.get(first, 0)


def _handler(first: int) -> Callable[[CborScan, int], int]:
    kind, info = first >> 5, first & 31
    if first == 0xFF:
        return CborScan._break
    if kind in (2, 3) and info == 31:
        return CborScan._chunks
    if kind == 7:
        return CborScan._simple if info < 28 else CborScan._malformed
    by_kind = {2: CborScan._bytes, 3: CborScan._text, 4: CborScan._list, 5: CborScan._map, 6: CborScan._tag}
    return by_kind.get(kind, CborScan._malformed)


CborScan.sizes = [_size(first) for first in range(256)]
CborScan.handlers = [_handler(first) for first in range(256)]
CborScan.ones = bytes(first for first in range(256) if CborScan.sizes[first] == 1)
