"""Traffic lights: fixed-time plans, two phases a junction, as arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.network import Floats, Town

__all__ = ["Signals"]

ALL_RED = 3.0
"""Seconds between the phases in which every approach is red."""


class Signals:
    """When each street's downstream light is green.

    Args:
        cycle: (S,) seconds; 0: no light, always green.
        begin: (S,) seconds into the cycle at which green begins.
        green: (S,) seconds that green lasts.
    """

    def __init__(self, cycle: Floats, begin: Floats, green: Floats) -> None:
        self.has_light = cycle > 0
        self._cycle = np.where(self.has_light, cycle, 1.0)
        self._begin = begin
        self._green = green

    @classmethod
    def none(cls, town: Town) -> Signals:
        """No light anywhere."""
        zeros = np.zeros(len(town.street_ids))
        return cls(zeros, zeros, zeros)

    @classmethod
    def two_phase(cls, town: Town, *, cycle: float = 60.0, seed: int = 0) -> Signals:
        """One phase for east-west and one for north-south wherever three or more streets meet.

        Offsets differ from junction to junction (seeded); the split is even, all-red times excepted.
        """
        offsets = np.random.default_rng(seed).uniform(0, cycle, len(town.junction_ids)).round()
        approaches = np.bincount(town.end, minlength=len(town.junction_ids))
        along = town.positions[town.end] - town.positions[town.start]
        is_vertical = np.abs(along[:, 1]) > np.abs(along[:, 0])
        has_light = approaches[town.end] >= 3
        green = np.full(len(town.street_ids), cycle / 2 - ALL_RED)
        begin = offsets[town.end] + np.where(is_vertical, cycle / 2, 0.0)
        return cls(np.where(has_light, cycle, 0.0), begin, green)

    def green(self, time: float) -> NDArray[np.bool_]:
        """(S,) True where vehicles may leave the street at ``time`` (seconds)."""
        return ~self.has_light | ((time - self._begin) % self._cycle < self._green)
