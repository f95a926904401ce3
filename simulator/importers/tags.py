"""What OpenStreetMap's tags say of a way: for cars or not, which ways, how fast, how many lanes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

from simulator.importers.ways import Side

__all__ = ["TAGS", "Tags", "sides"]

KMH = 1 / 3.6

CLASSES: Final = {
    "motorway": (120, 2),
    "trunk": (90, 2),
    "primary": (50, 1),
    "secondary": (50, 1),
    "tertiary": (50, 1),
    "unclassified": (50, 1),
    "residential": (30, 1),
    "living_street": (10, 1),
    "road": (50, 1),
    "motorway_link": (60, 1),
    "trunk_link": (60, 1),
    "primary_link": (50, 1),
    "secondary_link": (50, 1),
    "tertiary_link": (50, 1),
}
"""Class of a way for cars: km/h and lanes to each side, where nothing else is said."""

LANE_CAPACITY: Final = {"motorway": 0.55, "trunk": 0.55}
"""Vehicles/s of a lane, where it is another than a usual street's."""

ZONES: Final = {
    "urban": 50,
    "rural": 90,
    "trunk": 100,
    "motorway": 120,
    "living_street": 10,
    "walk": 7,
    "none": 130,
    "national": 96,
    "nsl_single": 96,
    "nsl_dual": 112,
    "nsl_restricted": 48,
    "school": 30,
    "bicycle_road": 30,
}
"""km/h of what stands where a number could."""

UNITS: Final = {"": 1.0, "km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "knots": 1.852, "m/s": 3.6}

SPEED = re.compile(r"^(\d+(?:\.\d+)?)\s*([a-z/]*)$")
ZONE = re.compile(r"^(?:[a-z]{2}:)?(?:zone:?)?(.*)$")

TAGS: Final = frozenset(
    {
        "highway",
        "oneway",
        "junction",
        "lanes",
        "maxspeed",
        "access",
        "vehicle",
        "motor_vehicle",
        "motorcar",
        "area",
    }
    | {f"{name}:{side}" for name in ("maxspeed", "lanes") for side in ("forward", "backward")}
    | {"lanes:bus", "lanes:psv", "bus:lanes", "psv:lanes"}
)
"""Those that are looked at."""

NO_ACCESS = frozenset({"no", "private", "agricultural", "forestry", "delivery", "military", "emergency"})


@dataclass(slots=True, frozen=True)
class Tags:
    """A way's sides, None where nobody may drive, and what was said or guessed."""

    forward: Side | None
    backward: Side | None
    repairs: tuple[str, ...]
    has_speed: bool
    has_lanes: bool


def sides(tags: Mapping[str, str]) -> Tags | None:
    """What the tags say; None: no way for cars."""
    kind = tags.get("highway", "")
    if kind not in CLASSES or tags.get("area") == "yes":
        return None
    for name in ("motorcar", "motor_vehicle", "vehicle", "access"):
        if name in tags:
            if tags[name] in NO_ACCESS:
                return None
            break
    repairs: list[str] = []
    is_forward, is_backward = _ways(kind, tags, repairs)
    lanes = _lanes(kind, tags, is_forward and is_backward, repairs)
    made = []
    for side, is_open, count in (("forward", is_forward, lanes[0]), ("backward", is_backward, lanes[1])):
        text = tags.get(f"maxspeed:{side}", tags.get("maxspeed"))
        speed = _speed(text, repairs) or CLASSES[kind][0]
        capacity = count * LANE_CAPACITY[kind] if kind in LANE_CAPACITY else None
        made.append(Side(speed * KMH, count, capacity) if is_open else None)
    return Tags(
        made[0],
        made[1],
        tuple(dict.fromkeys(repairs)),
        any(name.startswith("maxspeed") for name in tags),
        any(name.startswith("lanes") for name in tags),
    )


def _ways(kind: str, tags: Mapping[str, str], repairs: list[str]) -> tuple[bool, bool]:
    """Whether one may drive as the way is drawn, and the other way round."""
    text = tags.get("oneway", "").strip().lower()
    if text in ("yes", "true", "1"):
        return True, False
    if text in ("-1", "reverse"):
        return False, True
    if text in ("no", "false", "0"):
        return True, True
    if text:
        repairs.append(f"oneway is {text[:40]!r}; taken as both ways")
    is_round = tags.get("junction") in ("roundabout", "circular")
    return True, not (is_round or kind == "motorway")


def _speed(text: str | None, repairs: list[str]) -> float | None:
    """km/h; None: not said, or nonsense."""
    if text is None:
        return None
    parts = [part.strip().lower() for part in re.split(r"[|;,]", text) if part.strip()]
    found = [speed for speed in map(_one_speed, parts) if speed is not None]
    if not found:
        repairs.append(f"maxspeed is {text[:40]!r}; taken as usual for its class")
        return None
    speed = sum(found) / len(found)
    if len(parts) > 1 or not SPEED.match(parts[0]):
        repairs.append(f"maxspeed is {text[:40]!r}; taken as {speed:g} km/h")
    return speed


def _one_speed(text: str) -> float | None:
    match = SPEED.match(text)
    if match is None:
        rest = ZONE.match(text)
        name = rest.group(1) if rest else text
        if name in ZONES:
            return float(ZONES[name])
        match = SPEED.match(name)
    if match is None or match.group(2) not in UNITS:
        return None
    speed = float(match.group(1)) * UNITS[match.group(2)]
    return speed if 3 <= speed <= 250 else None


def _lanes(kind: str, tags: Mapping[str, str], is_two_way: bool, repairs: list[str]) -> tuple[float, float]:
    """Lanes for cars to each side: of a two-way street the tag counts both, and bus lanes among them."""
    usual = float(CLASSES[kind][1])
    forward, backward = (_count(tags, f"lanes:{side}", repairs) for side in ("forward", "backward"))
    total = _count(tags, "lanes", repairs)
    buses = _count(tags, "lanes:bus", repairs) or _count(tags, "lanes:psv", repairs) or _designated(tags)
    if total is not None and buses:
        total = max(total - buses, 2.0 if is_two_way else 1.0)
    if total is not None:
        if not is_two_way:
            forward, backward = forward or total, backward or total
        elif forward is not None or backward is not None:
            forward = forward or max(1.0, total - (backward or 0.0))
            backward = backward or max(1.0, total - forward)
        else:
            forward, backward = float(max(1, ceil(total / 2))), float(max(1, int(total / 2)))
    return forward or usual, backward or usual


def _designated(tags: Mapping[str, str]) -> float | None:
    """Lanes for buses alone, by what each lane is said to be for."""
    text = tags.get("bus:lanes", tags.get("psv:lanes"))
    return None if text is None else float(text.split("|").count("designated"))


def _count(tags: Mapping[str, str], name: str, repairs: list[str]) -> float | None:
    """A number of lanes; None: not said, or nonsense."""
    text = tags.get(name)
    if text is None:
        return None
    numbers = [part.strip() for part in re.split(r"[|;,]", text)]
    try:
        found = [float(part) for part in numbers if part]
    except ValueError:
        found = []
    if not found or not all(0 < value <= 20 for value in found):
        if text.strip() not in ("0", "") or name == "lanes":
            repairs.append(f"{name} is {text[:40]!r}; taken as usual for its class")
        return None
    if len(found) > 1:
        repairs.append(f"{name} is {text[:40]!r}; taken as {min(found):g}")
    return min(found)
