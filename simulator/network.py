"""A town: streets, junctions and what turns where, as arrays.

Feeders are everything that brings vehicles to a junction: the streets first, in order, and the origins after
them. A movement leads from a feeder to a street; movements are sorted by feeder. What is missing to 1 in the
sum of a feeder's turning ratios leaves the town at that junction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from simulator import building
from simulator.demand import Rates
from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.fitting import fitted, wave_of
from simulator.importers import geojson, gmns, osm, sumo, tntp, uxsim
from simulator.importers.reading import Path
from simulator.layouts.blocks import blocks
from simulator.layouts.grid import even, neighbours, turns_at
from simulator.layouts.radial import radial
from simulator.layouts.ring import ring
from simulator.looks import Floats, Ints, Truths, warnings_of
from simulator.routes import Trips
from simulator.street import Street, within
from simulator.trips import add_trips, demand_of, trip_table
from simulator.turns import TurnTable, table_of

__all__ = ["Floats", "Ints", "Street", "Town"]


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
    repairs: tuple[str, ...] = ()
    """What was changed so that it can be simulated: a line each, which begins as those of ``warnings``."""
    demand: Rates | None = None
    """What wants to enter, vehicles/s an origin, where the town's files tell; taken by default."""
    inflow: Floats | None = None  # (O,) vehicles/s in a rush hour, for want of a demand
    turns: TurnTable | None = None
    """Turning ratios by time, where they change; ``ratio`` is then that of the whole day."""
    sinks: Floats | None = (
        None  # (J,) vehicles/s that may leave the town at a junction; None, inf: any number
    )
    lit: Truths | None = None  # (J,) where lights stand; None: wherever three or more streets meet
    plans: Floats | None = None  # (3, S) seconds of cycle, begin and green that the town's files tell
    shapes: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    """Street id -> its line, metres, where it is not straight; for drawing only."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Street id -> FILE:LINE, where it came from a file."""

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
    ) -> Self:
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
        building.check(streets)
        junctions = list(dict.fromkeys(j for street in streets for j in (street.start, street.end)))
        at = {id: number for number, id in enumerate(junctions)}
        movements = building.movements(streets, index, turns, origins)
        weights = building.weights(streets, index, origins, priorities or {}, origin_priorities or {})
        town = cls(
            street_ids=tuple(ids),
            junction_ids=tuple(junctions),
            positions=building.positions(junctions, positions or {}),
            start=np.array([at[street.start] for street in streets], np.intp),
            end=np.array([at[street.end] for street in streets], np.intp),
            **building.flow(streets),
            origins=np.array([at[id] for id in origins], np.intp),
            movement_from=np.array([m[0] for m in movements], np.intp),
            movement_to=np.array([m[1] for m in movements], np.intp),
            ratio=np.array([m[2] for m in movements], float),
            priority=weights,
        )
        return replace(town, warnings=warnings_of(town))

    @classmethod
    def grid(cls, rows: int, columns: int, *, length: float = 500.0) -> Self:
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
            for there in neighbours(*here)
            if there in places
        ]
        edge = {here for here in places if sum(there in places for there in neighbours(*here)) < 4}
        turns = {
            f"{places[back]}-{places[here]}": turns_at(places, back, here, here in edge)
            for here in places
            for back in neighbours(*here)
            if back in places
        }
        origins = {places[here]: even(places, here) for here in sorted(edge)}
        positions = {id: (c * length, (rows - 1 - r) * length) for (r, c), id in places.items()}
        return cls.from_streets(streets, turns, origins, positions)

    @classmethod
    def radial(cls, rings: int, spokes: int) -> Self:
        """Spokes and rings around a centre, 400 m from ring to ring; wide streets along spokes and around.

        Vehicles start and end at every junction. Ids: junction ``c`` and ``r2s5``, street ``r2s5-r1s5``.
        Raises: TownError: fewer than 1 ring or 3 spokes, or more than 100 or 200.
        """
        return cls.from_draft(radial(rings, spokes)).fit(1.0)

    @classmethod
    def blocks(cls, rows: int, columns: int, *, seed: int = 0) -> Self:
        """Blocks of 160 m between wide arterials, with one-way pairs and a river that few bridges cross.

        Vehicles start and end at every junction. Ids: junction ``r3c4``, street ``r3c4-r3c5``.
        Raises: TownError: fewer than 4 rows or columns, or more than 300.
        """
        return cls.from_draft(blocks(rows, columns, seed)).fit(1.0)

    @classmethod
    def ring(cls, streets: int, length: float = 500.0) -> Self:
        """A ring of one-way streets, ``length`` metres each, that nobody leaves; an origin at each junction.

        Its demand half fills it in ten minutes, and ends. Ids: junction ``1``, street ``1-2``.
        Raises: TownError: fewer than 2 streets or more than 10,000, or a length that cannot be.
        """
        return cls.from_draft(ring(streets, length)).fit(1.0)

    @classmethod
    def from_tntp(
        cls, net: Path, node: Path | None = None, trips: Path | None = None, *, units: Sequence[str]
    ) -> Self:
        """Read a town of the Transportation Networks collection.

        Args:
            node: where its nodes lie, for drawing.
            trips: vehicles/h from zone to zone; they set turning ratios and ``demand``.
            units: of length (m, km, ft, mi) and of time (s, min, h), as in ``("ft", "min")``: no file says.
        Raises: TownError: a file cannot be read; it says where.
        """
        return cls.from_draft(tntp.read(net, node, trips, units)).fit(1.0)

    @classmethod
    def from_gmns(cls, folder: Path) -> Self:
        """Read a folder with ``node.csv`` and ``link.csv``, perhaps ``config.csv`` and ``geometry.csv``.

        Raises: TownError: a file cannot be read; it says where.
        """
        return cls.from_draft(gmns.read(folder)).fit(1.0)

    @classmethod
    def from_uxsim_csv(
        cls,
        nodes: Path,
        links: Path,
        demand: Path | None = None,
        *,
        encoding: str = "utf-8",
        reaction_time: float = 1.0,
    ) -> Self:
        """Read tables of UXsim's.

        Args:
            demand: sets turning ratios, by the paths of all trips together, and ``demand``.
            reaction_time: seconds; with speed and jam density it makes the capacity.
        Raises: TownError: a file cannot be read; it says where.
        """
        return cls.from_draft(uxsim.read(nodes, links, demand, encoding, reaction_time)).fit(1.0)

    @classmethod
    def from_geojson(cls, path: Path) -> Self:
        """Read lines with OSM's tags, or ``speed`` (km/h), ``lanes``, ``capacity`` (vehicles/h), ``oneway``.

        A FeatureCollection, or one feature a line. Raises: TownError: it cannot be read; it says where.
        """
        return cls.from_draft(geojson.read(path)).fit(1.0)

    @classmethod
    def from_osm(cls, path: Path) -> Self:
        """Read an extract of OpenStreetMap's, XML, perhaps packed (.gz).

        Raises: TownError: it cannot be read; it says where.
        """
        return cls.from_draft(osm.read(path)).fit(1.0)

    @classmethod
    def from_sumo_net(cls, path: Path) -> Self:
        """Read a network of SUMO's, with its lights; perhaps packed (.gz).

        Raises: TownError: it cannot be read; it says where.
        """
        return cls.from_draft(sumo.read(path)).fit(1.0)

    @classmethod
    def from_draft(cls, draft: Draft) -> Self:
        """Build what a reader or a generator has drawn. Raises: TownError: as ``from_streets``."""
        town = cls.from_streets(draft.streets, draft.turns, draft.origins, draft.positions, draft.priorities)
        lit, plans = draft.lights, None
        if draft.plans:
            nothing = (0.0, 0.0, 0.0)
            plans = np.array([draft.plans.get(id, nothing) for id in town.street_ids], float).T
        turns = table_of(town, town.ratio, draft.hours, draft.day) if draft.hours else None
        return replace(
            town,
            turns=turns,
            warnings=(*draft.warnings, *town.warnings),
            repairs=tuple(draft.repairs),
            demand=draft.demand,
            inflow=draft.inflow,
            lit=None if lit is None else np.array([id in lit for id in town.junction_ids], bool),
            plans=plans,
            shapes=draft.shapes,
            where=draft.where,
        )

    def with_trips(
        self,
        trips: Trips | Sequence[Trips],
        times: Sequence[float] | None = None,
        *,
        day: float = float("inf"),
        paths: str = "shortest",
        spread: float = 60.0,
        by_time: bool = True,
    ) -> Self:
        """The same streets, with the turning ratios, origins and demand of trips.

        Args:
            trips: junction -> junction -> vehicles/s; or several such tables, one for each of ``times``.
            times: seconds, ascending: when each table begins; it holds until the next one does.
            day: seconds after which they begin again; inf: the last one holds for ever.
            paths: "shortest", each part of the trips by the times that the parts before it have made; or
                "logit": all that lead away from the origin.
            spread: seconds by which a path is longer that 1/e as many take, of "logit".
            by_time: each table has ratios of its own; else all have those of all trips together.
        Trips without a way are left out, with a line each in ``warnings``.
        Raises: TownError: a junction is unknown, a number cannot be, or no trip has a way.
        """
        if paths not in ("shortest", "logit"):
            raise TownError(f"trips: no paths {paths!r}; there are shortest, logit")
        within("trips: spread", spread, 1e-3, 1e6, "s")
        table = trip_table(trips, times, day, self.junction_ids)
        draft = self._draft()
        begun, _ = add_trips(
            draft, table, "trips", spread=spread if paths == "logit" else None, by_time=by_time
        )
        if not draft.origins:
            raise TownError("trips: no way leads from where any of them starts to where it ends")
        draft.demand = demand_of(draft, begun, table)
        kept = {
            name: getattr(self, name)
            for name in ("length", "wave", "storage", "positions", "sinks", "lit", "plans", "shapes", "where")
        }
        return replace(self.from_draft(draft), repairs=self.repairs, **kept)

    def with_sinks(self, sinks: Mapping[str, float]) -> Self:
        """The same town, where only so many can leave it at some junctions: junction -> vehicles/s.

        Who finds no room stays at the end of the street, and holds up those behind. 0: nobody ends there.
        Raises: TownError: no such junction, or no such number.
        """
        limits = np.full(len(self.junction_ids), np.inf) if self.sinks is None else self.sinks.copy()
        at = {id: number for number, id in enumerate(self.junction_ids)}
        for id, rate in sinks.items():
            if id not in at:
                raise TownError(f"sink at {id}: there is no such junction")
            limits[at[id]] = within(f"sink at {id}: its capacity", rate, 0.0, float("inf"), "vehicles/s")
        return replace(self, sinks=limits)

    def _draft(self) -> Draft:
        """What ``from_draft`` makes the same streets, turns and origins of."""
        fans: list[dict[str, float]] = [{} for _ in self.priority]
        movements = zip(self.movement_from.tolist(), self.movement_to.tolist(), self.ratio, strict=True)
        for feeder, to, ratio in movements:
            fans[feeder][self.street_ids[to]] = float(ratio)
        numbers = zip(
            *(self.start.tolist(), self.end.tolist(), self.length.tolist(), self.speed.tolist()),
            *(self.capacity.tolist(), (self.storage / self.length).tolist(), self.lanes.tolist()),
            strict=True,
        )
        streets = [
            Street(
                id=id,
                start=self.junction_ids[start],
                end=self.junction_ids[end],
                length=length,
                speed=speed,
                capacity=capacity,
                jam_density=jam,
                lanes=lanes,
            )
            for id, (start, end, length, speed, capacity, jam, lanes) in zip(
                self.street_ids, numbers, strict=True
            )
        ]
        junctions = [self.junction_ids[at] for at in self.origins.tolist()]
        return Draft(
            streets=streets,
            turns=dict(zip(self.street_ids, fans, strict=False)),
            origins=dict(zip(junctions, fans[len(streets) :], strict=True)),
            priorities=dict(zip(self.street_ids, self.priority.tolist(), strict=False)),
        )

    def fit(self, dt: float) -> Self:
        """The same town, each street long enough for steps of ``dt`` seconds in both directions.

        Streets that are too short become as long as a vehicle drives in ``dt``; their capacity stays, and so
        does what they hold, but for those that hold less than the diagram needs: 2 capacity dt, or more where
        they are longer. Each change is a line in ``repairs``.
        Raises: TownError: ``dt`` is none.
        """
        length, storage = fitted(dt, self.length, self.speed, self.capacity, self.storage)
        changed = np.flatnonzero((length != self.length) | (storage != self.storage))
        if not len(changed):
            return self
        lines = [self._change(at, float(length[at]), float(storage[at])) for at in changed.tolist()]
        return replace(
            self,
            length=length,
            storage=storage,
            wave=wave_of(length, self.speed, self.capacity, storage),
            repairs=(*self.repairs, *(f"{line}, for steps of {dt:g} s" for line in lines)),
        )

    def _change(self, at: int, length: float, storage: float) -> str:
        """What ``fit`` does to one street."""
        id = self.street_ids[at]
        about = f"{self.where[id]}: street {id}" if id in self.where else f"street {id}"
        said = []
        if length != self.length[at]:
            said.append(f"lengthened from {self.length[at]:.4g} to {length:.4g} m")
        if storage != self.storage[at]:
            said.append(f"holds {storage:.4g} vehicles instead of {self.storage[at]:.4g}")
        return f"{about}: {', '.join(said)}"

    def bounds(self) -> tuple[Point, Point]:
        """The least and the greatest x and y of all that is drawn, metres."""
        bends = [point for line in self.shapes.values() for point in line]
        places = np.concatenate([self.positions, np.array(bends, float).reshape(-1, 2)])
        (left, below), (right, above) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
        return (left, below), (right, above)

    def jam_densities(self) -> Floats:
        """(S,) of each street with all its lanes, vehicles/m, in the four digits that the map has."""
        return np.array([float(f"{jam:.4g}") for jam in (self.storage / self.length).tolist()])

    def describe(self) -> list[dict[str, Any]]:
        """The streets for a map: ids, ends, metres, jam density in vehicles/m, lanes, the line along."""
        points = [[_short(x), _short(y)] for x, y in self.positions.tolist()]
        return [
            {
                "id": id,
                "from": self.junction_ids[start],
                "to": self.junction_ids[end],
                "length_m": _short(length),
                "k_jam": jam,
                "lanes": _short(lanes),
                "points": [[_short(x), _short(y)] for x, y in self.shapes[id]]
                if id in self.shapes
                else [points[start], points[end]],
            }
            for id, start, end, length, jam, lanes in zip(
                self.street_ids,
                *(each.tolist() for each in (self.start, self.end, self.length)),
                *(each.tolist() for each in (self.jam_densities(), self.lanes)),
                strict=True,
            )
        ]


def _short(metres: float) -> float:
    """To the decimetre, and without a decimal where there is none: the map of a large town is long."""
    rounded = round(metres, 1)
    return int(rounded) if rounded.is_integer() else rounded
