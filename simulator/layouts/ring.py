"""A ring of one-way streets that nobody leaves: the simplest town, on which density stays what it is."""

from __future__ import annotations

from math import cos, pi, sin

from simulator.demand import DemandTable
from simulator.draft import Draft
from simulator.errors import TownError
from simulator.street import Street, within

__all__ = ["ring"]

FILLING = 600.0
"""Seconds in which vehicles enter, if nothing else is asked for."""

FILLED = 0.5
"""Share of the storage that they fill."""


def ring(streets: int, length: float) -> Draft:
    """Streets ``1-2``, ``2-3`` and so on, back to ``1``, with an origin at each junction.

    Raises: TownError: fewer than 2 streets or more than 10,000, or a length that cannot be.
    """
    if not 2 <= streets <= 10_000:
        raise TownError(f"ring: {streets} streets; it has 2 to 10000")
    within("ring: length", length, 1.0, 1e5, "m")
    names = [str(number) for number in range(1, streets + 1)]
    radius = streets * length / (2 * pi)
    draft = Draft()
    for number, name in enumerate(names):
        angle = pi / 2 - 2 * pi * number / streets
        draft.positions[name] = radius * cos(angle), radius * sin(angle)
        after = names[(number + 1) % streets]
        draft.streets.append(Street(id=f"{name}-{after}", start=name, end=after, length=length))
        draft.turns[f"{name}-{after}"] = {f"{after}-{names[(number + 2) % streets]}": 1.0}
        draft.origins[name] = {f"{name}-{after}": 1.0}
    rate = FILLED * draft.streets[0].jam_density * length / FILLING
    draft.demand = DemandTable(streets, [(number, 0.0, FILLING, rate) for number in range(streets)])
    return draft
