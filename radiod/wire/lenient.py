"""What clients in JavaScript mean by what they write: whole floats are integers, ``undefined`` is absent.

Their binary serializers write large numbers as floats, and some clients send the options that they were not
given. Nothing else is mended, and never a payload.
"""

from __future__ import annotations

from typing import Any, Final

from cbor2 import undefined as UNDEFINED
from msgspec.msgpack import Ext

__all__ = ["is_undefined", "mend_message", "mend_options"]

UNDEFINED_EXT: Final = Ext(0, b"\0")
"""``undefined`` as MessagePack libraries of JavaScript write it."""

LEVELS: Final = 4
"""How deep dictionaries are looked into: to HELLO.Details.roles.<role>.features."""


def mend_message(items: list[Any]) -> list[Any]:
    """The elements of a message; ``items`` stays as it is."""
    return [mend_options(item) if isinstance(item, dict) else _whole(item) for item in items]


def mend_options(options: dict[Any, Any]) -> dict[Any, Any]:
    """One dictionary of options or details; ``options`` stays as it is."""
    return {key: _whole_items(value) for key, value in _defined(options, LEVELS).items()}


def is_undefined(value: Any) -> bool:
    """Whether it stands for JavaScript's ``undefined``, in MessagePack or CBOR."""
    return value is UNDEFINED or (type(value) is Ext and value == UNDEFINED_EXT)


def _defined(options: dict[Any, Any], levels: int) -> dict[Any, Any]:
    return {
        key: _defined(value, levels - 1) if levels > 1 and isinstance(value, dict) else value
        for key, value in options.items()
        if not is_undefined(value)
    }


def _whole_items(value: Any) -> Any:
    return [_whole(item) for item in value] if isinstance(value, list) else _whole(value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
