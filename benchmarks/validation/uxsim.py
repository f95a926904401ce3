"""Beside UXsim 1.15.1, one vehicle a platoon: the same town, lights, demand and turning ratios."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from .compare import Bound, Case, Outcome, report, within
from .events import Events
from .packages import environment, unpack
from .plots import draw
from .replay import replayed
from .settings import Settings
from .towns import table
from .worlds import World, corridor, grid, sioux_falls, with_exits

__all__ = ["Uxsim", "case", "run"]

UXSIM = "uxsim==1.15.1"
AEQUILIBRAE = "aequilibrae==1.7.2"
H5PY = "h5py==3.15.1"

TO_JSON = """
import io, json, sys, zipfile, h5py
matrix = zipfile.ZipFile(sys.argv[1]).read("matrices/demand.omx")
print(json.dumps(h5py.File(io.BytesIO(matrix))["data/matrix"][()].tolist()))
"""

TRIPS = 7500
"""Of a 10x10 town: streets queue at every light, and few spill back."""

SHARE = 0.1
"""Of the trips of a day in Sioux Falls."""


class Uxsim:
    """Runs worlds in UXsim, in an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self._python = environment(folder, UXSIM)

    def events(self, world: World) -> Events:
        """What its vehicles did."""
        script = Path(__file__).with_name("uxsim_world.py")
        with tempfile.TemporaryDirectory() as place:
            given, found = Path(place, "world.json"), Path(place, "events.npz")
            given.write_text(json.dumps(world.to_json()))
            # -P: there is a module here that is called as UXsim is.
            subprocess.run([str(self._python), "-P", str(script), str(given), str(found)], check=True)
            with np.load(found) as arrays:
                return Events(world, *(arrays[name] for name in ("vehicle", "time", "link", "phases")))


def run(settings: Settings) -> int:
    """Print the table, and draw it. Returns: how much is not as wanted."""
    done: list[Case] = []

    def remembered() -> Iterator[Case]:
        for case in cases(settings):
            done.append(case)
            yield case

    faults = report(remembered())
    if settings.plots is not None:
        draw(done, settings.plots / "beside-uxsim.png")
    return faults


WHOLE = "UXsim lets 20 whole vehicles pass in 31 s where a flow is 19.7; see the next row"
TOWN = (within("total", 0.05), within("delay", 0.2), Bound("excess", least=0.85))


def cases(settings: Settings) -> Iterator[Case]:
    """The comparisons, as they are done."""
    uxsim = Uxsim(settings.packages)
    streets, trips = sioux_falls_data(settings.packages)
    # Of lights that UXsim has green for 33 s, 21 vehicles of 20.9; of 31 s, 20 of 19.7.
    yield case(
        "corridor, 33 s of green", uxsim, settings, partial(corridor, phase=32.0), [within("delay", 0.03)]
    )
    bound = within("delay", 0.03, WHOLE)
    yield case("corridor, 31 s of green", uxsim, settings, corridor, [bound])
    fine = partial(corridor, platoon=0.2)
    yield case("the same, fifths of vehicles", uxsim, settings, fine, [within("delay", 0.03)])
    town = partial(grid, size=10, trips=TRIPS)
    yield case("10x10", uxsim, settings, town, TOWN)
    yield case("10x10, trips end past a light", uxsim, settings, lambda seed: with_exits(town(seed)), TOWN)
    falls = partial(sioux_falls, streets=streets, trips=trips, share=SHARE)
    yield case("Sioux Falls", uxsim, settings, falls, [within("completed", 0.05)])


def case(
    name: str,
    uxsim: Uxsim,
    settings: Settings,
    world: Callable[[int], World],
    bounds: Sequence[Bound] = (),
    replay: Callable[[Events], Outcome] = replayed,
) -> Case:
    """A world in both simulators, with each seed."""
    pairs, asked = [], []
    for seed in range(settings.seeds):
        events = uxsim.events(world(seed))
        pairs.append((replay(events), events.outcome()))
        asked.append(f"{events.asked.sum():,.0f}")
    return Case(name, pairs, bounds, {"trips": ", ".join(dict.fromkeys(asked))})


def sioux_falls_data(folder: Path) -> tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]:
    """(start, end) -> minutes; (from, to) -> trips a day: from aequilibrae's reference files."""
    archive = unpack(folder, AEQUILIBRAE) / "aequilibrae/reference_files/sioux_falls.zip"
    command = [str(environment(folder, H5PY)), "-c", TO_JSON, str(archive)]
    matrix = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    trips = {
        (str(start), str(end)): float(count)
        for start, row in enumerate(matrix, 1)
        for end, count in enumerate(row, 1)
        if count and start != end
    }
    rows = table(folder, "sioux_falls", "a_node, b_node, free_flow_time")
    return {(str(start), str(end)): float(minutes) for start, end, minutes in rows}, trips
