"""Turning ratios by time of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.errors import TownError, numbers
from simulator.looks import Floats

__all__ = ["Fans", "TurnTable"]

Fans = Mapping[str, Mapping[str, float]]
"""Street or junction -> street -> ratio."""


@dataclass(frozen=True, slots=True)
class TurnTable:
    """Rows of turning ratios, each of which holds from its time to the next one's.

    Args:
        times: (H,) seconds, ascending; before the first one, the first row holds.
        ratios: (H, M) of each movement; 0: nobody turns so.
        day: seconds after which it begins again; inf: the last row holds for ever.
    Raises: TownError: it is none.
    """

    times: Floats
    ratios: Floats
    day: float = float("inf")

    def __post_init__(self) -> None:
        times = numbers("turns: times", self.times)
        if not len(times) or (np.diff(times) <= 0).any():
            raise TownError("turns: times must ascend, and there must be one at least")
        if not times[-1] - times[0] < self.day or times[0] < 0:
            raise TownError(f"turns: times from {times[0]:g} to {times[-1]:g} s in a day of {self.day:g} s")
        ratios = self.ratios
        if ratios.ndim != 2 or len(ratios) != len(times):
            raise TownError(f"turns: {len(ratios)} rows of ratios for {len(times)} times")
        if ratios.size and not 0 <= ratios.min() <= ratios.max() <= 1 + 1e-9:
            raise TownError("turns: ratios must be from 0 to 1")

    def row(self, time: float) -> int:
        """Which row holds at ``time``, seconds."""
        if self.day < float("inf"):
            time %= self.day
        return max(int(np.searchsorted(self.times, time, side="right")) - 1, 0)


def table(
    times: Sequence[float],
    rows: Sequence[tuple[Fans, Fans]],
    names: tuple[Sequence[str], Sequence[str], Sequence[str]],
    movements: tuple[Floats, Floats, Floats],
    day: float,
) -> TurnTable | None:
    """X"""
    return None
