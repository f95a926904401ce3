"""Our simulator in another one's town: with its demand, its turning ratios and what its lights showed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import Simulator, Town
from simulator.demand import DemandTable
from simulator.signals import Signals
from simulator.street import Street
from simulator.turns import Turns, table_of

from .compare import Outcome, outcome_of
from .events import Events

__all__ = ["EVERY", "replayed", "signals_of", "town_of"]

EVERY = 300
"""Seconds for which turning ratios hold: as often as routes may change."""

MINUTE = 60
"""Seconds for which demand holds: single vehicles at an entrance would come as bursts above its capacity."""


def town_of(events: Events, every: int | None = EVERY) -> Town:
    """The streets, turning as vehicles did. Args: every: seconds of a table; None: one for the whole run."""
    streets = [
        Street(
            id=link.name,
            start=link.start,
            end=link.end,
            length=link.length,
            speed=link.speed,
            capacity=link.capacity,
            jam_density=link.jam,
            lanes=link.lanes,
        )
        for link in events.world.links
    ]
    turned, began = events.ratios()
    town = Town.from_streets(streets, turned, began)
    if every is None:
        return town
    rows = [
        Turns(float(begin), *events.ratios(begin, begin + every))
        for begin in range(0, events.world.seconds, every)
    ]
    return replace(town, turns=table_of(town, town.ratio, rows, float("inf")))


def signals_of(events: Events) -> Signals:
    """Plans that are green whenever the lights showed a street's phase.

    Raises: ValueError: they were not the same in each cycle.
    """
    plans = []
    for link, end in zip(events.world.links, events.end.tolist(), strict=True):
        node = events.world.nodes[end]
        if not node.phases or events.phases is None:
            plans.append((0.0, 0.0, 0.0))
            continue
        log = events.phases[:, end]
        begins = np.flatnonzero((log[1:] == 0) & (log[:-1] != 0)) + 1
        cycle = int(begins[1] - begins[0])
        green = np.isin(log, link.green)
        first = int((np.flatnonzero(green[1:] & ~green[:-1]) + 1)[0])
        steps = int(green[first : first + cycle].sum())
        expected = (np.arange(len(log)) - first) % cycle < steps
        if not (expected == green).all():
            raise ValueError(f"the light of {link.name} is no plan")
        step = events.world.platoon
        plans.append((cycle * step, first * step, steps * step))
    cycles, firsts, greens = np.array(plans).T
    return Signals(cycles, firsts, greens)


def replayed(events: Events, every: int | None = EVERY, signals: Signals | None = None) -> Outcome:
    """Run ours. Args: signals: in place of those of the run."""
    town, world = town_of(events, every), events.world
    places = {node.name: at for at, node in enumerate(world.nodes)}
    columns = [places[town.junction_ids[at]] for at in town.origins.tolist()]
    times = range(0, world.seconds, MINUTE)
    rates = [events.asked[begin : begin + MINUTE, columns].mean(axis=0) for begin in times]
    simulator = Simulator(
        town,
        step=1.0,
        signals=signals_of(events) if signals is None else signals,
        demand=DemandTable.by_time([float(time) for time in times], rates),
    )
    entered, left, waiting = counted(simulator, world.seconds)
    return outcome_of(entered, left, waiting, events.seconds, simulator.stats()["left"])


def counted(simulator: Simulator, seconds: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """(T + 1, S) cumulative counts in and out by second, and (T + 1,) who waits outside."""
    rows = [simulator.counts()]
    while simulator.time < seconds:
        simulator.next()
        rows.append(simulator.counts())
    return (
        np.array([row["entered"] for row in rows]),
        np.array([row["left"] for row in rows]),
        np.array([row["waiting"].sum() for row in rows]),
    )
