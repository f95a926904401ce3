"""Turning ratios by time of day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.errors import TownError, numbers
from simulator.looks import Floats, Network

__all__ = ["Fans", "TurnTable", "Turns", "check_times", "row_at", "table_of"]

Fans = Mapping[str, Mapping[str, float]]
"""Street or junction -> street -> ratio."""


@dataclass(slots=True)
class Turns:
    """Turning ratios from a time on, seconds: of streets, and of origins by their junction."""

    since: float
    streets: Fans = field(default_factory=dict)
    origins: Fans = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnTable:
    """Rows of turning ratios, each of which holds from its time to the next one's.

    Args:
        times: (H,) seconds, ascending; before the first one, the last row holds where days repeat, else the
            first.
        ratios: (H, M) of each movement; 0: nobody turns so.
        day: seconds after which it begins again; inf: the last row holds for ever.
    Raises: TownError: it is none.
    """

    times: Floats
    ratios: Floats
    day: float = float("inf")

    def __post_init__(self) -> None:
        check_times("turns", self.times, self.day)
        if self.ratios.ndim != 2 or len(self.ratios) != len(self.times):
            raise TownError(f"turns: {len(self.ratios)} rows of ratios for {len(self.times)} times")
        if not ((self.ratios >= 0) & (self.ratios <= 1 + 1e-9)).all():
            raise TownError("turns: ratios are from 0 to 1")

    def row(self, time: float) -> int:
        """Which row holds at ``time``, seconds."""
        return row_at(self.times, time, self.day)


def check_times(what: str, times: Sequence[float] | Floats, day: float) -> Floats:
    """Times at which rows of a table begin. Raises: TownError: they do not ascend, or not within a day."""
    found = numbers(f"{what}: times", times, 0.0 if day < float("inf") else -np.inf)
    if not len(found) or not (np.diff(found) > 0).all():
        raise TownError(f"{what}: times of a table ascend, and there is at least one")
    if not found[-1] < day:
        raise TownError(f"{what}: a time of {found[-1]:g} s in a day of {day:g} s")
    return found


def row_at(times: Floats, time: float, day: float) -> int:
    """The row that holds at ``time``; where days repeat, the last one goes on until the first begins."""
    repeats = day < float("inf")
    place = int(np.searchsorted(times, time % day if repeats else time, side="right")) - 1
    return place if place >= 0 else len(times) - 1 if repeats else 0


def table_of(town: Network, ratio: Floats, rows: Sequence[Turns], day: float) -> TurnTable:
    """The rows in the order of the town's movements.

    Args: ratio: (M,) what holds for streets and origins that a row does not name.
    """
    streets = len(town.street_ids)
    junctions = [town.junction_ids[at] for at in town.origins.tolist()]
    pairs = list(zip(town.movement_from.tolist(), town.movement_to.tolist(), strict=True))
    table = np.tile(ratio, (len(rows), 1))
    for row, turns in zip(table, rows, strict=True):
        for at, (feeder, to) in enumerate(pairs):
            fans, id = (
                (turns.streets, town.street_ids[feeder])
                if feeder < streets
                else (turns.origins, junctions[feeder - streets])
            )
            if id in fans:
                row[at] = fans[id].get(town.street_ids[to], 0.0)
    return TurnTable(np.array([turns.since for turns in rows], float), table, day)
