"""A town of blocks that looks like one: arterials, narrow streets between, one-way pairs, and a river.

Every fourth line of blocks is an arterial with two lanes to each side; of the streets between, every second
pair is one-way, there and back. The river runs from west to east, and only arterials have bridges, of which
there are few.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulator.draft import Draft, Point
from simulator.errors import TownError
from simulator.layouts.kinds import ARTERIAL, COLLECTOR, LOCAL, Kind, street
from simulator.turning import add_origins, add_turns

__all__ = ["blocks"]

BLOCK = 160.0
"""Metres from street to street."""

EVERY = 4
"""Lines of blocks from arterial to arterial."""

BRIDGES = 2
"""Every second arterial crosses the river."""

CROOKED = 0.18
"""Share of a block by which corners lie off the straight line."""

RIVER = 90.0
"""Metres that the river adds between the lines at its banks."""


@dataclass(slots=True, frozen=True)
class _Line:
    """A line of streets: their kind, and which way they lead: 0 both, 1 as numbers rise, -1 as they fall."""

    kind: Kind
    way: int


def blocks(rows: int, columns: int, seed: int) -> Draft:
    """``rows`` x ``columns`` junctions, called ``r3c4``. Vehicles start and end at all of them.

    Raises: TownError: fewer than 4 rows or columns, or more than 300.
    """
    if not (4 <= rows <= 300 and 4 <= columns <= 300):
        raise TownError(f"blocks: {rows} rows and {columns} columns; a town has 4 to 300")
    if not 0 <= seed < 1 << 63:
        raise TownError(f"blocks: seed is {seed}; it is 0 or more")
    chance = random.Random(seed)
    bank = rows // 2
    draft = Draft()
    for row in range(rows):
        for column in range(columns):
            draft.positions[_name(row, column)] = _place(row, column, rows, bank, chance)
    across, down = _lines(rows), _lines(columns)
    for row in range(rows):
        for column in range(columns):
            if column + 1 < columns:
                _join(draft, (row, column), (row, column + 1), across[row])
            if row + 1 < rows and (row + 1 != bank or _has_bridge(column, columns)):
                _join(draft, (row, column), (row + 1, column), down[column])
    add_turns(draft, exits=_gates(rows, columns, across, down))
    add_origins(draft)
    return draft


def _name(row: int, column: int) -> str:
    return f"r{row}c{column}"


def _place(row: int, column: int, rows: int, bank: int, chance: random.Random) -> Point:
    """A corner, a little off its line; row 0 in the north."""
    off = [chance.uniform(-CROOKED, CROOKED) * BLOCK for _ in range(2)]
    river = RIVER if row < bank else 0.0
    return column * BLOCK + off[0], (rows - 1 - row) * BLOCK + river + off[1]


def _lines(count: int) -> list[_Line]:
    """The lines of one direction. Those at the edges lead both ways: so one gets back from everywhere."""
    lines = []
    for at in range(count):
        place = at % EVERY
        if place == 0:
            lines.append(_Line(ARTERIAL, 0))
        elif at in (1, count - 1) or place == EVERY - 1:
            lines.append(_Line(COLLECTOR, 0))
        else:
            # Two beside each other: one there, one back.
            lines.append(_Line(LOCAL, 1 if place == 1 else -1))
    return lines


def _has_bridge(column: int, columns: int) -> bool:
    """Every second arterial, and so at least two."""
    return column % (EVERY * BRIDGES) == 0 or (column == columns - 1 and columns <= EVERY * BRIDGES)


def _join(draft: Draft, one: tuple[int, int], other: tuple[int, int], line: _Line) -> None:
    """The streets between two corners."""
    names = _name(*one), _name(*other)
    (x, y), (u, v) = (draft.positions[name] for name in names)
    length = ((x - u) ** 2 + (y - v) ** 2) ** 0.5
    if line.way >= 0:
        draft.streets.append(street(*names, length, line.kind))
    if line.way <= 0:
        draft.streets.append(street(*names[::-1], length, line.kind))


def _gates(rows: int, columns: int, across: list[_Line], down: list[_Line]) -> set[str]:
    """Where arterials reach the edge: many leave the town there."""
    found = set()
    for row in range(rows):
        if across[row].kind is ARTERIAL:
            found |= {_name(row, 0), _name(row, columns - 1)}
    for column in range(columns):
        if down[column].kind is ARTERIAL:
            found |= {_name(0, column), _name(rows - 1, column)}
    return found
