"""Lines on a plane made into streets: split where they meet, crossings joined, what hangs loose left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import hypot

import numpy as np
from numpy.typing import NDArray

from simulator.components import strongly_connected
from simulator.draft import Draft
from simulator.errors import TownError
from simulator.importers.links import Link, add_links
from simulator.importers.plane import length_of
from simulator.importers.reading import MAX_STREETS
from simulator.line import Line
from simulator.looks import Floats, Ints
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
    points: Sequence[int] | NDArray[np.int32]
    forward: Side | None
    backward: Side | None


@dataclass(slots=True)
class _Segment:
    """A part of a way between two junctions; ``points`` as int32, since a town has many.

    Attributes: start, end: its first and last point. number: which part of its way it is, from 1.
    """

    way: Way
    number: int
    points: NDArray[np.int32]
    length: float
    start: int
    end: int

    @property
    def name(self) -> str:
        """Its street's, as the way is drawn."""
        return f"{self.way.id}#{self.number}"

    @property
    def sides(self) -> Iterable[tuple[Side, str, int]]:
        """Those that are open: side, what its street's name begins with, 1 or -1 as it leads."""
        for side, sign, step in ((self.way.forward, "", 1), (self.way.backward, "-", -1)):
            if side is not None:
                yield side, sign, step


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
    _names: dict[int, str] = field(default_factory=dict)
    _begins: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))
    _ends: dict[tuple[str, int], list[str]] = field(default_factory=lambda: defaultdict(list))

    def build(self, path: str) -> None:
        """Fill the draft. Raises: TownError: nothing is left, or there is too much."""
        segments = self._segments()
        degree = _degrees(segments, len(self.x))
        joint = self._join(segments, degree)
        kept = self._kept(segments, joint)
        # Streets are made only of what stays: what hangs loose can be most of a file.
        loose: list[str] = []
        add_links(self.draft, list(self._links(segments, joint, kept, loose)), ("speed", "lanes"))
        self.draft.repairs += loose
        if not self.draft.streets:
            raise TownError(f"{path}:1: no streets for cars in it")
        self._place(joint, np.flatnonzero(degree).tolist())
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
                            here = np.array(points, np.int32)
                            metres, ends = self._metres(here), (points[0], points[-1])
                            found.append(_Segment(way, count, here, metres, *ends))
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
        for point in np.asarray(way.points, np.intp).tolist():
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

    def _metres(self, points: NDArray[np.int32]) -> float:
        return float(np.hypot(np.diff(self.x[points]), np.diff(self.y[points])).sum())

    # --- Crossings

    def _join(self, segments: list[_Segment], degree: Ints) -> dict[int, int]:
        """Point -> the point that stands for its crossing. Marks lights."""
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

    def _mark(self, segments: list[_Segment], degree: Ints) -> None:
        """Lights at junctions, and those on streets just before one; the others are for pedestrians."""
        signals = self.signals or set()
        used = set()
        for point in signals:
            if degree[point] >= 3:
                self._lit.add(point)
                used.add(point)
        is_light = np.zeros(len(self.x), bool)
        is_light[list(signals)] = True
        for segment in segments:
            # Few have a light.
            if not is_light[segment.points].any():
                continue
            way = 0.0
            for before, point in pairwise(segment.points.tolist()):
                if before in signals and before not in used:
                    self._mark_near(segment, before, way, degree, used)
                way += hypot(self.x[point] - self.x[before], self.y[point] - self.y[before])
            if segment.end in signals and segment.end not in used:
                self._mark_near(segment, segment.end, way, degree, used)
        passed = np.zeros(len(self.x), bool)
        for segment in segments:
            passed[segment.points] = True
        rest = int((passed & is_light).sum()) - len(used)
        if rest:
            where = self.ways[0].where.rpartition(":")[0]
            self.draft.repairs.append(
                f"{where}:1: {rest} lights far from any junction left out: for pedestrians"
            )

    def _mark_near(self, segment: _Segment, point: int, way: float, degree: Ints, used: set[int]) -> None:
        """A light some way along a segment becomes that of the junction at its nearer end."""
        for end, far in sorted(
            ((segment.end, segment.length - way), (segment.start, way)), key=lambda each: each[1]
        ):
            if far <= STOP_LINE and end != point and degree[end] >= 3:
                self._lit.add(end)
                used.add(point)
                return

    # --- Streets

    def _kept(self, segments: list[_Segment], joint: dict[int, int]) -> set[int]:
        """The junctions of the largest part in which one can drive from everywhere to everywhere."""
        arcs = []
        for segment in segments:
            start, end = joint.get(segment.start, segment.start), joint.get(segment.end, segment.end)
            if start != end:
                arcs += [(start, end) if step > 0 else (end, start) for _, _, step in segment.sides]
        return strongly_connected(arcs)

    def _links(
        self, segments: list[_Segment], joint: dict[int, int], kept: set[int], loose: list[str]
    ) -> Iterable[Link]:
        """What becomes a street; a line in ``loose`` for each that hangs loose."""
        signed = {way for restriction in self.restrictions for way in (restriction[0], restriction[2])}
        for segment in segments:
            ends = [joint.get(point, point) for point in (segment.start, segment.end)]
            where, name = segment.way.where, segment.name
            if ends[0] == ends[1] and segment.start != segment.end:
                self.draft.repairs.append(
                    f"{where}: street {name}: left out: "
                    f"{segment.length:.3g} m within the crossing {self.name(ends[0])}"
                )
                continue
            if ends[0] != ends[1] and not (ends[0] in kept and ends[1] in kept):
                loose += [
                    f"{where}: street {sign}{name}: left out: one cannot come back from it, or not get there"
                    for _, sign, _ in segment.sides
                ]
                continue
            line = Line(np.column_stack((self.x[segment.points], self.y[segment.points])))
            names = [self._named(end) for end in ends]
            for side, sign, step in segment.sides:
                yield self._link(segment, side, f"{sign}{name}", names[::step], line[::step])
                if segment.way.id in signed:
                    begin, end = (segment.start, segment.end)[::step]
                    self._begins[segment.way.id, begin].append(f"{sign}{name}")
                    self._ends[segment.way.id, end].append(f"{sign}{name}")

    def _named(self, point: int) -> str:
        """A junction's name: one string, however many streets have it."""
        if point not in self._names:
            self._names[point] = self.name(point)
        return self._names[point]

    def _link(self, segment: _Segment, side: Side, id: str, names: list[str], line: Line) -> Link:
        return Link(
            id=id,
            start=names[0],
            end=names[1],
            where=segment.way.where,
            length=length_of(line),
            speed=side.speed,
            lanes=side.lanes,
            capacity=side.capacity,
            shape=line if len(line) > 2 else None,
        )

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


def _degrees(segments: list[_Segment], points: int) -> Ints:
    """(P,) with how many points a segment joins each, itself too for a loop; 0: none ends there."""
    one, other = (np.array([getattr(each, end) for each in segments], np.intp) for end in ("start", "end"))
    pairs = np.unique(np.concatenate((one * points + other, other * points + one)))
    return np.bincount(pairs // points, minlength=points).astype(np.intp)
