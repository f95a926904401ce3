"""One street, and what its numbers may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.errors import TownError

__all__ = ["BOUNDS", "WEIGHTS", "Street", "within"]

BOUNDS = {
    "length": (0.01, 1e7, "m"),
    "speed": (0.01, 1e3, "m/s"),
    "capacity": (1e-6, 1e6, "vehicles/s"),
    "jam_density": (1e-6, 1e6, "vehicles/m"),
    "lanes": (0.01, 1e3, "lanes"),
}
WEIGHTS = (1e-9, 1e9)
"""What a priority may be: far enough apart for anything, near enough to be compared in floating point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One directed street. Speeds in m/s, lengths in m, capacity in vehicles/s, density in vehicles/m.

    Capacity and density are those of all its lanes together.
    """

    id: str
    start: str
    end: str
    length: float = 500.0
    speed: float = 50 / 3.6
    capacity: float = 0.55
    jam_density: float = 0.125
    lanes: float = 1


def within(what: str, value: Any, least: float, most: float, unit: str = "") -> float:
    """The number. Raises: TownError: it is none, or out of bounds."""
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        raise TownError(f"{what} is {value!r}, not a number") from None
    if not least <= number <= most:
        raise TownError(f"{what} is {number:g}; it must be from {least:g} to {most:g} {unit}".rstrip())
    return number
