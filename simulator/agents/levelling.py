"""On every street less than a vehicle more, or fewer, than the flow says.

Where one is a whole vehicle too many, its foremost one moves on; where one is short of a whole one, the
foremost of those that lead there comes. If there is no room, or nobody to spare, the next streets move up as
well, until one has. Nobody passes two streets in one step, unless there is no other way.
"""

from __future__ import annotations

import numpy as np

from simulator.agents.crossings import EDGE, Crossings
from simulator.agents.ways import LEAVES

__all__ = ["level"]

FURTHEST = 400
"""Streets that are looked at for one that is too many, or short of one."""

RED = 1e6
"""Seconds that a vehicle at a red light counts as further away."""

Path = tuple[tuple[int, int], ...]
"""(feeder, way) of each vehicle that moves, those behind first."""


def level(crossings: Crossings) -> int:
    """Bring every street to less than one vehicle from its flow.

    Returns: streets that cannot be: nobody can come from anywhere, or go anywhere.
    """
    for _ in range(2):
        amiss = 0
        room = np.array(crossings.room)
        for street in crossings.ways.by_name(np.flatnonzero(np.abs(room) >= 1 - EDGE)):
            amiss += not _settle(crossings, street)
        if not amiss:
            break
    return amiss


def _settle(crossings: Crossings, street: int) -> bool:
    """Whether it could be brought nearer than one vehicle."""
    while abs(crossings.room[street]) >= 1 - EDGE:
        find = _ahead if crossings.room[street] < 0 else _behind
        path = find(crossings, street, False) or find(crossings, street, True)
        if not path:
            return False
        for feeder, way in path:
            crossings.cross(feeder, way)
    return True


def _ahead(crossings: Crossings, street: int, may_hurry: bool) -> Path:
    """The vehicles of a street, and of those ahead of it, that move up to where there is room; none: ().

    Args: may_hurry: who has just come may go on.
    """
    ways = crossings.ways
    paths: dict[int, Path] = {street: ()}
    fringe = [street]
    while fringe and len(paths) < FURTHEST:
        beyond = []
        for feeder in fringe:
            if not (may_hurry or crossings.is_ready(feeder)):
                continue
            way = crossings.turn(feeder, EDGE, np.inf)
            if way is None and crossings.can_leave(feeder):
                way = LEAVES
            if way is not None:
                # The foremost one goes first, that nobody is taken for another, unless the street is empty.
                path = (*paths[feeder], (feeder, way))
                return path if may_hurry else path[::-1]
            for way in ways.out[feeder]:
                to = ways.streets.item(way)
                if to not in paths and crossings.can_take(way):
                    paths[to] = (*paths[feeder], (feeder, way))
                    beyond.append(to)
        fringe = beyond
    return ()


def _behind(crossings: Crossings, street: int, may_hurry: bool) -> Path:
    """The vehicles behind a street that move up to it from where there is one too many; none: ()."""
    ways = crossings.ways
    paths: dict[int, Path] = {street: ()}
    fringe = [street]
    while fringe and len(paths) < FURTHEST:
        beyond = []
        best, chosen = np.inf, None
        for to in fringe:
            for way in ways.into[to]:
                feeder = ways.feeders.item(way)
                is_ready = crossings.is_ready(feeder)
                if feeder in paths or not crossings.can_take(way) or not (is_ready or may_hurry):
                    continue
                paths[feeder] = ((feeder, way), *paths[to])
                if not _can_spare(crossings, feeder):
                    beyond.append(feeder)
                elif (cost := _cost(crossings, feeder)) < best:
                    best, chosen = cost, feeder
        if chosen is not None:
            return paths[chosen] if may_hurry else paths[chosen][::-1]
        fringe = beyond
    return ()


def _can_spare(crossings: Crossings, feeder: int) -> bool:
    """Whether it has more vehicles than the flow says; origins have as many as it takes."""
    return feeder >= crossings.streets or crossings.room[feeder] < -EDGE


def _cost(crossings: Crossings, feeder: int) -> float:
    """How unlikely it is that the foremost vehicle moves just now: seconds that it is too early."""
    early = crossings.way_to_go(feeder) - crossings.lateness(feeder)
    return early if crossings.is_flowing(feeder) else early + RED
