"""A running town: what a source of live data needs of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from simulator.demand import Demand, Rates
from simulator.errors import TownError, numbers
from simulator.ltm import LinkTransmission
from simulator.network import Floats, Town
from simulator.rush import rush_hours
from simulator.signals import Signals

__all__ = ["Simulator"]

START: Final = datetime(2026, 1, 1, 6, 0, tzinfo=UTC)
"""The date that simulated time 0 stands for; fixed, so that equal runs give equal samples."""

UNITS: Final = {
    "n": "vehicles",
    "k": "vehicles/m",
    "green": "1: green",
    "moved": "vehicle-metres",
    "time": "s",
    "points": "m",
    "speed": "m/s",
    "capacity": "vehicles/s",
}

ENGINES: Final = {"ltm": LinkTransmission}


class Simulator:
    """A town whose state can be read, and advanced by one publish step at a time.

    Args:
        name: of the channel it feeds.
        step: seconds between samples; a whole number of engine steps.
        dt: seconds of one engine step.
        engine: "ltm".
    Attributes: ``name``, ``step``, ``time`` (simulated seconds).
    Raises: ValueError: ``step`` is no multiple of ``dt``, no such engine. TownError: ``dt`` is too long
        for the town, signals or demand are none of this town's.
    """

    def __init__(
        self,
        town: Town,
        name: str = "sample_net",
        step: float = 5.0,
        seed: int = 0,
        engine: str = "ltm",
        *,
        dt: float = 1.0,
        signals: Signals | None = None,
        demand: Rates | None = None,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
        steps = round(step / dt) if 0 < dt <= step < float("inf") else 0
        if steps < 1 or abs(steps * dt - step) > 1e-9:
            raise ValueError(f"step ({step} s) must be a multiple of dt ({dt} s)")
        self.name = name
        self.step = step
        self.town = town
        self.engine = ENGINES[engine](town, dt)
        self.signals = Signals.of(town, seed=seed) if signals is None else signals
        self.demand: Rates = _demand_of(town, seed) if demand is None else demand
        self._dt = dt
        self._steps = steps
        self._ticks = 0
        if len(self.signals) != len(town.street_ids):
            raise TownError(
                f"signals: plans for {len(self.signals)} streets; the town has {len(town.street_ids)}"
            )
        self._rates(0.0)

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        return self._ticks * self._dt

    def next(self) -> None:
        """Advance by ``step`` seconds."""
        for _ in range(self._steps):
            green, window = self.signals.during(self.time, self._dt)
            self.engine.step(green, self._rates(self.time), window)
            self._ticks += 1

    def run(self, seconds: float) -> None:
        """Advance by whole steps until ``seconds`` more have passed."""
        end = self.time + seconds
        while self.time < end - 1e-9:
            self.next()

    def _rates(self, time: float) -> Floats:
        """The demand, checked: what is no number would be one in every count from there on."""
        rates = self.demand.rates(time)
        is_one_each = isinstance(rates, np.ndarray) and rates.shape == self.town.origins.shape
        # Of what is no number, neither comparison is true.
        if is_one_each and rates.min(initial=0.0) >= 0.0 and rates.max(initial=0.0) < np.inf:
            return rates
        rates = numbers(f"demand: rates at {time:g} s", rates, 0.0)
        if len(rates) != len(self.town.origins):
            raise TownError(f"demand: {len(rates)} rates; the town has {len(self.town.origins)} origins")
        return rates

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        """Advance, and return the new state."""
        self.next()
        return self.dump_state()

    def dump_state(self, format: str = "dense") -> dict[str, Any]:
        """The state now, ready for JSON; changes nothing.

        "dense": numbers in the order of ``map()["streets"]``: ``n`` vehicles, ``k`` vehicles/m, ``green`` 1
        where the light at the street's end is green; ``moved`` vehicle-metres driven since the start.
        "legacy": ``{"state": {street: vehicles}, "timestamp"}``.
        Raises: ValueError: another format.
        """
        vehicles = self.engine.vehicles.clip(0.0)
        timestamp = (START + timedelta(seconds=self.time)).isoformat()
        counts = vehicles.round(2).tolist()
        if format == "legacy":
            return {"state": dict(zip(self.town.street_ids, counts, strict=True)), "timestamp": timestamp}
        if format != "dense":
            raise ValueError(f"no format {format!r}; there are dense, legacy")
        return {
            "name": self.name,
            "time": self.time,
            "timestamp": timestamp,
            "step": self.step,
            "moved": self._moved(),
            "n": counts,
            "k": (vehicles / self.town.length).round(5).tolist(),
            "green": self.signals.green(self.time).astype(int).tolist(),
        }

    def map(self) -> dict[str, Any]:
        """What samples leave out because it never changes: the streets, in the samples' order, and units."""
        low, high = self.town.bounds()
        rush = rush_hours(self.demand)
        return {
            "name": self.name,
            "units": UNITS,
            "k_jam": self.town.jam_density,
            "bounds": [*low, *high],
            **({} if rush is None else {"rush": rush}),
            "streets": self.town.describe(),
        }

    def _moved(self) -> int:
        """Vehicle-metres since the start: who is on a street is taken to have driven half of it."""
        counts = (self.engine.entered + self.engine.left) * self.town.length
        # A sum that is exact depends on no order, of streets or of what a processor adds at once.
        return round(math.fsum(counts.tolist()) / 2)

    def stats(self) -> dict[str, float]:
        """Vehicles inside the town, entered, left, and waiting outside for room."""
        waiting = float(self.engine.waiting.sum())
        return {
            "inside": float(self.engine.vehicles.sum()),
            "entered": self.engine.generated - waiting,
            "left": self.engine.gone,
            "waiting": waiting,
        }


def _demand_of(town: Town, seed: int) -> Rates:
    """What the town's files tell; else rush hours, of as much as its streets carry where that is known."""
    if town.demand is not None:
        return town.demand
    if town.inflow is not None:
        return Demand(len(town.origins), level=town.inflow, seed=seed)
    return Demand(len(town.origins), seed=seed)
