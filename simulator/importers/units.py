"""Units of files that do not say theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.errors import TownError

__all__ = ["LENGTHS", "TIMES", "units_of"]

LENGTHS: Final = {"m": 1.0, "km": 1000.0, "ft": 0.3048, "mi": 1609.344}
"""Metres."""

TIMES: Final = {"s": 1.0, "min": 60.0, "h": 3600.0}
"""Seconds."""


def units_of(units: Sequence[str]) -> tuple[float, float]:
    """Metres and seconds of a pair such as ``("ft", "min")``. Raises: TownError: it is none."""
    pair = tuple(units.split(",")) if isinstance(units, str) else tuple(units)
    if len(pair) != 2 or pair[0] not in LENGTHS or pair[1] not in TIMES:
        raise TownError(
            f"units: {','.join(map(str, pair))}: two of them, of length ({', '.join(LENGTHS)}) "
            f"and of time ({', '.join(TIMES)}), as in ft,min"
        )
    return LENGTHS[pair[0]], TIMES[pair[1]]
