"""From trips between places to turning ratios: trips are loaded on shortest paths, a part at a time.

Each part finds its paths by the times that the parts before it have made (the usual curve of the American
Bureau of Public Roads, 0.15 and 4), so that trips spread over several paths where one is not enough.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Arc", "Loaded", "load"]

PARTS = (0.4, 0.3, 0.2, 0.1)
"""Of the trips, one after the other."""

PATIENCE = 6e6
"""Origins times arcs that are searched at most in each part; above, all trips take the shortest path."""

Trips = Mapping[str, Mapping[str, float]]
"""Where they start -> where they end -> vehicles/s."""


@dataclass(slots=True, frozen=True)
class Arc:
    """One way from a node to another: ``time`` in seconds when it is empty; ``street`` None: a connector."""

    start: str
    end: str
    time: float
    capacity: float
    street: str | None


@dataclass(slots=True)
class Loaded:
    """Vehicles/s. ``first``: by zone and street; ``last``: by street; ``turn``: by street and next street."""

    first: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    last: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    turn: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    lost: dict[tuple[str, str], float] = field(default_factory=dict)
    """Trips that no way leads for, or none that uses a street."""

    def turns(self) -> dict[str, dict[str, float]]:
        """Turning ratios of all streets that are used."""
        total: dict[str, float] = defaultdict(float, self.last)
        for (street, _), flow in self.turn.items():
            total[street] += flow
        ratios: dict[str, dict[str, float]] = {street: {} for street in total}
        for (street, onward), flow in self.turn.items():
            ratios[street][onward] = flow / total[street]
        return ratios


class _Network:
    """Arcs by number, from each node."""

    def __init__(self, arcs: list[Arc], closed: set[str]) -> None:
        self.arcs = arcs
        self.closed = closed
        nodes = list(dict.fromkeys(id for arc in arcs for id in (arc.start, arc.end)))
        self.at = {id: number for number, id in enumerate(nodes)}
        self.is_closed = [id in closed for id in nodes]
        self.ends = [self.at[arc.end] for arc in arcs]
        self.starts = [self.at[arc.start] for arc in arcs]
        self.out: list[list[int]] = [[] for _ in nodes]
        for number, start in enumerate(self.starts):
            self.out[start].append(number)

    def tree(self, root: int, times: list[float]) -> tuple[list[int], list[int]]:
        """Nodes in the order in which they are reached from ``root``, and the arc that each is reached by."""
        reached: list[int] = []
        by = [-1] * len(self.out)
        best = [float("inf")] * len(self.out)
        is_done = bytearray(len(self.out))
        best[root] = 0.0
        heap = [(0.0, root)]
        while heap:
            time, node = heapq.heappop(heap)
            if is_done[node]:
                continue
            is_done[node] = 1
            reached.append(node)
            if self.is_closed[node] and node != root:
                continue
            for arc in self.out[node]:
                later = time + times[arc]
                end = self.ends[arc]
                if later < best[end]:
                    best[end] = later
                    by[end] = arc
                    heapq.heappush(heap, (later, end))
        return reached, by


def load(arcs: list[Arc], trips: Trips, closed: set[str]) -> Loaded:
    """Load trips on their paths.

    Args: closed: nodes that nobody drives through, only from and to: the centres of zones.
    """
    network = _Network(arcs, closed)
    loaded = Loaded()
    flow = [0.0] * len(arcs)
    parts = PARTS if len(trips) * len(arcs) <= PATIENCE else (1.0,)
    for part in parts:
        times = [
            arc.time * (1 + 0.15 * (used / arc.capacity) ** 4) for arc, used in zip(arcs, flow, strict=True)
        ]
        for origin, to in trips.items():
            if origin in network.at:
                _load_from(network, origin, to, part, times, flow, loaded)
            else:
                loaded.lost.update({(origin, end): volume for end, volume in to.items() if volume > 0})
    return loaded


def _load_from(
    network: _Network,
    origin: str,
    to: Mapping[str, float],
    part: float,
    times: list[float],
    flow: list[float],
    loaded: Loaded,
) -> None:
    """Load the trips of one origin on the tree of its shortest paths, from the leaves to the root."""
    root = network.at[origin]
    reached, by = network.tree(root, times)
    through = dict.fromkeys(reached, 0.0)
    for end, volume in to.items():
        if volume <= 0:
            continue
        node = network.at.get(end)
        if node is None or node not in through or node == root:
            loaded.lost[origin, end] = volume
            continue
        through[node] += volume * part
        last = _last_street(network, by, node)
        if last is None:
            loaded.lost[origin, end] = volume
        else:
            loaded.last[last] += volume * part
    for node in reversed(reached):
        amount, arc = through[node], by[node]
        if not amount or arc < 0:
            continue
        flow[arc] += amount
        start = network.starts[arc]
        through[start] += amount
        street = network.arcs[arc].street
        if street is None:
            continue
        before = network.arcs[by[start]].street if by[start] >= 0 else None
        if before is None:
            loaded.first[origin, street] += amount
        else:
            loaded.turn[before, street] += amount


def _last_street(network: _Network, by: list[int], node: int) -> str | None:
    """The last street of the way to a node; None: connectors are all of it."""
    arc = by[node]
    while arc >= 0 and network.arcs[arc].street is None:
        arc = by[network.starts[arc]]
    return network.arcs[arc].street if arc >= 0 else None
