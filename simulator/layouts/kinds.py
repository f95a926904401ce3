"""Kinds of streets in towns that are made up: arterials are wide, blocks are narrow and slow."""

from __future__ import annotations

from typing import Final, TypedDict

from simulator.street import Street

__all__ = ["ARTERIAL", "COLLECTOR", "LOCAL", "Kind", "street"]

CAPACITY, JAM = 0.55, 0.125
"""Vehicles/s and vehicles/m of a lane."""


class Kind(TypedDict):
    """Lanes, and m/s."""

    lanes: float
    speed: float


ARTERIAL: Final = Kind(lanes=2, speed=60 / 3.6)
COLLECTOR: Final = Kind(lanes=1, speed=50 / 3.6)
LOCAL: Final = Kind(lanes=1, speed=30 / 3.6)


def street(start: str, end: str, length: float, kind: Kind) -> Street:
    """A street of a kind, called ``START-END``."""
    return Street(
        id=f"{start}-{end}",
        start=start,
        end=end,
        length=length,
        speed=kind["speed"],
        lanes=kind["lanes"],
        capacity=CAPACITY * kind["lanes"],
        jam_density=JAM * kind["lanes"],
    )
