"""The Link Transmission Model: exact kinematic waves for triangular fundamental diagrams.

Each street is two cumulative counts, vehicles in and vehicles out. What a street can send is what entered it
a free-flow time ago and has not left; what it can receive is what left it a wave time ago plus its storage
(Newell 1993, Yperman 2007). Junctions share out by the incremental node model (Floetteroed and Rohde 2011):
every feeder's flow grows at the rate of its priority, in its turning ratios (first in, first out), until it
has nothing more to send or one of the streets it turns into is full.
"""

from __future__ import annotations

import numpy as np

from simulator.errors import TownError
from simulator.network import Floats, Ints, Town
from simulator.past import Past

__all__ = ["LinkTransmission"]

TINY = 1e-12
"""Vehicles: less is nothing, so that rounding cannot keep a feeder going."""


class LinkTransmission:
    """The state of every street, and the step from ``t`` to ``t + dt``.

    Attributes:
        entered, left: (S,) cumulative vehicles in and out of each street.
        waiting: (O,) vehicles at each origin that found no room yet.
        generated: vehicles that have wanted to enter the town so far.
        gone: vehicles that have left the town so far.
    """

    def __init__(self, town: Town, dt: float) -> None:
        """Args: dt: step in seconds.

        Raises: TownError: a wave crosses some street in less than ``dt``.
        """
        crossing = np.minimum(town.length / town.speed, town.length / town.wave)
        shortest = int(crossing.argmin())
        if not 0 < dt <= crossing[shortest]:
            raise TownError(
                f"dt must be above 0 and at most {crossing[shortest]:.3f} s, "
                f"the shortest time for a street ({town.street_ids[shortest]})"
            )
        self._town = town
        self._dt = dt
        streets, origins = len(town.street_ids), len(town.origins)
        self.entered = np.zeros(streets)
        self.left = np.zeros(streets)
        self.waiting = np.zeros(origins)
        self.generated = 0.0
        self.gone = 0.0
        self._past_entered = Past(town.length / town.speed / dt, dt)
        self._past_left = Past(town.length / town.wave / dt, dt)
        self._junctions = _Junctions(town)

    @property
    def vehicles(self) -> Floats:
        """(S,) vehicles on each street."""
        return self.entered - self.left

    def sending(self, green: np.ndarray | None = None, end: Floats | None = None) -> Floats:
        """(S,) vehicles that could leave each street in this step.

        Args: green: (S,) part of the step in which they may, default: all of it. end: (S,) part of the step
            after which they may no more; who arrives later waits.
        """
        arrived = self._past_entered.at(None if end is None else 1.0 - end)
        limit = self._town.capacity * self._dt
        return np.clip(arrived - self.left, 0.0, limit if green is None else limit * green)

    def receiving(self) -> Floats:
        """(S,) vehicles that each street could take in this step."""
        freed = self._past_left.at()
        return np.clip(freed + self._town.storage - self.entered, 0.0, self._town.capacity * self._dt)

    def step(self, green: np.ndarray, rates: Floats, window: tuple[Floats, Floats] | None = None) -> Floats:
        """Advance by ``dt``.

        Args:
            green: (S,) part of the step in which vehicles may leave, 0 to 1; or truth values.
            rates: (O,) vehicles/s that want to enter.
            window: (S,) parts of the step at which the first green begins and the last one ends; default: its
                begin and end.
        Returns: (F,) vehicles that passed from each feeder.
        """
        arriving = rates * self._dt
        if arriving.shape != self.waiting.shape:
            arriving = np.broadcast_to(arriving, self.waiting.shape)
        self.generated += float(arriving.sum())
        self.waiting += arriving
        sending = self.sending(green, None if window is None else window[1])
        supply = np.concatenate([sending, self.waiting])
        flow, into = self._junctions.share(supply, self.receiving())
        streets = len(self.left)
        self.left += flow[:streets]
        self.waiting -= flow[streets:]
        self.entered += into
        self.gone += float(flow.sum() - into.sum())
        self._past_entered.record(
            self.entered, None if window is None else self._entering(flow, into, *window)
        )
        self._past_left.record(self.left)
        return flow

    def _entering(self, flow: Floats, into: Floats, begin: Floats, end: Floats) -> tuple[Floats, Floats]:
        """(S,) parts of the step between which vehicles entered each street: the means over its feeders."""
        origins = np.zeros(len(self.waiting))
        weight = np.where(into > TINY, into, 1.0)
        # As what is missing from the whole step, so that nothing is exactly nothing.
        late = self._junctions.into(flow * np.concatenate([begin, origins]))
        early = self._junctions.into(flow * np.concatenate([1.0 - end, origins]))
        return late / weight, 1.0 - early / weight


class _Junctions:
    """The node model for all junctions at once."""

    def __init__(self, town: Town) -> None:
        streets = len(town.street_ids)
        # Sums over the feeders of a street are made in the order of their names, so that no bit depends on
        # the order in which streets were given.
        order = np.argsort(_ranks(town)[town.movement_from], kind="stable")
        self._from = town.movement_from[order]
        self._to = town.movement_to[order]
        self._ratio = town.ratio[order]
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
