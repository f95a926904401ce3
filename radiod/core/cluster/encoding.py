"""What nodes tell each other, as bytes. Text of JSON may be no Unicode: it is told without what is not."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

__all__ = ["DEPTH", "MALFORMED", "decode", "encode"]

T = TypeVar("T")

DEPTH: Final = 8
"""How deep lists and dictionaries of one letter go, payloads left out, which are bytes."""

MALFORMED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises: also for text that is no UTF-8, and for what is nested too deep, which msgspec leaves
to Python's own errors."""

ENCODER: Final = msgspec.msgpack.Encoder()


def encode(letter: Any) -> bytes:
    """A letter in MessagePack; lone surrogates become U+FFFD, and what lies deeper than ``DEPTH`` nothing."""
    try:
        return ENCODER.encode(letter)
    except UnicodeEncodeError:
        return ENCODER.encode(_whole(msgspec.to_builtins(letter, builtin_types=(bytes,)), DEPTH))


def decode(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T | None:
    """What was encoded; None: it is nothing that a node of this version writes."""
    try:
        return decoder.decode(data)
    except MALFORMED:
        return None


def _whole(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name, 0): _whole(value[name], depth - 1) for name in value} if depth else None
    if isinstance(value, list | tuple):
        return [_whole(item, depth - 1) for item in value] if depth else None
    return value
