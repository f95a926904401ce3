"""Small samples: densities as 8 or 16 bits of each street's jam density, lights as bits.

``samples.Decoder`` reads them; the arrays are those of docs/arrays.md.
"""

from __future__ import annotations

import base64
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.samples import LEVELS

__all__ = ["FORMATS", "Packing", "array"]

FORMATS: Final = ("dense", "legacy", *LEVELS)
"""All that ``dump_state`` knows."""

DTYPES: Final = {1: "|u1", 2: "<u2", 4: "<u4"}
"""Bytes of a number -> its type."""

KEY_EVERY: Final = 11
"""Samples from key frame to key frame. A prime number: who hears every n-th sample hears key frames, too, for
all n but its multiples."""


class Packing:
    """Packs the samples of one town. For ``delta`` it remembers the last key frame.

    Args: jam: (S,) jam densities as the map tells them, vehicles/m.
    """

    def __init__(self, jam: NDArray[np.float64]) -> None:
        self._jam = jam
        self._key: tuple[float, NDArray[np.uint8], str] | None = None

    def pack(
        self, format: str, head: dict[str, Any], density: NDArray[np.float64], green: NDArray[Any]
    ) -> dict[str, Any]:
        """A sample.

        Args:
            head: what else is in it, ``time`` and ``step`` among it.
            density: (S,) vehicles/m. green: (S,) whether the light at the end is green.
        Twice the same at the same time.
        """
        dtype, most = LEVELS[format]
        levels = np.rint(density / self._jam * most).clip(0, most).astype(np.dtype(dtype))
        lights = array(np.packbits(green.astype(bool), bitorder="little"))
        if format == "delta":
            return {**head, **self._difference(head, levels), "green": lights}
        return {**head, "format": format, "k": array(levels), "green": lights}

    def forget_key(self) -> None:
        """The next sample of ``delta`` is a key frame: somebody has come who has none."""
        self._key = None

    def _difference(self, head: dict[str, Any], levels: NDArray[np.uint8]) -> dict[str, Any]:
        """To the last key frame, not to the last sample: those that get lost in between are not missed."""
        whole = array(levels)
        if self._key is not None:
            time, key_levels, key = self._key
            # From 1: what is as old as the key frame is the key frame.
            if 0.0 < head["time"] - time < (KEY_EVERY - 0.5) * head["step"]:
                difference = array(levels - key_levels)
                if len(difference["data"]) < len(whole["data"]):
                    return {"format": "delta", "key": key, "k": difference}
        key = f"{zlib.crc32(levels.tobytes()):08x}"
        self._key = head["time"], levels, key
        return {"format": "q8", "key": key, "k": whole}


def array(values: NDArray[Any]) -> dict[str, Any]:
    """Unsigned integers as docs/arrays.md has them, for JSON; compressed where that is shorter."""
    raw = values.tobytes()
    # Densities are noise to a search for repetitions: their frequencies are what can be gained from.
    packing = zlib.compressobj(strategy=zlib.Z_FILTERED)
    packed = packing.compress(raw) + packing.flush()
    data, enc = (packed, "zlib") if len(packed) < len(raw) else (raw, "raw")
    return {
        "_nd": 1,
        "dtype": DTYPES[values.itemsize],
        "shape": list(values.shape),
        "data": "\0" + base64.b64encode(data).decode(),
        "enc": enc,
    }
