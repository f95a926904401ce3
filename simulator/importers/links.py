"""What files hold of a street, made into one that can be simulated; every change is a line.

Lengths, times and capacities of zero, without an end, or far from any road are replaced: by what the file
says otherwise, else by a usual street's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite

from simulator.building import check_street
from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.importers.reading import MAX_STREETS
from simulator.street import Street

__all__ = ["LANE_CAPACITY", "LANE_JAM", "Link", "add_links"]

SPEED = 50 / 3.6
"""m/s where a file has none."""

SLOWEST, FASTEST = 0.5, 70.0
"""m/s: what is beyond is a mistake, of units or of typing."""

LANE_CAPACITY = 0.5
"""Vehicles/s that a lane carries."""

LANE_JAM = 0.15
"""Vehicles/m that stand on a lane."""

LEAST_CAPACITY = 1 / 3600
"""Vehicles/s; less is nothing."""

NO_LIMIT = 99_999 / 3600
"""Vehicles/s, and more: no street has so much; files say so of streets without a limit."""

FREE_LANES = 4
"""Lanes of a street that the file gives no limit."""

MAX_LANES = 30.0

LONGEST = 1e6
"""Metres."""

USUAL = {
    "speed": f"{SPEED * 3.6:g} km/h",
    "lanes": "what the capacity needs",
    "capacity": f"{LANE_CAPACITY * 3600:g} vehicles/h a lane",
}
"""What is taken where a file says nothing."""

STEEPEST = 0.75
"""Part of the jam density at which a street carries its capacity at most, for want of a jam density."""


@dataclass(slots=True, kw_only=True)
class Link:
    """A street as a file has it. None: it does not say. ``where``: FILE:LINE."""

    id: str
    start: str
    end: str
    where: str
    length: float | None = None  # m
    speed: float | None = None  # m/s
    capacity: float | None = None  # vehicles/s, all lanes
    jam_density: float | None = None  # vehicles/m, all lanes
    lanes: float | None = None
    shape: Sequence[Point] | None = None


def add_links(draft: Draft, links: list[Link], expected: Sequence[str] = ()) -> None:
    """Make streets of links and add them to the draft, with all repairs.

    Args: expected: what such files ought to have of each; for how many they have not is told in a line each.
    Raises: TownError: a number of one cannot be repaired; there are too many, or none.
    """
    if len(links) > MAX_STREETS:
        raise TownError(f"{links[MAX_STREETS].where}: more than {MAX_STREETS} streets; cut a part out")
    for name in expected:
        missing = [link for link in links if getattr(link, name) is None]
        if missing:
            draft.repairs.append(
                f"{missing[0].where}: from here on {len(missing)} of {len(links)} streets have no {name}; "
                f"taken as {USUAL[name]}"
            )
    used = {street.id for street in draft.streets}
    for link in links:
        about = f"{link.where}: street {link.id}"
        if link.start == link.end:
            draft.repairs.append(f"{about}: left out: it ends where it begins, at {link.start}")
            continue
        link.id = _unused(link.id, used)
        if not about.endswith(f"street {link.id}"):
            draft.repairs.append(f"{about}: a second one of that name; it is called {link.id}")
        used.add(link.id)
        repair = _Repair(f"{link.where}: street {link.id}", draft.repairs)
        draft.streets.append(repair.street(link))
        draft.where[link.id] = link.where
        if link.shape and len(link.shape) > 2:
            draft.shapes[link.id] = link.shape


def _unused(id: str, used: set[str]) -> str:
    """The id, with a number behind it where there is one like it."""
    if id not in used:
        return id
    count = 2
    while f"{id}#{count}" in used:
        count += 1
    return f"{id}#{count}"


class _Repair:
    """The repairs of one link."""

    def __init__(self, about: str, repairs: list[str]) -> None:
        self._about = about
        self._repairs = repairs

    def street(self, link: Link) -> Street:
        """The street. Raises: TownError: it cannot be repaired."""
        speed = self._speed(link)
        length = self._length(link, speed)
        lanes = self._lanes(link)
        capacity = self._capacity(link, lanes)
        lanes = lanes or float(max(1, min(ceil(capacity / LANE_CAPACITY - 1e-9), int(MAX_LANES))))
        jam = self._jam(link, capacity, speed, lanes)
        ends = {"id": link.id, "start": link.start, "end": link.end}
        street = Street(**ends, length=length, speed=speed, capacity=capacity, jam_density=jam, lanes=lanes)
        try:
            check_street(street)
        except TownError as error:
            raise TownError(f"{link.where}: {error}") from None
        return street

    def _say(self, text: str) -> None:
        self._repairs.append(f"{self._about}: {text}")

    def _refuse_negative(self, what: str, value: float | None) -> None:
        if value is not None and value < 0:
            raise TownError(f"{self._about}: its {what} is {value:g}")

    def _speed(self, link: Link) -> float:
        self._refuse_negative("speed", link.speed)
        if not link.speed or not isfinite(link.speed):
            if link.speed is not None:
                self._say(f"a speed of {link.speed:g} m/s; taken as {SPEED:.4g}")
            return SPEED
        speed = min(max(link.speed, SLOWEST), FASTEST)
        if speed != link.speed:
            self._say(f"a speed of {link.speed:.4g} m/s; taken as {speed:g}")
        return speed

    def _length(self, link: Link, speed: float) -> float:
        self._refuse_negative("length", link.length)
        if link.length is None or link.length == 0:
            said = "no length" if link.length is None else "a length of 0"
            self._say(f"{said}; taken as {speed:.4g} m, a second's way")
            return speed
        if link.length > LONGEST:
            raise TownError(f"{self._about}: a length of {link.length:g} m; at most {LONGEST:g}")
        return max(link.length, 0.01)

    def _lanes(self, link: Link) -> float | None:
        self._refuse_negative("lanes", link.lanes)
        if link.lanes is None:
            return None
        if link.lanes == 0:
            self._say("no lanes; taken as one")
            return 1.0
        if link.lanes > MAX_LANES:
            self._say(f"{link.lanes:g} lanes; taken as {MAX_LANES:g}")
        return min(link.lanes, MAX_LANES)

    def _capacity(self, link: Link, lanes: float | None) -> float:
        self._refuse_negative("capacity", link.capacity)
        capacity = link.capacity
        usual = LANE_CAPACITY * (lanes or 1)
        if capacity is None:
            return usual
        if capacity >= NO_LIMIT:
            free = LANE_CAPACITY * (lanes or FREE_LANES)
            self._say(f"a capacity of {capacity * 3600:g} vehicles/h is none; taken as {free * 3600:g}")
            return free
        if capacity <= LEAST_CAPACITY * (1 + 1e-9):
            self._say(f"a capacity of {capacity * 3600:g} vehicles/h; taken as {usual * 3600:g}")
            return usual
        return capacity

    def _jam(self, link: Link, capacity: float, speed: float, lanes: float) -> float:
        """Vehicles/m, enough for the capacity at the speed."""
        self._refuse_negative("jam density", link.jam_density)
        jam = link.jam_density
        if jam is not None and (jam == 0 or not jam < inf):
            self._say(f"a jam density of {jam:g} vehicles/m; taken as {LANE_JAM * lanes:g}")
            jam = None
        if jam is None:
            jam = LANE_JAM * lanes
            least = capacity / (STEEPEST * speed)
        else:
            least = capacity / (0.999 * speed)
        if jam < least:
            self._say(
                f"{capacity * 3600:.4g} vehicles/h at {speed:.4g} m/s need a jam density "
                f"of {least:.4g} vehicles/m; it was {jam:.4g}"
            )
            return least
        return jam
