"""Delay of lights that react beside that of fixed plans: the table of docs/simulator.md.

pytest -m soak -s tests/simulator/test_uneven.py
"""

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.demand import Demand
from simulator.lights import Lights
from simulator.phases import Approaches, phases_of
from simulator.reactive import Actuated, MaxPressure
from simulator.signals import Signals

SECONDS, SEEDS = 3600.0, (0, 1, 2)
ALL_RED = 3.0


def rates(town, level):
    """Three times as many from the west as on average elsewhere, and six times as many as from the others."""
    west = town.positions[town.origins][:, 0] == town.positions[:, 0].min()
    return np.where(west, 3.0, 0.5) * level


def webster(town, demand, seed):
    """Plans made for this demand: splits and cycles by Webster's rules, by what flows without any light."""
    free = Simulator(town, "x", 1.0, signals=Signals.none(town), demand=demand)
    free.run(1800)
    before = free.engine.left.copy()
    free.run(900)
    load = (free.engine.left - before) / 900 / town.capacity
    lights = Lights(town, Signals.two_phase(town, seed=seed))
    approaches, random = Approaches(town), np.random.default_rng(seed)
    for junction in np.unique(town.end[lights.plans.has_light]).tolist():
        phases = phases_of(town, lights.plans, approaches.of(junction))
        loads = np.maximum([max(load[at] for at in phase) for phase in phases], 0.02)
        lost = ALL_RED * len(phases)
        cycle = float(np.clip((1.5 * lost + 5) / max(1 - loads.sum(), 0.05), 30, 120))
        greens = np.maximum((cycle - lost) * loads / loads.sum(), 5.0)
        said = [
            ([town.street_ids[at] for at in phase], green)
            for phase, green in zip(phases, greens, strict=True)
        ]
        lights.set_phases(town.junction_ids[junction], said, ALL_RED, float(random.uniform(0, cycle)))
    return lights.plans


def delay(town, demand, signals, rule):
    """Seconds of delay for each who came, waiting outside included."""
    simulator = Simulator(town, "x", 1.0, signals=signals, demand=demand)
    if rule is not None:
        simulator.set_reactive(rule)
    simulator.run(SECONDS)
    stats = simulator.stats()
    return stats["delay"] / stats["generated"]


@pytest.mark.soak
@pytest.mark.parametrize("level", [0.04, 0.09, 0.11])
def test_lights_that_react_delay_less_than_plans(level):
    town = Town.grid(6, 6)
    demand = Demand.constant(rates(town, level))
    found = {"two phases alike": [], "Webster's plans": [], "actuated": [], "max-pressure": []}
    for seed in SEEDS:
        alike = Signals.two_phase(town, seed=seed)
        found["two phases alike"].append(delay(town, demand, alike, None))
        found["Webster's plans"].append(delay(town, demand, webster(town, demand, seed), None))
        found["actuated"].append(delay(town, demand, alike, Actuated()))
        found["max-pressure"].append(delay(town, demand, alike, MaxPressure()))
    print()
    for name, seconds in found.items():
        print(f"{level}: {name}: {np.mean(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f})")
    for name in ("actuated", "max-pressure"):
        # Less than plans that know the demand, which lights that react do not.
        assert np.mean(found[name]) < np.mean(found["Webster's plans"])
        assert np.mean(found[name]) < 0.6 * np.mean(found["two phases alike"])
