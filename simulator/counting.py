"""What engines have in common: counts of vehicles in and out of each street, and the order of a step.

A step asks what each street could send and could take, lets the junctions share that out, and counts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from simulator.engine import Lights, State, check_step, counts_of, restore_counts
from simulator.junctions import Junctions
from simulator.network import Floats, Town

__all__ = ["Counting"]


class Counting(ABC):
    """An ``Engine`` but for what its streets send and take.

    Attributes: capacity, intake, entered, left, waiting, generated, gone: as an ``Engine`` has them.
    """

    def __init__(self, town: Town, dt: float) -> None:
        """Args: dt: step in seconds.

        Raises: TownError: a vehicle or a wave crosses some street in less than ``dt``.
        """
        check_step(town, dt)
        self._town = town
        self._dt = dt
        streets, origins = len(town.street_ids), len(town.origins)
        self.capacity = town.capacity.copy()
        self.intake = town.capacity.copy()
        self.entered = np.zeros(streets)
        self.left = np.zeros(streets)
        self.waiting = np.zeros(origins)
        self.generated = 0.0
        self.gone = 0.0
        self._junctions = Junctions(town, dt)

    @property
    def vehicles(self) -> Floats:
        """(S,) vehicles on each street."""
        return self.entered - self.left

    @property
    def ratio(self) -> Floats:
        """(M,) turning ratios, in the town's order."""
        return self._junctions.ratio

    def turn(self, ratio: Floats) -> None:
        """Let vehicles turn in these (M,) ratios from the next step on."""
        self._junctions.turn(ratio)

    @abstractmethod
    def queued(self) -> tuple[Floats, Floats]:
        """(S,) vehicles that stand at the end of their street; (S,) that come to it in the next step."""

    @abstractmethod
    def sending(self, green: np.ndarray | None = None, end: Floats | None = None) -> Floats:
        """(S,) vehicles that could leave each street in this step.

        Args: green: (S,) part of the step in which they may, default: all of it. end: (S,) part of the step
            after which they may no more; who arrives later waits.
        """

    @abstractmethod
    def receiving(self) -> Floats:
        """(S,) vehicles that each street could take in this step."""

    def advance(self, lights: Lights, time: float, rates: Floats) -> Floats:
        """Advance by ``dt`` from ``time`` on. Returns: (F,) vehicles that passed from each feeder."""
        green, window = lights.during(time, self._dt)
        return self.step(green, rates, window)

    def leap(self, lights: Lights, step: int, rates: Floats) -> tuple[Sequence[float], Sequence[float]]:
        """Advance by several steps. Returns: (T,) ``generated`` after each step; (T,) ``gone``."""
        generated, gone = [], []
        for number, row in enumerate(rates, step):
            self.advance(lights, number * self._dt, row)
            generated.append(self.generated)
            gone.append(self.gone)
        return generated, gone

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
        flow, into = self._junctions.share(np.concatenate([sending, self.waiting]), self.receiving())
        streets = len(self.left)
        self.left += flow[:streets]
        self.waiting -= flow[streets:]
        self.entered += into
        self.gone += float(flow.sum() - into.sum())
        self._passed(flow, into, window)
        return flow

    @abstractmethod
    def _passed(self, flow: Floats, into: Floats, window: tuple[Floats, Floats] | None) -> None:
        """Note what (F,) passed from each feeder and (S,) into each street in the step that ends."""

    @abstractmethod
    def free_flow(self) -> float:
        """Vehicle-seconds that what was driven so far takes at free flow."""

    def state(self) -> State:
        """Everything that steps change."""
        return counts_of(self)

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, engine or step."""
        restore_counts(self, state)
