"""Arrays of samples as plain lists of numbers, with NumPy or without it: for cells, columns and curves."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from collections.abc import Sequence
from typing import Any

__all__ = ["curves", "is_object", "plain"]

CODES = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip
"""Of ``struct``, for each ``dtype`` but the complex ones."""
MAX_BYTES = 64 * 2**20


def plain(value: Any) -> Any:
    """``value`` with its arrays as nested lists; complex and broken ones stay as they are."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        return value if value.dtype.kind == "c" or _is_huge(value.shape) else value.tolist()
    if isinstance(value, dict):
        nested = _nested(value) if "_nd" in value else None
        return {key: plain(item) for key, item in value.items()} if nested is None else nested
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _nested(value: dict[Any, Any]) -> Any:
    """An array as it travels (docs/arrays.md), where there is no NumPy; None if it is none of these."""
    try:
        code, shape = CODES[value["dtype"][1:]], [int(extent) for extent in value["shape"]]
        count, size = math.prod(shape), struct.calcsize("<" + code)
        if min(shape, default=0) < 0 or count * size > MAX_BYTES or _is_huge(shape):
            return None
        data = value["data"]
        if value["enc"] == "zlib":
            data = zlib.decompressobj().decompress(data, count * size + 1)
        flat = list(struct.unpack(f"<{count}{code}", data))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, struct.error, zlib.error):
        return None
    return _shaped(flat, shape)


def _shaped(flat: list[Any], shape: list[int]) -> Any:
    if len(shape) < 2:
        return flat if shape else flat[0]
    step = math.prod(shape[1:])
    return [_shaped(flat[at * step : (at + 1) * step], shape[1:]) for at in range(shape[0])]


def _is_huge(shape: Sequence[int]) -> bool:
    """Whether lists of it would fill the memory: an array without an element can have any number of rows."""
    return math.prod(max(extent, 1) for extent in shape) > MAX_BYTES


def is_object(data: Any) -> bool:
    """Whether it is an object with keys, and no array."""
    return isinstance(data, dict) and "_nd" not in data


def curves(data: Any, fields: list[str]) -> dict[str, float | list[float]]:
    """What of a sample can be drawn: field -> a number, or the numbers of an array of one dimension.

    Args:
        fields: paths like ``car.speed``; without any all numbers of the top level.
    """
    shown = plain(data)
    if not fields:
        found = shown.items() if isinstance(shown, dict) else [("data", shown)]
        return {str(name): value for name, value in found if _is_drawn(value)}
    values = {field: _at(shown, field) for field in fields}
    return {field: value for field, value in values.items() if _is_drawn(value)}


def _at(data: Any, path: str) -> Any:
    if isinstance(data, dict) and path in data:
        return data[path]
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdecimal() and int(name) < len(data):
            data = data[int(name)]
        else:
            return None
    return data


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_drawn(value: Any) -> bool:
    return _is_number(value) or (isinstance(value, list) and bool(value) and all(map(_is_number, value)))
