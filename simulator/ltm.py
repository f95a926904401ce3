"""The Link Transmission Model: exact kinematic waves for triangular fundamental diagrams.

Each street is two cumulative counts, vehicles in and vehicles out. What a street can send is what entered it
a free-flow time ago and has not left; what it can receive is what left it a wave time ago plus its storage
(Newell 1993, Yperman 2007).
"""

from __future__ import annotations

import numpy as np

from simulator.engine import Lights, State, check_step, counts_of, restore_counts
from simulator.junctions import TINY, Junctions
from simulator.network import Floats, Town
from simulator.past import Past

__all__ = ["LinkTransmission"]


class LinkTransmission:
    """The state of every street, and the step from ``t`` to ``t + dt``.

    Attributes:
        capacity, intake, entered, left, waiting, generated, gone: as an ``Engine`` has them.
    """

    def __init__(self, town: Town, dt: float) -> None:
        """Args: dt: step in seconds.

        Raises: TownError: a wave crosses some street in less than ``dt``.
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
        self._past_entered = Past(town.length / town.speed / dt, dt)
        self._past_left = Past(town.length / town.wave / dt, dt)
        self._pasts = {"past_entered": self._past_entered, "past_left": self._past_left}
        self._junctions = Junctions(town)

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

    def queued(self) -> Floats:
        """(S,) vehicles that stand at the end of their street, or come to it in the next step."""
        return np.maximum(self._past_entered.at() - self.left, 0.0)

    def sending(self, green: np.ndarray | None = None, end: Floats | None = None) -> Floats:
        """(S,) vehicles that could leave each street in this step.

        Args: green: (S,) part of the step in which they may, default: all of it. end: (S,) part of the step
            after which they may no more; who arrives later waits.
        """
        arrived = self._past_entered.at(None if end is None else 1.0 - end)
        limit = self.capacity * self._dt
        return np.clip(arrived - self.left, 0.0, limit if green is None else limit * green)

    def receiving(self) -> Floats:
        """(S,) vehicles that each street could take in this step."""
        freed = self._past_left.at()
        return np.clip(freed + self._town.storage - self.entered, 0.0, self.intake * self._dt)

    def advance(self, lights: Lights, time: float, rates: Floats) -> Floats:
        """Advance by ``dt`` from ``time`` on. Returns: (F,) vehicles that passed from each feeder."""
        green, window = lights.during(time, self._dt)
        return self.step(green, rates, window)

    def state(self) -> State:
        """Everything that steps change."""
        pasts = {
            f"{name}_{key}": array
            for name, past in self._pasts.items()
            for key, array in past.state().items()
        }
        return counts_of(self) | pasts

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, engine or step."""
        for name, past in self._pasts.items():
            past.restore(
                {key.removeprefix(name + "_"): a for key, a in state.items() if key.startswith(name + "_")}
            )
        restore_counts(self, state)

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
