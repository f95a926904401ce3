"""Samples as they come from a channel, turned back into dense ones. Needs NumPy, and nothing else of radiod.

The formats are described in docs/simulator.md. What comes in may come from anybody who may publish on the
channel: decoding raises nothing but ``ValueError``, and allocates nothing before sizes are checked.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["START", "Decoder"]

START: Final = datetime.fromisoformat("2026-01-01T06:00:00+00:00")
"""The date that simulated time 0 stands for; fixed, so that equal runs give equal samples."""

LEVELS: Final = {"q8": ("|u1", 255), "q16": ("<u2", 65535), "delta": ("|u1", 255)}
"""Format -> how its levels are written, and the one that stands for a full street."""


class Decoder:
    """Makes dense samples of one town's samples, whatever their format.

    Args: town: the whole map, as ``Simulator.map()`` gives it; of parts, see ``simulator.maps.whole``.
    Raises: ValueError: it is none.
    """

    def __init__(self, town: dict[str, Any]) -> None:
        try:
            streets = town["streets"]
            self._name = town.get("name")
            self._ids = [street["id"] for street in streets]
            self._jam = np.array([street["k_jam"] for street in streets], float)
            self._length = np.array([street["length_m"] for street in streets], float)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"no map of a town: {type(error).__name__} {error}") from None
        self._key: str | None = None
        self._key_levels: NDArray[np.uint8] | None = None

    def decode(self, sample: dict[str, Any]) -> dict[str, Any] | None:
        """The sample with ``n``, ``k`` and ``green`` as lists in the order of the map's streets.

        Densities are within k_jam / 510 of the sender's. Dense samples come back as they are; legacy ones
        tell nothing of lights.
        Returns: None: it needs a key frame that did not come; the next one that does is shown.
        Raises: ValueError: it is no sample of this map.
        """
        if not isinstance(sample, dict):
            raise ValueError("no sample: expected a dictionary")
        if "state" in sample:
            return self._legacy(sample)
        format = sample.get("format", "dense")
        if format == "dense":
            return self._dense(sample)
        if not isinstance(format, str) or format not in LEVELS:
            raise ValueError(f"no format {format!r:.40}; there are dense, legacy, {', '.join(LEVELS)}")
        dtype, most = LEVELS[format]
        size = len(self._ids)
        levels = _elements("k", sample.get("k"), dtype, size)
        green = _elements("green", sample.get("green"), "|u1", -(-size // 8))
        if format == "delta":
            if self._key_levels is None or sample.get("key") != self._key:
                return None
            # Differences to the key frame's levels, modulo 256.
            levels = self._key_levels + levels
        elif "key" in sample and dtype == "|u1":
            self._key, self._key_levels = str(sample["key"]), levels
        k = levels * (self._jam / most)
        kept = {name: value for name, value in sample.items() if name not in ("format", "key")}
        return {
            **kept,
            "n": (k * self._length).tolist(),
            "k": k.tolist(),
            "green": np.unpackbits(green, count=size, bitorder="little").tolist(),
        }

    def vehicles(self, sample: dict[str, Any]) -> dict[str, NDArray[Any]] | None:
        """The single vehicles of a sample of any format, street by street, the foremost first.

        Returns: "id": (V,). "street": (V,) place among the map's streets. "at": (V,) metres from its
            beginning, to a 65,535th of the street. None: the sample has none.
        Raises: ValueError: they are not of this map.
        """
        vehicles = sample.get("vehicles")
        if vehicles is None:
            return None
        if not isinstance(vehicles, dict):
            raise ValueError("vehicles: no dictionary")
        count = _elements("vehicles.count", vehicles.get("count"), "<u2", len(self._ids))
        if (count > 1.01 * self._jam * self._length + 2).any():
            raise ValueError("vehicles.count: more than fit on a street")
        total = int(count.sum())
        street = np.repeat(np.arange(len(self._ids)), count)
        at = _elements("vehicles.at", vehicles.get("at"), "<u2", total)
        id = _elements("vehicles.id", vehicles.get("id"), "<u4", total)
        return {"id": id.astype(np.int64), "street": street, "at": at / 65535 * self._length[street]}

    def _dense(self, sample: dict[str, Any]) -> dict[str, Any]:
        for name in ("n", "k", "green"):
            values = sample.get(name)
            if not hasattr(values, "__len__") or len(values) != len(self._ids):  # type: ignore[arg-type]
                raise ValueError(f"{name}: not one for each of the map's {len(self._ids)} streets")
        return sample

    def _legacy(self, sample: dict[str, Any]) -> dict[str, Any]:
        try:
            n = np.array([sample["state"][id] for id in self._ids], float)
            time = (datetime.fromisoformat(sample["timestamp"]) - START).total_seconds()
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no sample of this map: {type(error).__name__} {error}") from None
        return {
            "name": self._name,
            "time": time,
            "timestamp": sample["timestamp"],
            "n": n.tolist(),
            "k": (n / self._length).tolist(),
        }


def _elements(name: str, value: Any, dtype: str, size: int) -> NDArray[Any]:
    """One array of docs/arrays.md, of one dimension and the size and type that are expected."""
    if isinstance(value, np.ndarray):
        # A client that knows the convention has been at work.
        if value.dtype != np.dtype(dtype) or value.shape != (size,):
            raise ValueError(f"{name}: an array of {value.shape} {value.dtype}, not of {size} {dtype}")
        return value
    if not isinstance(value, dict) or value.get("_nd") != 1:
        raise ValueError(f"{name}: no array")
    shape, written = value.get("shape"), value.get("dtype")
    if written != dtype or shape != [size]:
        raise ValueError(f"{name}: an array of {shape!r:.40} {written!r:.20}, not of {size} {dtype}")
    length = size * np.dtype(dtype).itemsize
    try:
        data = _bytes(name, value.get("data"), value.get("enc"), length)
        if len(data) != length:
            raise ValueError(f"{name}: {len(data)} bytes, not {length}")
        return np.frombuffer(data, dtype)
    except (binascii.Error, zlib.error, TypeError) as error:
        raise ValueError(f"{name}: {type(error).__name__}: {error}") from None


def _bytes(name: str, data: Any, enc: Any, length: int) -> bytes:
    if isinstance(data, str):
        # WAMP's binary data in JSON. No more is read than uncompressed data would take.
        if not data.startswith("\0") or len(data) > 2 * length + 1024:
            raise ValueError(f"{name}: no binary data")
        data = base64.b64decode(data[1:], validate=True)
    if enc != "zlib":
        return memoryview(data).tobytes()
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(data, length + 1)
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError(f"{name}: not one whole stream of {length} bytes")
    return bytes(data)
