"""The nearest form of what one serializer says and another has no word for.

What is decoded here is made of what all can say: null, booleans, numbers, texts, binary data, lists,
dictionaries with texts as keys; besides, dates, times and UUIDs, for which each serializer has a form.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from math import isinf, ldexp
from typing import Any, Final

import cbor2
from msgspec import Raw

from radiod.wire.json_check import BINARY_MARK, binary
from radiod.wire.scan import PROTO, Undecodable

__all__ = [
    "TAGS",
    "binary_to_text",
    "content_of",
    "floats_for_big_integers",
    "from_extension",
    "key_text",
    "plain",
    "text_to_binary",
]

SCALARS: Final = frozenset((int, float, bool, type(None)))
"""What is the same everywhere, and in most long lists."""

SAYABLE: Final = SCALARS | {Raw}
"""What JSON has words for as it is; ``Raw`` has been said already."""

SMALLEST_INTEGER: Final = -(1 << 63)
BIGGEST_INTEGER: Final = (1 << 64) - 1
MOST_EXPONENT: Final = 2000
ADDRESSES: Final = (IPv4Address, IPv6Address, IPv4Network, IPv6Network, IPv4Interface, IPv6Interface)


def plain(value: Any) -> Any:
    """``value``, as a decoder of CBOR or MessagePack gives it, in the words that all serializers have."""
    if isinstance(value, dict | cbor2.frozendict):
        return {key_text(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return list(value) if SCALARS.issuperset(map(type, value)) else [plain(item) for item in value]
    if isinstance(value, ADDRESSES):
        return str(value)
    return None if value is cbor2.undefined or isinstance(value, cbor2.CBORSimpleValue) else value


def binary_to_text(value: Any) -> Any:
    """Replace binary data by WAMP's base64 strings for JSON, wherever it is in lists and dictionaries.

    A text that begins with NUL can only be said as binary data, its UTF-8.
    """
    if isinstance(value, str):
        if not value.startswith(BINARY_MARK):
            return value
        value = value.encode()
    if isinstance(value, bytes):
        return BINARY_MARK + base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        if SAYABLE.issuperset(map(type, value)):
            return value
        # Most of what is in them is said as it is, and a call for each would be most of the cost.
        return [
            item
            if (kind := type(item)) in SAYABLE or (kind is str and not item.startswith(BINARY_MARK))
            else binary_to_text(item)
            for item in value
        ]
    if isinstance(value, dict):
        return {
            key: item
            if (kind := type(item)) in SAYABLE or (kind is str and not item.startswith(BINARY_MARK))
            else binary_to_text(item)
            for key, item in value.items()
        }
    return value


def text_to_binary(value: Any) -> Any:
    """The inverse of ``binary_to_text``; a NUL string that is not base64 stays a string."""
    if isinstance(value, str):
        data = binary(value) if value.startswith(BINARY_MARK) else None
        return value if data is None else data
    if isinstance(value, list):
        return [text_to_binary(item) for item in value]
    if isinstance(value, dict):
        return {key: text_to_binary(item) for key, item in value.items()}
    return value


def key_text(key: Any) -> str:
    """A dictionary's key as text, as JSON libraries write it; binary data as JSON has it."""
    if isinstance(key, bytes):
        return BINARY_MARK + base64.b64encode(key).decode()
    if key is None:
        return "null"
    if isinstance(key, bool):
        return "true" if key else "false"
    if key == PROTO.decode():
        raise Undecodable("a key must not be __proto__")
    return str(key)


def from_extension(code: int, data: memoryview) -> Any:
    """An extension type of MessagePack: null for ``undefined``, else its data as binary."""
    content = bytes(data)
    return None if code == 0 and content == b"\0" else content


def floats_for_big_integers(value: Any) -> Any:
    """``value`` with floats for the integers that MessagePack cannot say. Raises: OverflowError."""
    if isinstance(value, dict):
        return {key: floats_for_big_integers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [floats_for_big_integers(item) for item in value]
    if isinstance(value, int) and not SMALLEST_INTEGER <= value <= BIGGEST_INTEGER:
        return float(value)
    return value


def content_of(tag: cbor2.CBORTag, is_immutable: bool) -> Any:
    """An unknown tag gives its content (RFC 8949, section 6.1)."""
    return tag.value


def _content(value: Any, is_immutable: bool) -> Any:
    return value


def _reference(value: Any, is_immutable: bool) -> Any:
    raise ValueError("shared references mean nothing here")


def _decimal(value: Any, is_immutable: bool) -> float:
    exponent, mantissa = _two_integers(value)
    if abs(exponent) > MOST_EXPONENT:
        raise ValueError("an exponent that no double can hold")
    return _finite(float(f"{mantissa}e{exponent}"))


def _binary_fraction(value: Any, is_immutable: bool) -> float:
    exponent, mantissa = _two_integers(value)
    return ldexp(mantissa, exponent)


def _ratio(value: Any, is_immutable: bool) -> float:
    return float(Fraction(*_two_integers(value)))


def _two_integers(value: Any) -> tuple[int, int]:
    first, second = value
    if type(first) is not int or type(second) is not int:
        raise ValueError("expected two integers")
    return first, second


def _finite(number: float) -> float:
    if isinf(number):
        raise ValueError("a number that no double can hold")
    return number


TAGS: Final[dict[int, Callable[[Any, bool], Any]]] = {
    **dict.fromkeys((25, 29), _reference),
    # A cycle takes a reference. Regular expressions are code, MIME messages a parser of their own.
    **dict.fromkeys((28, 35, 36, 256, 258, 43000, 55799), _content),
    4: _decimal,
    5: _binary_fraction,
    30: _ratio,
}
"""Tags that are not left to cbor2."""
