"""Values as bytes of each serializer, well-formed and not: what strangers put where a value may stand."""

from __future__ import annotations

import json
import struct
from functools import lru_cache
from random import Random
from typing import Any

__all__ = [
    "CONTAINERS",
    "MODULUS",
    "NASTY_TEXTS",
    "Maker",
    "Pairs",
    "Raw",
    "encoded",
    "listed",
    "mapped",
    "nested",
]

MODULUS = 2**61 - 1
"""Python's integers hash modulo this: keys that differ by it collide."""

NASTY_TEXTS = (
    "", "\0", "\r\nX: y", "\n", "\r", "\x1b[2J", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029", "\ufeff",
    "\u202e",
    "__proto__", "constructor", "a..b", "a b", "#", "*", ".", "a.b.", "\ud800", "\udfff\ud800", "é" * 50, "𝄞",
    "%0d%0a", "wamp.x", "radiod.x", "own.events", "kept.a", "sample_net", "x" * 255, "x" * 256, "x" * 1025,
)  # fmt: skip
INTEGERS = (
    0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 2**64, -(2**64) - 1, MODULUS,
    10**30,
)  # fmt: skip
FLOATS = (0.0, -0.0, 1.5, 1e308, 1e-320, float("inf"), float("-inf"), float("nan"), 3.0, 2.0**60)


def encoded(serializer: str, value: Any) -> bytes:
    """A value in a serializer's words, without a bound that Python's packages would set.

    Dictionaries may be lists of pairs in a ``Pairs``, for keys that are no texts or come twice; bytes in a
    ``Raw`` stand for themselves.
    """
    return WAYS[serializer](value)


class Pairs(list):  # type: ignore[type-arg]
    """A dictionary as a list of pairs."""


class Raw(bytes):
    """Bytes that are encoded already."""


def _json(value: Any) -> bytes:
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, Pairs):
        return b"[" + b",".join(map(_json, value)) + b"]"
    if isinstance(value, (dict, Pairs)):
        pairs = value.items() if isinstance(value, dict) else value
        return (
            b"{"
            + b",".join(
                (_json(k) if isinstance(k, str) else b'"%b"' % _json(k)) + b":" + _json(v) for k, v in pairs
            )
            + b"}"
        )
    if isinstance(value, bytes):
        value = "\0" + value.hex()
    return json.dumps(value).encode()


def _msgpack(value: Any) -> bytes:
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return _msgpack_integer(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        if len(data) < 32:
            return bytes((0xA0 | len(data),)) + data
        return (
            b"\xda" + struct.pack(">H", len(data))
            if len(data) < 65536
            else b"\xdb" + struct.pack(">I", len(data))
        ) + data
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, (dict, Pairs)):
        pairs = list(value.items() if isinstance(value, dict) else value)
        head = bytes((0x80 | len(pairs),)) if len(pairs) < 16 else b"\xdf" + struct.pack(">I", len(pairs))
        return head + b"".join(_msgpack(k) + _msgpack(v) for k, v in pairs)
    head = bytes((0x90 | len(value),)) if len(value) < 16 else b"\xdd" + struct.pack(">I", len(value))
    return head + b"".join(map(_msgpack, value))


def _msgpack_integer(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack("b", value) if value < 0 else bytes((value,))
    if 0 <= value < 2**64:
        return b"\xcf" + struct.pack(">Q", value)
    if -(2**63) <= value < 0:
        return b"\xd3" + struct.pack(">q", value)
    # There is no word for it: an extension type of that size.
    data = value.to_bytes((value.bit_length() + 8) // 8, "big", signed=True)
    return b"\xc9" + struct.pack(">IB", len(data), 42) + data


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major << 5 | number,))
    for more, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << (8 * size):
            return bytes((major << 5 | more,)) + number.to_bytes(size, "big")
    raise OverflowError(number)


def _cbor(value: Any) -> bytes:
    if isinstance(value, Raw):
        return bytes(value)
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, int):
        major, number = (0, value) if value >= 0 else (1, -1 - value)
        if number < 2**64:
            return _head(major, number)
        data = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return bytes((0xC2 + major,)) + _head(2, len(data)) + data
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return _head(3, len(data)) + data
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, (dict, Pairs)):
        pairs = list(value.items() if isinstance(value, dict) else value)
        return _head(5, len(pairs)) + b"".join(_cbor(k) + _cbor(v) for k, v in pairs)
    return _head(4, len(value)) + b"".join(map(_cbor, value))


WAYS = {"json": _json, "msgpack": _msgpack, "cbor": _cbor}

ODD = {
    "json": (b"NaN", b"-Infinity", b"01", b"1e999", b'"\\ud800"', b'"\\u0000!!!"', b'"\xff"', b"1.",
    b"[1,]", b"9" * 5000, b"nul",
             b'{"a":1,"a":2}', b'"\\x"', b"-", b"1e5", b"0.1e-7", b"1E400", b'"\t"', b"\xef\xbb\xbf1",
             b'{"__proto__":{}}'),
    "msgpack": (b"\xc1", b"\xd4\x00\x00", b"\xd6\xff\0\0\0\1", b"\xc7\x0c\xff" + bytes(12), b"\xa2\xff\xfe",
    b"\x81\xc0\xc0", b"\x81\x90\x01",
                b"\xdc\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc4\x05ab", b"\xca\x7f\xc0\0\0",
                b"\x81\xcb\x7f\xf8\0\0\0\0\0\0\1", b"\xd3\xff\xff\xff\xff\xff\xff\xff\xff",
                b"\x82\xa1a\1\xa1a\2", b"\xcf" + b"\xff" * 8, b"\xa3\xed\xa0\x80", b"\xd8\x00" + bytes(16)),
    "cbor": (b"\xf7", b"\xf0", b"\xf8\xff", b"\xf8\x10", b"\xff", b"\x1c", b"\x9f\x01\xff",
    b"\xbf\x61a\x01\xff", b"\x7f\x61a\xff", b"\x5f\x41a\xff",
             b"\x7f\x41a\xff", b"\x62\xff\xfe", b"\xa1\x01\x02", b"\xa1\xf6\x01", b"\xa1\x80\x01",
             b"\xc0\x63abc", b"\xc1\xfb\x7f\xf8" + bytes(6), b"\xc1\x1b" + b"\xff" * 8,
             b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
             b"\xc5\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01", b"\xd8\x1e\x82\x01\x00",
             b"\xd8\x23\x62(((", b"\xd8\x25\x50" + bytes(16),
             b"\xd8\x1c\x81\xd8\x1d\x00", b"\xd9\x01\x00\x82\x61a\xd8\x19\x00", b"\xd9\x01\x02\x82\x01\x01",
             b"\xc2\x40", b"\xc2\x5a\x00\x00\x10\x00" + b"\x01" * 4096, b"\xc3\x41\x01",
             b"\xf9\x7e\x00", b"\xfa\x7f\x80\0\0", b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
             b"\xda\xff\xff\xff\xff\x01", b"\xdb" + b"\xff" * 8 + b"\x01", b"\xa2\x61a\x01\x61a\x02",
             b"\x18\x01", b"\x63\xed\xa0\x80", b"\xd9\xd9\xf7\x01", b"\xd8\x40\x42\x01\x02",
             b"\xd8\x18\x41\xff", b"\xd9\x04\x01\x01", b"\xd8\x20\x61\xff", b"\xd8\x24\x61a",
             b"\xd9\x01\x04\x44\x7f\0\0\1"),
}  # fmt: skip
"""What is odd, or broken, in each serializer."""


class Maker:
    """Random values for one serializer; the same seed makes the same ones."""

    def __init__(self, random: Random, serializer: str, *, broken: bool = True) -> None:
        self.random = random
        self.serializer = serializer
        self._broken = broken

    def text(self) -> str:
        """A text of any kind."""
        random = self.random
        if random.random() < 0.5:
            return random.choice(NASTY_TEXTS)
        return "".join(
            chr(random.choice((random.randrange(32, 127), random.randrange(0x300), random.randrange(0xD7FF))))
            for _ in range(random.randrange(12))
        )

    def uri(self) -> str:
        """A text that may be a URI."""
        return self.random.choice(
            ("a", "a.b", "a.b.c", "kept.a", "sample_net", "radiod.echo", "wamp.session.list", self.text())
        )

    def value(self, depth: int = 0) -> Any:
        """A value for ``encoded``."""
        random = self.random
        kind = random.random()
        if kind < 0.2 and depth < 5:
            return [self.value(depth + 1) for _ in range(random.randrange(5))]
        if kind < 0.4 and depth < 5:
            return Pairs(
                (
                    self.text() if random.random() < 0.9 or not self._broken else self.value(depth + 1),
                    self.value(depth + 1),
                )
                for _ in range(random.randrange(4))
            )
        if kind < 0.5:
            return Raw(random.choice(ODD[self.serializer]))
        if kind < 0.52:
            return nested(
                self.serializer, random.choice((10, 62, 63, 64, 65, 90, 500, 5000)), random.random() < 0.5
            )
        leaf = random.randrange(5)
        if leaf == 0:
            return random.choice(INTEGERS)
        if leaf == 1:
            return random.choice(FLOATS)
        if leaf == 2:
            return random.choice((None, True, False))
        return self.text() if leaf == 3 else random.randbytes(random.randrange(20))


def nested(serializer: str, depth: int, in_maps: bool = False) -> Raw:
    """Lists, or dictionaries, in one another."""
    if serializer == "json":
        return Raw((b'{"a":' * depth + b"1" + b"}" * depth) if in_maps else b"[" * depth + b"]" * depth)
    one, last = {"msgpack": (b"\x81\xa1a", b"\x01"), "cbor": (b"\xa1\x61a", b"\x01")}[serializer]
    if not in_maps:
        one, last = {"msgpack": (b"\x91", b"\x90"), "cbor": (b"\x81", b"\x80")}[serializer]
    return Raw(one * depth + last)


def listed(serializer: str, one: bytes, size: int) -> bytes:
    """A list of equal items, about ``size`` bytes long."""
    count = max(1, size // (len(one) + (serializer == "json")))
    if serializer == "json":
        return b"[" + b",".join([one] * count) + b"]"
    head = (
        b"\xdd" + struct.pack(">I", count) if serializer == "msgpack" else b"\x9a" + struct.pack(">I", count)
    )
    return head + one * count


def mapped(serializer: str, key: Any, value: bytes, size: int) -> bytes:
    """A dictionary about ``size`` bytes long; ``key``: the key of each number, for ``encoded``."""
    pairs, length, number = [], 0, 0
    while length < size:
        word = encoded(serializer, key(number))
        if serializer == "json":
            word = (word if word[:1] == b'"' else b'"%b"' % word) + b":"
        pairs.append(word + value)
        length += len(word) + len(value) + (serializer == "json")
        number += 1
    if serializer == "json":
        return b"{" + b",".join(pairs) + b"}"
    head = (
        b"\xdf" + struct.pack(">I", number)
        if serializer == "msgpack"
        else b"\xba" + struct.pack(">I", number)
    )
    return head + b"".join(pairs)


def _containers() -> dict[str, Any]:
    """name -> (serializer, size) -> the bytes of one value, or None where there is no such thing."""

    def text_of(character: str) -> Any:
        return lambda way, size: encoded(way, character * (size // len(character.encode())))

    def items(value: Any) -> Any:
        return lambda way, size: listed(way, encoded(way, value), size)

    def keys(key: Any) -> Any:
        return lambda way, size: mapped(way, key, encoded(way, 1), size)

    return {
        "ones": items(1),
        "nulls": items(None),
        "floats": items(1.5),
        "whole floats": items(3.0),
        "integers of 64 bits": items(2**63 + 1),
        "bignums": items(2**70),
        "empty lists": items([]),
        "empty maps": items({}),
        "lists of one": items([1]),
        "maps of one": items({"a": 1}),
        "empty texts": items(""),
        "short texts": items("ab"),
        "texts not ASCII": items("é"),
        "short bytes": items(b"ab"),
        "NUL texts": items("\0AAAA"),
        "map of texts": keys(lambda n: f"k{n}"),
        "map of one text": keys(lambda n: "k"),
        "map of long texts": keys(lambda n: f"{n:040}"),
        "map of texts not ASCII": keys(lambda n: f"é{n}"),
        "map of integers": keys(lambda n: n),
        "map of colliding integers": keys(lambda n: 1 + n * MODULUS),
        "map of colliding negatives": keys(lambda n: -2 - n * MODULUS),
        "map of colliding floats": keys(lambda n: 2.0**61 * (n + 1)),
        "map of __proto__": keys(lambda n: "__proto__"),
        "long text": text_of("x"),
        "long text not ASCII": text_of("é"),
        "long text of quotes": text_of('"'),
        "long text of NUL": text_of("\0"),
        "long text of astral": text_of("𝄞"),
        "long bytes": lambda way, size: encoded(way, bytes(size // (2 if way == "json" else 1))),
        "one bignum": lambda way, size: (
            None if way == "msgpack" else (b"9" * size if way == "json" else encoded(way, 1 << (8 * size)))
        ),
        "deep lists": lambda way, size: nested(way, size // (2 if way == "json" else 1)),
        "deep maps": lambda way, size: nested(way, size // {"json": 6, "msgpack": 3, "cbor": 3}[way], True),
        "many of depth 60": lambda way, size: listed(way, nested(way, 60), size),
        "a float of many digits": lambda way, size: b"0." + b"1" * size if way == "json" else None,
        "a big exponent": lambda way, size: b"1e" + b"9" * size if way == "json" else None,
        "escapes": lambda way, size: b'"' + b"\\u00e9" * (size // 6) + b'"' if way == "json" else None,
        "white space": lambda way, size: b"[" + b" " * size + b"]" if way == "json" else None,
        "extensions": lambda way, size: listed(way, b"\xd4\x05\x01", size) if way == "msgpack" else None,
        "timestamps": lambda way, size: listed(way, b"\xd6\xff\0\0\0\1", size) if way == "msgpack" else None,
        "undefineds": lambda way, size: {
            "cbor": listed(way, b"\xf7", size),
            "msgpack": listed(way, b"\xd4\0\0", size),
        }.get(way),
        "tags of tags": lambda way, size: b"\xd9\x04\x01" * (size // 3) + b"\x01" if way == "cbor" else None,
        "tagged dates": lambda way, size: listed(way, b"\xc1\x01", size) if way == "cbor" else None,
        "tagged fractions": lambda way, size: (
            listed(way, b"\xc4\x82\x01\x02", size) if way == "cbor" else None
        ),
        "tagged rationals": lambda way, size: (
            listed(way, b"\xd8\x1e\x82\x01\x02", size) if way == "cbor" else None
        ),
        "tagged sets": lambda way, size: (
            listed(way, b"\xd9\x01\x02\x81\x01", size) if way == "cbor" else None
        ),
        "one tagged set": lambda way, size: (
            b"\xd9\x01\x02" + encoded(way, [1 + n * MODULUS for n in range(size // 10)])
            if way == "cbor"
            else None
        ),
        "tagged addresses": lambda way, size: (
            listed(way, b"\xd9\x01\x04\x44\x7f\0\0\1", size) if way == "cbor" else None
        ),
        "tagged UUIDs": lambda way, size: (
            listed(way, b"\xd8\x25\x50" + bytes(16), size) if way == "cbor" else None
        ),
        "half floats": lambda way, size: listed(way, b"\xf9\x3c\x00", size) if way == "cbor" else None,
        "endless lists": lambda way, size: listed(way, b"\x9f\xff", size) if way == "cbor" else None,
        "one endless list": lambda way, size: b"\x9f" + b"\x01" * size + b"\xff" if way == "cbor" else None,
        "one endless text": lambda way, size: (
            b"\x7f" + b"\x61a" * (size // 2) + b"\xff" if way == "cbor" else None
        ),
        "arrays of numbers": lambda way, size: (
            b"\xd8\x56" + encoded(way, bytes(size - size % 8)) if way == "cbor" else None
        ),
    }


CONTAINERS = {name: lru_cache(maxsize=8)(container) for name, container in _containers().items()}
"""Every kind of value that can be made long."""
