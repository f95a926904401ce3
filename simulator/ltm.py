"""The Link Transmission Model: exact kinematic waves for triangular fundamental diagrams.

Each street is two cumulative counts, vehicles in and vehicles out. What a street can send is what entered it
a free-flow time ago and has not left; what it can receive is what left it a wave time ago plus its storage
(Newell 1993, Yperman 2007). Junctions share out by the incremental node model (Floetteroed and Rohde 2011):
every feeder's flow grows at the rate of its priority, in its turning ratios (first in, first out), until it
has nothing more to send or one of the streets it turns into is full.
"""

from __future__ import annotations

import numpy as np

from simulator.network import Floats, Ints, Town

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

        Raises: ValueError: a wave crosses some street in less than ``dt``.
        """
        shortest = float(np.minimum(town.length / town.speed, town.length / town.wave).min())
        if not 0 < dt <= shortest:
            raise ValueError(
                f"dt must be above 0 and at most {shortest:.3f} s, the shortest street's travel time"
            )
        self._town = town
        self._dt = dt
        streets, origins = len(town.street_ids), len(town.origins)
        self.entered = np.zeros(streets)
        self.left = np.zeros(streets)
        self.waiting = np.zeros(origins)
        self.generated = 0.0
        self.gone = 0.0
        self._free_lag, self._free_part = _lags(town.length / town.speed / dt)
        self._wave_lag, self._wave_part = _lags(town.length / town.wave / dt)
        # Rings of past counts, one row a step; before the beginning nothing had happened.
        self._rows = int(max(self._free_lag.max(), self._wave_lag.max())) + 2
        self._past_entered = np.zeros((self._rows, streets))
        self._past_left = np.zeros((self._rows, streets))
        self._columns = np.arange(streets)
        self._step = 0
        self._junctions = _Junctions(town)

    @property
    def vehicles(self) -> Floats:
        """(S,) vehicles on each street."""
        return self.entered - self.left

    def sending(self) -> Floats:
        """(S,) vehicles that could leave each street in this step, lights apart."""
        arrived = self._at(self._past_entered, self._free_lag, self._free_part)
        return np.clip(arrived - self.left, 0.0, self._town.capacity * self._dt)

    def receiving(self) -> Floats:
        """(S,) vehicles that each street could take in this step."""
        freed = self._at(self._past_left, self._wave_lag, self._wave_part)
        return np.clip(freed + self._town.storage - self.entered, 0.0, self._town.capacity * self._dt)

    def step(self, green: np.ndarray, rates: Floats) -> Floats:
        """Advance by ``dt``.

        Args:
            green: (S,) truth values: vehicles may leave.
            rates: (O,) vehicles/s that want to enter.
        Returns: (F,) vehicles that passed from each feeder.
        """
        arriving = rates * self._dt
        self.generated += float(arriving.sum())
        self.waiting += arriving
        supply = np.concatenate([np.where(green, self.sending(), 0.0), self.waiting])
        flow, into = self._junctions.share(supply, self.receiving())
        streets = len(self.left)
        self.left += flow[:streets]
        self.waiting -= flow[streets:]
        self.entered += into
        self.gone += float(flow.sum() - into.sum())
        self._step += 1
        row = self._step % self._rows
        self._past_entered[row] = self.entered
        self._past_left[row] = self.left
        return flow

    def _at(self, past: Floats, lag: Ints, part: Floats) -> Floats:
        """Counts ``lag - part`` steps before the end of this step; between two rows by interpolation."""
        row = self._step + 1 - lag
        earlier = past[row % self._rows, self._columns]
        later = past[(row + 1) % self._rows, self._columns]
        return np.where(row < 0, 0.0, earlier) * (1 - part) + np.where(row < -1, 0.0, later) * part


def _lags(steps: Floats) -> tuple[Ints, Floats]:
    """Whole steps back, rounded up, and how far to go forward again from there (0 to 1)."""
    whole = np.ceil(steps - 1e-9)
    return whole.astype(np.intp), np.maximum(whole - steps, 0.0)


class _Junctions:
    """The node model for all junctions at once."""

    def __init__(self, town: Town) -> None:
        streets = len(town.street_ids)
        self._from = town.movement_from
        self._to = town.movement_to
        self._ratio = town.ratio
        self._priority = town.priority
        self._feeders = streets + len(town.origins)
        self._streets = streets
        # The junction where a feeder's flow is shared, and where a street takes its vehicles from.
        self._at = np.concatenate([town.end, town.origins])
        self._start = town.start
        self._count = len(town.junction_ids)

    def share(self, supply: Floats, room: Floats) -> tuple[Floats, Floats]:
        """Share out one step.

        Args:
            supply: (F,) vehicles that want to pass. room: (S,) vehicles the streets can take.
        Returns: (F,) vehicles that pass, (S,) vehicles that each street takes.
        """
        flow = np.zeros(self._feeders)
        into = np.zeros(self._streets)
        active = self._active(supply > TINY, room)
        while active.any():
            rate = np.where(active, self._priority, 0.0)
            wanted: Floats = np.bincount(self._to, rate[self._from] * self._ratio, self._streets).astype(
                float
            )
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
