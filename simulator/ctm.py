"""The Cell Transmission Model: each street is a row of cells, and what passes from one to the next is the less
of what the one sends and the other takes (Daganzo 1994, 1995).

It knows the density inside a street, and remembers nothing of the past. Fronts are smeared over some cells:
more cells, sharper fronts.
"""

from __future__ import annotations

import numpy as np

from simulator.engine import Lights, State, check_state, check_step, counts_of, restore_counts
from simulator.junctions import Junctions
from simulator.network import Floats, Town

__all__ = ["CellTransmission"]

MARGIN = 1e-9
"""So that rounding takes no cell from a street."""


class CellTransmission:
    """The state of every cell, and the step from ``t`` to ``t + dt``.

    Attributes:
        capacity, entered, left, waiting, generated, gone: as an ``Engine`` has them.
        cells: (C,) vehicles in each cell; those of a street from its beginning to its end, street by street.
        first: (S + 1,) the place of each street's first cell in ``cells``; and C.
    """

    def __init__(self, town: Town, dt: float, cells: int = 8) -> None:
        """Args: dt: step in seconds. cells: of a street; fewer where a step would jump over one.

        Raises: TownError: a vehicle or a wave crosses some street in less than ``dt``.
        """
        check_step(town, dt)
        streets, origins = len(town.street_ids), len(town.origins)
        fit = np.floor(town.length / (np.maximum(town.speed, town.wave) * dt) + MARGIN).astype(np.intp)
        count = np.clip(fit, 1, cells)
        self.first = np.concatenate([[0], np.cumsum(count)])
        self.cells = np.zeros(int(self.first[-1]))
        self.capacity = town.capacity.copy()
        self.entered = np.zeros(streets)
        self.left = np.zeros(streets)
        self.waiting = np.zeros(origins)
        self.generated = 0.0
        self.gone = 0.0
        self._dt = dt
        self._begin, self._end = self.first[:-1], self.first[1:] - 1
        # Parts of a cell that vehicles, and waves, cross in a step; its storage; and vehicles in a step.
        self._runs = np.repeat(np.minimum(town.speed * dt * count / town.length, 1.0), count)
        self._waves = np.repeat(np.minimum(town.wave * dt * count / town.length, 1.0), count)
        self._storage = np.repeat(town.storage / count, count)
        self._most = np.repeat(town.capacity * dt, count)
        # Seconds at free flow across each street, and up to the middle of each cell.
        self._crossing = town.length / town.speed
        place = np.arange(len(self.cells)) - np.repeat(self._begin, count) + 0.5
        self._driven = place * np.repeat(self._crossing / count, count)
        self._junctions = Junctions(town, dt)

    @property
    def vehicles(self) -> Floats:
        """(S,) vehicles on each street."""
        return self.entered - self.left

    def advance(self, lights: Lights, time: float, rates: Floats) -> Floats:
        """Advance by ``dt`` from ``time`` on. Returns: (F,) vehicles that passed from each feeder."""
        green, _ = lights.during(time, self._dt)
        return self.step(green, rates)

    def step(self, green: np.ndarray, rates: Floats, window: tuple[Floats, Floats] | None = None) -> Floats:
        """Advance by ``dt``.

        Args:
            green: (S,) part of the step in which vehicles may leave, 0 to 1; or truth values.
            rates: (O,) vehicles/s that want to enter.
            window: not needed: who comes in the red part of a step is spread over all of it.
        Returns: (F,) vehicles that passed from each feeder.
        """
        arriving = np.broadcast_to(rates * self._dt, self.waiting.shape)
        self.generated += float(arriving.sum())
        self.waiting += arriving
        sends = np.minimum(self.cells * self._runs, self._most)
        takes = np.minimum(np.maximum(self._storage - self.cells, 0.0) * self._waves, self._most)
        limit = self.capacity * self._dt
        supply = np.concatenate([np.minimum(sends[self._end], limit) * green, self.waiting])
        flow, into = self._junctions.share(supply, np.minimum(takes[self._begin], limit))
        self._move(np.minimum(sends[:-1], takes[1:]), flow[: len(self.left)], into)
        self.waiting -= flow[len(self.left) :]
        self.gone += float(flow.sum() - into.sum())
        return flow

    def _move(self, between: Floats, out: Floats, into: Floats) -> None:
        """Let (C - 1,) vehicles pass between neighbours, (S,) out of the last cells and (S,) into the first."""
        # From the last cell of a street none come into the first one of the next.
        between[self._end[:-1]] = 0.0
        self.cells[:-1] -= between
        self.cells[1:] += between
        self.cells[self._end] -= out
        self.cells[self._begin] += into
        self.left += out
        self.entered += into

    def free_flow(self) -> float:
        """Vehicle-seconds that what was driven so far takes at free flow: those in a cell are in its middle."""
        return float(self.left @ self._crossing + self.cells @ self._driven)

    def state(self) -> State:
        """Everything that steps change."""
        return counts_of(self) | {"cells": self.cells}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, engine or step."""
        check_state(self.state(), state)
        restore_counts(self, state)
        self.cells = state["cells"].copy()
