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
        Raises: ValueError: an id is unknown or used twice, or ratios add up to more than 1.
        """
        ids = [street.id for street in streets]
        index = {id: number for number, id in enumerate(ids)}
        if len(index) != len(ids):
            raise ValueError("street ids must differ")
        junctions = list(dict.fromkeys(j for street in streets for j in (street.start, street.end)))
        at = {id: number for number, id in enumerate(junctions)}
        movements = _movements(index, turns, list(origins.values()))
        capacity = np.array([street.capacity for street in streets], float)
        jam = np.array([street.jam_density for street in streets], float)
        speed = np.array([street.speed for street in streets], float)
        weights = [(priorities or {}).get(street.id, street.capacity) for street in streets]
        weights += [1.0] * len(origins)
        return cls(
            street_ids=tuple(ids),
            junction_ids=tuple(junctions),
            positions=np.array([(positions or {}).get(id, (0.0, 0.0)) for id in junctions], float),
            start=np.array([at[street.start] for street in streets], np.intp),
            end=np.array([at[street.end] for street in streets], np.intp),
            length=np.array([street.length for street in streets], float),
            speed=speed,
            # The triangular fundamental diagram: free speed up to capacity, then down to the jam.
            wave=capacity / (jam - capacity / speed),
            capacity=capacity,
            storage=jam * np.array([street.length for street in streets], float),
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
        points = self.positions.round(1).tolist()
        return [
            {
                "id": id,
                "from": self.junction_ids[start],
                "to": self.junction_ids[end],
                "length_m": length,
                "points": [points[start], points[end]],
            }
            for id, start, end, length in zip(
                self.street_ids, self.start.tolist(), self.end.tolist(), self.length.tolist(), strict=True
            )
        ]


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


def _movements(
    index: Mapping[str, int],
    turns: Mapping[str, Mapping[str, float]],
    origins: Sequence[Mapping[str, float]],
) -> list[tuple[int, int, float]]:
    rows = []
    named = [(index.get(id, -1), id, to) for id, to in turns.items()]
    named += [(len(index) + number, f"origin {number}", to) for number, to in enumerate(origins)]
    for feeder, name, to in named:
        if feeder < 0 or any(id not in index for id in to):
            raise ValueError(f"unknown street in the turns of {name}")
        if min(to.values(), default=0) < 0 or sum(to.values()) > 1 + 1e-9:
            raise ValueError(f"turning ratios of {name} must be positive and add up to at most 1")
        rows += [(feeder, index[id], ratio) for id, ratio in to.items() if ratio > 0]
    return sorted(rows)
