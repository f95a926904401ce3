"""A running town: what a source of live data needs of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Self

from numpy.typing import NDArray

from simulator import saving
from simulator.agents import Agents, packed
from simulator.demand import Demand, Rates
from simulator.engine import Engine
from simulator.engines import make_engine
from simulator.files import Path
from simulator.gridlock import Watch, gridlocked
from simulator.inflow import Inflow
from simulator.network import Floats, Town
from simulator.operation import Kept, Operated
from simulator.packing import FORMATS, Packing
from simulator.samples import START
from simulator.shown import UNITS, moved, rush_hours, speeds_of
from simulator.signals import Signals
from simulator.street import within
from simulator.turns import TurnTable

__all__ = ["Simulator"]

MAX_LEAP = 64
"""Steps that are made together at most."""


class Simulator(Operated):
    """A town whose state can be read, and advanced by one publish step at a time.

    Args:
        name: of the channel it feeds.
        step: seconds between samples; a whole number of engine steps.
        dt: seconds of one engine step.
        engine: "ltm"; "ctm" with up to ``cells`` cells a street; "avg" with the lights' averages.
        fast: whether its step is compiled, with numba: the same numbers, sooner.
        agents: whether there are single vehicles too.
    Attributes: ``name``, ``step``, ``time`` (simulated seconds), ``ratio`` ((M,) turning ratios now).
        ``tells``: what every sample has beside, "vehicles" and "speeds" as in ``dump_state``.
    Raises: ValueError: ``step`` is no multiple of ``dt``, no such engine. TownError: ``dt`` is too long
        for the town, signals or demand are none of this town's.
    """

    tells: frozenset[str] = frozenset()

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
        fast: bool = False,
        signals: Signals | None = None,
        demand: Rates | None = None,
        agents: bool = False,
    ) -> None:
        steps = _steps_in(step, dt)
        self.name = name
        self.step = step
        self.town = town
        self.engine: Engine = make_engine(engine, town, dt, cells, fast=fast)
        self.agents = Agents(town, dt, seed) if agents else None
        super().__init__(town, Signals.of(town, seed=seed) if signals is None else signals)
        self.demand: Rates = _demand_of(town, seed) if demand is None else demand
        self._dt = dt
        self._steps = steps
        self._ticks = 0
        self._packing: Packing | None = None
        self.ratio = town.ratio
        self._row = -1
        self._inflow = Inflow(town)
        self._inflow.rates(self.demand, 0.0)
        self._travel_time = 0.0
        self.options = {"name": name, "step": step, "dt": dt, "engine": engine, "cells": cells}
        self.options |= {"seed": seed, "agents": agents}
        self.parts: dict[str, saving.Part] = {"lights": Kept(self.lights), "incidents": Kept(self.incidents)}
        if self.agents is not None:
            self.parts["agents"] = self.agents
        self._watch = Watch()

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        return self._ticks * self._dt

    def next(self) -> None:
        """Advance by ``step`` seconds."""
        left = self._steps
        while left:
            count = min(left, MAX_LEAP)
            if not self._is_calm(count):
                count = 1
                self._advance()
            else:
                self._leap(count)
            left -= count
        if self._watch.is_due(self.time):
            self._watch.look(self.time, self.town.street_ids, self._gridlocked())

    def run(self, seconds: float) -> None:
        """Advance by whole steps until ``seconds`` more have passed."""
        end = self.time + seconds
        while self.time < end - 1e-9:
            self.next()

    def set_demand(self, junction: str, rate: float | None) -> None:
        """Let ``rate`` vehicles/s want to enter at a junction from now on; None: what the demand says again.

        Raises: TownError: there is no origin at the junction, or no such rate.
        """
        self._inflow.set(junction, rate)

    def save(self, path: Path) -> None:
        """Write everything to a file, town included: numpy's npz, with a header in JSON; nothing is pickled.

        The file is the old one, or none, until it is whole. Raises: OSError: it cannot be written.
        """
        saving.save(self, path)

    @classmethod
    def load(cls, path: Path, *, demand: Rates | None = None, fast: bool = False) -> Self:
        """A simulator that goes on where the one that was saved was, bit for bit.

        Args:
            demand: in place of the saved one; needed where that was of your own kind, which no file holds.
            fast: whether the engine's step is compiled.
        Raises: TownError: the file cannot be read or is none; a line that begins with its path.
        """
        return saving.load(partial(cls, fast=fast), path, demand)

    def progress(self) -> dict[str, Any]:
        """How far it is, and what was set by hand; ready for JSON."""
        return {
            "ticks": self._ticks,
            "travel_time": self._travel_time,
            "by_hand": self._inflow.by_hand,
            "has_told": self._watch.has_told,
        }

    def resume(self, progress: Mapping[str, Any]) -> None:
        """Be as far as another one was. Raises: TypeError, KeyError, TownError: it is none."""
        ticks, travel_time = progress["ticks"], progress["travel_time"]
        if type(ticks) is not int or not 0 <= ticks < 2**53:
            raise TypeError(f"ticks: {ticks!r}")
        self._ticks, self._travel_time = ticks, within("travel_time", travel_time, 0.0, 1e300, "s")
        self._watch = Watch(has_told=progress["has_told"] is True)
        for junction, rate in progress["by_hand"].items():
            self.set_demand(junction, rate)
        if self.town.turns is not None:
            self._row = self.town.turns.row(max(ticks - 1, 0) * self._dt) if ticks else -1
            self.ratio = self.town.turns.ratios[self._row] if ticks else self.ratio

    def _is_calm(self, count: int) -> bool:
        """Whether nothing but lights by their plans changes in the next steps, and nobody looks at each."""
        return (
            self.agents is None
            and self.town.turns is None
            and self.lights.keep_to_one_plan
            and not self.incidents.is_due(self.time, count * self._dt, self.ratio)
        )

    def _advance(self) -> None:
        """Advance by one step."""
        engine = self.engine
        if self.town.turns is not None:
            self._turn(self.town.turns)
        self.operate(self._dt, self.ratio)
        present = engine.generated - engine.gone
        flow = engine.advance(self.lights, self.time, self._inflow.rates(self.demand, self.time))
        self._travel_time += (present + engine.generated - engine.gone) / 2 * self._dt
        self._ticks += 1
        if self.agents is not None:
            self.agents.follow(engine, flow, self.time)

    def _leap(self, count: int) -> None:
        """Advance by several steps at once: in a small town most of a step is what it costs outside of it."""
        present = self.engine.generated - self.engine.gone
        rates = self._inflow.ahead(self.demand, self._ticks, self._dt, count)
        for generated, gone in zip(*self.engine.leap(self.lights, self._ticks, rates), strict=True):
            self._travel_time += (present + generated - gone) / 2 * self._dt
            present = generated - gone
        self._ticks += count

    def _turn(self, turns: TurnTable) -> None:
        """Let vehicles turn as the town's table has it now."""
        row = turns.row(self.time)
        if row != self._row:
            self._row = row
            self.ratio = turns.ratios[row]

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
        where the light at the street's end is green. Where streets are closed or narrowed, ``closed`` and
        ``narrowed`` tell which, by their places (all formats but "legacy").
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
        head |= self.incidents.told(self.time)
        density = (inside / self.town.length).round(5)
        green = self.lights.green(self.time)
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
            more |= {"v": speeds_of(self.engine), "moved": moved(self.engine, self.town)}
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

    def counts(self) -> dict[str, Floats]:
        """Vehicles that have ``entered`` and ``left`` each street since the start, (S,) in the order of
        ``map()["streets"]``, and that are ``waiting`` outside at each origin, (O,); copies.
        """
        engine = self.engine
        return {
            "entered": engine.entered.copy(),
            "left": engine.left.copy(),
            "waiting": engine.waiting.copy(),
        }

    def stats(self) -> dict[str, float]:
        """Vehicles, vehicle-seconds and streets.

        ``generated`` vehicles have wanted to enter since the start: they have ``entered`` or are ``waiting``
        outside for room; those who entered are ``inside`` or have ``left``.
        ``travel_time``: vehicle-seconds of all of them since the start, waiting outside included; ``delay``:
        what of it is above free flow.
        ``gridlocked``: streets in a closed ring of full streets, which never moves again.
        """
        waiting = float(self.engine.waiting.sum())
        return {
            "inside": float(self.engine.vehicles.sum()),
            "entered": self.engine.generated - waiting,
            "left": self.engine.gone,
            "waiting": waiting,
            "generated": self.engine.generated,
            "travel_time": self._travel_time,
            "delay": max(self._travel_time - self.engine.free_flow(), 0.0),
            "gridlocked": len(self._gridlocked()),
        }

    def _gridlocked(self) -> list[int]:
        return gridlocked(self.town, self.engine.vehicles, self.engine.ratio)


def _steps_in(step: float, dt: float) -> int:
    """Steps of ``dt`` seconds in ``step``. Raises: ValueError: no whole number."""
    steps = round(step / dt) if 0 < dt <= step < float("inf") else 0
    if steps < 1 or abs(steps * dt - step) > 1e-9:
        raise ValueError(f"step ({step} s) must be a multiple of dt ({dt} s)")
    return steps


def _demand_of(town: Town, seed: int) -> Rates:
    """What the town's files tell; else rush hours, of as much as its streets carry where that is known."""
    if town.demand is not None:
        return town.demand
    if town.inflow is not None:
        return Demand(len(town.origins), level=town.inflow, seed=seed)
    return Demand(len(town.origins), seed=seed)
