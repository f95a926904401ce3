"""OpenStreetMap's XML: ways for cars first, then, in a second reading, the places of their points.

So that memory grows with the streets that are kept, not with the file.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import pairwise
from os import fspath

import numpy as np

from simulator.draft import Draft
from simulator.errors import TownError
from simulator.importers.plane import degrees_on_plane
from simulator.importers.reading import Path, number
from simulator.importers.tags import TAGS, Tags, sides
from simulator.importers.ways import Side, Way, Ways
from simulator.importers.xml import Elements

__all__ = ["read"]

MAX_POINTS = 4_000_000
"""Of all ways together."""

MAX_WAYS = 250_000
MAX_RESTRICTIONS = 100_000

LIGHTS = frozenset({"traffic_signals"})


def read(path: Path) -> Draft:
    """The town of a file. Raises: TownError."""
    if fspath(path).endswith(".pbf"):
        raise TownError(f"{fspath(path)}: PBF is not read; make XML of it: osmium cat F.osm.pbf -o F.osm")
    draft = Draft()
    first = _FirstReading(path, draft)
    first.elements.read()
    if not first.ways:
        raise TownError(f"{fspath(path)}:1: no streets for cars in it")
    first.tell()
    wanted = array("q")
    wanted.frombytes(np.unique(np.frombuffer(first.points, np.int64)).tobytes())
    second = _SecondReading(path, wanted)
    second.elements.read()
    place = {way.id: way for way in first.ways}
    ids = np.frombuffer(wanted, np.int64)
    points = np.searchsorted(ids, np.frombuffer(first.points, np.int64)).astype(np.int32)
    for way, (begin, end) in zip(first.ways, pairwise(first.begins), strict=True):
        way.points = points[begin:end]
    del first.points, first.begins
    if np.isnan(second.x).all():
        raise TownError(f"{fspath(path)}:1: none of the points of its streets is in it")
    x, y = degrees_on_plane(second.x, second.y)
    ways = Ways(draft, first.ways, x, y, lambda point: str(wanted[point]), second.signals)
    for came, point, goes, is_only in first.restrictions:
        at = bisect_left(wanted, point)
        if came in place and goes in place and at < len(wanted) and wanted[at] == point:
            ways.restrictions.append((came, at, goes, is_only))
    ways.build(fspath(path))
    return draft


def _whole(elements: Elements, what: str, text: str | None) -> int:
    """The id. Raises: TownError: it is none."""
    try:
        value = int(text or "")
    except ValueError:
        value = 1 << 63
    if abs(value) >= 1 << 63:
        raise TownError(f"{elements.here}: {what} is {(text or '')[:40]!r}, not an id")
    return value


class _FirstReading:
    """Ways for cars, by the ids of their points, and turns that signs forbid."""

    def __init__(self, path: Path, draft: Draft) -> None:
        self.elements = Elements(path, self._start, self._end)
        self.ways: list[Way] = []
        self.points = array("q")
        # Where the points of each way begin, and where the last one's end.
        self.begins = array("q", [0])
        self.restrictions: list[tuple[str, int, str, bool]] = []
        self._draft = draft
        self._kind = ""
        self._id = ""
        self._where = ""
        self._begin = 0
        self._tags: dict[str, str] = {}
        self._members: dict[str, int] = {}
        self._sides: dict[Side | None, Side | None] = {}
        self._without = {"maxspeed": 0, "lanes": 0}

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name in ("way", "relation"):
            self._kind = name
            self._where = self.elements.here
            self._begin = len(self.points)
            self._id = str(_whole(self.elements, f"id of a {name}", attributes.get("id")))
            self._tags.clear()
            self._members.clear()
        elif not self._kind:
            return
        elif name == "nd" and self._kind == "way":
            self.points.append(_whole(self.elements, "ref", attributes.get("ref")))
            if len(self.points) > MAX_POINTS:
                raise TownError(f"{self.elements.here}: more than {MAX_POINTS} points; cut a part out")
        elif name == "tag":
            self._tag(attributes.get("k", ""), attributes.get("v", ""))
        elif name == "member" and attributes.get("role") in ("from", "via", "to"):
            expected = "node" if attributes["role"] == "via" else "way"
            if attributes.get("type") == expected:
                self._members[attributes["role"]] = _whole(self.elements, "ref", attributes.get("ref"))

    def _tag(self, key: str, value: str) -> None:
        if key in TAGS or (self._kind == "relation" and key == "restriction"):
            self._tags[key] = value

    def _end(self, name: str) -> None:
        if name == self._kind == "way":
            self._add_way()
        elif name == self._kind == "relation":
            self._add_restriction()
        if name == self._kind:
            self._kind = ""

    def _add_way(self) -> None:
        found = sides(self._tags)
        if found is None or len(self.points) - self._begin < 2:
            del self.points[self._begin :]
            return
        if len(self.ways) >= MAX_WAYS:
            raise TownError(f"{self._where}: more than {MAX_WAYS} ways for cars; cut a part out")
        self._count(found)
        self._draft.repairs += [f"{self._where}: way {self._id}: {line}" for line in found.repairs]
        # Most are like some other.
        both = [self._sides.setdefault(side, side) for side in (found.forward, found.backward)]
        self.ways.append(Way(self._id, self._where, (), *both))
        self.begins.append(len(self.points))

    def _count(self, found: Tags) -> None:
        self._without["maxspeed"] += not found.has_speed
        self._without["lanes"] += not found.has_lanes

    def _add_restriction(self) -> None:
        kind = self._tags.get("restriction", "")
        is_known = kind.startswith(("no_", "only_")) and len(self._members) == 3
        if is_known and len(self.restrictions) < MAX_RESTRICTIONS:
            came, goes = str(self._members["from"]), str(self._members["to"])
            self.restrictions.append((came, self._members["via"], goes, kind.startswith("only_")))

    def tell(self) -> None:
        """How many ways say nothing of what a street needs."""
        for name, count in self._without.items():
            if count:
                self._draft.repairs.append(
                    f"{self.elements.path}:1: {count} of {len(self.ways)} ways have no {name}; "
                    "taken as usual for their class"
                )


class _SecondReading:
    """Longitude, latitude and lights of the points that are wanted."""

    def __init__(self, path: Path, wanted: array[int]) -> None:
        self.elements = Elements(path, self._start, self._end)
        self.x = np.full(len(wanted), np.nan)
        self.y = np.full(len(wanted), np.nan)
        self.signals: set[int] = set()
        self._wanted = wanted
        self._last = wanted[-1]
        self._at = -1

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "node":
            id = _whole(self.elements, "id of a node", attributes.get("id"))
            at = bisect_left(self._wanted, id) if id <= self._last else -1
            self._at = at if at >= 0 and self._wanted[at] == id else -1
            if self._at >= 0:
                self.x[at] = self._degrees("lon", attributes, 180)
                self.y[at] = self._degrees("lat", attributes, 90)
        elif (
            name == "tag"
            and self._at >= 0
            and attributes.get("k") == "highway"
            and attributes.get("v") in LIGHTS
        ):
            self.signals.add(self._at)

    def _degrees(self, name: str, attributes: dict[str, str], most: float) -> float:
        value = number(self.elements.here, name, attributes.get(name, ""))
        if not abs(value) <= most:
            raise TownError(f"{self.elements.here}: {name} is {value:g} degrees")
        return value

    def _end(self, name: str) -> None:
        if name == "node":
            self._at = -1
