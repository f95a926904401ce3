"""Vehicles as samples carry them: three arrays, by street."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.looks import Floats
from simulator.packing import array

__all__ = ["packed"]

WHOLE = 65535
"""Stands for the end of a street; its beginning is 0."""


def packed(vehicles: Mapping[str, NDArray[Any]], length: Floats) -> dict[str, Any]:
    """What ``samples.Decoder.vehicles`` reads.

    Args: vehicles: as ``Simulator.vehicles`` returns them. length: (S,) metres of the streets.
    Returns: arrays as docs/arrays.md has them. "count": (S,) vehicles on each street. "at": (V,) street by
        street, the foremost first, in 65,535ths of the street from its beginning. "id": (V,) modulo 2^32.
    """
    street, at = vehicles["street"], vehicles["at"]
    order = np.lexsort((vehicles["id"], -at, street))
    share = np.rint(at[order] / length[street[order]] * WHOLE)
    return {
        "count": array(np.bincount(street, minlength=len(length)).astype("<u2")),
        "at": array(share.astype("<u2")),
        "id": array((vehicles["id"][order] & 0xFFFFFFFF).astype("<u4")),
    }
