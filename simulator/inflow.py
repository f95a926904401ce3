"""What wants to enter a town in a step: the demand, checked, and what was set by hand."""

from __future__ import annotations

import numpy as np

from simulator.demand import Rates
from simulator.errors import TownError, numbers
from simulator.looks import Floats
from simulator.network import Town
from simulator.street import within

__all__ = ["Inflow"]

MAX_RATE = 1e4
"""Vehicles/s at an origin that can be set."""


class Inflow:
    """The rates of a town's origins. ``by_hand``: junction -> vehicles/s, as they were set."""

    def __init__(self, town: Town) -> None:
        self.by_hand: dict[str, float] = {}
        self._shape = town.origins.shape
        self._places = {town.junction_ids[at]: number for number, at in enumerate(town.origins.tolist())}
        self._at = np.zeros(0, np.intp)
        self._rate = np.zeros(0)

    def set(self, junction: str, rate: float | None) -> None:
        """Let so many vehicles/s want to enter at a junction from now on; None: what the demand says again.

        Raises: TownError: there is no origin, or it cannot be.
        """
        if junction not in self._places:
            raise TownError(f"demand at {junction}: there is no origin")
        if rate is None:
            self.by_hand.pop(junction, None)
        else:
            self.by_hand[junction] = within(f"demand at {junction}", rate, 0.0, MAX_RATE, "vehicles/s")
        self._at = np.array([self._places[id] for id in self.by_hand], np.intp)
        self._rate = np.array(list(self.by_hand.values()), float)

    def rates(self, demand: Rates, time: float) -> Floats:
        """(O,) vehicles/s. Raises: TownError: the demand's are not one each, or no numbers."""
        rates = self._checked(demand.rates(time), time)
        if len(self._at):
            rates = rates.copy()
            rates[self._at] = self._rate
        return rates

    def _checked(self, rates: Floats, time: float) -> Floats:
        """The rates: what is no number would be one in every count from there on."""
        is_one_each = isinstance(rates, np.ndarray) and rates.shape == self._shape
        # Of what is no number, neither comparison is true.
        if (
            is_one_each
            and np.minimum.reduce(rates, initial=0.0) >= 0.0
            and np.maximum.reduce(rates, initial=0.0) < np.inf
        ):
            return rates
        rates = numbers(f"demand: rates at {time:g} s", rates, 0.0)
        if len(rates) != self._shape[0]:
            raise TownError(f"demand: {len(rates)} rates; the town has {self._shape[0]} origins")
        return rates
