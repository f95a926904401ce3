"""A town of spokes and rings, as old towns have grown: spokes and the outermost ring are arterials."""

from __future__ import annotations

from math import cos, pi, sin

from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.layouts.kinds import ARTERIAL, COLLECTOR, street
from simulator.turning import add_origins, add_turns

__all__ = ["radial"]

STEP = 400.0
"""Metres from ring to ring."""

BOW = 4
"""Straight lines that a street of a ring is drawn with."""

CENTRE = "c"


def radial(rings: int, spokes: int) -> Draft:
    """Two-way streets; junction ``c`` in the middle, ``r2s5`` where ring 2 crosses spoke 5.

    Vehicles start and end everywhere, most of them at the outer ends of spokes.
    Raises: TownError: fewer than 1 ring or 3 spokes, or more than 100 or 200.
    """
    if not (1 <= rings <= 100 and 3 <= spokes <= 200):
        raise TownError(f"radial: {rings} rings and {spokes} spokes; a town has 1 to 100 and 3 to 200")
    draft = Draft(positions={CENTRE: (0.0, 0.0)})
    for ring in range(1, rings + 1):
        for spoke in range(spokes):
            _add(draft, ring, spoke, rings, spokes)
    add_turns(draft, exits={_name(rings, spoke) for spoke in range(spokes)})
    add_origins(draft)
    return draft


def _name(ring: int, spoke: int) -> str:
    return f"r{ring}s{spoke}" if ring else CENTRE


def _place(ring: float, turn: float) -> Point:
    """Where the ``turn``-th part of a whole turn clockwise from the north meets a ring."""
    angle = pi / 2 - 2 * pi * turn
    return ring * STEP * cos(angle), ring * STEP * sin(angle)


def _add(draft: Draft, ring: int, spoke: int, rings: int, spokes: int) -> None:
    """A junction, the streets to the ring within, and those to the next spoke."""
    here, inside, beside = _name(ring, spoke), _name(ring - 1, spoke), _name(ring, (spoke + 1) % spokes)
    draft.positions[here] = _place(ring, spoke / spokes)
    arc = 2 * pi * ring * STEP / spokes
    kind = ARTERIAL if ring == rings else COLLECTOR
    draft.streets += [street(here, inside, STEP, ARTERIAL), street(inside, here, STEP, ARTERIAL)]
    draft.streets += [street(here, beside, arc, kind), street(beside, here, arc, kind)]
    bow = [_place(ring, (spoke + part / BOW) / spokes) for part in range(BOW + 1)]
    draft.shapes[f"{here}-{beside}"] = bow
    draft.shapes[f"{beside}-{here}"] = bow[::-1]
