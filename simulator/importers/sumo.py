"""SUMO's networks: edges with lanes that passenger cars may use, connections, and programs of lights."""

from __future__ import annotations

from collections import defaultdict
from os import fspath

from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.layout import add_positions
from simulator.importers.lights import Program, green_of
from simulator.importers.links import Link, add_links
from simulator.importers.reading import MAX_STREETS, Path, number
from simulator.importers.xml import Elements
from simulator.turning import add_origins, add_turns

__all__ = ["read"]

MAX_CONNECTIONS = 2_000_000

MAX_PHASES = 200
"""Of one program."""

LONGEST_PHASE, USUAL_PHASE = 300.0, 30.0
"""Seconds: longer ones wait for somebody to change them by hand."""

CARS = "passenger"


def read(path: Path) -> Draft:
    """The town of a network. Raises: TownError."""
    net = _Net(path)
    net.elements.read()
    if not net.is_net:
        raise TownError(f"{fspath(path)}:1: no network of SUMO's: its first element is not net")
    draft = Draft(repairs=net.repairs, positions=net.positions, lights=net.lights)
    for link in net.links:
        for junction in (link.start, link.end):
            if junction not in net.positions:
                raise TownError(
                    f"{link.where}: street {link.id}: it has an end at {junction}, which is not there"
                )
    add_links(draft, net.links)
    if not draft.streets:
        raise TownError(f"{fspath(path)}:1: no streets for cars in it")
    _add_connections(draft, net)
    _add_plans(draft, net)
    add_positions(draft)
    add_turns(draft)
    add_origins(draft)
    return draft


def _add_connections(draft: Draft, net: _Net) -> None:
    """Turns only where the network has connections; if it has none at all, everywhere."""
    ends = {street.id: street.end for street in draft.streets}
    begins = {street.id: street.start for street in draft.streets}
    for id, end in ends.items() if net.onward else ():
        onward = {to for to in net.onward.get(id, ()) if begins.get(to) == end}
        if onward:
            draft.forbidden.append((id, frozenset(onward), True))
        else:
            draft.turns[id] = {}


def _add_plans(draft: Draft, net: _Net) -> None:
    """One green a street, of the programs that its connections are in."""
    for id, (light, places) in net.controlled.items():
        program = net.programs.get(light)
        if program is None or id not in draft.where:
            continue
        about = draft.about(id)
        if max(places) >= min(len(state) for _, state in program.phases):
            raise TownError(f"{program.where}: light {light}: no letter for place {max(places)} in a phase")
        begin, green, runs = green_of(program, places)
        if runs == 0:
            draft.repairs.append(f"{about}: never green in the program of {light}; taken as without a light")
            continue
        if runs > 1:
            draft.repairs.append(
                f"{about}: {runs} greens a cycle of {light}; the longest is taken, {green:g} s"
            )
        draft.plans[id] = program.cycle, begin, green


class _Net:
    """What is read of a file."""

    def __init__(self, path: Path) -> None:
        self.elements = Elements(path, self._start, self._end)
        self.is_net = False
        self.links: list[Link] = []
        self.positions: dict[str, Point] = {}
        self.lights: set[str] = set()
        self.onward: dict[str, set[str]] = defaultdict(set)
        self.controlled: dict[str, tuple[str, list[int]]] = {}
        self.programs: dict[str, Program] = {}
        self.repairs: list[str] = []
        self._connections = 0
        self._edge: dict[str, str] | None = None
        self._where = ""
        self._lanes: list[tuple[float, float, list[Point]]] = []
        self._program: Program | None = None
        self._handlers = {
            "edge": self._start_edge,
            "lane": self._start_lane,
            "junction": self._start_junction,
            "connection": self._start_connection,
            "tlLogic": self._start_program,
            "phase": self._start_phase,
        }

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "net":
            self.is_net = True
        elif name in self._handlers:
            self._handlers[name](attributes)

    def _end(self, name: str) -> None:
        if name == "edge" and self._edge is not None:
            self._add_edge(self._edge)
            self._edge = None
        elif name == "tlLogic" and self._program is not None:
            if not self._program.phases or not self._program.cycle > 0:
                raise TownError(f"{self._program.where}: a light without phases")
            self._program = None

    # --- Edges

    def _start_edge(self, attributes: dict[str, str]) -> None:
        if attributes.get("function", "normal") == "normal":
            self._where = self.elements.here
            self._edge = attributes
            self._lanes = []

    def _start_lane(self, attributes: dict[str, str]) -> None:
        if self._edge is None or not _is_for_cars(attributes):
            return
        where = self.elements.here
        speed, length = (number(where, name, self._needed(attributes, name)) for name in ("speed", "length"))
        self._lanes.append((speed, length, _shape(where, attributes.get("shape", ""))))

    def _add_edge(self, edge: dict[str, str]) -> None:
        if not self._lanes:
            return
        if len(self.links) >= MAX_STREETS:
            raise TownError(f"{self._where}: more than {MAX_STREETS} streets; cut a part out")
        speeds, lengths, shapes = zip(*self._lanes, strict=True)
        ends = {name: edge.get(name, "") for name in ("id", "from", "to")}
        for name, text in ends.items():
            if not text:
                raise TownError(f"{self._where}: an edge without {name}")
        link = Link(id=ends["id"], start=ends["from"], end=ends["to"], where=self._where)
        link.speed, link.length = sum(speeds) / len(speeds), sum(lengths) / len(lengths)
        link.lanes = float(len(self._lanes))
        link.shape = _shape(self._where, edge.get("shape", "")) or shapes[len(shapes) // 2]
        self.links.append(link)

    def _needed(self, attributes: dict[str, str], name: str) -> str:
        if name not in attributes:
            raise TownError(f"{self.elements.here}: no {name} in this element")
        return attributes[name]

    # --- Junctions, connections, lights

    def _start_junction(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "")
        if kind == "internal":
            return
        where, id = self.elements.here, self._needed(attributes, "id")
        place = [number(where, name, self._needed(attributes, name)) for name in ("x", "y")]
        if not max(map(abs, place)) <= 1e9:
            raise TownError(f"{where}: junction {id}: its position is {place[0]:g}, {place[1]:g}")
        self.positions[id] = place[0], place[1]
        if kind.startswith("traffic_light"):
            self.lights.add(id)

    def _start_connection(self, attributes: dict[str, str]) -> None:
        came, goes = attributes.get("from", ""), attributes.get("to", "")
        if not came or came.startswith(":"):
            return
        self._connections += 1
        if self._connections > MAX_CONNECTIONS:
            raise TownError(f"{self.elements.here}: more than {MAX_CONNECTIONS} connections; cut a part out")
        self.onward[came].add(goes)
        if "tl" in attributes and "linkIndex" in attributes:
            text = attributes["linkIndex"]
            if text == "-1":
                # Part of the junction, but not of its program.
                return
            if not (text.isascii() and text.isdecimal() and len(text) < 7):
                raise TownError(f"{self.elements.here}: linkIndex is {text[:40]!r}, not a place")
            light, places = self.controlled.setdefault(came, (attributes["tl"], []))
            if light == attributes["tl"]:
                places.append(int(text))

    def _start_program(self, attributes: dict[str, str]) -> None:
        where, id = self.elements.here, self._needed(attributes, "id")
        offset = number(where, "offset", attributes.get("offset", "0"))
        if not abs(offset) <= 1e6:
            raise TownError(f"{where}: light {id}: its offset is {offset:g} s")
        kind = attributes.get("type", "static")
        if kind != "static":
            self.repairs.append(f"{where}: light {id}: {kind[:40]}; its phases are taken as fixed")
        self._program = Program(where, offset)
        # Of several programs the first one runs.
        self.programs.setdefault(id, self._program)

    def _start_phase(self, attributes: dict[str, str]) -> None:
        if self._program is None:
            return
        where = self.elements.here
        seconds = number(where, "duration", self._needed(attributes, "duration"))
        if not 0 <= seconds < float("inf"):
            raise TownError(f"{where}: a phase of {seconds:g} s")
        if seconds > LONGEST_PHASE:
            self.repairs.append(f"{where}: a phase of {seconds:g} s; taken as {USUAL_PHASE:g} s")
            seconds = USUAL_PHASE
        self._program.phases.append((seconds, self._needed(attributes, "state")))
        if len(self._program.phases) > MAX_PHASES:
            raise TownError(f"{where}: more than {MAX_PHASES} phases of one light")


def _is_for_cars(lane: dict[str, str]) -> bool:
    if "allow" in lane:
        return bool({CARS, "all"} & set(lane["allow"].split()))
    return not {CARS, "all"} & set(lane.get("disallow", "").split())


def _shape(where: str, text: str) -> list[Point]:
    """Points, of ``x,y x,y``. Raises: TownError: another text."""
    points = []
    for pair in text.split():
        x, comma, rest = pair.partition(",")
        if not comma:
            raise TownError(f"{where}: shape: {pair[:40]!r} is no point")
        points.append((number(where, "shape", x), number(where, "shape", rest.partition(",")[0])))
    return points
