"""Beside SUMO 1.28.0, micro: a 10x10 town with its lights, demand and turning ratios, calibrated once.

What a lane lets go (saturation flow, and what of green and yellow counts) is measured at one crossing of the
same generator, full on all sides; jam density is that of 7.5 m a vehicle, and the speed of waves follows from
both. No street of the town is tuned.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator import Simulator, Town
from simulator.demand import DemandTable
from simulator.signals import Signals
from simulator.street import Street

from .compare import Bound, Case, Outcome, outcome_of, report, within
from .settings import Settings
from .sumo_world import SPACE, SPEED, Net, Run, Trip, generate, random_trips, run_sumo

__all__ = ["Lane", "calibrate", "cases", "compare", "run"]

SIZE, LENGTH, GREEN = 10, 300.0, 20
SECONDS = 2400

LOADS: Mapping[str, Sequence[tuple[float, float]]] = {
    "steady, 1.5 vehicles/s": [(SECONDS, 1.5)],
    "rush, 1.5 to 4.5 vehicles/s": [(600, 1.5), (1200, 4.5), (SECONDS, 1.0)],
}
"""Name -> (seconds until which it holds, vehicles/s in all)."""

WANTED = (within("total", 0.15), within("delay", 0.25), Bound("correlation", 0.85, 1.0))

BIN = 20
"""Seconds over which those who set off are counted as a demand."""


class Lane(NamedTuple):
    """What a lane at a light lets go.

    ``flow``: vehicles/s. ``late``: from how many seconds after its begin on a green counts; ``longer``: by
    how many it counts longer than it lasts.
    """

    flow: float
    late: float
    longer: float


def run(settings: Settings) -> int:
    """Print the table. Returns: how much is not as wanted."""
    lane = calibrate(settings.packages)
    flow = f"{lane.flow:.3f} vehicles/s, waves of {_wave(lane):.2f} m/s"
    print(
        f"calibrated at one crossing: {flow}; green counts from {lane.late:.1f} s on, {lane.longer:+.1f} s\n"
    )
    return report(cases(settings, lane))


def cases(settings: Settings, lane: Lane) -> Iterator[Case]:
    """The comparisons, as they are done."""
    net = generate(settings.packages, SIZE, LENGTH, GREEN)
    pictured: list[tuple[str, Outcome, Outcome]] = []
    for name, rates in LOADS.items():
        pairs = [compare(settings.packages, net, rates, lane, seed) for seed in range(settings.seeds)]
        pictured.append((name, *pairs[0]))
        yield Case(name, pairs, WANTED)
    if settings.plots is not None:
        from .sumo_plot import draw

        draw(pictured, settings.plots / "beside-sumo.png")


def compare(
    folder: Path, net: Net, rates: Sequence[tuple[float, float]], lane: Lane, seed: int
) -> tuple[Outcome, Outcome]:
    """Ours and theirs, of one seed: of the trips, and of the lights' offsets."""
    trips = random_trips(net, rates, seed)
    whole = np.random.default_rng([seed, 1]).integers(0, int(net.cycle), len(net.programs))
    offsets = dict(zip(net.programs, whole.astype(float).tolist(), strict=True))
    seconds = np.array([net.length[edge] / SPEED for edge in net.ends])
    each = ours(net, trips, SECONDS, offsets, lane), run_sumo(folder, net, trips, SECONDS, offsets)
    mine, theirs = (outcome_of(one.entered, one.left, one.waiting, seconds, one.completed) for one in each)
    return mine, theirs


# --- Our side


def town_of(net: Net, trips: Sequence[Trip], lane: Lane) -> Town:
    """The network as ours, with the turning ratios of all trips."""
    streets = [
        Street(
            id=edge,
            start=start,
            end=end,
            length=net.length[edge],
            speed=SPEED,
            capacity=lane.flow,
            jam_density=net.lane[edge] / SPACE / net.length[edge],
        )
        for edge, (start, end) in net.ends.items()
    ]
    turns: dict[str, Counter[str]] = defaultdict(Counter)
    for trip in trips:
        for edge, onward in zip(trip.edges, trip.edges[1:], strict=False):
            turns[edge][onward] += 1
    ratios = {
        edge: {to: count / turned.total() for to, count in turned.items()} for edge, turned in turns.items()
    }
    return Town.from_streets(streets, ratios, {net.ends[edge][0]: {edge: 1.0} for edge in net.entries})


def ours(net: Net, trips: Sequence[Trip], seconds: int, offsets: Mapping[str, float], lane: Lane) -> Run:
    """The Link Transmission Model."""
    town = town_of(net, trips, lane)
    simulator = Simulator(
        town, step=1.0, signals=_signals(net, town, offsets, lane), demand=_demand(town, trips, seconds)
    )
    counts = [simulator.counts()]
    for _ in range(seconds):
        simulator.next()
        counts.append(simulator.counts())
    entered, left = (np.array([one[name] for one in counts]) for name in ("entered", "left"))
    waiting = np.array([one["waiting"].sum() for one in counts])
    return Run(entered, left, waiting, simulator.stats()["left"])


def _signals(net: Net, town: Town, offsets: Mapping[str, float], lane: Lane) -> Signals:
    cycle, begin, green = np.zeros((3, len(town.street_ids)))
    for number, edge in enumerate(town.street_ids):
        if edge in net.greens:
            light, since = net.greens[edge]
            seconds = next(time for time, state in net.programs[light] if "G" in state)
            cycle[number] = net.cycle
            begin[number] = offsets[light] + since + lane.late
            green[number] = seconds + lane.longer
    return Signals(cycle, begin, green)


def _demand(town: Town, trips: Sequence[Trip], seconds: int) -> DemandTable:
    """Who sets off in each ``BIN`` seconds, at each origin."""
    at = {town.junction_ids[junction]: number for number, junction in enumerate(town.origins.tolist())}
    starts = dict(zip(town.street_ids, (town.junction_ids[start] for start in town.start), strict=True))
    rates = np.zeros((-(-seconds // BIN), len(at)))
    for trip in trips:
        rates[int(trip.depart // BIN), at[starts[trip.edges[0]]]] += 1 / BIN
    return DemandTable.by_time(np.arange(len(rates)) * float(BIN), rates)


def _wave(lane: Lane) -> float:
    return lane.flow / (1 / SPACE - lane.flow / SPEED)


# --- Calibration


def calibrate(folder: Path, seconds: int = 3600) -> Lane:
    """At one crossing, full on all sides: with two lengths of green, how many more pass in the longer one."""
    passed, first = zip(*(_discharge(folder, green, seconds) for green in (GREEN, 2 * GREEN)), strict=True)
    flow = (passed[1] - passed[0]) / GREEN
    return Lane(flow, float(np.mean(first)) - 0.5 / flow, passed[0] / flow - GREEN)


def _discharge(folder: Path, green: int, seconds: int) -> tuple[float, float]:
    """(vehicles that pass in a green, mean over all cycles and sides; seconds after which the first does)."""
    net = generate(folder, 1, LENGTH, green)
    # One in two straight on, as many left as right, and more than can pass.
    chance = np.random.default_rng(0)
    trips = [
        Trip(float(time), (edge, str(chance.choice(sorted(net.onward[edge]), p=_mix(net, edge)))))
        for time in range(0, seconds, 4)
        for edge in net.entries
    ]
    found = run_sumo(folder, net, trips, seconds, dict.fromkeys(net.programs, 0.0))
    counts, firsts = [], []
    for number, edge in enumerate(net.ends):
        if edge in net.greens:
            _, begin = net.greens[edge]
            # From the third cycle on all queues are long.
            times = np.arange(2 * net.cycle + begin, seconds - net.cycle, net.cycle).astype(int)
            cycles = [found.left[at : at + int(net.cycle) + 1, number] for at in times]
            counts += [cycle[-1] - cycle[0] for cycle in cycles]
            firsts += [int((cycle > cycle[0]).argmax()) for cycle in cycles]
    return float(np.mean(counts)), float(np.mean(firsts))


def _mix(net: Net, edge: str) -> list[float]:
    """Shares of the edges that it leads to, in the order of their names."""
    start, _ = net.ends[edge]
    ahead = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}[start.rstrip("0")]
    return [0.5 if net.ends[to][1].startswith(ahead) else 0.25 for to in sorted(net.onward[edge])]
