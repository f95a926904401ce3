"""Lines on a plane made into streets: split where they meet, crossings joined, what hangs loose left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import hypot

import numpy as np
from numpy.typing import NDArray

from simulator.components import strongly_connected
from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.links import Link, add_links
from simulator.importers.plane import length_of
from simulator.importers.reading import MAX_STREETS
from simulator.looks import Floats
from simulator.turning import add_origins, add_turns

__all__ = ["Side", "Way", "Ways"]

CROSSING = 20.0
"""Metres: junctions with lights that are nearer are parts of one crossing."""

STOP_LINE = 30.0
"""Metres from a junction within which a light on a street is the junction's."""


@dataclass(slots=True, frozen=True)
class Side:
    """One side of a way: m/s, lanes, and vehicles/s of all of them, where they are known."""

    speed: float | None
    lanes: float | None
    capacity: float | None = None


@dataclass(slots=True)
class Way:
    """A line by the numbers of its points; sides are None where nobody drives."""

    id: str
    where: str
    points: Sequence[int]
    forward: Side | None
    backward: Side | None


@dataclass(slots=True)
class _Segment:
    """A part of a way between two junctions."""

    way: Way
    name: str
    points: list[int]
    length: float
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Ways:
    """The ways of a town, and what is known of their points.

    Attributes:
        x, y: metres of each point; NaN: not in the file.
        name: of a point that becomes a junction.
        signals: points with a light; None: nothing is known of lights.
        restrictions: (way, point, way, whether nothing else is allowed) of turns that are forbidden.
    """

    draft: Draft
    ways: list[Way]
    x: Floats
    y: Floats
    name: Callable[[int], str]
    signals: set[int] | None = None
    restrictions: list[tuple[str, int, str, bool]] = field(default_factory=list)
    _lit: set[int] = field(default_factory=set)
    _begins: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    _ends: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))

    def build(self, path: str) -> None:
        """Fill the draft. Raises: TownError: nothing is left, or there is too much."""
        segments = self._segments()
        degree = _neighbours(segments)
        joint = self._join(segments, degree)
        links = list(self._links(segments, joint))
        add_links(self.draft, links, ("speed", "lanes"))
        self._drop_loose()
        if not self.draft.streets:
            raise TownError(f"{path}:1: no streets for cars in it")
        self._place(joint, degree)
        self._forbid()
        add_turns(self.draft)
        add_origins(self.draft)

    # --- Splitting

    def _segments(self) -> list[_Segment]:
        """Ways cut at points that they share, and where points are missing."""
        is_split = self._shared()
        known = ~np.isnan(self.x)
        found: list[_Segment] = []
        for way in self.ways:
            runs = self._runs(way, known)
            count = 0
            for run in runs:
                first = 0
                for at in range(1, len(run)):
                    if is_split[run[at]] or at == len(run) - 1:
                        for points in _opened(run[first : at + 1]):
                            count += 1
                            found.append(_Segment(way, f"{way.id}#{count}", points, self._metres(points)))
                        first = at
            if len(found) > MAX_STREETS:
                raise TownError(f"{way.where}: more than {MAX_STREETS} streets; cut a part out")
        return found

    def _shared(self) -> NDArray[np.bool_]:
        """(P,) points at which ways are cut: ends, and what more than one passes."""
        uses = np.zeros(len(self.x), np.int32)
        for way in self.ways:
            np.add.at(uses, np.asarray(way.points, np.intp), 1)
            if len(way.points):
                uses[[way.points[0], way.points[-1]]] += 1
        return uses > 1

    def _runs(self, way: Way, known: NDArray[np.bool_]) -> list[list[int]]:
        """The parts of a way whose points are all there."""
        runs: list[list[int]] = [[]]
        missing = 0
        for point in way.points:
            if not known[point]:
                missing += 1
                runs.append([])
            elif not runs[-1] or runs[-1][-1] != point:
                runs[-1].append(point)
        if missing:
            self.draft.repairs.append(
                f"{way.where}: way {way.id}: cut at {missing} points that are not there"
            )
        return [run for run in runs if len(run) > 1]

    def _metres(self, points: list[int]) -> float:
        return float(np.hypot(np.diff(self.x[points]), np.diff(self.y[points])).sum())

    # --- Crossings

    def _join(self, segments: list[_Segment], degree: dict[int, set[int]]) -> dict[int, int]:
        """Point -> the point that stands for its crossing. Marks lights."""
        for segment in segments:
            segment.start, segment.end = segment.points[0], segment.points[-1]
        if self.signals is None:
            return {}
        self._mark(segments, degree)
        joint: dict[int, int] = {}
        for segment in segments:
            both = segment.start in self._lit and segment.end in self._lit
            if both and segment.length < CROSSING and segment.start != segment.end:
                one, other = _root(joint, segment.start), _root(joint, segment.end)
                if one != other:
                    joint[max(one, other)] = min(one, other)
        joined = {point: _root(joint, point) for point in joint}
        self._lit = {joined.get(point, point) for point in self._lit}
        return joined

    def _mark(self, segments: list[_Segment], degree: dict[int, set[int]]) -> None:
        """Lights at junctions, and those on streets just before one; the others are for pedestrians."""
        signals = self.signals or set()
        used = set()
        for point in signals & degree.keys():
            if len(degree[point]) >= 3:
                self._lit.add(point)
                used.add(point)
        for segment in segments:
            way = 0.0
            for before, point in zip(segment.points, segment.points[1:], strict=False):
                if before in signals and before not in used:
                    self._mark_near(segment, before, way, degree, used)
                way += hypot(self.x[point] - self.x[before], self.y[point] - self.y[before])
            if segment.end in signals and segment.end not in used:
                self._mark_near(segment, segment.end, way, degree, used)
        rest = len((signals & {point for segment in segments for point in segment.points}) - used)
        if rest:
            where = self.ways[0].where.rpartition(":")[0]
            self.draft.repairs.append(
                f"{where}:1: {rest} lights far from any junction left out: for pedestrians"
            )

    def _mark_near(
        self, segment: _Segment, point: int, way: float, degree: dict[int, set[int]], used: set[int]
    ) -> None:
        """A light some way along a segment becomes that of the junction at its nearer end."""
        for end, far in sorted(
            ((segment.end, segment.length - way), (segment.start, way)), key=lambda each: each[1]
        ):
            if far <= STOP_LINE and end != point and len(degree[end]) >= 3:
                self._lit.add(end)
                used.add(point)
                return

    # --- Streets

    def _links(self, segments: list[_Segment], joint: dict[int, int]) -> Iterable[Link]:
        for segment in segments:
            ends = [joint.get(point, point) for point in (segment.start, segment.end)]
            way = segment.way
            if ends[0] == ends[1] and segment.start != segment.end:
                self.draft.repairs.append(
                    f"{way.where}: street {segment.name}: left out: "
                    f"{segment.length:.3g} m within the crossing {self.name(ends[0])}"
                )
                continue
            line = [(float(self.x[point]), float(self.y[point])) for point in segment.points]
            names = [self.name(end) for end in ends]
            for side, sign in ((way.forward, ""), (way.backward, "-")):
                if side is not None:
                    step = -1 if sign else 1
                    yield self._link(segment, side, sign, names[::step], line[::step])
                    begin, end = (segment.start, segment.end)[::step]
                    self._begins[way.id, begin].append(f"{sign}{segment.name}")
                    self._ends[way.id, end].append(f"{sign}{segment.name}")

    def _link(self, segment: _Segment, side: Side, sign: str, names: list[str], line: list[Point]) -> Link:
        return Link(
            id=f"{sign}{segment.name}",
            start=names[0],
            end=names[1],
            where=segment.way.where,
            length=length_of(line),
            speed=side.speed,
            lanes=side.lanes,
            capacity=side.capacity,
            shape=line,
        )

    def _drop_loose(self) -> None:
        """Keep the largest part of the town in which one can drive from everywhere to everywhere."""
        draft = self.draft
        kept = strongly_connected([(street.start, street.end) for street in draft.streets])
        left = []
        for street in draft.streets:
            if street.start in kept and street.end in kept:
                left.append(street)
            else:
                draft.repairs.append(
                    f"{draft.about(street.id)}: left out: one cannot come back from it, or not get there"
                )
                draft.where.pop(street.id, None)
                draft.shapes.pop(street.id, None)
        draft.streets = left

    def _place(self, joint: dict[int, int], junctions: Iterable[int]) -> None:
        """Where junctions lie, crossings in the middle of their parts; and which have lights."""
        ends = {id for street in self.draft.streets for id in (street.start, street.end)}
        parts: dict[str, list[int]] = defaultdict(list)
        for point in junctions:
            parts[self.name(joint.get(point, point))].append(point)
        for name, points in parts.items():
            if name in ends:
                self.draft.positions[name] = float(self.x[points].mean()), float(self.y[points].mean())
        if self.signals is not None:
            self.draft.lights = {self.name(point) for point in self._lit} & ends

    def _forbid(self) -> None:
        """Turns that signs forbid, as far as both streets are there."""
        kept = {street.id for street in self.draft.streets}
        for came, point, goes, is_only in self.restrictions:
            onward = kept.intersection(self._begins.get((goes, point), ()))
            if onward:
                for id in kept.intersection(self._ends.get((came, point), ())):
                    self.draft.forbidden.append((id, frozenset(onward), is_only))


def _opened(points: list[int]) -> list[list[int]]:
    """The points of a segment; a loop is cut in its middle, so that it is two streets and not none."""
    if points[0] != points[-1] or len(points) < 4:
        return [points]
    middle = len(points) // 2
    return [points[: middle + 1], points[middle:]]


def _root(joint: dict[int, int], point: int) -> int:
    while point in joint:
        point = joint[point]
    return point


def _neighbours(segments: list[_Segment]) -> dict[int, set[int]]:
    """Junction -> those that a segment joins it with, and itself for each loop."""
    near: dict[int, set[int]] = defaultdict(set)
    for segment in segments:
        one, other = segment.points[0], segment.points[-1]
        near[one].add(other)
        near[other].add(one)
    return dict(near)
