"""The Cell Transmission Model (Daganzo 1994, 1995): each street is a row of cells. What passes from one to
the next is the less of what the one sends and the other takes.

It knows the density inside a street, and remembers nothing of the past. Fronts are smeared over some cells:
more cells, sharper fronts.
"""

from __future__ import annotations

import numpy as np

from simulator.counting import Counting
from simulator.engine import State, check_state
from simulator.network import Floats, Ints, Town

__all__ = ["CellTransmission"]

MARGIN = 1e-9
"""So that rounding takes no cell from a street."""


class CellTransmission(Counting):
    """The state of every cell, and the step from ``t`` to ``t + dt``.

    Attributes: as an ``Engine`` has them; and
        cells: (C,) vehicles in each cell; those of a street from its beginning to its end, street by street.
        first: (S + 1,) the place of each street's first cell in ``cells``; and C.
    """

    def __init__(self, town: Town, dt: float, cells: int = 8) -> None:
        """Args: dt: step in seconds. cells: of a street; fewer where a step would jump over one.

        Raises: TownError: a vehicle or a wave crosses some street in less than ``dt``.
        """
        super().__init__(town, dt)
        fit = np.floor(town.length / (np.maximum(town.speed, town.wave) * dt) + MARGIN).astype(np.intp)
        count = np.clip(fit, 1, cells)
        self.first = np.concatenate([[0], np.cumsum(count)])
        self.cells = np.zeros(int(self.first[-1]))
        self._begin, self._end = self.first[:-1], self.first[1:] - 1
        # Parts of a cell that vehicles, and waves, cross in a step; its storage; and vehicles in a step.
        self._runs = np.repeat(np.minimum(town.speed * dt * count / town.length, 1.0), count)
        self._waves = np.repeat(np.minimum(town.wave * dt * count / town.length, 1.0), count)
        self._storage = np.repeat(town.storage / count, count)
        self._most = np.repeat(town.capacity * dt, count)
        # Vehicles in a cell that flows at capacity: more of them stand.
        self._critical = np.repeat(town.capacity / town.speed * town.length / count, count)

    def queued(self) -> tuple[Floats, Floats]:
        """(S,) vehicles that stand at the end of their street; (S,) that come to it in the next step."""
        standing = np.where(self.cells > self._critical * (1 + MARGIN), self.cells, 0.0)
        comes = self.cells[self._end] * self._runs[self._end]
        stands = np.add.reduceat(standing, self._begin)
        return stands, np.maximum(comes - stands, 0.0)

    def sending(self, green: np.ndarray | None = None, end: Floats | None = None) -> Floats:
        """(S,) vehicles that could leave each street in this step, as ``Counting`` asks for it.

        ``end`` is not needed: who comes is spread over the step, and so is who comes in its red part.
        """
        sends = np.minimum(self.cells[self._end] * self._runs[self._end], self.capacity * self._dt)
        part: Floats = sends if green is None else sends * green
        return part

    def receiving(self) -> Floats:
        """(S,) vehicles that each street could take in this step."""
        takes: Floats = self._room(self._begin) * self._waves[self._begin]
        return np.minimum(takes, self.intake * self._dt)

    def _room(self, places: Ints | slice) -> Floats:
        """Vehicles that still fit into the cells there."""
        room: Floats = np.maximum(self._storage[places] - self.cells[places], 0.0)
        return room

    def _passed(self, flow: Floats, into: Floats, window: tuple[Floats, Floats] | None) -> None:
        """Move vehicles from cell to cell, out of the last ones and into the first."""
        onward = slice(1, None)
        between = np.minimum(self.cells[:-1] * self._runs[:-1], self._most[:-1])
        np.minimum(between, self._room(onward) * self._waves[onward], out=between)
        # From the last cell of a street none come into the first one of the next.
        between[self._end[:-1]] = 0.0
        self.cells[:-1] -= between
        self.cells[1:] += between
        self.cells[self._end] -= flow[: len(self.left)]
        self.cells[self._begin] += into

    def free_flow(self) -> float:
        """Vehicle-seconds that what was driven so far takes at free flow; in a cell, half of its length."""
        number = np.arange(len(self.cells)) - np.repeat(self._begin, np.diff(self.first))
        inside = self.cells @ ((number + 0.5) / self._runs)
        return float(self.left @ (self._town.length / self._town.speed) + inside * self._dt)

    def state(self) -> State:
        """Everything that steps change."""
        return {**super().state(), "cells": self.cells}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, engine or step."""
        check_state(self.state(), state)
        super().restore(state)
        self.cells = state["cells"].copy()
