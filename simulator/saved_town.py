"""A town as arrays, and back, checked: what was saved may have been cut, or made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.files import Reader, texts
from simulator.looks import Ints
from simulator.network import Town
from simulator.street import BOUNDS, WEIGHTS
from simulator.turns import TurnTable

__all__ = ["arrays_of", "town_of"]

PLAIN = (
    *("positions", "start", "end", "length", "speed", "wave", "capacity", "storage", "lanes", "origins"),
    *("movement_from", "movement_to", "ratio", "priority"),
)
MAYBE = ("inflow", "sinks", "lit", "plans")
MOST_STREETS = 1_000_000
HUGE = 1e12


def arrays_of(town: Town) -> dict[str, NDArray[Any]]:
    """Everything but ``demand``."""
    arrays = {f"town/{name}": getattr(town, name) for name in PLAIN}
    arrays |= {f"town/{name}": getattr(town, name) for name in MAYBE if getattr(town, name) is not None}
    lines = {
        "streets": town.street_ids,
        "junctions": town.junction_ids,
        "warnings": town.warnings,
        "repairs": town.repairs,
        "where": [town.where.get(id, "") for id in town.street_ids] if town.where else [],
    }
    for name, each in lines.items():
        arrays |= texts(f"town/{name}", each)
    points = [town.shapes.get(id, ()) for id in town.street_ids] if town.shapes else []
    arrays["town/points"] = np.array([point for line in points for point in line], float).reshape(-1, 2)
    arrays["town/bends"] = np.array([len(line) for line in points], np.int64)
    if town.turns is not None:
        arrays["town/turn_times"] = np.append(town.turns.times, town.turns.day)
        arrays["town/turn_ratios"] = town.turns.ratios
    return arrays


def town_of(file: Reader) -> Town:
    """The town of a file. Raises: TownError: it has none that can be."""
    streets = file.texts("town/streets")
    junctions = file.texts("town/junctions")
    if not 0 < len(streets) <= MOST_STREETS or len(junctions) > 2 * len(streets):
        raise file.fault(f"town: {len(streets)} streets and {len(junctions)} junctions")
    if len(set(streets)) < len(streets) or len(set(junctions)) < len(junctions):
        raise file.fault("town: two streets or two junctions of one name")
    size = (len(streets),)
    numbers: dict[str, Any] = {
        name: file.floats(f"town/{name}", size, *BOUNDS[name][:2])
        for name in ("length", "speed", "capacity", "lanes")
    }
    numbers |= {name: file.floats(f"town/{name}", size, 1e-9, HUGE) for name in ("wave", "storage")}
    town = Town(
        street_ids=tuple(streets),
        junction_ids=tuple(junctions),
        positions=file.floats("town/positions", (len(junctions), 2), -HUGE, HUGE),
        start=file.places("town/start", size, len(junctions)),
        end=file.places("town/end", size, len(junctions)),
        **numbers,
        **_movements(file, len(streets), len(junctions)),
        warnings=tuple(file.texts("town/warnings")),
        repairs=tuple(file.texts("town/repairs")),
        shapes=_shapes(file, streets),
        where=_where(file, streets),
    )
    _check(file, town)
    return replace(town, **_maybe(file, town))


def _movements(file: Reader, streets: int, junctions: int) -> dict[str, Any]:
    origins: Ints = file.places("town/origins", (None,), junctions)
    feeders = streets + len(origins)
    one = file.places("town/movement_from", (None,), feeders)
    return {
        "origins": origins,
        "movement_from": one,
        "movement_to": file.places("town/movement_to", one.shape, streets),
        "ratio": file.floats("town/ratio", one.shape, 0.0, 1.0 + 1e-9),
        "priority": file.floats("town/priority", (feeders,), WEIGHTS[0], HUGE),
    }


def _check(file: Reader, town: Town) -> None:
    """Movements lead on from where their feeders end, in their order, and add up to no more than 1."""
    at: Ints = np.concatenate([town.end, town.origins])[town.movement_from]
    sums = np.bincount(town.movement_from, town.ratio, len(town.priority))
    if (
        (np.diff(town.movement_from) < 0).any()
        or (at != town.start[town.movement_to]).any()
        or (sums > 1 + 1e-6).any()
    ):
        raise file.fault("town: its turns do not fit its streets")


def _maybe(file: Reader, town: Town) -> dict[str, Any]:
    """What some towns have."""
    junctions, found = len(town.junction_ids), dict[str, Any]()
    if file.has("town/inflow"):
        found["inflow"] = file.floats("town/inflow", town.origins.shape, 0.0, HUGE)
    if file.has("town/sinks"):
        found["sinks"] = file.floats("town/sinks", (junctions,), 0.0)
    if file.has("town/lit"):
        found["lit"] = file.array("town/lit", bool, (junctions,))
    if file.has("town/plans"):
        found["plans"] = file.floats("town/plans", (3, len(town.street_ids)), -HUGE, HUGE)
    if file.has("town/turn_times"):
        times = file.floats("town/turn_times", (None,))
        ratios = file.floats("town/turn_ratios", (max(len(times) - 1, 0), len(town.ratio)), 0.0, 1.0 + 1e-9)
        found["turns"] = TurnTable(times[:-1], ratios, float(times[-1]) if len(times) else 0.0)
    return found


def _where(file: Reader, streets: list[str]) -> dict[str, str]:
    lines = file.texts("town/where")
    if len(lines) not in (0, len(streets)):
        raise file.fault("town/where: not one line a street")
    return {id: line for id, line in zip(streets, lines, strict=False) if line}


def _shapes(file: Reader, streets: list[str]) -> dict[str, list[tuple[float, float]]]:
    points = file.floats("town/points", (None, 2), -HUGE, HUGE).tolist()
    bends = file.array("town/bends", np.int64, (None,))
    if len(bends) not in (0, len(streets)) or (bends < 0).any() or bends.sum() != len(points):
        raise file.fault("town/bends: not as many as there are points")
    ends = np.cumsum(bends).tolist()
    return {
        id: [(x, y) for x, y in points[end - count : end]]
        for id, end, count in zip(streets, ends, bends.tolist(), strict=False)
        if count
    }
