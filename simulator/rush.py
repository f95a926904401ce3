"""When most vehicles want to drive, told with the map so that whoever watches knows what to expect."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.demand import Rates

__all__ = ["rush_hours"]

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
