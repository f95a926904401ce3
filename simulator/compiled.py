"""Engines whose step is compiled by numba: the extra ``[fast]``. The same numbers, bit for bit.

What they are, remember and save is that of the engines in NumPy, from which they differ in ``step`` alone. A
state of the one can be restored in the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.averaged import AveragedLights
from simulator.counting import Counting
from simulator.ctm import CellTransmission
from simulator.engine import Lights
from simulator.junctions import Junctions
from simulator.kernels import advance, leap, share
from simulator.ltm import LinkTransmission
from simulator.network import Floats, Ints, Town
from simulator.past import Past

__all__ = ["COMPILED", "FastAveragedLights", "FastCellTransmission", "FastLinkTransmission"]

NONE = np.empty(0)


class PackedJunctions(Junctions):
    """The node model, junction by junction."""

    def turn(self, ratio: Floats) -> None:
        """Share out by these (M,) turning ratios, in the town's order, from now on; 0: nobody turns so."""
        super().turn(ratio)
        # In the order of the sums over the feeders of a street.
        by_taker, source_begin = _grouped(self._to, self._takers)
        by_feeder, exit_begin = _grouped(self._from, self._feeders)
        arms, arm_begin = _grouped(self._at, self._count)
        ways, way_begin = _grouped(self._start, self._count)
        listed = (self._from[by_taker], self._to[by_feeder], arms, ways)
        starts = np.cumsum([0, *(len(each) for each in listed)])
        begins = (source_begin, exit_begin, arm_begin, way_begin)
        # All in one array, as each has its price at every call from Python. Begins are places in it.
        parts = [*listed, *(each + start for each, start in zip(begins, starts[:4], strict=True))]
        joined = np.concatenate(parts).astype(np.uint32)
        where = np.cumsum([0, *(len(each) for each in parts)])[[0, 4, 5, 6, 7]].astype(np.uint64)
        self.graph = (self._ratio[by_taker], self._priority, joined, where, self._rounds)

    @property
    def exit_room(self) -> Floats:
        """Vehicles that can leave the town in a step, wherever that is limited."""
        return self._exit_room

    def share(self, supply: Floats, room: Floats) -> tuple[Floats, Floats]:
        """Share out one step, as ``Junctions`` does."""
        flow, into = np.empty(self._feeders), np.empty(self._takers)
        share(supply, np.concatenate([room, self._exit_room]), flow, into, self.graph)
        return flow, into[: self._streets]


def _grouped(keys: Ints, count: int) -> tuple[Ints, Ints]:
    """The places of all keys, by key; and where those of each begin, and the last one's end."""
    begins = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))])
    return np.argsort(keys, kind="stable"), begins


class PackedPast(Past):
    """A past whose places are rows of one array."""

    def __init__(self, lags: Floats, dt: float) -> None:
        super().__init__(lags, dt)
        self._pack()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of other lags."""
        super().restore(state)
        self._pack()

    def _pack(self) -> None:
        self._places = np.array(
            [
                *(self._newest, self._before, self._here, self._after),
                *(self._base, self._stride, self._size, self._end),
            ]
        )
        self._newest, self._before, self._here, self._after = self._places[:4]
        self._packed: tuple[Any, ...] | None = None

    def packed(self, has_window: bool) -> tuple[Any, ...]:
        """What the kernels need. Args: has_window: whether lights change within the step."""
        if self._packed is None or (has_window and self._from is None):
            windows = np.zeros((2, 0), np.float32)
            if has_window or self._from is not None:
                windows = np.zeros((2, len(self._counts)), np.float32)
                windows[0] = 0.0 if self._from is None else self._from
                windows[1] = 1.0 if self._to is None else self._to
                self._from, self._to = windows
            thin = np.array([self._thin, self._every, self._rows])
            self._packed = (self._counts, self._places, self._part, windows, thin, self._lag)
        return self._packed

    @property
    def steps(self) -> int:
        """Steps recorded so far."""
        return self._steps

    def count(self, steps: int) -> None:
        """So many more steps were recorded."""
        self._steps += steps


class FastLinkTransmission(LinkTransmission):
    """The Link Transmission Model, compiled. Attributes: as an ``Engine`` has them."""

    def __init__(self, town: Town, dt: float) -> None:
        """Args: dt: step in seconds.

        Raises: TownError: a vehicle or a wave crosses some street in less than ``dt``.
        """
        super().__init__(town, dt)
        self._junctions: PackedJunctions = PackedJunctions(town, dt)
        self._past_entered: PackedPast = PackedPast(town.length / town.speed / dt, dt)
        self._past_left: PackedPast = PackedPast(town.length / town.wave / dt, dt)
        self._pasts = {"past_entered": self._past_entered, "past_left": self._past_left}

    def step(self, green: np.ndarray, rates: Floats, window: tuple[Floats, Floats] | None = None) -> Floats:
        """Advance by ``dt``, as ``Counting`` does."""
        return self._run(green, rates, window, NONE)

    def leap(self, lights: Lights, step: int, rates: Floats) -> tuple[Sequence[float], Sequence[float]]:
        """Advance by several steps in one call, as ``Counting`` does in as many."""
        parts, windows, changes = lights.ahead(step, self._dt, len(rates))
        past, sums = self._past_entered, np.empty((2, len(rates)))
        leap(
            (self.entered, self.left, self.waiting),
            rates,
            (self.capacity, self.intake, self._town.storage, self._town.capacity),
            (parts, windows, changes),
            (past.packed(bool(changes.any())), self._past_left.packed(False)),
            (self._junctions.graph, self._junctions.exit_room),
            past.steps,
            self._dt,
            sums,
        )
        past.count(len(rates))
        self._past_left.count(len(rates))
        came, went = sums.tolist()
        generated = list(accumulate(came, initial=self.generated))
        gone = list(accumulate(went, initial=self.gone))
        self.generated, self.gone = generated[-1], gone[-1]
        return generated[1:], gone[1:]

    def _run(
        self, green: np.ndarray, rates: Floats, window: tuple[Floats, Floats] | None, red: Floats
    ) -> Floats:
        if rates.shape != self.waiting.shape:
            rates = np.broadcast_to(rates, self.waiting.shape).copy()
        begin, end = (NONE, NONE) if window is None else window
        past = self._past_entered
        flow, came, gone = advance(
            (self.entered, self.left, self.waiting),
            rates,
            (self.capacity, self.intake, self._town.storage, self._town.capacity),
            (green.astype(float, copy=False), begin, end, red),
            (past.packed(window is not None), self._past_left.packed(False)),
            (self._junctions.graph, self._junctions.exit_room),
            past.steps,
            self._dt,
        )
        self.generated += came
        self.gone += gone
        past.count(1)
        self._past_left.count(1)
        passed: Floats = flow
        return passed


class FastAveragedLights(FastLinkTransmission, AveragedLights):
    """The averages of lights, compiled. Attributes: as an ``Engine`` has them."""

    def step(self, green: np.ndarray, rates: Floats, window: tuple[Floats, Floats] | None = None) -> Floats:
        """Advance by ``dt``, as ``Counting`` does."""
        return self._run(green, rates, window, self._red + np.zeros(len(self.left)))

    leap = Counting.leap


class FastCellTransmission(CellTransmission):
    """The Cell Transmission Model, its junctions compiled. Attributes: as the other has them."""

    def __init__(self, town: Town, dt: float, cells: int = 8) -> None:
        """Args: dt: step in seconds. cells: of a street; fewer where a step would jump over one.

        Raises: TownError: a vehicle or a wave crosses some street in less than ``dt``.
        """
        super().__init__(town, dt, cells)
        self._junctions = PackedJunctions(town, dt)


COMPILED: Final[dict[str, type[Any]]] = {
    "ltm": FastLinkTransmission,
    "ctm": FastCellTransmission,
    "avg": FastAveragedLights,
}
"""By the names of ``engines.ENGINES``."""
