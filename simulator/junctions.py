"""The junctions of a town: what passes from street to street in one step.

The incremental node model (Floetteroed and Rohde 2011), for all engines: every feeder's flow grows at the
rate of its priority, in its turning ratios (first in, first out), until it has nothing more to send or one of
the streets it turns into is full.
"""

from __future__ import annotations

import numpy as np

from simulator.network import Floats, Ints, Town

__all__ = ["TINY", "Junctions"]

TINY = 1e-12
"""Vehicles: less is nothing, so that rounding cannot keep a feeder going."""


class Junctions:
    """The node model for all junctions at once."""

    def __init__(self, town: Town) -> None:
        streets = len(town.street_ids)
        # Sums over the feeders of a street are made in the order of their names, so that no bit depends on
        # the order in which streets were given.
        order = np.argsort(_ranks(town)[town.movement_from], kind="stable")
        self._order = order
        self._from = town.movement_from[order]
        self._to = town.movement_to[order]
        self.turn(town.ratio)
        self._priority = town.priority
        self._feeders = streets + len(town.origins)
        self._streets = streets
        # The junction where a feeder's flow is shared, and where a street takes its vehicles from.
        self._at = np.concatenate([town.end, town.origins])
        self._start = town.start
        self._count = len(town.junction_ids)
        # In each round every junction meets one limit of its arms, or comes within rounding of it.
        arms = np.bincount(self._at, minlength=self._count) + np.bincount(self._start, minlength=self._count)
        self._rounds = 2 * int(arms.max())

    def turn(self, ratio: Floats) -> None:
        """Share out by these (M,) turning ratios, in the town's order, from now on."""
        self.ratio = ratio
        self._ratio = ratio[self._order]

    def into(self, flow: Floats) -> Floats:
        """(S,) what (F,) flows of the feeders bring to each street."""
        sums: Floats = np.bincount(self._to, flow[self._from] * self._ratio, self._streets).astype(float)
        return sums

    def share(self, supply: Floats, room: Floats) -> tuple[Floats, Floats]:
        """Share out one step.

        Args:
            supply: (F,) vehicles that want to pass. room: (S,) vehicles the streets can take.
        Returns: (F,) vehicles that pass, (S,) vehicles that each street takes.
        """
        flow = np.zeros(self._feeders)
        into = np.zeros(self._streets)
        active = self._active(supply > TINY, room)
        for _ in range(self._rounds):
            if not active.any():
                break
            rate = np.where(active, self._priority, 0.0)
            wanted = self.into(rate)
            grow = self._growth(active, supply - flow, rate, room - into, wanted)
            flow += rate * grow[self._at]
            into += wanted * grow[self._start]
            active = self._active(active & (supply - flow > TINY), room - into)
        return np.minimum(flow, supply), into

    def _active(self, candidates: np.ndarray, room: Floats) -> np.ndarray:
        """Feeders that have something to send and none of whose streets is full."""
        blocked = self._from[room[self._to] <= TINY]
        candidates = candidates.copy()
        candidates[blocked] = False
        return candidates

    def _growth(
        self, active: np.ndarray, supply: Floats, rate: Floats, room: Floats, wanted: Floats
    ) -> Floats:
        """(J,) how far every flow of a junction grows until the first of its limits is met."""
        grow = np.full(self._count, np.inf)
        np.minimum.at(grow, self._at[active], supply[active] / rate[active])
        busy = wanted > 0
        np.minimum.at(grow, self._start[busy], room[busy] / wanted[busy])
        return np.where(np.isfinite(grow), grow, 0.0)


def _ranks(town: Town) -> Ints:
    """(F,) the place of each feeder among all, by name; streets before origins."""
    names = [*town.street_ids, *(town.junction_ids[junction] for junction in town.origins.tolist())]
    streets = len(town.street_ids)
    ranks = np.empty(len(names), np.intp)
    ranks[sorted(range(len(names)), key=lambda feeder: (feeder >= streets, names[feeder]))] = np.arange(
        len(names)
    )
    return ranks
