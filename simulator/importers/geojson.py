"""GeoJSON: lines with properties, one feature after the other, so that memory grows with the streets alone.

Coordinates are longitude and latitude, as the standard has it, or metres where they cannot be degrees. Lines
that share a point meet there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import fspath
from typing import Any

import numpy as np

from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.plane import degrees_on_plane
from simulator.importers.reading import Path, number, opened
from simulator.importers.tags import sides
from simulator.importers.ways import Side, Way, Ways

__all__ = ["read"]

CHUNK = 1 << 16

MAX_FEATURE = 1 << 23
"""Letters of one feature, or of what stands before the first one."""

MAX_POINTS = 2_000_000

DIGITS = 7
"""Of degrees: points that differ by less are one."""

SPEEDS = ("speed", "speed_kmh", "free_speed", "maxspeed")
"""Properties that may hold km/h."""


def read(path: Path) -> Draft:
    """The town of a file. Raises: TownError."""
    lines = _Lines(fspath(path))
    for where, feature in _features(fspath(path)):
        lines.add(where, feature)
    if not lines.ways:
        raise TownError(f"{fspath(path)}:1: no streets in it: no feature is a LineString")
    x, y = np.array(list(lines.points), float).T
    if max(np.abs(x).max(), np.abs(y).max()) > 1e9:
        raise TownError(f"{fspath(path)}:1: a point is farther away than anything")
    if np.abs(x).max() <= 180 and np.abs(y).max() <= 90:
        x, y = degrees_on_plane(x, y)
    Ways(lines.draft, lines.ways, x, y, lambda point: str(point + 1)).build(fspath(path))
    return lines.draft


class _Lines:
    """Lines by the numbers of their points."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.draft = Draft()
        self.ways: list[Way] = []
        self.points: dict[Point, int] = {}
        self._others: dict[str, int] = {}

    def add(self, where: str, feature: Any) -> None:
        """The lines of one feature. Raises: TownError: it is none."""
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise TownError(f"{where}: not a Feature")
        geometry, given = feature.get("geometry") or {}, feature.get("properties") or {}
        if not isinstance(geometry, dict) or not isinstance(given, dict):
            raise TownError(f"{where}: geometry and properties of a feature are objects")
        kind, coordinates = geometry.get("type"), geometry.get("coordinates")
        if kind == "LineString":
            parts = [coordinates]
        elif kind == "MultiLineString" and isinstance(coordinates, list):
            parts = coordinates
        elif kind in ("Point", "MultiPoint", "Polygon", "MultiPolygon", None):
            # Towns are often drawn with their stops and houses.
            return
        else:
            raise TownError(f"{where}: {str(kind)[:40]!r} is no line")
        name = str(feature.get("id", given.get("id", given.get("name", len(self.ways) + 1))))
        forward, backward = self._sides(where, name, given)
        if forward is None and backward is None:
            return
        for count, part in enumerate(parts, 1):
            id = name if count == 1 else f"{name}.{count}"
            self.ways.append(Way(id, where, self._points(where, part), forward, backward))

    def _points(self, where: str, part: Any) -> list[int]:
        if not isinstance(part, list) or len(part) < 2:
            raise TownError(f"{where}: a line of fewer than two points")
        found = []
        for place in part:
            is_place = isinstance(place, list) and len(place) >= 2
            if not is_place or not all(_is_number(value) for value in place[:2]):
                raise TownError(f"{where}: {str(place)[:40]} is no point")
            point = round(float(place[0]), DIGITS), round(float(place[1]), DIGITS)
            found.append(self.points.setdefault(point, len(self.points)))
        if len(self.points) > MAX_POINTS:
            raise TownError(f"{where}: more than {MAX_POINTS} points; cut a part out")
        return found

    def _sides(self, where: str, name: str, given: Mapping[str, Any]) -> tuple[Side | None, Side | None]:
        """By OpenStreetMap's tags where it has these; else by speed, lanes, capacity and oneway."""
        if "highway" in given:
            tags = sides({key: _text(value) for key, value in given.items() if value is not None})
            if tags is None:
                return None, None
            self.draft.repairs += [f"{where}: way {name}: {line}" for line in tags.repairs]
            return tags.forward, tags.backward
        speed = next((given[key] for key in SPEEDS if given.get(key) is not None), None)
        lanes, capacity = given.get("lanes"), given.get("capacity")
        named = {"speed": speed, "lanes": lanes, "capacity": capacity}
        found = {key: _number(where, key, value) for key, value in named.items() if value is not None}
        side = Side(
            found["speed"] / 3.6 if "speed" in found else None,
            found.get("lanes"),
            found["capacity"] / 3600 if "capacity" in found else None,
        )
        way = _text(given.get("oneway", "no")).lower()
        if way not in ("yes", "true", "1", "-1", "no", "false", "0", "none", ""):
            raise TownError(f"{where}: oneway is {way[:40]!r}, neither true nor false")
        is_forward, is_backward = way != "-1", way not in ("yes", "true", "1")
        return side if is_forward else None, side if is_backward else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _number(where: str, what: str, value: Any) -> float:
    """The number, also of a text of one. Raises: TownError: it is none."""
    if isinstance(value, str):
        return number(where, what, value)
    if not _is_number(value):
        raise TownError(f"{where}: {what} is {str(value)[:40]!r}, not a number")
    return float(value)


def _text(value: Any) -> str:
    """As OpenStreetMap writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ";".join(map(_text, value)) if isinstance(value, list) else str(value)


# --- Features, one by one


def _features(path: str) -> Iterator[tuple[str, Any]]:
    """FILE:LINE and each feature of a collection, or of a line each."""
    text = _Text(path)
    text.skip_to_features()
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    while (start := text.next_value()) is not None:
        where = text.here
        while True:
            try:
                value, end = decoder.raw_decode(text.buffer, start)
                break
            except RecursionError:
                raise TownError(f"{where}: lists in lists, too deep") from None
            except ValueError as error:
                # Perhaps only because it goes on in what is not read yet.
                if len(text.buffer) - start > MAX_FEATURE:
                    raise TownError(f"{where}: more than {MAX_FEATURE} letters in one feature") from None
                if not text.read_more(start):
                    raise TownError(f"{where}: no JSON: {str(error).split(':')[0]}") from None
                start = 0
        yield where, value
        text.pass_over(start, end)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


class _Text:
    """A window on a file; ``line`` is the number of the line at ``at``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.buffer = ""
        self._line = 1
        self._at = 0
        self._is_list = False
        self._file = opened(path)
        self._rest = b""

    @property
    def here(self) -> str:
        """FILE:LINE."""
        return f"{self.path}:{self._line}"

    def read_more(self, keep: int) -> bool:
        """Drop what stands before ``keep``, which becomes 0, and read on. Returns: whether there was more."""
        self.buffer = self.buffer[keep:]
        self._at = 0
        try:
            chunk = self._file.read(CHUNK)
        except (OSError, EOFError) as error:
            raise TownError(f"{self.here}: cannot be read: {error}") from None
        content = self._rest + chunk
        if not content:
            self._file.close()
            return False
        try:
            text = content.decode()
            self._rest = b""
        except UnicodeDecodeError as error:
            # A letter may be cut in two by the end of a chunk.
            if not chunk or error.end < len(content) or error.reason != "unexpected end of data":
                raise TownError(f"{self.here}: byte 0x{content[error.start]:02x} is no utf-8 text") from None
            text, self._rest = content[: error.start].decode(), content[error.start :]
        self.buffer += text
        return True

    def skip_to_features(self) -> None:
        """To the first feature of a FeatureCollection; nowhere in a file of one feature a line."""
        self.read_more(0)
        self.buffer = self.buffer.removeprefix("\ufeff")
        if not self.buffer.strip():
            raise TownError(f"{self.here}: the file is empty")
        while True:
            found = self.buffer.find('"features"')
            begin = self.buffer.find("[", found) if found >= 0 else -1
            if begin >= 0:
                self._is_list = True
                self.pass_over(0, begin + 1)
                return
            line = self.buffer.lstrip().partition("\n")[0]
            if line.startswith("{") and '"Feature"' in line and found < 0:
                return
            if len(self.buffer) > MAX_FEATURE or not self.read_more(0):
                raise TownError(f"{self.path}:1: no FeatureCollection: it has no features")

    def next_value(self) -> int | None:
        """Where the next value begins; None: there is none."""
        while True:
            while self._at < len(self.buffer):
                letter = self.buffer[self._at]
                if letter == "]" and self._is_list:
                    return None
                if letter not in " \t\r\n,\x1e":
                    return self._at
                self._line += letter == "\n"
                self._at += 1
            if not self.read_more(len(self.buffer)):
                if self._is_list:
                    raise TownError(f"{self.here}: the file ends within its features: was it cut?")
                return None

    def pass_over(self, start: int, end: int) -> None:
        """Go on behind what was read."""
        self._line += self.buffer.count("\n", start, end)
        self._at = end
