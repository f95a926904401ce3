"""TNTP, the format of the Transportation Networks collection: a net, and perhaps nodes and trips.

The files say no units. Links of zones that nobody drives through (below the first through node) are
connectors: their ends become origins and exits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.layout import add_positions
from simulator.importers.links import FASTEST, SLOWEST, SPEED, Link, add_links
from simulator.importers.plane import are_degrees, on_plane
from simulator.importers.reading import MAX_STREETS, Lines, Path, number
from simulator.importers.units import units_of
from simulator.trips import Connector, TripTable, add_trips, demand_of
from simulator.turning import add_origins, add_turns

__all__ = ["read"]

COLUMNS = ("init node", "term node", "capacity", "length", "free flow time", "b", "power", "speed")
"""Those that are read, and those between; toll and type follow."""
ALL_COLUMNS = 10
NEEDED = 5

Trips = dict[str, dict[str, float]]


@dataclass(slots=True)
class _Net:
    """What stands in a net file."""

    path: str
    metre: float
    second: float
    zones: int = 0
    first_through: int = 1
    links: list[Link] = field(default_factory=list)
    connectors: list[Connector] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)

    def is_closed(self, node: str) -> bool:
        """Whether a node is the centre of a zone, and nobody drives through it."""
        return int(node) < self.first_through and int(node) <= self.zones


def read(net: Path, node: Path | None, trips: Path | None, units: Sequence[str]) -> Draft:
    """The town of a net, with its trips as demand. Raises: TownError."""
    found = _read_net(net, *units_of(units))
    draft = Draft(repairs=found.repairs, warnings=_doubts(found, units))
    add_links(draft, found.links)
    if not draft.streets:
        raise TownError(f"{found.path}:1: no streets in it")
    if node is not None:
        places = _read_nodes(node)
        draft.positions = on_plane(places) if are_degrees(places) else places
    add_positions(draft)
    begin = {end for start, end, _ in found.connectors if found.is_closed(start)}
    exits = {start for start, end, _ in found.connectors if found.is_closed(end)}
    if trips is None:
        # Where no node is closed, zones are junctions like others.
        inside = None if found.connectors else {str(zone) for zone in range(1, found.zones + 1)}
        add_turns(draft, exits=exits)
        add_origins(draft, begin if found.connectors else inside)
        return draft
    closed = {id for start, end, _ in found.connectors for id in (start, end) if found.is_closed(id)}
    wanted = TripTable([_read_trips(trips)])
    begun, _ = add_trips(draft, wanted, Lines(trips).path, found.connectors, closed)
    draft.demand = demand_of(draft, begun, wanted)
    return draft


# --- The net


def _read_net(path: Path, metre: float, second: float) -> _Net:
    lines = Lines(path)
    rows = iter(lines)
    metadata = _metadata(lines, rows)
    net = _Net(lines.path, metre, second)
    net.zones = int(metadata.get("NUMBER OF ZONES", 0))
    if "FIRST THRU NODE" in metadata:
        net.first_through = int(metadata["FIRST THRU NODE"])
    else:
        net.repairs.append(f"{lines.here}: no first through node: every node is taken as a junction")
    count = 0
    for text in rows:
        row = text.split("~", 1)[0].strip().removesuffix(";").split()
        if row:
            count += 1
            _add_row(net, lines.here, row)
    said = metadata.get("NUMBER OF LINKS")
    if said is not None and count < said:
        raise TownError(f"{lines.here}: the file ends after {count} of {said:g} links")
    if said is not None and count > said:
        net.repairs.append(f"{lines.here}: {count} links, not {said:g} as it says; all are taken")
    return net


def _metadata(lines: Lines, rows: Iterator[str]) -> dict[str, float]:
    """Key -> number, of the lines before the end of the metadata. Raises: TownError: they have no end."""
    found: dict[str, float] = {}
    for text in rows:
        key, closes, value = text.strip().partition(">")
        key = key.removeprefix("<").strip().upper()
        if key == "END OF METADATA":
            return found
        if closes and key in ("NUMBER OF ZONES", "NUMBER OF NODES", "FIRST THRU NODE", "NUMBER OF LINKS"):
            found[key] = number(lines.here, key.lower(), value.split("~")[0].strip())
            if not (0 <= found[key] <= 1e9 and found[key].is_integer()):
                raise TownError(f"{lines.here}: {key.lower()} is {value.strip()}, not a count")
    raise TownError(f"{lines.here}: no <END OF METADATA>: it is no TNTP file, or was cut")


def _add_row(net: _Net, where: str, row: list[str]) -> None:
    """One link, a street or a connector."""
    if len(row) < NEEDED:
        raise TownError(f"{where}: {len(row)} columns; a link has at least {', '.join(COLUMNS[:NEEDED])}")
    start, end = (_node(where, name, text) for name, text in zip(COLUMNS, row[:2], strict=False))
    about = f"{where}: street {start}-{end}"
    if len(row) < ALL_COLUMNS:
        net.repairs.append(f"{about}: {len(row)} of {ALL_COLUMNS} columns; the last ones are taken as 0")
    values = [number(where, name, text) for name, text in zip(COLUMNS[2:8], row[2:8], strict=False)]
    for name, value in zip(COLUMNS[2:5], values, strict=False):
        if value < 0:
            raise TownError(f"{about}: its {name} is {value:g}")
    capacity, length, time = values[0] / 3600, values[1] * net.metre, values[2] * net.second
    if net.is_closed(start) or net.is_closed(end):
        zone, junction = (start, end) if net.is_closed(start) else (end, start)
        role = "an origin" if zone == start else "an exit"
        net.repairs.append(f"{about}: a connector of zone {zone}; {role} at {junction}")
        net.connectors.append((start, end, time if isfinite(time) else 0.0))
        return
    if len(net.links) >= MAX_STREETS:
        raise TownError(f"{where}: more than {MAX_STREETS} streets; cut a part out")
    length, speed = _length_and_speed(net, about, length, time, values[5] if len(values) > 5 else 0.0)
    link = Link(id=f"{start}-{end}", start=start, end=end, where=where, length=length, speed=speed)
    link.capacity = capacity
    net.links.append(link)


def _node(where: str, name: str, text: str) -> str:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise TownError(f"{where}: {name} is {text[:40]!r}, not the number of a node")
    return str(int(text))


def _length_and_speed(
    net: _Net, about: str, length: float, time: float, column: float
) -> tuple[float, float]:
    """Metres and m/s, whichever of length and time the file has."""
    if length > 0 and 0 < time < float("inf"):
        return length, length / time
    if length == 0 and 0 < time < float("inf"):
        net.repairs.append(f"{about}: a length of 0; taken as {time * SPEED:.4g} m, by its time")
        return time * SPEED, SPEED
    speed = _plausible(column, net)
    if length > 0:
        net.repairs.append(f"{about}: a time of {time:g} s; taken as {length / speed:.4g}")
    return length, speed


def _plausible(column: float, net: _Net) -> float:
    """m/s of the column of speeds, in whichever unit makes it a street's; else a usual one."""
    for factor in (net.metre / net.second, net.metre / 3600, 1 / 3.6):
        if 2 <= column * factor <= FASTEST:
            return column * factor
    return SPEED


def _doubts(net: _Net, units: Sequence[str]) -> list[str]:
    """A warning where most streets are slower or faster than any."""
    speeds = [link.speed for link in net.links if link.speed is not None]
    if not speeds or SLOWEST <= np.median(speeds) <= FASTEST:
        return []
    given = ",".join(units)
    return [f"{net.path}:1: a street is usually {np.median(speeds):.3g} m/s fast: are the units {given}?"]


# --- Nodes and trips


def _read_nodes(path: Path) -> dict[str, Point]:
    """Node -> (x, y), as they stand there."""
    lines = Lines(path)
    places: dict[str, Point] = {}
    for text in lines:
        row = text.split("~", 1)[0].replace(";", " ").split()
        if not row or not row[0].isdecimal():
            # The names of the columns, or metadata.
            if row and places:
                raise TownError(f"{lines.here}: {row[0][:40]!r} is not the number of a node")
            continue
        if len(row) < 3:
            raise TownError(f"{lines.here}: {len(row)} columns; a node has its number, x and y")
        place = number(lines.here, "x", row[1]), number(lines.here, "y", row[2])
        if not all(abs(value) <= 1e9 for value in place):
            raise TownError(f"{lines.here}: node {row[0]}: its position is {place[0]:g}, {place[1]:g}")
        places[str(int(row[0]))] = place
    if not places:
        raise TownError(f"{lines.here}: no nodes in it")
    return places


def _read_trips(path: Path) -> Trips:
    """Zone -> zone -> vehicles/s; trips that do not leave their zone are left out."""
    lines = Lines(path)
    rows = iter(lines)
    _metadata(lines, rows)
    trips: Trips = {}
    origin = None
    for text in rows:
        row = text.split("~", 1)[0].strip()
        if row[:6].lower() == "origin":
            origin = _node(lines.here, "origin", row[6:].strip())
            trips.setdefault(origin, {})
            continue
        for pair in filter(None, (part.strip() for part in row.split(";"))):
            zone, colon, volume = pair.partition(":")
            if origin is None or not colon:
                raise TownError(f"{lines.here}: {pair[:40]!r}; trips stand as ZONE : VOLUME; below an Origin")
            end = _node(lines.here, "destination", zone.strip())
            value = number(lines.here, f"the volume from {origin} to {end}", volume.strip())
            if not 0 <= value <= 1e7:
                raise TownError(f"{lines.here}: {value:g} vehicles/h from {origin} to {end}")
            if end != origin and value > 0:
                trips[origin][end] = trips[origin].get(end, 0.0) + value / 3600
    if not any(trips.values()):
        raise TownError(f"{lines.here}: no trips in it")
    return trips
