"""GMNS, the General Modeling Network Specification: a folder with ``node.csv`` and ``link.csv``.

Lengths are in a unit that ``config.csv`` names, or ought to; where nodes have places, those show which unit
was meant. Speeds are in that unit an hour, capacities in vehicles/h a lane.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import hypot
from os import fspath
from os.path import join
from typing import Final

import numpy as np

from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.gmns_trips import add_demand
from simulator.importers.layout import add_positions
from simulator.importers.links import Link, add_links
from simulator.importers.plane import are_degrees, length_of, on_plane, plane_of
from simulator.importers.reading import MAX_STREETS, Lines, Path, is_there
from simulator.importers.tables import Row, rows
from simulator.importers.units import LENGTHS
from simulator.turning import add_origins, add_turns

__all__ = ["read"]

UNITS: Final = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m"),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), "km"),
    **dict.fromkeys(("ft", "foot", "feet"), "ft"),
    **dict.fromkeys(("mi", "mile", "miles"), "mi"),
}

SPEEDS: Final = {
    **dict.fromkeys(("mph", "mi/h", "mile/hour", "miles/hour"), 0.44704),
    **dict.fromkeys(("kph", "kmh", "km/h", "kmph"), 1 / 3.6),
    **dict.fromkeys(("m/s", "mps"), 1.0),
    **dict.fromkeys(("ft/s", "fps"), 0.3048),
}
"""m/s."""

STRAIGHTEST, LONGEST = 0.8, 6.0
"""A street's length beside the straight line between its ends: less or more is another unit."""

USUAL = (20.0, 3000.0)
"""Metres of the median street, where nothing else shows the unit."""

Geometry = dict[str, str]
"""Geometry id -> its text, of ``geometry.csv``."""

NUMBERS = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")


def read(folder: Path) -> Draft:
    """The town of a folder. Raises: TownError."""
    base = fspath(folder)
    draft = Draft()
    places = dict(_nodes(join(base, "node.csv")))
    is_round = are_degrees({id: place for id, place in places.items() if place is not None})
    known = {id: place for id, place in places.items() if place is not None}
    plane = plane_of(known) if is_round else None
    draft.positions = on_plane(known) if is_round else known
    links = _Links(join(base, "link.csv"), draft, set(places), _config(base))
    if is_there(join(base, "geometry.csv")):
        links.geometry = dict(_geometry(join(base, "geometry.csv")))
    found = list(links.read())
    for link in found:
        if link.shape and plane is not None:
            link.shape = [plane.at(x, y) for x, y in link.shape]
        _orient(link, draft)
    links.measure(found)
    add_links(draft, found, ("speed", "lanes", "capacity"))
    if not draft.streets:
        raise TownError(f"{links.path}:1: no streets for cars in it")
    add_positions(draft)
    if is_there(join(base, "demand.csv")):
        add_demand(draft, base)
        return draft
    add_turns(draft, exits=links.exits)
    add_origins(draft, links.entries or None)
    return draft


def _nodes(path: str) -> Iterator[tuple[str, Point | None]]:
    """Node -> its place, as it stands there."""
    aliases = {"x_coord": ("x", "lon", "longitude"), "y_coord": ("y", "lat", "latitude")}
    seen = set()
    for row in rows(path, ["node_id"], aliases):
        id = row.needed("node_id")
        if id in seen:
            raise TownError(f"{row.where}: node {id}: there are two of that name")
        seen.add(id)
        x, y = row.number("x_coord"), row.number("y_coord")
        if x is not None and y is not None and not max(abs(x), abs(y)) <= 1e9:
            raise TownError(f"{row.where}: node {id}: its position is {x:g}, {y:g}")
        yield id, None if x is None or y is None else (x, y)


def _geometry(path: str) -> Iterator[tuple[str, str]]:
    for row in rows(path, ["geometry_id", "geometry"]):
        yield row.needed("geometry_id"), row.text("geometry")


def _config(base: str) -> tuple[str | None, float | None]:
    """The long unit of length, and m/s of a unit of speed, as far as ``config.csv`` names them."""
    path = join(base, "config.csv")
    if not is_there(path):
        return None, None
    for row in rows(path, [], {"long_length": (), "speed": ("speed_unit",)}):
        unit, speed = row.text("long_length").lower(), row.text("speed").lower()
        if unit and unit not in UNITS:
            raise TownError(f"{row.where}: long_length is {unit[:40]!r}; it is one of {', '.join(UNITS)}")
        if speed and speed not in SPEEDS:
            raise TownError(f"{row.where}: speed is {speed[:40]!r}; it is one of {', '.join(SPEEDS)}")
        return UNITS.get(unit), SPEEDS.get(speed)
    return None, None


def _orient(link: Link, draft: Draft) -> None:
    """A line that is drawn from the end is turned round, as one that is no line is dropped."""
    line = link.shape
    ends = [draft.positions.get(id) for id in (link.start, link.end)]
    if line is None or len(line) < 2:
        link.shape = None
    elif ends[0] is not None and _far(line[-1], ends[0]) < _far(line[0], ends[0]):
        link.shape = line[::-1]


def _far(one: Point, other: Point) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])


class _Links:
    """The rows of ``link.csv``. ``entries``, ``exits``: junctions that connectors lead to and from."""

    def __init__(
        self, path: str, draft: Draft, nodes: set[str], config: tuple[str | None, float | None]
    ) -> None:
        self.path = path
        self.geometry: Geometry = {}
        self.entries: set[str] = set()
        self.exits: set[str] = set()
        self._draft = draft
        self._nodes = nodes
        self._unit, self._speed = config
        self._lines = Lines(path)

    def read(self) -> Iterator[Link]:
        """Links for cars, each way one; lengths and speeds in the file's units."""
        aliases = {
            "from_node_id": ("from_node",),
            "to_node_id": ("to_node",),
            "link_id": (),
            "directed": ("is_directed", "dir_flag"),
            "free_speed": ("speed_limit",),
            "facility_type": ("link_type_name", "link_type"),
            "allowed_uses": ("allowed_use", "allowed_modes"),
            "geometry_id": (),
        }
        count = 0
        for row in rows(self.path, ["from_node_id", "to_node_id"], aliases):
            start, end = row.needed("from_node_id"), row.needed("to_node_id")
            self._check_nodes(row, start, end)
            id = row.text("link_id") or f"{start}-{end}"
            if self._is_street(row, id, start, end):
                for link in self._both(row, id, start, end):
                    count += 1
                    if count > MAX_STREETS:
                        raise TownError(f"{row.where}: more than {MAX_STREETS} streets; cut a part out")
                    yield link

    def _check_nodes(self, row: Row, start: str, end: str) -> None:
        for id in (start, end):
            if id not in self._nodes:
                raise TownError(f"{row.where}: node {id[:40]} is not in node.csv")

    def _is_street(self, row: Row, id: str, start: str, end: str) -> bool:
        """Whether cars drive there; a connector's end becomes an origin or an exit."""
        kind = row.text("facility_type").lower()
        uses = row.text("allowed_uses").lower()
        if "connector" in kind:
            self._draft.repairs.append(f"{row.where}: street {id}: a connector; an origin and an exit")
            self.entries |= {start, end}
            self.exits |= {start, end}
            return False
        if uses and not any(
            use in uses for use in ("auto", "car", "all", "any", "sov", "motor", "vehicle", "da")
        ):
            self._draft.repairs.append(f"{row.where}: street {id}: left out: for {uses[:40]} only")
            return False
        lanes = row.number("lanes")
        if lanes == 0 and row.number("free_speed") is None:
            self._draft.repairs.append(f"{row.where}: street {id}: left out: a path without lanes or speed")
            return False
        return True

    def _both(self, row: Row, id: str, start: str, end: str) -> Iterator[Link]:
        """The link, and the other way where it is not directed."""
        lanes, capacity = row.number("lanes"), row.number("capacity")
        if capacity is not None:
            capacity = capacity / 3600 * (lanes or 1)
        line = _line(row, row.text("geometry") or self.geometry.get(row.text("geometry_id"), ""))
        directed = _truth(row, "directed")
        if directed is None:
            directed = True
            self._draft.warnings.append(f"{row.where}: street {id}: directed is blank; taken as one way")
        for name, ends in {id: (start, end), f"{id}r": (end, start)}.items():
            link = Link(id=name, start=ends[0], end=ends[1], where=row.where)
            link.length, link.speed = row.number("length"), row.number("free_speed")
            link.lanes, link.capacity = lanes, capacity
            link.shape = list(line) if ends[0] == start else line[::-1]
            yield link
            if directed:
                return

    def measure(self, links: list[Link]) -> None:
        """Lengths in metres and speeds in m/s, by the unit that fits most streets, or one of them."""
        straight = {id(link): self._straight(link) for link in links}
        unit = self._usual_unit(links, straight)
        factor = self._speed or (0.44704 if unit in ("mi", "ft") else 1 / 3.6)
        if self._unit is None or (self._speed is None and any(link.speed for link in links)):
            named = "miles/h" if factor == 0.44704 else f"{factor:.4g} m/s"
            self._say(f"config.csv names no units: lengths are taken as {unit}, speeds as {named}")
        elif unit != self._unit:
            self._say(f"most lengths are in {unit}, not in {self._unit} as config.csv says")
        for link in links:
            self._measure(link, straight[id(link)], unit)
            if link.speed is not None:
                link.speed *= factor

    def _say(self, text: str) -> None:
        self._draft.repairs.append(f"{self.path}:1: {text}")

    def _straight(self, link: Link) -> float:
        """Metres of its line, or between its ends; 0: not known."""
        if link.shape:
            return length_of(link.shape)
        places = self._draft.positions
        return length_of([places[id] for id in (link.start, link.end) if id in places])

    def _usual_unit(self, links: list[Link], straight: dict[int, float]) -> str:
        """The unit in which most lengths fit the places; without places that in which they are a street's."""
        ratios = [link.length / far for link in links if link.length and (far := straight[id(link)]) > 1]
        if ratios:
            typical = float(np.median(ratios))
            fitting = [unit for unit, metres in LENGTHS.items() if _fits(typical * metres)]
            if self._unit in fitting or not fitting:
                return self._unit or "m"
            return min(fitting, key=lambda unit: abs(typical * LENGTHS[unit] - 1))
        lengths = [link.length for link in links if link.length]
        typical = float(np.median(lengths)) if lengths else 0.0
        if self._unit is not None:
            return self._unit
        usual = [unit for unit, metres in LENGTHS.items() if USUAL[0] <= typical * metres <= USUAL[1]]
        return usual[0] if usual else "m"

    def _measure(self, link: Link, straight: float, unit: str) -> None:
        about = f"{link.where}: street {link.id}"
        if not link.length or link.length < 0:
            if straight > 0 and not (link.length or 0) < 0:
                said = "no length" if link.length is None else "a length of 0"
                self._draft.repairs.append(f"{about}: {said}; taken as {straight:.4g} m, from end to end")
                link.length = straight
            return
        given = link.length
        link.length = given * LENGTHS[unit]
        if straight <= 1 or _fits(link.length / straight):
            return
        others = [each for each, metres in LENGTHS.items() if _fits(given * metres / straight)]
        if others:
            other = min(others, key=lambda each: abs(given * LENGTHS[each] / straight - 1))
            link.length = given * LENGTHS[other]
            self._draft.repairs.append(f"{about}: a length of {given:g} is in {other}, not in {unit}")
        elif link.length < straight * STRAIGHTEST:
            link.length = straight
            self._draft.repairs.append(
                f"{about}: {given:g} {unit} is too short; taken as {straight:.4g} m, from end to end"
            )


def _fits(ratio: float) -> bool:
    return STRAIGHTEST <= ratio <= LONGEST


def _truth(row: Row, column: str) -> bool | None:
    """A truth value; None: blank. Raises: TownError: neither."""
    text = row.text(column).lower()
    if text in ("1", "true", "t", "yes", "1.0"):
        return True
    if text in ("0", "false", "f", "no", "0.0"):
        return False
    if text:
        raise TownError(f"{row.where}: {column} is {text[:40]!r}, neither true nor false")
    return None


def _line(row: Row, text: str) -> list[Point]:
    """The points of a WKT LINESTRING or MULTILINESTRING; none where there is no text.

    Raises: TownError: another text.
    """
    if not text:
        return []
    kind = text.strip().upper()
    if not kind.startswith(("LINESTRING", "MULTILINESTRING")):
        raise TownError(f"{row.where}: geometry is {text[:40]!r}, no LINESTRING")
    points: list[Point] = []
    for part in text.partition("(")[2].replace("(", "").replace(")", "").split(","):
        found = NUMBERS.findall(part)
        if len(found) < 2:
            raise TownError(f"{row.where}: geometry: {part.strip()[:40]!r} is no point")
        point = float(found[0]), float(found[1])
        if not points or point != points[-1]:
            points.append(point)
    return points
