"""A town: streets, junctions and what turns where, as arrays.

Feeders are everything that brings vehicles to a junction: the streets first, in order, and the origins after
them. A movement leads from a feeder to a street; movements are sorted by feeder. What is missing to 1 in the
sum of a feeder's turning ratios leaves the town at that junction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.errors import TownError
from simulator.looks import Floats, Ints, warnings_of

__all__ = ["Floats", "Ints", "Street", "Town"]

STRAIGHT, RIGHT, LEFT = 0.65, 0.2, 0.15
LEAVING = 0.3
"""Share of the vehicles reaching the town's edge that leaves it there."""

BOUNDS = {
    "length": (0.01, 1e7, "m"),
    "speed": (0.01, 1e3, "m/s"),
    "capacity": (1e-6, 1e6, "vehicles/s"),
    "jam_density": (1e-6, 1e6, "vehicles/m"),
    "lanes": (0.01, 1e3, "lanes"),
}
WEIGHTS = (1e-9, 1e9)
"""What a priority may be: far enough apart for anything, near enough to be compared in floating point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One directed street. Speeds in m/s, lengths in m, capacity in vehicles/s, density in vehicles/m.

    Capacity and density are those of all its lanes together.
    """

    id: str
    start: str
    end: str
    length: float = 500.0
    speed: float = 50 / 3.6
    capacity: float = 0.55
    jam_density: float = 0.125
    lanes: float = 1


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
    lanes: Floats  # (S,) for drawing only
    origins: Ints  # (O,) junction an origin feeds
    movement_from: Ints  # (M,) feeder, ascending
    movement_to: Ints  # (M,) street
    ratio: Floats  # (M,) share of the feeder's vehicles
    priority: Floats  # (F,) weight of a feeder where several want the same street, vehicles/s
    warnings: tuple[str, ...] = ()
    """What can be simulated, but is hardly meant: a line each, which begins with what it is about."""

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
        origin_priorities: Mapping[str, float] | None = None,
    ) -> Town:
        """Build a town from its streets.

        Args:
            turns: street id -> {street id: ratio}; the rest of 1 leaves the town.
            origins: junction id -> {street id: ratio}; an origin's ratios add up to 1.
            positions: junction id -> (x, y) in metres; for drawing only.
            priorities: street id -> weight in merges; default: its capacity.
            origin_priorities: junction id -> weight of the origin there; default: the capacity of the streets
                it feeds.
        Raises: TownError: an id is unknown or used twice, a turn leads elsewhere, ratios add up to more
            than 1, or a street cannot be.
        """
        ids = [street.id for street in streets]
        index = {id: number for number, id in enumerate(ids)}
        _check(streets)
        junctions = list(dict.fromkeys(j for street in streets for j in (street.start, street.end)))
        at = {id: number for number, id in enumerate(junctions)}
        movements = _movements(streets, index, turns, origins)
        weights = _weights(streets, index, origins, priorities or {}, origin_priorities or {})
        town = cls(
            street_ids=tuple(ids),
            junction_ids=tuple(junctions),
            positions=_positions(junctions, positions or {}),
            start=np.array([at[street.start] for street in streets], np.intp),
            end=np.array([at[street.end] for street in streets], np.intp),
            **_flow(streets),
            origins=np.array([at[id] for id in origins], np.intp),
            movement_from=np.array([m[0] for m in movements], np.intp),
            movement_to=np.array([m[1] for m in movements], np.intp),
            ratio=np.array([m[2] for m in movements], float),
            priority=weights,
        )
        return replace(town, warnings=warnings_of(town))

    @classmethod
    def grid(cls, rows: int, columns: int, *, length: float = 500.0) -> Town:
        """A grid of two-way streets: ``rows`` x ``columns`` junctions, ``length`` metres apart.

        Vehicles enter and leave at the edge. Ids: junction ``r3c4``, street ``r3c4-r3c5``.
        Raises: TownError: fewer than 2 rows or columns, or a length that cannot be.
        """
        if min(rows, columns) < 2 or max(rows, columns) > 300:
            raise TownError("a grid has 2 to 300 rows and columns")
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
        """The streets for a map: ids, ends, length in metres, jam density in vehicles/m, lanes, and the line
        from end to end.
        """
        points = [[_short(x), _short(y)] for x, y in self.positions.tolist()]
        return [
            {
                "id": id,
                "from": self.junction_ids[start],
                "to": self.junction_ids[end],
                "length_m": _short(length),
                "k_jam": float(f"{jam:.4g}"),
                "lanes": _short(lanes),
                "points": [points[start], points[end]],
            }
            for id, start, end, length, jam, lanes in zip(
                self.street_ids,
                *(each.tolist() for each in (self.start, self.end, self.length)),
                *(each.tolist() for each in (self.storage / self.length, self.lanes)),
                strict=True,
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


def _flow(streets: Sequence[Street]) -> dict[str, Any]:
    """What flows along each street, by the names of the town's arrays.

    By the triangular fundamental diagram: free speed up to capacity, then down to the jam.
    """
    length, speed, capacity, jam, lanes = (
        np.array([getattr(street, name) for street in streets], float)
        for name in ("length", "speed", "capacity", "jam_density", "lanes")
    )
    wave = capacity / (jam - capacity / speed)
    flow = {"length": length, "speed": speed, "wave": wave, "capacity": capacity}
    return {**flow, "storage": jam * length, "lanes": lanes}


def _check(streets: Sequence[Street]) -> None:
    if not streets:
        raise TownError("town: a town has at least one street")
    seen = set()
    for street in streets:
        if street.id in seen:
            raise TownError(f"street {street.id}: there are two; street ids must differ")
        seen.add(street.id)
        for name, (least, most, unit) in BOUNDS.items():
            _within(f"street {street.id}: {name}", getattr(street, name), least, most, unit)
        if street.capacity >= street.jam_density * street.speed:
            raise TownError(f"street {street.id}: no density below the jam's carries its capacity")


def _within(what: str, value: Any, least: float, most: float, unit: str = "") -> float:
    """The number. Raises: TownError: it is none, or out of bounds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TownError(f"{what} is {value!r}, not a number") from None
    if not least <= number <= most:
        raise TownError(f"{what} is {number:g}; it must be from {least:g} to {most:g} {unit}".rstrip())
    return number


def _weights(
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
        _within(f"street {id}: the priority of {id}", weight, *WEIGHTS)
    for id, weight in origin_priorities.items():
        if id not in origins:
            raise TownError(f"origin at {id}: a priority, but no such origin")
        _within(f"origin at {id}: its priority", weight, *WEIGHTS)
    fed = {
        junction: sum(streets[index[id]].capacity for id, ratio in to.items() if ratio > 0)
        for junction, to in origins.items()
    }
    weights = [priorities.get(street.id, street.capacity) for street in streets]
    return np.array(weights + [origin_priorities.get(id, fed[id]) for id in origins], float)


def _positions(junctions: Sequence[str], positions: Mapping[str, tuple[float, float]]) -> Floats:
    """(J, 2) where the junctions lie. Raises: TownError: nowhere."""
    places = [positions.get(id, (0.0, 0.0)) for id in junctions]
    for id, place in zip(junctions, places, strict=True):
        x, y = place
        for number in (x, y):
            _within(f"junction {id}: its position", number, -1e9, 1e9, "m")
    return np.array(places, float)


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
    if any(id not in index for id in to):
        raise TownError(f"{name}: unknown street in the turns of {name.removeprefix('street ')}")
    for id in to:
        if streets[index[id]].start != junction:
            raise TownError(f"{name}: {id} does not begin where {name.removeprefix('street ')} ends")
    if not (min(to.values(), default=0) >= 0 and sum(to.values()) <= 1 + 1e-9):
        raise TownError(
            f"{name}: turning ratios of {name.removeprefix('street ')} must be positive "
            "and add up to at most 1"
        )
    return [(feeder, index[id], ratio) for id, ratio in to.items() if ratio > 0]
