"""SUMO's side of a comparison: a town of its generator, routes, a run, and who was on which street when.

Every approach has a green of its own, since we know of no vehicle that waits for oncoming ones. A street is
what a vehicle drives from one stop line to the next: it is entered when the one before is left, and the way
through the junction belongs to it.
"""

from __future__ import annotations

import subprocess
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .packages import unpack

__all__ = ["Net", "Run", "Trip", "arguments", "generate", "random_trips", "run_sumo", "start"]

SUMO = "eclipse-sumo==1.28.0"
SPEED = 13.89
SPACE = 7.5
"""Metres a vehicle in a queue: 5 of its own and 2.5 before it."""

CAR = '<vType id="car" sigma="0" tau="1" length="5" minGap="2.5" speedDev="0"/>'

Floats = NDArray[np.floating[Any]]


class Trip(NamedTuple):
    """When a vehicle wants to set off, seconds, and along which edges."""

    depart: float
    edges: tuple[str, ...]


class Net(NamedTuple):
    """What is read of a network.

    ``ends``: edge -> (junction it begins at, junction it ends at), in order. ``lane``: edge -> metres of its
    lane. ``length``: the same with the way through the junction before it. ``onward``: edge -> edges that it
    leads to. ``greens``: edge -> (junction of its light, seconds of its program at which its green begins).
    ``programs``: junction -> phases, (seconds, state). ``places``: junction -> metres.
    """

    path: Path
    ends: Mapping[str, tuple[str, str]]
    lane: Mapping[str, float]
    length: Mapping[str, float]
    onward: Mapping[str, Sequence[str]]
    greens: Mapping[str, tuple[str, float]]
    programs: Mapping[str, Sequence[tuple[float, str]]]
    places: Mapping[str, tuple[float, float]]

    @property
    def entries(self) -> list[str]:
        """Edges that begin outside, where nothing leads to."""
        led = {to for exits in self.onward.values() for to in exits}
        return [edge for edge in self.ends if edge not in led]

    @property
    def cycle(self) -> float:
        """Seconds, of all lights."""
        (seconds,) = {sum(time for time, _ in phases) for phases in self.programs.values()}
        return seconds


class Run(NamedTuple):
    """Counts of a run, cumulative, by the end of each second: (T + 1, S) who entered and left each street,
    (T + 1,) who waits outside; ``completed`` who has left the town."""

    entered: Floats
    left: Floats
    waiting: Floats
    completed: float


def start(folder: Path, program: str, *arguments: str) -> None:
    """Run one of SUMO's programs; what it has to say is shown if it fails."""
    place = unpack(folder, SUMO) / "sumo"
    binary = place / "bin" / program
    binary.chmod(0o755)
    command = [str(binary), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={"SUMO_HOME": str(place)})
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.strip()[-2000:]}")


def generate(
    folder: Path, size: int, length: float, green: int = 20, *, layout: str = "incoming", is_open: bool = True
) -> Net:
    """A grid of ``size`` x ``size`` junctions with lights.

    Args: layout: of the lights: "incoming" gives each approach a green of its own, "opposites" two together.
        is_open: whether a street leads in and out wherever the grid ends.
    """
    path = folder / f"sumo-{size}x{size}-{length:g}-{layout}-{green}-{is_open:d}.net.xml"
    if not path.exists():
        lanes = ["--default.lanenumber", "1", "--default.speed", str(SPEED), "--no-turnarounds", "true"]
        phases = 4 if layout == "incoming" else 2
        lights = ["--default-junction-type", "traffic_light", "--tls.layout", layout]
        lights += ["--tls.yellow.time", "3", "--tls.cycle.time", str(phases * (green + 3))]
        grid = ["--grid", "--grid.number", str(size), "--grid.length", str(length)]
        grid += ["--grid.attach-length", str(length if is_open else 0.0)]
        start(folder, "netgenerate", *grid, *lanes, *lights, "--output-file", str(path))
    return _read(path)


def _read(path: Path) -> Net:
    root = ElementTree.parse(path).getroot()
    lanes = {lane.get("id", ""): float(lane.get("length", "")) for lane in root.iter("lane")}
    edges = [edge for edge in root.iter("edge") if edge.get("function") is None]
    names = [edge.get("id", "") for edge in edges]
    ends = {name: (edge.get("from", ""), edge.get("to", "")) for name, edge in zip(names, edges, strict=True)}
    programs = {
        light.get("id", ""): [
            (float(phase.get("duration", "")), phase.get("state", "")) for phase in light.iter("phase")
        ]
        for light in root.iter("tlLogic")
    }
    onward, through, greens = defaultdict(list), defaultdict(list), {}
    for connection in root.iter("connection"):
        edge, to = connection.get("from", ""), connection.get("to", "")
        if edge not in ends or connection.get("via") is None:
            continue
        onward[edge].append(to)
        through[to].append(lanes[connection.get("via", "")])
        light = connection.get("tl", "")
        greens[edge] = light, _begin(programs[light], int(connection.get("linkIndex", "")))
    lane = {name: lanes[f"{name}_0"] for name in names}
    length = {name: lane[name] + sum(through[name]) / max(len(through[name]), 1) for name in names}
    places = {
        junction.get("id", ""): (float(junction.get("x", "")), float(junction.get("y", "")))
        for junction in root.iter("junction")
    }
    return Net(path, ends, lane, length, onward, greens, programs, places)


def _begin(phases: Sequence[tuple[float, str]], place: int) -> float:
    """When in a program a connection's green begins."""
    time = 0.0
    for seconds, state in phases:
        if state[place] in "gG":
            return time
        time += seconds
    raise ValueError("a connection is never green")


def random_trips(net: Net, rates: Sequence[tuple[float, float]], seed: int) -> list[Trip]:
    """From one place at the edge to another, along any of the shortest ways; as Poisson has it.

    Where nothing leads in from outside, from one junction to another.
    Args: rates: (seconds until which it holds, vehicles/s in all), one after the other.
    """
    chance = np.random.default_rng(seed)
    beginning: dict[str, list[str]] = defaultdict(list)
    for edge, (start, _) in net.ends.items():
        beginning[start].append(edge)
    entries = net.entries
    exits = [edge for edge in net.ends if not net.onward.get(edge)]
    junctions = sorted(net.programs)
    trips, time, begin = [], 0.0, 0.0
    for end, rate in rates:
        time = max(time, begin)
        while (time := time + chance.exponential(1 / rate)) < end:
            one, other = chance.choice(entries or junctions), chance.choice(exits or junctions)
            if entries:
                (outside, here), (there, beyond) = net.ends[str(one)], net.ends[str(other)]
                edges = (str(one), *_way(net, beginning, here, there, chance), str(other))
                goes = outside != beyond
            else:
                edges = tuple(_way(net, beginning, str(one), str(other), chance))
                goes = bool(edges)
            if goes:
                trips.append(Trip(round(time, 2), edges))
        begin = end
    return trips


def _way(
    net: Net, beginning: Mapping[str, Sequence[str]], here: str, there: str, chance: np.random.Generator
) -> Iterator[str]:
    """A random one of the shortest ways in a grid, edge by edge."""
    goal = np.array(net.places[there])
    while here != there:
        away = goal - net.places[here]
        onward = []
        for edge in beginning[here]:
            step = np.array(net.places[net.ends[edge][1]]) - net.places[here]
            gain = float(step @ away)
            if gain > 0 and net.ends[edge][1] in net.programs:
                onward.append((edge, gain))
        total = sum(gain for _, gain in onward)
        edge = onward[int(chance.random() * total >= onward[0][1])][0]
        yield edge
        here = net.ends[edge][1]


def run_sumo(
    folder: Path, net: Net, trips: Sequence[Trip], seconds: int, offsets: Mapping[str, float]
) -> Run:
    """SUMO micro: Krauss without chance, 1 s of reaction, no vehicle taken away. Args: offsets: of lights."""
    place = folder / "sumo-run"
    place.mkdir(exist_ok=True)
    lights, found = place / "lights.xml", place / "found.xml"
    lights.write_text(f"<additional>{''.join(_programs(net, offsets))}</additional>")
    start(
        *(folder, "sumo", *arguments(net, trips, seconds, place / "routes.xml")),
        *("--additional-files", str(lights), "--vehroute-output", str(found)),
        *("--vehroute-output.exit-times", "true", "--vehroute-output.write-unfinished", "true"),
    )
    return _counts(net, trips, seconds, found)


def arguments(net: Net, trips: Sequence[Trip], seconds: int, routes: Path) -> list[str]:
    """What SUMO is told of a run; the trips are written into a file."""
    rows = "\n".join(
        f'<vehicle id="{number}" type="car" depart="{trip.depart:.2f}" departSpeed="max">'
        f'<route edges="{" ".join(trip.edges)}"/></vehicle>'
        for number, trip in enumerate(trips)
    )
    routes.write_text(f"<routes>{CAR}\n{rows}\n</routes>")
    return [
        *("--net-file", str(net.path), "--route-files", str(routes), "--end", str(seconds)),
        *("--time-to-teleport", "-1", "--no-step-log", "true", "--no-warnings", "true"),
    ]


def _programs(net: Net, offsets: Mapping[str, float]) -> Iterator[str]:
    """The lights' programs, each begun later."""
    for light, phases in net.programs.items():
        yield f'<tlLogic id="{light}" type="static" programID="late" offset="{offsets[light]:g}">'
        yield from (f'<phase duration="{time:g}" state="{state}"/>' for time, state in phases)
        yield "</tlLogic>"


def _counts(net: Net, trips: Sequence[Trip], seconds: int, found: Path) -> Run:
    at = {edge: number for number, edge in enumerate(net.ends)}
    entered, left = np.zeros((2, seconds + 1, len(at)))
    waiting = np.zeros(seconds + 1)
    completed = 0
    for trip in trips:
        waiting[min(int(np.ceil(trip.depart)), seconds)] += 1
    for vehicle in ElementTree.parse(found).getroot().iter("vehicle"):
        time = float(vehicle.get("depart", ""))
        waiting[int(np.ceil(time))] -= 1
        route = vehicle.find("route")
        assert route is not None
        for edge, exit in zip(
            route.get("edges", "").split(), route.get("exitTimes", "").split(), strict=True
        ):
            entered[int(np.ceil(time)), at[edge]] += 1
            time = float(exit)
            if time < 0:
                break
            left[int(np.ceil(time)), at[edge]] += 1
        completed += time >= 0
    return Run(entered.cumsum(axis=0), left.cumsum(axis=0), waiting.cumsum(), completed)
