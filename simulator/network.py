"""A town: streets, junctions and what turns where, as arrays.

Feeders are everything that brings vehicles to a junction: the streets first, in order, and the origins after
them. A movement leads from a feeder to a street; movements are sorted by feeder. What is missing to 1 in the
sum of a feeder's turning ratios leaves the town at that junction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Street", "Town"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

STRAIGHT, RIGHT, LEFT = 0.65, 0.2, 0.15
LEAVING = 0.3
"""Share of the vehicles reaching the town's edge that leaves it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One directed street. Speeds in m/s, lengths in m, capacity in vehicles/s, density in vehicles/m."""

    id: str
    start: str
    end: str
    length: float = 500.0
    speed: float = 50 / 3.6
    capacity: float = 0.55
    jam_density: float = 0.125


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The network, never changed.

    Shapes: S streets, O origins, F = S + O feeders, M movements, J junctions.
    """

    street_ids: tuple[str, ...]
    junction_ids: tuple[str, ...]
    positions: Floats  # (J, 2) metres
    start: Ints  # (S,) junction a street begins at
    end: Ints  # (S,) junction it ends at
    length: Floats  # (S,) metres
    speed: Floats  # (S,) free-flow speed, m/s
    wave: Floats  # (S,) speed of backward waves, m/s
    capacity: Floats  # (S,) vehicles/s
    storage: Floats  # (S,) vehicles that fit
    origins: Ints  # (O,) junction an origin feeds
    movement_from: Ints  # (M,) feeder, ascending
    movement_to: Ints  # (M,) street
    ratio: Floats  # (M,) share of the feeder's vehicles
    priority: Floats  # (F,) weight of a feeder where several want the same street

    @property
    def jam_density(self) -> float:
        """The largest density of any street, vehicles/m."""
        return float((self.storage / self.length).max())

    @classmethod
    def from_streets(
        cls,
        streets: Sequence[Street],
        turns: Mapping[str, Mapping[str, float]],
        origins: Mapping[str, Mapping[str, float]],
        positions: Mapping[str, tuple[float, float]] | None = None,
        priorities: Mapping[str, float] | None = None,
    ) -> Town:
        """Build a town from its streets.

        Args:
            turns: street id -> {street id: ratio}; the rest of 1 leaves the town.
            origins: junction id -> {street id: ratio}; an origin's ratios add up to 1.
            positions: junction id -> (x, y) in metres; for drawing only.
            priorities: street id -> weight in merges; default: its capacity.
        Raises: ValueError: an id is unknown or used twice, a turn leads elsewhere, ratios add up to more
            than 1, or a street cannot be.
        """
        ids = [street.id for street in streets]
        index = {id: number for number, id in enumerate(ids)}
        _check(streets, priorities or {})
        junctions = list(dict.fromkeys(j for street in streets for j in (street.start, street.end)))
        at = {id: number for number, id in enumerate(junctions)}
        movements = _movements(streets, index, turns, origins)
        weights = [(priorities or {}).get(street.id, street.capacity) for street in streets]
        weights += [1.0] * len(origins)
        return cls(
            street_ids=tuple(ids),
            junction_ids=tuple(junctions),
            positions=np.array([(positions or {}).get(id, (0.0, 0.0)) for id in junctions], float),
            start=np.array([at[street.start] for street in streets], np.intp),
            end=np.array([at[street.end] for street in streets], np.intp),
            **_flow(streets),
            origins=np.array([at[id] for id in origins], np.intp),
            movement_from=np.array([m[0] for m in movements], np.intp),
            movement_to=np.array([m[1] for m in movements], np.intp),
            ratio=np.array([m[2] for m in movements], float),
            priority=np.array(weights, float),
        )

    @classmethod
    def grid(cls, rows: int, columns: int, *, length: float = 500.0) -> Town:
        """A grid of two-way streets: ``rows`` x ``columns`` junctions, ``length`` metres apart.

        Vehicles enter and leave at the edge. Ids: junction ``r3c4``, street ``r3c4-r3c5``.
        Raises: ValueError: fewer than 2 rows or columns.
        """
        if min(rows, columns) < 2 or max(rows, columns) > 300:
            raise ValueError("a grid has 2 to 300 rows and columns")
        places = {(r, c): f"r{r}c{c}" for r in range(rows) for c in range(columns)}
        streets = [
            Street(id=f"{places[here]}-{places[there]}", start=places[here], end=places[there], length=length)
            for here in places
            for there in _neighbours(*here)
            if there in places
        ]
        edge = {here for here in places if sum(there in places for there in _neighbours(*here)) < 4}
        turns = {
            f"{places[back]}-{places[here]}": _grid_turns(places, back, here, here in edge)
            for here in places
            for back in _neighbours(*here)
            if back in places
        }
        origins = {places[here]: _even(places, here) for here in sorted(edge)}
        positions = {id: (c * length, (rows - 1 - r) * length) for (r, c), id in places.items()}
        return cls.from_streets(streets, turns, origins, positions)

    def describe(self) -> list[dict[str, Any]]:
        """The streets for a map: ids, ends, length in metres, and the line from end to end."""
        points = [[_short(x), _short(y)] for x, y in self.positions.tolist()]
        return [
            {
                "id": id,
                "from": self.junction_ids[start],
                "to": self.junction_ids[end],
                "length_m": _short(length),
                "points": [points[start], points[end]],
            }
            for id, start, end, length in zip(
                self.street_ids, self.start.tolist(), self.end.tolist(), self.length.tolist(), strict=True
            )
        ]


def _short(metres: float) -> float:
    """To the decimetre, and without a decimal where there is none: the map of a large town is long."""
    rounded = round(metres, 1)
    return int(rounded) if rounded.is_integer() else rounded


def _neighbours(row: int, column: int) -> list[tuple[int, int]]:
    return [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]


def _grid_turns(
    places: Mapping[tuple[int, int], str], back: tuple[int, int], here: tuple[int, int], is_edge: bool
) -> dict[str, float]:
    """Turning ratios of the street from ``back`` to ``here``: straight, right and left where these exist."""
    around = _neighbours(*here)
    came = around.index(back)
    shares = {around[(came + 2) % 4]: STRAIGHT, around[(came + 3) % 4]: RIGHT, around[(came + 1) % 4]: LEFT}
    possible = {there: share for there, share in shares.items() if there in places} or {back: 1.0}
    scale = (1 - LEAVING if is_edge else 1.0) / sum(possible.values())
    return {f"{places[here]}-{places[there]}": share * scale for there, share in possible.items()}


def _even(places: Mapping[tuple[int, int], str], here: tuple[int, int]) -> dict[str, float]:
    out = [f"{places[here]}-{places[there]}" for there in _neighbours(*here) if there in places]
    return {id: 1 / len(out) for id in out}


def _flow(streets: Sequence[Street]) -> dict[str, NDArray[np.float64]]:
    """What flows along each street, by the names of the town's arrays.

    By the triangular fundamental diagram: free speed up to capacity, then down to the jam.
    """
    length, speed, capacity, jam = (
        np.array([getattr(street, name) for street in streets], float)
        for name in ("length", "speed", "capacity", "jam_density")
    )
    wave = capacity / (jam - capacity / speed)
    return {"length": length, "speed": speed, "wave": wave, "capacity": capacity, "storage": jam * length}


def _check(streets: Sequence[Street], priorities: Mapping[str, float]) -> None:
    ids = {street.id for street in streets}
    if not ids:
        raise ValueError("a town has at least one street")
    if len(ids) != len(streets):
        raise ValueError("street ids must differ")
    for street in streets:
        sizes = (street.length, street.speed, street.capacity, street.jam_density)
        if not all(0 < size < float("inf") for size in sizes):
            raise ValueError(f"street {street.id}: length, speed, capacity and density must be above 0")
        if street.capacity >= street.jam_density * street.speed:
            raise ValueError(f"street {street.id}: no density below the jam's carries its capacity")
    for id, weight in priorities.items():
        if id not in ids:
            raise ValueError(f"priority of the unknown street {id}")
        if not 0 < weight < float("inf"):
            raise ValueError(f"the priority of {id} must be above 0")


def _movements(
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
            raise ValueError(f"unknown street in the turns of {id}")
        rows += _fan(id, index[id], streets[index[id]].end, streets, index, to)
    for number, (junction, to) in enumerate(origins.items(), len(index)):
        if junction not in junctions:
            raise ValueError(f"origin at the unknown junction {junction}")
        if abs(sum(to.values()) - 1) > 1e-9:
            raise ValueError(f"the ratios of the origin at {junction} must add up to 1")
        rows += _fan(f"the origin at {junction}", number, junction, streets, index, to)
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
    if any(id not in index for id in to):
        raise ValueError(f"unknown street in the turns of {name}")
    for id in to:
        if streets[index[id]].start != junction:
            raise ValueError(f"{id} does not begin where {name} ends")
    if not (min(to.values(), default=0) >= 0 and sum(to.values()) <= 1 + 1e-9):
        raise ValueError(f"turning ratios of {name} must be positive and add up to at most 1")
    return [(feeder, index[id], ratio) for id, ratio in to.items() if ratio > 0]
