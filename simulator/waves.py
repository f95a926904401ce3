"""Green waves: offsets of lights along a street so that a platoon meets all of them green."""

from __future__ import annotations

import numpy as np

from simulator.looks import Floats

__all__ = ["band", "both_ways", "one_way"]


def one_way(travel: Floats) -> Floats:
    """(N,) when green begins at each light after it does at the first.

    Args: travel: (N,) time from the first light to each, in any unit.
    """
    since: Floats = travel - travel[0]
    return since


def both_ways(travel: Floats, green: Floats) -> Floats:
    """(N,) when the middle of green is at each light: in the same moment, or half a cycle later.

    That gives the widest equal bands both ways (Morgan and Little 1964) where both directions are green at
    the same time.

    Args: travel: (N,) cycles from the first light to each. green: (N,) parts of the cycle.
    """
    red = 1.0 - green
    best, chosen = -1.0, np.zeros(len(travel))
    for first in range(len(travel)):
        # The band begins as the red of ``first`` ends; how long each red lets it last, with both choices.
        room = np.stack([_room(travel, red, first, half) for half in (0.0, 0.5)])
        width = room.max(axis=0).min()
        if width > best + 1e-12:
            best, chosen = float(width), np.where(room[1] > room[0] + 1e-12, 0.5, 0.0)
    middle: Floats = (chosen - chosen[0]) % 1.0
    return middle


def _room(travel: Floats, red: Floats, first: int, half: float) -> Floats:
    """(N,) how long a band may be at each light, in cycles."""
    middle = half - (travel - travel[first])
    until = (middle - (red + red[first]) / 2) % 1.0
    until = np.where(until > 1.0 - 1e-12, 0.0, until)
    room = np.where(until + red <= 1.0 + 1e-12, until, 0.0)
    # At the first light the band lasts as long as its green, and cannot be half a cycle off itself.
    room[first] = 0.0 if half else 1.0 - red[first]
    return room


def band(travel: Floats, begin: Floats, green: Floats) -> float:
    """How long of a cycle vehicles can set off at the first light that stop at none.

    Args: travel: (N,) cycles from the first light to each. begin, green: (N,) parts of the cycle.
    """
    # Seen from the first light; a band begins where some green does.
    starts = (begin - travel) % 1.0
    wait = (starts[:, None] - starts[None, :] + 1e-12) % 1.0 - 1e-12
    left = np.where(wait < green[None, :], green[None, :] - wait, 0.0)
    return float(left.min(axis=1).max())
