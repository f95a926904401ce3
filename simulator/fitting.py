"""Streets that are long enough for a step: what a town is changed to so that waves do not outrun it."""

from __future__ import annotations

import numpy as np

from simulator.errors import TownError
from simulator.looks import Floats

__all__ = ["fitted", "wave_of"]

MARGIN = 1 + 1e-9
"""So that rounding does not make a street too short again."""


def wave_of(length: Floats, speed: Floats, capacity: Floats, storage: Floats) -> Floats:
    """(S,) speed of backward waves, m/s, by the triangular fundamental diagram."""
    wave: Floats = capacity / (storage / length - capacity / speed)
    return wave


def fitted(
    dt: float, length: Floats, speed: Floats, capacity: Floats, storage: Floats
) -> tuple[Floats, Floats]:
    """(S,) lengths and (S,) storages with which no vehicle and no wave crosses a street in less than ``dt``.

    A street of length L takes vehicles L / v, and waves storage / capacity - L / v. So a short one is
    lengthened to v dt, and has then to hold the capacity of both times.
    Raises: TownError: no such step.
    """
    if not 0 < dt <= 3600:
        raise TownError(f"town: fit({dt:g}): a step is above 0 and at most 3600 s")
    wave = wave_of(length, speed, capacity, storage)
    is_short = (length < speed * dt) | (length < wave * dt)
    longer = np.where(is_short, np.maximum(length, speed * dt * MARGIN), length)
    needed = capacity * (dt + longer / speed) * MARGIN
    return longer, np.where(is_short, np.maximum(storage, needed), storage)
