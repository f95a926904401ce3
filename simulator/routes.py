"""From trips between places to turning ratios: trips are loaded on their paths, a part at a time.

Each part finds its paths by the times that the parts before it have made (the usual curve of the American
Bureau of Public Roads, 0.15 and 4), so that trips spread over several paths where one is not enough.

Paths are the shortest ones; or all that lead away from the origin, of which one that takes ``spread`` seconds
longer is taken by 1/e as many: the logit model, without listing paths (Dial 1971).
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log

__all__ = ["Arc", "Loaded", "Trips", "load"]

PARTS = (0.4, 0.3, 0.2, 0.1)
"""Of the trips, one after the other."""

PATIENCE = 6e6
"""Origins times arcs that are searched at most in each part; above, all trips take the first path."""

LEAST = 1e-3
"""Share of those who come to a node, or turn at a street's end: where fewer would go nobody does, since a
turn that hardly anybody takes holds up a whole street all the same where it leads into a full one."""

Trips = Mapping[str, Mapping[str, float]]
"""Where they start -> where they end -> vehicles/s."""

Onward = dict[str | None, float]
"""Street that is next -> vehicles/s; None: they end here."""

Shares = dict[int, list[tuple[int, float]]]
"""Node -> (arc that it is reached by, share of those who come)."""


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

    def add(self, other: Loaded, share: float = 1.0) -> None:
        """Take a share of the flows and of the lost trips of another one in."""
        for mine, its in ((self.first, other.first), (self.turn, other.turn)):
            for pair, flow in its.items():
                mine[pair] += flow * share
        for street, flow in other.last.items():
            self.last[street] += flow * share
        for lost, flow in other.lost.items():
            self.lost[lost] = self.lost.get(lost, 0.0) + flow * share

    def turns(self) -> dict[str, dict[str, float]]:
        """Turning ratios of all streets that are used; turns that hardly anybody takes are left out."""
        onward: dict[str, dict[str, float]] = {street: {} for street in self.last}
        for (street, other), flow in self.turn.items():
            onward.setdefault(street, {})[other] = flow
        ratios = {}
        for street, flows in onward.items():
            turning = sum(flows.values())
            kept = {other: flow for other, flow in flows.items() if flow >= LEAST * turning}
            # Those who would have taken the others turn as the rest does: as many end here as before.
            scale = turning / (sum(kept.values()) or 1.0) / ((turning + self.last.get(street, 0.0)) or 1.0)
            ratios[street] = {other: flow * scale for other, flow in kept.items()}
        return ratios


class _Network:
    """Arcs by number, from each node."""

    def __init__(self, arcs: list[Arc], closed: set[str]) -> None:
        self.arcs = arcs
        nodes = list(dict.fromkeys(id for arc in arcs for id in (arc.start, arc.end)))
        self.at = {id: number for number, id in enumerate(nodes)}
        self.is_closed = [id in closed for id in nodes]
        self.ends = [self.at[arc.end] for arc in arcs]
        self.starts = [self.at[arc.start] for arc in arcs]
        self.out: list[list[int]] = [[] for _ in nodes]
        for number, start in enumerate(self.starts):
            self.out[start].append(number)

    def tree(self, root: int, times: list[float]) -> _Tree:
        """All nodes that can be reached from ``root``, by their shortest paths."""
        tree = _Tree(len(self.out))
        best, by = tree.best, tree.by
        is_done = bytearray(len(self.out))
        best[root] = 0.0
        heap = [(0.0, root)]
        while heap:
            time, node = heapq.heappop(heap)
            if is_done[node]:
                continue
            is_done[node] = 1
            tree.reached.append(node)
            if self.is_closed[node] and node != root:
                continue
            for arc in self.out[node]:
                later = time + times[arc]
                end = self.ends[arc]
                if later < best[end]:
                    best[end] = later
                    by[end] = arc
                    heapq.heappush(heap, (later, end))
        return tree

    def shares(self, tree: _Tree, times: list[float], spread: float) -> Shares:
        """How many come to each node by which arc: of paths that lead away from the root all the way."""
        best, root = tree.best, tree.reached[0]
        # Of all ways to a node; as logarithms, since there may be more ways than any number says.
        weight = [0.0] * len(self.out)
        ways: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for node in tree.reached:
            if node != root:
                weight[node], ways[node] = _sum(ways[node])
                if self.is_closed[node]:
                    continue
            for arc in self.out[node]:
                end = self.ends[arc]
                if best[end] > best[node] or tree.by[end] == arc:
                    worse = (best[node] + times[arc] - best[end]) / spread
                    ways[end].append((arc, weight[node] - worse))
        return ways


def _sum(ways: list[tuple[int, float]]) -> tuple[float, list[tuple[int, float]]]:
    """The logarithm of the sum of weights, which are logarithms, and each arc's share; the least left out."""
    most = max(weight for _, weight in ways)
    shares = [(arc, exp(weight - most)) for arc, weight in ways]
    total = sum(share for _, share in shares)
    kept = [(arc, share) for arc, share in shares if share >= LEAST * total]
    used = sum(share for _, share in kept)
    return most + log(total), [(arc, share / used) for arc, share in kept]


class _Tree:
    """Shortest paths from a node: the order in which nodes are reached, when, and by which arc (-1: none)."""

    def __init__(self, nodes: int) -> None:
        self.reached: list[int] = []
        self.by = [-1] * nodes
        self.best = [float("inf")] * nodes

    def shares(self) -> Shares:
        """All come by the one arc."""
        return {node: [(self.by[node], 1.0)] for node in self.reached if self.by[node] >= 0}


def load(
    arcs: list[Arc], trips: Trips, closed: set[str] | None = None, spread: float | None = None
) -> Loaded:
    """Load trips on their paths.

    Args:
        closed: nodes that nobody drives through, only from and to: the centres of zones.
        spread: seconds by which a path is longer that 1/e as many take; None: all take the shortest.
    """
    loading = _Loading(_Network(arcs, closed or set()), spread)
    parts = PARTS if len(trips) * len(arcs) <= PATIENCE else (1.0,)
    for part in parts:
        loading.part(trips, part)
    return loading.loaded


class _Loading:
    """Flows on the arcs, as they grow."""

    def __init__(self, network: _Network, spread: float | None) -> None:
        self.loaded = Loaded()
        self._network = network
        self._spread = spread
        self._flow = [0.0] * len(network.arcs)

    def part(self, trips: Trips, part: float) -> None:
        """Load a part of all trips, by the times that those before have made."""
        times = [
            arc.time * (1 + 0.15 * (used / arc.capacity) ** 4)
            for arc, used in zip(self._network.arcs, self._flow, strict=True)
        ]
        for origin, to in trips.items():
            if origin in self._network.at:
                self._load_from(origin, to, part, times)
            else:
                self.loaded.lost.update({(origin, end): volume for end, volume in to.items() if volume > 0})

    def _load_from(self, origin: str, to: Mapping[str, float], part: float, times: list[float]) -> None:
        """Load the trips of one origin, from the farthest node back to the origin."""
        network = self._network
        tree = network.tree(network.at[origin], times)
        ends = self._ends(origin, to, part, tree)
        if not ends:
            return
        if self._spread is None:
            shares = tree.shares()
        else:
            shares = network.shares(tree, times, self._spread)
        # Who goes on from each node, by the street; None: who ends there.
        onward: dict[int, Onward] = defaultdict(lambda: defaultdict(float))
        for node in reversed(tree.reached):
            going = onward.pop(node, defaultdict(float))
            if node in ends:
                going[None] += ends[node]
            if total := sum(going.values()):
                for arc, share in shares.get(node, ()):
                    self._flow[arc] += share * total
                    self._pass(network.arcs[arc].street, share, going, onward[network.starts[arc]])
            if node == network.at[origin]:
                self._begin(origin, going)

    def _pass(self, street: str | None, share: float, going: Onward, before: Onward) -> None:
        """A share of those who go on from an arc's end came along it, and of those ``before`` it."""
        if street is None:
            # Connectors are no streets: whoever goes on behind one goes on here.
            for onward, flow in going.items():
                before[onward] += share * flow
            return
        before[street] += share * sum(going.values())
        for onward, flow in going.items():
            if onward is None:
                self.loaded.last[street] += share * flow
            else:
                self.loaded.turn[street, onward] += share * flow

    def _begin(self, origin: str, going: Onward) -> None:
        for street, flow in going.items():
            if street is not None:
                self.loaded.first[origin, street] += flow

    def _ends(self, origin: str, to: Mapping[str, float], part: float, tree: _Tree) -> dict[int, float]:
        """Node -> how many end there; who has no way is lost."""
        ends: dict[int, float] = defaultdict(float)
        for end, volume in to.items():
            if volume <= 0:
                continue
            node = self._network.at.get(end)
            if node is None or not self._uses_street(tree, node):
                self.loaded.lost[origin, end] = volume
            else:
                ends[node] += volume * part
        return ends

    def _uses_street(self, tree: _Tree, node: int) -> bool:
        """Whether the shortest way to a node has a street in it; connectors may be all of it."""
        arc = tree.by[node]
        while arc >= 0 and self._network.arcs[arc].street is None:
            arc = tree.by[self._network.starts[arc]]
        return arc >= 0
