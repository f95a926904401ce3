"""Which ways lead from where to where: a town's movements as vehicles look at them, one at a time.

Ways stand in the order of names, those of one feeder side by side, so that nothing depends on the order in
which streets were given.
"""

from __future__ import annotations

import numpy as np

from simulator.agents.chance import key
from simulator.looks import Ints
from simulator.network import Town

__all__ = ["LEAVES", "Ways"]

LEAVES = -1
"""The way out of the town."""


class Ways:
    """The movements of a town, sorted.

    Shapes: S streets, F feeders (streets, then origins), M ways.
    Attributes:
        order: (M,) which of the town's movements each way is.
        feeders, streets: (M,) where each leads from, and to.
        rank: (F,) the place of each feeder among all, by name; streets before origins.
        out: of each feeder, its ways. into: of each street, the ways that lead to it.
        keys, leaving: of the draws for each way, and for leaving the town at the end of each feeder.
    """

    def __init__(self, town: Town, seed: int) -> None:
        streets = len(town.street_ids)
        names = [*town.street_ids, *(town.junction_ids[at] for at in town.origins.tolist())]
        by_name = sorted(range(len(names)), key=lambda feeder: (feeder >= streets, names[feeder]))
        self.rank = np.empty(len(names), np.intp)
        self.rank[by_name] = np.arange(len(names))
        self.order = np.lexsort((self.rank[town.movement_to], self.rank[town.movement_from]))
        self.feeders: Ints = town.movement_from[self.order]
        self.streets: Ints = town.movement_to[self.order]
        kinds = ["street" if feeder < streets else "origin" for feeder in range(len(names))]
        self.out: list[list[int]] = [[] for _ in names]
        self.into: list[list[int]] = [[] for _ in range(streets)]
        self.keys = []
        for way, (feeder, street) in enumerate(
            zip(self.feeders.tolist(), self.streets.tolist(), strict=True)
        ):
            self.out[feeder].append(way)
            self.into[street].append(way)
            self.keys.append(key(seed, kinds[feeder], names[feeder], names[street]))
        self.leaving = [key(seed, kind, name) for kind, name in zip(kinds, names, strict=True)]

    def by_name(self, feeders: Ints) -> list[int]:
        """The feeders in the order of their names."""
        order: list[int] = feeders[np.argsort(self.rank[feeders])].tolist()
        return order
