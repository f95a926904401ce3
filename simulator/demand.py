"""How many vehicles want to enter: a day of two rush hours, compressed as far as one likes."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from simulator.errors import TownError, numbers
from simulator.network import Floats

__all__ = ["Demand", "Rates"]


class Rates(Protocol):
    """Any demand."""

    def rates(self, time: float) -> Floats:
        """(O,) vehicles/s at ``time`` (seconds)."""


class Demand:
    """Vehicles a second at each origin.

    Between ``low`` and ``high`` times the origin's own level, with two peaks a day; levels and the time of
    the peaks vary from origin to origin (seeded). Deterministic: the rate is a function of time. The default
    ``level`` jams some streets of a 10x10 grid at the peaks and lets it recover; a sixth more gridlocks it.
    Raises: TownError: a rate below nothing, or what is no number.
    """

    def __init__(
        self,
        origins: int,
        *,
        level: float = 0.22,
        low: float = 0.25,
        high: float = 1.0,
        day: float = 7200.0,
        seed: int = 0,
    ) -> None:
        if origins < 0:
            raise TownError(f"demand: {origins} origins")
        for name, value in {"level": level, "low": low, "high": high}.items():
            if not 0 <= value < float("inf"):
                raise TownError(f"demand: {name} is {value:g}, not a finite number of at least 0")
        if not 0 < day < float("inf"):
            raise TownError(f"demand: day is {day:g}, not a finite number of seconds above 0")
        random = np.random.default_rng([seed, 1])
        self._level = level * random.uniform(0.6, 1.4, origins)
        self._phase = random.normal(0.0, 0.03, origins)
        self._low = low
        self._high = high
        self._day = day

    @classmethod
    def constant(cls, rates: Floats) -> Demand:
        """The same rates, vehicles/s, for ever: one for each origin. Raises: TownError: one cannot be."""
        level = numbers("demand: rates", rates, 0.0)
        demand = cls(len(level), low=1.0, high=1.0)
        demand._level = level
        return demand

    def rates(self, time: float) -> Floats:
        """(O,) vehicles/s at ``time`` (seconds)."""
        turn = 2 * np.pi * (time / self._day + self._phase)
        # Two humps a day, the second one lower.
        hump = 0.5 - 0.5 * np.cos(2 * turn)
        rise = hump * (0.85 - 0.15 * np.sin(turn))
        return np.asarray(self._level * (self._low + (self._high - self._low) * rise))
