"""The Link Transmission Model: exact kinematic waves for triangular fundamental diagrams.

Each street is two cumulative counts, vehicles in and vehicles out. What a street can send is what entered it
a free-flow time ago and has not left; what it can receive is what left it a wave time ago plus its storage
(Newell 1993, Yperman 2007).
"""

from __future__ import annotations

import numpy as np

from simulator.counting import Counting
from simulator.engine import State
from simulator.junctions import TINY
from simulator.network import Floats, Town
from simulator.past import Past

__all__ = ["LinkTransmission"]


class LinkTransmission(Counting):
    """The state of every street, and the step from ``t`` to ``t + dt``.

    Attributes: as an ``Engine`` has them.
    """

    def __init__(self, town: Town, dt: float) -> None:
        """Args: dt: step in seconds.

        Raises: TownError: a wave crosses some street in less than ``dt``.
        """
        super().__init__(town, dt)
        self._past_entered = Past(town.length / town.speed / dt, dt)
        self._past_left = Past(town.length / town.wave / dt, dt)
        self._pasts = {"past_entered": self._past_entered, "past_left": self._past_left}

    def queued(self) -> tuple[Floats, Floats]:
        """(S,) vehicles that stand at the end of their street; (S,) that come to it in the next step."""
        past = self._past_entered
        arrived, later = past.at(np.ones_like(self.left)), past.at()
        return np.maximum(arrived - self.left, 0.0), np.maximum(later - arrived, 0.0)

    def sending(self, green: np.ndarray | None = None, end: Floats | None = None) -> Floats:
        """(S,) vehicles that could leave each street in this step, as ``Counting`` asks for it."""
        arrived = self._past_entered.at(None if end is None else 1.0 - end)
        limit = self.capacity * self._dt
        return np.clip(arrived - self.left, 0.0, limit if green is None else limit * green)

    def receiving(self) -> Floats:
        """(S,) vehicles that each street could take in this step."""
        freed = self._past_left.at()
        return np.clip(freed + self._town.storage - self.entered, 0.0, self.intake * self._dt)

    def free_flow(self) -> float:
        """Vehicle-seconds that what was driven so far takes at free flow."""
        return float(self._past_entered.within().sum()) * self._dt

    def state(self) -> State:
        """Everything that steps change."""
        pasts = {
            f"{name}_{key}": array
            for name, past in self._pasts.items()
            for key, array in past.state().items()
        }
        return {**super().state(), **pasts}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, engine or step."""
        for name, past in self._pasts.items():
            past.restore(
                {key.removeprefix(name + "_"): a for key, a in state.items() if key.startswith(name + "_")}
            )
        super().restore(state)

    def _passed(self, flow: Floats, into: Floats, window: tuple[Floats, Floats] | None) -> None:
        """Remember the counts at the end of the step."""
        self._past_entered.record(
            self.entered, None if window is None else self._entering(flow, into, *window)
        )
        self._past_left.record(self.left)

    def _entering(self, flow: Floats, into: Floats, begin: Floats, end: Floats) -> tuple[Floats, Floats]:
        """(S,) parts of the step between which vehicles entered each street: the means over its feeders."""
        origins = np.zeros(len(self.waiting))
        weight = np.where(into > TINY, into, 1.0)
        # As what is missing from the whole step, so that nothing is exactly nothing.
        late = self._junctions.into(flow * np.concatenate([begin, origins]))
        early = self._junctions.into(flow * np.concatenate([1.0 - end, origins]))
        return late / weight, 1.0 - early / weight
