"""Places on the earth as metres on a plane, and lengths of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import cos, hypot, pi, radians

import numpy as np

from simulator.draft import Point
from simulator.looks import Floats

__all__ = ["Plane", "are_degrees", "degrees_on_plane", "length_of", "on_plane", "plane_of"]

METRES_PER_DEGREE = 6_371_008.8 * pi / 180


class Plane:
    """The plane that touches the earth at a latitude: right to 0.1 % within 10 km or so, to 1 % within 60.

    Args: longitude, latitude: the place that becomes 0, 0. ``east``: metres of a degree to the east.
    """

    def __init__(self, longitude: float, latitude: float) -> None:
        self.longitude = longitude
        self.latitude = latitude
        self.east = METRES_PER_DEGREE * cos(radians(latitude))

    def at(self, longitude: float, latitude: float) -> Point:
        """Metres to the east and to the north."""
        return (longitude - self.longitude) * self.east, (latitude - self.latitude) * METRES_PER_DEGREE


def are_degrees(places: Mapping[str, Point]) -> bool:
    """Whether all places can be longitudes and latitudes, and lie as near as those of a town do."""
    if not places:
        return False
    xs, ys = [x for x, _ in places.values()], [y for _, y in places.values()]
    is_on_earth = all(abs(x) <= 180 for x in xs) and all(abs(y) <= 90 for y in ys)
    return is_on_earth and 0 < max(max(xs) - min(xs), max(ys) - min(ys)) <= 5


def degrees_on_plane(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Longitudes and latitudes as metres from their middle; NaN stays NaN."""
    plane = Plane(*(float(np.nanmin(each) + np.nanmax(each)) / 2 for each in (x, y)))
    return (x - plane.longitude) * plane.east, (y - plane.latitude) * METRES_PER_DEGREE


def plane_of(places: Mapping[str, Point]) -> Plane:
    """The plane at the middle of longitudes and latitudes."""
    xs, ys = [x for x, _ in places.values()], [y for _, y in places.values()]
    return Plane((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2)


def on_plane(places: Mapping[str, Point]) -> dict[str, Point]:
    """Longitudes and latitudes as metres from their middle."""
    plane = plane_of(places)
    return {id: plane.at(x, y) for id, (x, y) in places.items()}


def length_of(line: Sequence[Point]) -> float:
    """Metres along a line."""
    return sum(hypot(x - u, y - v) for (u, v), (x, y) in pairwise(line))
