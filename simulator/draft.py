"""A town on the drawing board: what readers of files and generators make, and ``Town.from_draft`` builds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from simulator.demand import Rates
from simulator.looks import Floats
from simulator.street import Street
from simulator.turns import Turns

__all__ = ["Draft", "Point"]

Point = tuple[float, float]
"""Metres, x to the east and y to the north."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """Everything a town is built from; as in ``Town.from_streets`` where that has it."""

    streets: list[Street] = field(default_factory=list)
    turns: dict[str, dict[str, float]] = field(default_factory=dict)
    origins: dict[str, dict[str, float]] = field(default_factory=dict)
    positions: dict[str, Point] = field(default_factory=dict)
    priorities: dict[str, float] = field(default_factory=dict)
    shapes: dict[str, Sequence[Point]] = field(default_factory=dict)
    """Street id -> the line from end to end, where it is not straight."""
    forbidden: list[tuple[str, frozenset[str], bool]] = field(default_factory=list)
    """A street, others, and whether one may turn into no other from it, or into none of them."""
    lights: set[str] | None = None
    """Junctions with a light; None: wherever three or more streets meet."""
    plans: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """Street id -> seconds of cycle, begin and green of its light, where the file tells."""
    demand: Rates | None = None
    """What wants to enter, in the order of ``origins``, where it is known."""
    hours: list[Turns] = field(default_factory=list)
    """Turning ratios by time, where they change; ``turns`` and ``origins`` have all that these have."""
    day: float = float("inf")
    """Seconds after which the hours begin again."""
    inflow: Floats | None = None
    """(O,) vehicles/s at each origin in a rush hour, where there is no better demand."""
    where: dict[str, str] = field(default_factory=dict)
    """Street id -> FILE:LINE."""
    repairs: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def about(self, id: str) -> str:
        """How a line about a street begins."""
        return f"{self.where[id]}: street {id}" if id in self.where else f"street {id}"
