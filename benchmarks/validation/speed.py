"""How fast simulators are, in CPU time and in one run: ours, UXsim's C++ engine, SUMO meso and micro.

They compute different things: ours densities, from turning ratios; UXsim the routes and the places of
platoons of five; SUMO those of every vehicle, whose routes are given. Only ratios mean something.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from simulator import bench

from .packages import environment
from .settings import Settings
from .sumo_world import Trip, arguments, generate, random_trips, start

__all__ = ["run"]

ROOT = Path(__file__).parents[2]
UXSIM = "uxsim==1.15.1"


class Size(NamedTuple):
    """``rows`` of a square grid; ``seconds`` that are simulated; ``trips`` of UXsim's and of SUMO's in them;
    how often each is measured: ``times``, and those that take long ``slowly``."""

    rows: int
    seconds: float
    trips: int
    routes: int
    times: int
    slowly: int


SIZES = (Size(10, 1800.0, 2700, 2700, 5, 3), Size(50, 600.0, 20_000, 12_000, 3, 1))

WANTED = {
    (10, "ltm compiled", "UXsim"): 1.0,
    (50, "ltm", "SUMO meso"): 2.0,
    (50, "ltm", "UXsim"): 8.0,
    (50, "ltm compiled", "ltm"): 2.0,
}
"""(rows, whose, beside whose) -> how many times as fast at least."""

AGENTS, VEHICLES = 20.0, 60_000
LOADING, MEMORY = 3.0, 200.0
"""Seconds of CPU time and MB of a start with 100,000 streets."""

START = """
import resource, sys, time
from simulator import Simulator, Town
simulator = Simulator(Town.grid(159, 159))
simulator.next()
usage = resource.getrusage(resource.RUSAGE_SELF)
def most():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024 / 1e6
first = most()
simulator.run(200)
print(len(simulator.town.street_ids), usage.ru_utime + usage.ru_stime, first, most())
"""

RIVAL = """
import sys, uxsim
from simulator import bench
print(bench.uxsim(uxsim, int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
"""


def run(settings: Settings) -> int:
    """Print the tables. Returns: how many ratios are below what is wanted."""
    faults = 0
    print("| streets | " + " | ".join(ENGINES) + " |")
    print("|---" * (len(ENGINES) + 1) + "|")
    verdicts = []
    for size in SIZES:
        found = measure(settings.packages, size)
        streets = 4 * size.rows * (size.rows - 1)
        print(f"| {streets:,} | {' | '.join(f'{found[name]:,.0f}' for name in ENGINES)} |", flush=True)
        for (rows, one, other), least in WANTED.items():
            if rows == size.rows:
                ratio = found[one] / found[other]
                faults += ratio < least
                verdicts.append(
                    f"{streets:,} streets: {one} is {ratio:.2f} times as fast as {other} (wanted: {least:g})"
                )
    print("\n" + "\n".join(verdicts))
    print(bench.agents(), f"(wanted: {AGENTS:g} x with {VEHICLES:,})")
    count, seconds, first, later = map(float, _python(sys.executable, START).split())
    began = f"{seconds:.2f} s of CPU time and {first:.0f} MB until the first sample"
    wanted = f"(wanted: {LOADING:g} s, {MEMORY:g} MB)"
    print(f"{count:,.0f} streets, a fresh process: {began} {wanted}; {later:.0f} MB after 200 steps")
    return faults + (seconds > LOADING) + (first > MEMORY)


def measure(folder: Path, size: Size) -> dict[str, float]:
    """Simulated seconds in one of CPU time, the best of some rounds in which everybody has a turn."""
    found: dict[str, list[float]] = {name: [] for name in ENGINES}
    trips: list[Trip] = []
    for turn in range(size.times):
        for name, engine in ENGINES.items():
            if turn < (size.slowly if name in SLOW else size.times):
                found[name].append(engine(folder, size, trips))
    return {name: max(each) for name, each in found.items()}


def _ours(folder: Path, size: Size, trips: list[Trip]) -> float:
    return bench.ours(size.rows, size.seconds)[1]


def _compiled(folder: Path, size: Size, trips: list[Trip]) -> float:
    return bench.ours(size.rows, size.seconds, fast=True)[1]


def _uxsim(folder: Path, size: Size, trips: list[Trip]) -> float:
    python = environment(folder, UXSIM)
    return float(_python(str(python), RIVAL, str(size.rows), str(size.seconds), str(size.trips)))


def _meso(folder: Path, size: Size, trips: list[Trip]) -> float:
    return _sumo(folder, size, trips, "--mesosim", "true", "--meso-junction-control", "true")


def _micro(folder: Path, size: Size, trips: list[Trip]) -> float:
    return _sumo(folder, size, trips)


def _sumo(folder: Path, size: Size, trips: list[Trip], *options: str) -> float:
    """What a run takes, without what one of a second does: to load the network and the routes."""
    net = generate(folder, size.rows, 500.0, 27, layout="opposites", is_open=False)
    if not trips:
        # In the first half, as those of UXsim.
        half = size.seconds / 2
        trips += random_trips(net, [(half, size.routes / half)], 0)
    took = []
    for seconds in (1, int(size.seconds)):
        told = arguments(net, trips, seconds, folder / "sumo-speed.xml")
        before = _children()
        start(folder, "sumo", *told, *options)
        took.append(_children() - before)
    return size.seconds / (took[1] - took[0])


def _children() -> float:
    """CPU seconds of the processes that ran so far."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _python(python: str, program: str, *options: str) -> str:
    """What it prints last."""
    command: Sequence[str] = [python, "-c", program, *options]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    return done.stdout.strip().splitlines()[-1]


ENGINES: dict[str, Callable[[Path, Size, list[Trip]], float]] = {
    "ltm": _ours,
    "ltm compiled": _compiled,
    "UXsim": _uxsim,
    "SUMO meso": _meso,
    "SUMO micro": _micro,
}
SLOW = {"UXsim", "SUMO meso", "SUMO micro"}
