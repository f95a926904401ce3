"""The arrays of a town from its streets, with everything checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from simulator.errors import TownError
from simulator.looks import Floats
from simulator.street import BOUNDS, WEIGHTS, Street, within

__all__ = ["check", "check_street", "flow", "movements", "positions", "weights"]


def flow(streets: Sequence[Street]) -> dict[str, Any]:
    """What flows along each street, by the names of the town's arrays.

    By the triangular fundamental diagram: free speed up to capacity, then down to the jam.
    """
    length, speed, capacity, jam, lanes = (
        np.array([getattr(street, name) for street in streets], float)
        for name in ("length", "speed", "capacity", "jam_density", "lanes")
    )
    wave = capacity / (jam - capacity / speed)
    return {
        "length": length,
        "speed": speed,
        "wave": wave,
        "capacity": capacity,
        "storage": jam * length,
        "lanes": lanes,
    }


def check(streets: Sequence[Street]) -> None:
    """Raises: TownError: two streets share an id, or a street's numbers cannot be."""
    if not streets:
        raise TownError("town: a town has at least one street")
    seen = set()
    for street in streets:
        if street.id in seen:
            raise TownError(f"street {street.id}: there are two; street ids must differ")
        seen.add(street.id)
    if not _are_possible(streets):
        for street in streets:
            check_street(street)


def _are_possible(streets: Sequence[Street]) -> bool:
    """Whether all numbers of all streets can be: looked at together, which is much faster."""
    try:
        each = {name: np.array([getattr(street, name) for street in streets], float) for name in BOUNDS}
    except (OverflowError, TypeError, ValueError):
        return False
    are_within = all(
        ((least <= each[name]) & (each[name] <= most)).all() for name, (least, most, _) in BOUNDS.items()
    )
    return are_within and bool((each["capacity"] < each["jam_density"] * each["speed"]).all())


def check_street(street: Street) -> None:
    """Raises: TownError: one of its numbers cannot be."""
    for name, (least, most, unit) in BOUNDS.items():
        within(f"street {street.id}: {name}", getattr(street, name), least, most, unit)
    if street.capacity >= street.jam_density * street.speed:
        raise TownError(f"street {street.id}: no density below the jam's carries its capacity")


def weights(
    streets: Sequence[Street],
    index: Mapping[str, int],
    origins: Mapping[str, Mapping[str, float]],
    priorities: Mapping[str, float],
    origin_priorities: Mapping[str, float],
) -> Floats:
    """(F,) how much each feeder counts where several want the same street."""
    for id, weight in priorities.items():
        if id not in index:
            raise TownError(f"priority of the unknown street {id}")
        within(f"street {id}: the priority of {id}", weight, *WEIGHTS)
    for id, weight in origin_priorities.items():
        if id not in origins:
            raise TownError(f"origin at {id}: a priority, but no such origin")
        within(f"origin at {id}: its priority", weight, *WEIGHTS)
    fed = {
        junction: sum(streets[index[id]].capacity for id, ratio in to.items() if ratio > 0)
        for junction, to in origins.items()
    }
    weights = [priorities.get(street.id, street.capacity) for street in streets]
    return np.array(weights + [origin_priorities.get(id, fed[id]) for id in origins], float)


def positions(junctions: Sequence[str], positions: Mapping[str, tuple[float, float]]) -> Floats:
    """(J, 2) where the junctions lie. Raises: TownError: nowhere."""
    places = [positions.get(id, (0.0, 0.0)) for id in junctions]
    for id, place in zip(junctions, places, strict=True):
        x, y = place
        for number in (x, y):
            within(f"junction {id}: its position", number, -1e9, 1e9, "m")
    return np.array(places, float)


def movements(
    streets: Sequence[Street],
    index: Mapping[str, int],
    turns: Mapping[str, Mapping[str, float]],
    origins: Mapping[str, Mapping[str, float]],
) -> list[tuple[int, int, float]]:
    """(feeder, street, ratio) in the order of the feeders."""
    junctions = {junction for street in streets for junction in (street.start, street.end)}
    rows = []
    for id, to in turns.items():
        if id not in index:
            raise TownError(f"street {id}: unknown street in the turns of {id}")
        rows += _fan(f"street {id}", index[id], streets[index[id]].end, streets, index, to)
    for number, (junction, to) in enumerate(origins.items(), len(index)):
        if junction not in junctions:
            raise TownError(f"origin at {junction}: there is no street at the unknown junction {junction}")
        if abs(sum(to.values()) - 1) > 1e-9:
            raise TownError(f"origin at {junction}: the ratios of the origin at {junction} must add up to 1")
        rows += _fan(f"origin at {junction}", number, junction, streets, index, to)
    return sorted(rows)


def _fan(
    name: str,
    feeder: int,
    junction: str,
    streets: Sequence[Street],
    index: Mapping[str, int],
    to: Mapping[str, float],
) -> list[tuple[int, int, float]]:
    """The movements of one feeder, checked."""
    rows, sum, least = [], 0.0, 0.0
    for id, ratio in to.items():
        at = index.get(id)
        if at is None:
            raise TownError(f"{name}: unknown street in the turns of {name.removeprefix('street ')}")
        if streets[at].start != junction:
            raise TownError(f"{name}: {id} does not begin where {name.removeprefix('street ')} ends")
        sum += ratio
        least = min(least, ratio)
        if ratio > 0:
            rows.append((feeder, at, ratio))
    # Of what is no number, neither comparison is true.
    if not (least >= 0 and sum <= 1 + 1e-9):
        raise TownError(
            f"{name}: turning ratios of {name.removeprefix('street ')} must be positive "
            "and add up to at most 1"
        )
    return rows
