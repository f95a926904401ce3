"""A running town: what a source of live data needs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from simulator.agents import Agents, packed
from simulator.demand import Demand, Rates
from simulator.engine import Engine
from simulator.errors import TownError, numbers
from simulator.ltm import LinkTransmission
from simulator.network import Floats, Town
from simulator.packing import FORMATS, Packing
from simulator.samples import START
from simulator.shown import UNITS, moved, rush_hours, speeds_of
from simulator.signals import Signals

__all__ = ["Simulator"]

ENGINES: Final[dict[str, Callable[[Town, float, int], Engine]]] = {
    "ltm": lambda town, dt, _: LinkTransmission(town, dt),
}
"""Name -> what makes it of a town, the seconds of a step and the cells of a street."""

MAX_CELLS: Final = 1000


class Simulator:
    """A town whose state can be read, and advanced by one publish step at a time.

    Args:
        name: of the channel it feeds.
        step: seconds between samples; a whole number of engine steps.
        dt: seconds of one engine step.
        engine: "ltm".
        cells: of a street, in engines that have any.
        agents: whether there are single vehicles too.
    Attributes: ``name``, ``step``, ``time`` (simulated seconds). ``tells``: what every sample has beside,
        "vehicles" and "speeds" as in ``dump_state``.
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
        cells: int = 8,
        signals: Signals | None = None,
        demand: Rates | None = None,
        agents: bool = False,
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
        steps = round(step / dt) if 0 < dt <= step < float("inf") else 0
        if steps < 1 or abs(steps * dt - step) > 1e-9:
            raise ValueError(f"step ({step} s) must be a multiple of dt ({dt} s)")
        self.name = name
        self.step = step
        self.town = town
        if not 1 <= cells <= MAX_CELLS:
            raise ValueError(f"cells must be from 1 to {MAX_CELLS}, not {cells}")
        self.engine = ENGINES[engine](town, dt, cells)
        self.agents = Agents(town, dt, seed) if agents else None
        self.signals = Signals.of(town, seed=seed) if signals is None else signals
        self.demand: Rates = _demand_of(town, seed) if demand is None else demand
        self._dt = dt
        self._steps = steps
        self._ticks = 0
        self._packing: Packing | None = None
        self.tells: frozenset[str] = frozenset()
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
            flow = self.engine.advance(self.signals, self.time, self._rates(self.time))
            self._ticks += 1
            if self.agents is not None:
                self.agents.follow(self.engine, flow, self.time)

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

    def dump_state(
        self, format: str = "dense", vehicles: bool = False, speeds: bool = False
    ) -> dict[str, Any]:
        """The state now, ready for JSON; changes nothing.

        "dense": numbers in the order of ``map()["streets"]``: ``n`` vehicles, ``k`` vehicles/m, ``green`` 1
        where the light at the street's end is green.
        "legacy": ``{"state": {street: vehicles}, "timestamp"}``.
        "q8", "q16", "delta": small ones, for ``samples.Decoder``.
        Args: vehicles: whether the single vehicles are in it, for ``agents=True``. speeds: whether ``v`` is,
            speed on each street in % of its free speed, and ``moved``, vehicle-metres since the start.
        Raises: ValueError: another format, or there are no vehicles.
        """
        if format not in FORMATS:
            raise ValueError(f"no format {format!r}; there are {', '.join(FORMATS)}")
        inside = self.engine.vehicles.clip(0.0)
        more = self._more(vehicles or "vehicles" in self.tells, speeds or "speeds" in self.tells)
        timestamp = (START + timedelta(seconds=self.time)).isoformat()
        if format == "legacy":
            counts = inside.round(2).tolist()
            state = dict(zip(self.town.street_ids, counts, strict=True))
            return {"state": state, "timestamp": timestamp, **more}
        head = {"name": self.name, "time": self.time, "timestamp": timestamp, "step": self.step, **more}
        density = (inside / self.town.length).round(5)
        green = self.signals.green(self.time)
        if format != "dense":
            return self._packed().pack(format, head, density, green)
        return {
            **head,
            "n": inside.round(2).tolist(),
            "k": density.tolist(),
            "green": green.astype(int).tolist(),
        }

    def vehicles(self) -> dict[str, NDArray[Any]]:
        """The single vehicles now, by id; for ``agents=True``.

        Returns: "id": (V,), counted up from 0 as vehicles enter the town. "street": (V,) place in the town's
            ``street_ids``. "at": (V,) metres from the street's beginning.
        Raises: ValueError: there are none.
        """
        if self.agents is None:
            raise ValueError("vehicles: there are flows only; Simulator(…, agents=True) has vehicles")
        return self.agents.vehicles(self.time)

    def _more(self, vehicles: bool, speeds: bool) -> dict[str, Any]:
        """What samples have only where it is asked for."""
        more: dict[str, Any] = {}
        if vehicles:
            more["vehicles"] = packed(self.vehicles(), self.town.length)
        if speeds:
            more |= {"v": speeds_of(self.engine, self.town, self._dt), "moved": moved(self.engine, self.town)}
        return more

    def forget_key(self) -> None:
        """Let the next ``delta`` sample be a key frame: somebody has come who has none."""
        self._packed().forget_key()

    def _packed(self) -> Packing:
        if self._packing is None:
            self._packing = Packing(self.town.jam_densities())
        return self._packing

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
