"""Towns that two simulators can be given alike: a corridor, a grid with lights, Sioux Falls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Link", "Node", "World", "corridor", "grid", "sioux_falls", "with_exits"]

SPEED = 50 / 3.6
JAM = 0.125
LENGTH = 500.0
PHASE = 30.0
BESIDE = 5 * SPEED
"""Metres of a street that leads out of town."""


class Node(NamedTuple):
    """A junction. ``phases``: seconds of each, none: no light. ``offset``: when the first begins."""

    name: str
    x: float
    y: float
    phases: tuple[float, ...] = ()
    offset: float = 0.0


class Link(NamedTuple):
    """A street: m, m/s; ``jam``: vehicles/m, ``lanes`` together; ``green``: phases in which one may leave."""

    name: str
    start: str
    end: str
    length: float = LENGTH
    speed: float = SPEED
    jam: float = JAM
    lanes: int = 1
    green: tuple[int, ...] = (0,)

    @property
    def capacity(self) -> float:
        """Vehicles/s, with a reaction time of 1 s in each lane."""
        return self.speed * self.jam / (1 + self.speed * self.jam / self.lanes)


@dataclass(frozen=True, slots=True)
class World:
    """A town and who wants to drive there.

    Attributes:
        flows: (from, to, begin, end, vehicles/s). trips: (from, to, when), one vehicle each.
        seconds: how long it is simulated. platoon: vehicles that move as one; may be less than one.
    """

    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    seconds: int
    seed: int
    flows: tuple[tuple[str, str, float, float, float], ...] = ()
    trips: tuple[tuple[str, str, float], ...] = field(default=(), repr=False)
    platoon: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def corridor(seed: int, *, phase: float = PHASE, platoon: float = 1.0, peak: float = 0.5) -> World:
    """Four streets in a row with three lights, offsets drawn; ``peak`` vehicles/s for 900 s."""
    offsets = np.random.default_rng(seed).integers(0, int(2 * phase), 5).tolist()
    nodes = tuple(
        Node(f"n{at}", at * LENGTH, 0.0, (phase, phase) if 0 < at < 4 else (), offsets[at]) for at in range(5)
    )
    links = tuple(Link(f"s{at}", f"n{at}", f"n{at + 1}") for at in range(4))
    parts = ((0.0, 900.0, 0.15), (900.0, 1800.0, peak), (1800.0, 3000.0, 0.1))
    flows = tuple(("n0", "n4", begin, end, rate) for begin, end, rate in parts)
    return World(nodes, links, 4500, seed, flows=flows, platoon=platoon)


def grid(seed: int, size: int, trips: int, *, light: bool = True, to: str | None = None) -> World:
    """``size`` x ``size`` junctions with lights of two phases, and trips within the first 3,000 s of an hour.

    Offsets and trips are drawn: where from, where to, when. Args: to: where all of them go.
    """
    random = np.random.default_rng(seed)
    places = {(row, column): f"r{row}c{column}" for row in range(size) for column in range(size)}
    phases = (PHASE, PHASE) if light else ()
    nodes = tuple(
        Node(name, column * LENGTH, -row * LENGTH, phases, float(random.integers(0, int(2 * PHASE))))
        for (row, column), name in places.items()
    )
    links = tuple(
        Link(f"{name}-{places[there]}", name, places[there], green=(0 if there[0] == row else 1,))
        for (row, column), name in places.items()
        for there in ((row, column + 1), (row, column - 1), (row + 1, column), (row - 1, column))
        if there in places
    )
    pairs = np.stack([random.integers(0, size * size, trips), random.integers(1, size * size, trips)])
    when = np.sort(random.integers(0, 3000, trips))
    names = list(places.values())
    drawn = [
        # Never where it starts.
        (names[start], to or names[(start + further) % len(names)], float(time))
        for start, further, time in zip(*pairs.tolist(), when.tolist(), strict=True)
    ]
    return World(nodes, links, 3600, seed, trips=tuple(trip for trip in drawn if trip[0] != trip[1]))


def with_exits(world: World) -> World:
    """The same, where trips end behind their last junction: on a street out of town, past its light."""
    nodes = tuple(Node(f"{node.name} out", node.x, node.y) for node in world.nodes)
    links = tuple(
        Link(f"{node.name} out", node.name, f"{node.name} out", BESIDE, SPEED, 4 * JAM, 4)
        for node in world.nodes
    )
    trips = tuple((start, f"{end} out", when) for start, end, when in world.trips)
    return replace(world, nodes=world.nodes + nodes, links=world.links + links, trips=trips)


def sioux_falls(
    seed: int, streets: Mapping[tuple[str, str], float], trips: Mapping[tuple[str, str], float], share: float
) -> World:
    """The test town of traffic assignment as streets of one lane, 500 m for each of its minutes; no lights.

    Args:
        streets: (start, end) -> minutes. trips: (from, to) -> how many a day.
        share: of a day's trips that start within an hour, when is drawn.
    """
    random = np.random.default_rng(seed)
    names = sorted({name for street in streets for name in street}, key=int)
    links = tuple(
        Link(f"{start}-{end}", start, end, minutes * 500.0, 60 / 3.6, 0.2)
        for (start, end), minutes in streets.items()
    )
    drawn = [
        (start, end, float(when))
        for (start, end), count in trips.items()
        for when in random.integers(0, 3600, round(count * share))
    ]
    drawn.sort(key=lambda trip: trip[2])
    return World(tuple(Node(name, 0.0, 0.0) for name in names), links, 3600, seed, trips=tuple(drawn))
