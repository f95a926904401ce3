"""Gridlock: full streets in a closed ring, each waiting for the next, which no light and no time undoes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from simulator.components import rings
from simulator.looks import Floats, Ints, Truths
from simulator.network import Town

__all__ = ["Watch", "gridlocked"]

FULL = 1e-3
"""Share of its storage that a full street has free at most: one that is at rest fills up for ever, and never
quite; what still moves in it are a few vehicles in an hour."""

EVERY = 60.0
"""Simulated seconds between two looks."""

NAMED = 5
"""Streets that are named in the log."""

log = logging.getLogger("simulator")


def gridlocked(town: Town, vehicles: Floats, ratio: Floats) -> list[int]:
    """The streets in closed rings of full streets, in order.

    Args: vehicles: (S,) on each street. ratio: (M,) of each movement; those of 0 hold nobody up.
    """
    full = vehicles >= town.storage * (1 - FULL)
    if not full.any():
        return []
    one, other = _between(town, full, ratio)
    while len(one):
        # Whatever has nobody behind or nobody before it is in no ring; few are left to be searched.
        stays = np.isin(one, other) & np.isin(other, one)
        if stays.all():
            break
        one, other = one[stays], other[stays]
    return sorted(rings(zip(one.tolist(), other.tolist(), strict=True)))


def _between(town: Town, full: Truths, ratio: Floats) -> tuple[Ints, Ints]:
    """The movements from a full street to a full one: (from, to)."""
    streets = len(full)
    is_street = town.movement_from < streets
    one, other = town.movement_from[is_street], town.movement_to[is_street]
    holds = full[one] & full[other] & (ratio[is_street] > 0)
    return one[holds], other[holds]


class Watch:
    """Tells the log once that a town has gridlocked."""

    def __init__(self, *, has_told: bool = False) -> None:
        self._due = 0.0
        self.has_told = has_told

    def is_due(self, time: float) -> bool:
        """Whether to look again."""
        return not self.has_told and time >= self._due

    def look(self, time: float, ids: Sequence[str], streets: Sequence[int]) -> None:
        """Args: streets: what ``gridlocked`` found at ``time``, seconds."""
        self._due = time + EVERY
        if streets and not self.has_told:
            self.has_told = True
            names = ", ".join(ids[at] for at in streets[:NAMED]) + (" …" if len(streets) > NAMED else "")
            log.warning(
                "gridlock at %g s: %d streets wait for each other in a closed ring: %s",
                *(time, len(streets), names),
            )
