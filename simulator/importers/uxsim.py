"""UXsim's tables: nodes, links and perhaps demand, in metres, m/s, vehicles/m and vehicles/s.

A link's capacity is u k / (1 + u k t), with its speed u, its jam density k and the reaction time t.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, isfinite

from simulator.demand import DemandTable
from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.layout import add_positions
from simulator.importers.links import Link, add_links
from simulator.importers.plane import are_degrees, on_plane
from simulator.importers.reading import MAX_STREETS, Lines, Path
from simulator.importers.tables import Row, rows
from simulator.street import WEIGHTS
from simulator.trips import TripTable, add_trips
from simulator.turning import add_origins, add_turns

__all__ = ["read"]

MAX_ROWS = 1_000_000
"""Of a table of demand."""

HOUR, MAX_HOURS = 3600.0, 48
"""Seconds of trips that share their paths; so many of them, or longer ones."""

LEAST_WEIGHT = 1e-6
"""In merges, where a file says 0: whoever else comes goes first."""


@dataclass(slots=True, frozen=True)
class _Wish:
    """Vehicles/s from one node to another, from one second to another."""

    start: str
    end: str
    since: float
    until: float
    rate: float


def read(nodes: Path, links: Path, demand: Path | None, encoding: str, reaction_time: float) -> Draft:
    """The town of these tables. Raises: TownError."""
    if not 0.01 <= reaction_time <= 100:
        raise TownError(f"reaction_time: {reaction_time:g}; it must be from 0.01 to 100 s")
    draft = Draft()
    draft.positions = _nodes(nodes, encoding)
    if are_degrees(draft.positions):
        draft.positions = on_plane(draft.positions)
    known = set(draft.positions)
    priorities: dict[str, float] = {}
    found: list[Link] = []
    for row in rows(links, ["name", "start", "end", "length", "u", "kappa"], {}, encoding):
        if len(found) >= MAX_STREETS:
            raise TownError(f"{row.where}: more than {MAX_STREETS} streets; cut a part out")
        link, weight = _link(row, known, draft, reaction_time)
        found.append(link)
        if weight is not None:
            priorities[link.where] = weight
    add_links(draft, found)
    if not draft.streets:
        raise TownError(f"{Lines(links).path}:1: no streets in it")
    by_where = {where: id for id, where in draft.where.items()}
    draft.priorities = {by_where[at]: weight for at, weight in priorities.items() if at in by_where}
    add_positions(draft)
    if demand is None:
        add_turns(draft)
        add_origins(draft)
    else:
        _add_demand(draft, Lines(demand).path, _wishes(demand, known, encoding))
    return draft


def _nodes(path: Path, encoding: str) -> dict[str, Point]:
    places: dict[str, Point] = {}
    for row in rows(path, ["name", "x", "y"], {}, encoding):
        name = row.needed("name")
        if name in places:
            raise TownError(f"{row.where}: node {name}: there are two of that name")
        x, y = row.needed_number("x"), row.needed_number("y")
        if not max(abs(x), abs(y)) <= 1e9:
            raise TownError(f"{row.where}: node {name}: its position is {x:g}, {y:g}")
        places[name] = x, y
    return places


def _link(row: Row, known: set[str], draft: Draft, reaction_time: float) -> tuple[Link, float | None]:
    """The link of a row, and its weight in merges."""
    name, start, end = row.needed("name"), row.needed("start"), row.needed("end")
    for node in (start, end):
        if node not in known:
            raise TownError(f"{row.where}: street {name}: it has an end at {node}, which is no node")
    link = Link(id=name, start=start, end=end, where=row.where)
    link.length, link.speed = row.needed_number("length"), row.needed_number("u")
    link.jam_density, link.lanes = row.needed_number("kappa"), row.number("number_of_lanes")
    if not 0 <= link.jam_density <= 1e6:
        raise TownError(f"{row.where}: street {name}: its kappa is {link.jam_density:g} vehicles/m")
    if link.jam_density and link.speed and isfinite(link.speed):
        flow = link.speed * link.jam_density
        link.capacity = flow / (1 + flow * reaction_time)
    weight = row.number("merge_priority")
    if weight is not None and not WEIGHTS[0] <= weight <= WEIGHTS[1]:
        if weight != 0:
            raise TownError(f"{row.where}: street {name}: its merge_priority is {weight:g}")
        draft.repairs.append(f"{row.where}: street {name}: a priority of 0; taken as {LEAST_WEIGHT:g}")
        weight = LEAST_WEIGHT
    return link, weight


def _wishes(path: Path, known: set[str], encoding: str) -> list[_Wish]:
    wishes: list[_Wish] = []
    aliases = {"q": ("flow",), "orig": ("origin",), "dest": ("destination",)}
    for row in rows(path, ["orig", "dest", "start_t", "end_t", "q"], aliases, encoding):
        start, end = row.needed("orig"), row.needed("dest")
        for node in (start, end):
            if node not in known:
                raise TownError(f"{row.where}: demand from {start} to {end}: {node} is no node")
        since, until, rate = (row.needed_number(name) for name in ("start_t", "end_t", "q"))
        if not (-1e9 <= since < until <= 1e9):
            raise TownError(f"{row.where}: demand from {since:g} to {until:g} s: it ends before it begins")
        if not 0 <= rate <= 1e4:
            raise TownError(f"{row.where}: demand from {start} to {end}: {rate:g} vehicles/s")
        if len(wishes) >= MAX_ROWS:
            raise TownError(f"{row.where}: more than {MAX_ROWS} rows of demand")
        wishes.append(_Wish(start, end, since, until, rate))
    if not any(wish.rate for wish in wishes):
        raise TownError(f"{Lines(path).path}:1: no demand in it")
    return wishes


def _add_demand(draft: Draft, path: str, wishes: list[_Wish]) -> None:
    """Paths by the trips of each hour; who enters when by the rows."""
    first, last = min(wish.since for wish in wishes), max(wish.until for wish in wishes)
    count = min(max(ceil((last - first) / HOUR), 1), MAX_HOURS)
    length = HOUR if count < MAX_HOURS else (last - first) / count
    edges = [first + length * n for n in range(count)]
    edges.append(last)
    hours: list[dict[str, dict[str, float]]] = [defaultdict(lambda: defaultdict(float)) for _ in range(count)]
    for wish in wishes:
        for hour, since, until in _within(wish, edges):
            share = (until - since) / (edges[hour + 1] - edges[hour])
            hours[hour][wish.start][wish.end] += wish.rate * share
    begun, lost = add_trips(draft, TripTable(hours, edges[:-1]), path)
    place = {junction: number for number, junction in enumerate(draft.origins)}
    table = []
    for wish in wishes:
        if (wish.start, wish.end) not in lost and wish.rate:
            for hour, since, until in _within(wish, edges):
                total = sum(begun[hour][wish.start].values())
                for junction, flow in begun[hour][wish.start].items():
                    table.append((place[junction], since, until, wish.rate * flow / total))
    draft.demand = DemandTable(len(draft.origins), table)


def _within(wish: _Wish, edges: list[float]) -> Iterator[tuple[int, float, float]]:
    """The hours that a row is in, and from when to when."""
    for hour in range(max(bisect_right(edges, wish.since) - 1, 0), len(edges) - 1):
        since, until = max(wish.since, edges[hour]), min(wish.until, edges[hour + 1])
        if since >= until:
            return
        yield hour, since, until
