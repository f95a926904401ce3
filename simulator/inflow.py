"""What wants to enter a town in a step: the demand, checked, and what was set by hand."""

from __future__ import annotations

import numpy as np

from simulator.demand import Demand, Rates
from simulator.errors import TownError, numbers
from simulator.looks import Floats
from simulator.network import Town
from simulator.street import within

__all__ = ["Inflow"]

MAX_RATE = 1e4
"""Vehicles/s at an origin that can be set."""

MAX_AHEAD = 2**14
"""Origins times steps of which rates are found out together, beyond the steps that are asked for."""


class Inflow:
    """The rates of a town's origins. ``by_hand``: junction -> vehicles/s, as they were set."""

    def __init__(self, town: Town) -> None:
        self.by_hand: dict[str, float] = {}
        self._shape = town.origins.shape
        self._places = {town.junction_ids[at]: number for number, at in enumerate(town.origins.tolist())}
        self._at = np.zeros(0, np.intp)
        self._rate = np.zeros(0)
        # What was found out ahead: of which demand, from which step on, of how many seconds, and the rates.
        self._known: tuple[Rates, int, float, Floats] | None = None

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
        self._known = None

    def rates(self, demand: Rates, time: float) -> Floats:
        """(O,) vehicles/s. Raises: TownError: the demand's are not one each, or no numbers."""
        rates = self._checked(demand.rates(time), time)
        if len(self._at):
            rates = rates.copy()
            rates[self._at] = self._rate
        return rates

    def ahead(self, demand: Rates, step: int, dt: float, count: int) -> Floats:
        """(T, O) vehicles/s in each of ``count`` steps of ``dt`` seconds from number ``step`` on.

        Not to be written to. Raises: TownError: as ``rates``.
        """
        if self._known is not None:
            whose, begin, seconds, rates = self._known
            if whose is demand and seconds == dt and begin <= step and step + count <= begin + len(rates):
                return rates[step - begin : step - begin + count]
        # Of another kind of demand nobody knows whether it can be asked ahead of time.
        if type(demand) is Demand and len(demand) == self._shape[0]:
            more = max(count, MAX_AHEAD // max(self._shape[0], 1))
            rates = demand.rates_at(np.arange(step, step + more) * dt)
            if _are_rates(rates):
                rates[:, self._at] = self._rate
                self._known = demand, step, dt, rates
                return rates[:count]
        return np.array([self.rates(demand, (step + n) * dt) for n in range(count)])

    def _checked(self, rates: Floats, time: float) -> Floats:
        """The rates: what is no number would be one in every count from there on."""
        if isinstance(rates, np.ndarray) and rates.shape == self._shape and _are_rates(rates):
            return rates
        rates = numbers(f"demand: rates at {time:g} s", rates, 0.0)
        if len(rates) != self._shape[0]:
            raise TownError(f"demand: {len(rates)} rates; the town has {self._shape[0]} origins")
        return rates


def _are_rates(rates: Floats) -> bool:
    """Whether all are finite, and none is below nothing. Of what is no number, neither comparison is true."""
    least, most = np.minimum.reduce(rates, None, initial=0.0), np.maximum.reduce(rates, None, initial=0.0)
    return bool(least >= 0.0 and most < np.inf)
