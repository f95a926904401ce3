"""What is told with maps and samples for those who watch: rush hours, speeds, what was driven."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from simulator.demand import Rates
from simulator.engine import Engine
from simulator.network import Town

__all__ = ["UNITS", "moved", "rush_hours", "speeds_of"]

UNITS: Final = {
    "n": "vehicles",
    "k": "vehicles/m",
    "v": "% of free speed",
    "green": "1: green",
    "moved": "vehicle-metres",
    "time": "s",
    "points": "m",
    "speed": "m/s",
    "capacity": "vehicles/s",
}
ALONE: Final = 0.05
"""Vehicles: fewer have nothing before them."""

MOMENTS = 144
"""Of a day that are looked at."""
SHARE = 0.75
"""Of the greatest demand: from there on it is a rush."""
FLAT = 0.6
"""Of the greatest demand: a day that never has less knows no rush."""


def rush_hours(demand: Rates) -> dict[str, Any] | None:
    """``{"day": s, "hours": [[begin, end], …]}``: simulated seconds since the beginning of each day, in which
    the demand of the whole town is at least three quarters of its greatest.

    None: the demand is the same all day, or says not how long its ``day`` is.
    """
    day = getattr(demand, "day", None)
    if not isinstance(day, (int, float)) or not 0 < day < np.inf:
        return None
    moments = np.arange(MOMENTS) * (day / MOMENTS)
    wanted = np.array([float(np.sum(demand.rates(float(moment)))) for moment in moments])
    if wanted.min() >= FLAT * wanted.max():
        return None
    is_rush = np.concatenate([[False], wanted >= SHARE * wanted.max(), [False]])
    changes = np.flatnonzero(is_rush[1:] != is_rush[:-1]) * (day / MOMENTS)
    return {"day": float(day), "hours": [[float(a), float(b)] for a, b in changes.reshape(-1, 2)]}


def speeds_of(engine: Engine) -> list[int]:
    """(S,) speed on each street, % of its free speed: vehicles that would be there if nobody had been held up
    over those that are. In steady traffic that is the speed of the diagram, and over time that of all trips.
    With engines of cells, who is in a queue does not move.
    """
    vehicles = engine.vehicles.clip(0.0)
    held, _ = engine.queued()
    share = np.where(vehicles > ALONE, 1.0 - held / vehicles.clip(ALONE), 1.0)
    percent: list[int] = (100.0 * share.clip(0.0, 1.0)).round().astype(int).tolist()
    return percent


def moved(engine: Engine, town: Town) -> int:
    """Vehicle-metres since the start: who is on a street is taken to have driven half of it."""
    counts = (engine.entered + engine.left) * town.length
    # A sum that is exact depends on no order, of streets or of what a processor adds at once.
    return round(math.fsum(counts.tolist()) / 2)
