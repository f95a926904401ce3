"""NumPy arrays inside samples, without pickle: docs/arrays.md is the convention.

An array travels as an ordinary dictionary, so every serializer and router passes it through:

    {"_nd": 1, "dtype": "<f4", "shape": [2, 3], "data": bytes, "enc": "raw" or "zlib"}

``data`` is the elements in C order, little-endian. What comes in may come from anybody: decoding raises
nothing but ``ValueError``, and allocates nothing before sizes are checked.
"""

from __future__ import annotations

import binascii
import math
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAX_BYTES", "decode", "decode_all", "encode", "encode_all", "is_array"]

VERSION: Final = 1
KEYS: Final = frozenset({"_nd", "dtype", "shape", "data", "enc"})

MAX_BYTES: Final = 64 * 2**20
"""Default bound of decoding: bytes of elements, after decompression."""

MAX_DIMENSIONS: Final = 32
"""NumPy 1 has no more."""

ADDRESSABLE: Final = int(np.iinfo(np.intp).max)
"""Bytes that NumPy can count: no array has so many."""

NAMES: Final = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]

WRITTEN: Final = {name: ("|" if name.endswith("1") else "<") + name for name in NAMES}
"""NumPy's kind and item size -> how it stands in ``dtype``: what ``numpy.dtype.str`` gives."""

DTYPES: Final = {
    **{written: np.dtype(written) for written in WRITTEN.values()},
    # One byte has no order, but who puts "<" before everything means no harm.
    **{f"<{name}": np.dtype(name) for name in NAMES if name.endswith("1")},
}

BINARY_MARK: Final = "\0"
"""In WAMP's JSON a string that begins with NUL is base64 of binary data; some JSON clients leave it to us."""


def is_array(value: object) -> bool:
    """True when ``value`` says that it is an array: a dictionary with the key ``_nd``.

    Whether it keeps its word is found by ``decode``.
    """
    return isinstance(value, dict) and "_nd" in value


def encode(array: ArrayLike, compress: bool = False) -> dict[str, Any]:
    """``array`` as a dictionary that any serializer can send.

    Args:
        array: any shape, strides and byte order; booleans, integers, floats up to 8 bytes, complex up to 16.
        compress: ``data`` is compressed with zlib; smaller for smooth or sparse data, larger for noise.
    Raises: ValueError: objects, strings, dates, records, extended precision, or a mask.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError("a masked array has to be filled first: the mask would be lost")
    array = np.asarray(array)
    written = WRITTEN.get(f"{array.dtype.kind}{array.dtype.itemsize}")
    if written is None:
        raise ValueError(f"arrays of {array.dtype} cannot be sent")
    if array.ndim > MAX_DIMENSIONS:
        raise ValueError(f"at most {MAX_DIMENSIONS} dimensions can be sent")
    data = array.astype(written, copy=False).tobytes()
    return {
        "_nd": VERSION,
        "dtype": written,
        "shape": list(array.shape),
        "data": zlib.compress(data) if compress else data,
        "enc": "zlib" if compress else "raw",
    }


def decode(value: object, *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """The array that ``value`` describes: read-only, C order, little-endian.

    If it came uncompressed as bytes, the array is a view of these bytes.

    Args:
        max_bytes: the most that the elements may occupy.
    Raises: ValueError: ``value`` is no array, breaks the convention, or is too large.
    """
    if not isinstance(value, dict) or value.keys() != KEYS:
        raise ValueError(f"expected a dictionary of {', '.join(sorted(KEYS))}")
    if type(value["_nd"]) is not int or value["_nd"] != VERSION:
        raise ValueError(f"_nd: expected {VERSION}")
    dtype = _dtype(value["dtype"])
    shape = _shape(value["shape"], dtype.itemsize)
    size = math.prod(shape) * dtype.itemsize
    if size > max_bytes:
        raise ValueError(f"shape: the array has {size} bytes, at most {max_bytes} are allowed")
    data = _elements(_binary(value["data"]), value["enc"], size)
    # Any byte would do as a boolean in memory, but NumPy computes nonsense with others than 0 and 1.
    if dtype.kind == "b" and np.frombuffer(data, "u1").max(initial=0) > 1:
        raise ValueError("data: booleans are 0 or 1")
    return np.ndarray(shape, dtype, data)


def _dtype(name: object) -> np.dtype[Any]:
    # Never np.dtype(name): that understands objects, records, and more with every release.
    if not isinstance(name, str) or name not in DTYPES:
        raise ValueError(f"dtype: expected one of {' '.join(WRITTEN.values())}")
    return DTYPES[name]


def _shape(shape: object, itemsize: int) -> tuple[int, ...]:
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"shape: expected a list of at most {MAX_DIMENSIONS} integers")
    # By type: True is an int too, but no extent. Each by itself first: CBOR has integers of megabytes, and
    # their product would take minutes.
    if not all(type(extent) is int and 0 <= extent < ADDRESSABLE for extent in shape):
        raise ValueError("shape: expected integers of 0 or more that a machine can address")
    # An empty array has strides too: NumPy wants them to fit even where another extent is 0.
    if math.prod(extent or 1 for extent in shape) * itemsize >= ADDRESSABLE:
        raise ValueError("shape: more than a machine can address")
    return tuple(shape)


def _binary(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    if not isinstance(data, str) or not data.startswith(BINARY_MARK):
        raise ValueError("data: expected bytes, or NUL and base64")
    try:
        return binascii.a2b_base64(data[1:], strict_mode=True)
    except ValueError:
        raise ValueError("data: not base64 behind the NUL") from None


def _elements(data: bytes, enc: object, size: int) -> bytes:
    """The ``size`` bytes in ``data``. Raises: ValueError: there are more, or less."""
    if enc == "zlib":
        data = _inflate(data, size)
    elif enc != "raw":
        raise ValueError("enc: expected raw or zlib")
    if len(data) != size:
        raise ValueError(f"data: the shape wants {size} bytes")
    return data


def _inflate(data: bytes, size: int) -> bytes:
    """At most ``size + 1`` bytes, however much ``data`` would become: one too many is enough to refuse it."""
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(data, size + 1)
    except zlib.error:
        raise ValueError("data: not a zlib stream") from None
    if not inflater.eof or inflater.unused_data:
        raise ValueError(f"data: expected one zlib stream of {size} bytes and nothing behind it")
    return inflated


def encode_all(value: Any, compress: bool = False) -> Any:
    """A copy of ``value`` with every array inside its lists, tuples and dictionaries encoded.

    NumPy's numbers become Python's, complex ones arrays without dimensions; tuples become lists.

    Raises: ValueError: as ``encode``; or it is nested too deep.
    """
    try:
        return _encode_all(value, compress)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _encode_all(value: Any, compress: bool) -> Any:
    match value:
        case dict():
            return {key: _encode_all(item, compress) for key, item in value.items()}
        case list() | tuple():
            return [_encode_all(item, compress) for item in value]
        case np.generic() if value.dtype.kind in "biufUS":
            return _number(value)
        case np.ndarray() | np.generic():
            return encode(value, compress)
    return value


def _number(scalar: np.generic) -> Any:
    number = scalar.item()
    if isinstance(number, np.generic):  # extended precision has no Python counterpart
        raise ValueError(f"numbers of {scalar.dtype} cannot be sent")
    return number


def decode_all(value: Any, *, max_bytes: int = MAX_BYTES) -> Any:
    """A copy of ``value`` with every array inside its lists and dictionaries decoded.

    Args:
        max_bytes: the most that all arrays together may occupy.
    Raises: ValueError: one of them breaks the convention, they are too large, or it is nested too deep.
    """
    try:
        return _Decoding(max_bytes).of(value)
    except RecursionError:
        raise ValueError("nested too deep") from None


class _Decoding:
    """One ``decode_all``: knows how many bytes are left to it."""

    def __init__(self, left: int) -> None:
        self._left = left

    def of(self, value: Any) -> Any:
        if is_array(value):
            array = decode(value, max_bytes=self._left)
            self._left -= array.nbytes
            return array
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item) for item in value]
        return value
