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


LEAST_LEAVING = 1e-9
"""Share of those at the end of a street: what is missing by less to 1 is rounding."""


class Junctions:
    """The node model for all junctions at once."""

    def __init__(self, town: Town, dt: float) -> None:
        """Args: dt: seconds of a step."""
        streets = len(town.street_ids)
        self._town = town
        self._priority = town.priority
        self._feeders = streets + len(town.origins)
        self._streets = streets
        # Sums over the feeders of a street are made in the order of their names, so that no bit depends on
        # the order in which streets were given.
        self._order = np.argsort(_ranks(town)[town.movement_from], kind="stable")
        # Junctions at which only so many can leave the town; behind each is one more that takes them.
        limited = np.zeros(0, np.intp) if town.sinks is None else np.flatnonzero(np.isfinite(town.sinks))
        self._exit_room = np.zeros(0) if town.sinks is None else town.sinks[limited] * dt
        self._takers = streets + len(limited)
        # The junction where a feeder's flow is shared, and where a street takes its vehicles from.
        self._at = np.concatenate([town.end, town.origins])
        self._start = np.concatenate([town.start, limited])
        self._count = len(town.junction_ids)
        # In each round every junction meets one limit of its arms, or comes within rounding of it.
        arms = np.bincount(self._at, minlength=self._count) + np.bincount(self._start, minlength=self._count)
        self._rounds = 2 * int(arms.max())
        self._exit = np.full(self._count, -1)
        self._exit[limited] = np.arange(streets, self._takers)
        self.turn(town.ratio)

    def turn(self, ratio: Floats) -> None:
        """Share out by these (M,) turning ratios, in the town's order, from now on; 0: nobody turns so."""
        self.ratio = ratio
        used = self._order[ratio[self._order] > 0]
        self._from, self._to = self._town.movement_from[used], self._town.movement_to[used]
        self._ratio = ratio[used]
        if self._takers == self._streets:
            return
        # Who leaves at a junction that has not room for any number turns into what takes them there.
        leaving = 1.0 - np.bincount(self._town.movement_from, ratio, self._feeders)
        exit = self._exit[self._at]
        leavers = np.flatnonzero((leaving > LEAST_LEAVING) & (exit >= 0))
        self._from = np.concatenate([self._from, leavers])
        self._to = np.concatenate([self._to, exit[leavers]])
        self._ratio = np.concatenate([self._ratio, leaving[leavers]])

    def into(self, flow: Floats) -> Floats:
        """(S,) what (F,) flows of the feeders bring to each street."""
        return self._into(flow)[: self._streets]

    def _into(self, flow: Floats) -> Floats:
        """The same of each that takes vehicles: streets, and then exits of so much room."""
        sums: Floats = np.bincount(self._to, flow[self._from] * self._ratio, self._takers).astype(float)
        return sums

    def share(self, supply: Floats, room: Floats) -> tuple[Floats, Floats]:
        """Share out one step.

        Args:
            supply: (F,) vehicles that want to pass. room: (S,) vehicles the streets can take.
        Returns: (F,) vehicles that pass, (S,) vehicles that each street takes.
        """
        flow = np.zeros(self._feeders)
        into = np.zeros(self._takers)
        if len(self._exit_room):
            room = np.concatenate([room, self._exit_room])
        active = self._active(supply > TINY, room)
        for _ in range(self._rounds):
            if not active.any():
                break
            rate = np.where(active, self._priority, 0.0)
            wanted = self._into(rate)
            grow = self._growth(active, supply - flow, rate, room - into, wanted)
            flow += rate * grow[self._at]
            into += wanted * grow[self._start]
            active = self._active(active & (supply - flow > TINY), room - into)
        return np.minimum(flow, supply), into[: self._streets]

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
