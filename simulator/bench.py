"""``python -m simulator.bench [agents]``: how fast it is here, in CPU time; beside UXsim, if it is there.

Towns of 360 and 9,800 streets; each engine in NumPy and, where numba is installed, compiled. UXsim (``pip
install uxsim``; not needed for anything else) gets streets of the same kind, lights of the same cycle, and
trips from anywhere to anywhere; it finds routes for vehicles, which this simulator does not. With ``agents``:
a town of 60,000 single vehicles instead. Read ratios, not figures: other jobs on the machine slow all.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from typing import Any

import numpy as np

from simulator.demand import Demand
from simulator.engines import ENGINES
from simulator.network import Town
from simulator.simulation import Simulator

WARM_UP = 600.0
TOWNS = {10: (1800.0, 2700), 50: (600.0, 20_000)}
"""Rows and columns: seconds that are measured, and trips in that time."""


def main() -> None:
    """Print each town's real-time factors and their ratios; or those with vehicles."""
    if sys.argv[1:] == ["agents"]:
        print(agents())
        return
    rival, compiler = _module("uxsim"), _module("numba")
    for size, (seconds, trips) in TOWNS.items():
        streets, factor, started = ours(size, seconds)
        line = f"{streets:,} streets, dt 1 s: ltm {factor:,.0f} x real time"
        print(f"{line} ({factor * streets:.1e} street-steps/s), start-up {started:.2f} s")
        other = None if rival is None else uxsim(rival, size, seconds, trips)
        if other is not None:
            print(f"  UXsim C++, dn 5: {other:,.0f} x real time; ltm is {factor / other:.2f} times as fast")
        for engine in ENGINES:
            for fast in (False, True)[: 1 if compiler is None else 2]:
                if engine == "ltm" and not fast:
                    continue
                own = ours(size, seconds, engine, fast=fast)[1]
                than = "" if other is None else f", {own / other:.2f} times as fast as UXsim"
                name = f"{engine}, compiled" if fast else engine
                print(f"  {name}: {own:,.0f} x real time; {own / factor:.2f} times as fast as ltm{than}")


def _module(name: str) -> Any:
    """The package, or None."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def ours(size: int, seconds: float, engine: str = "ltm", *, fast: bool = False) -> tuple[int, float, float]:
    """Streets, simulated seconds in one of CPU time, and CPU seconds of the start."""
    begin = time.process_time()
    simulator = Simulator(Town.grid(size, size), engine=engine, fast=fast)
    started = time.process_time() - begin
    simulator.run(WARM_UP)
    begin = time.process_time()
    simulator.run(seconds)
    return len(simulator.town.street_ids), seconds / (time.process_time() - begin), started


def agents(rings: int = 40, spokes: int = 60, until: float = 1050.0, seconds: float = 150.0) -> str:
    """A line about a radial town with vehicles everywhere: 9,600 streets and 60,000 vehicles by default."""
    factors = []
    for has_agents in (False, True):
        town = Town.radial(rings, spokes)
        demand = Demand.constant(np.full(len(town.origins), 0.1))
        simulator = Simulator(town, step=1.0, demand=demand, agents=has_agents)
        simulator.run(until)
        begin = time.process_time()
        simulator.run(seconds)
        factors.append(seconds / (time.process_time() - begin))
    begin = time.process_time()
    vehicles = simulator.vehicles()
    took = time.process_time() - begin
    looked = 1 / (1 / factors[1] + took)
    return (
        f"{len(town.street_ids):,} streets, {len(vehicles['id']):,} vehicles, dt 1 s: "
        f"{factors[1]:.0f} x real time, {looked:.0f} x with all positions each second "
        f"({took * 1e3:.0f} ms); flows alone {factors[0]:.0f} x"
    )


def uxsim(rival: Any, size: int, seconds: float, trips: int) -> float:
    """Simulated seconds that UXsim does in one of CPU time."""
    world = rival.World(
        cpp=True,
        deltan=5,
        tmax=seconds,
        print_mode=0,
        save_mode=0,
        show_mode=0,
        show_progress=0,
        random_seed=0,
    )
    town = Town.grid(size, size)
    for name, (x, y) in zip(town.junction_ids, town.positions.tolist(), strict=True):
        world.addNode(name, x, y, signal=[30, 30])
    for id in town.street_ids:
        start, end = id.split("-")
        along = int(start.split("c")[0] == end.split("c")[0])
        world.addLink(id, start, end, 500, free_flow_speed=50 / 3.6, jam_density=0.125, signal_group=[along])
    chance = random.Random(0)
    for _ in range(trips // 5):
        begin = chance.uniform(0, seconds / 2)
        world.adddemand(*chance.sample(town.junction_ids, 2), begin, begin + 1, volume=5)
    begin = time.process_time()
    world.exec_simulation()
    return seconds / (time.process_time() - begin)


if __name__ == "__main__":
    main()
