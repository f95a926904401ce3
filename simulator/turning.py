"""Who turns where, and who starts and ends where, for want of anything better: by angles and by capacity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from math import atan2, degrees, exp

import numpy as np

from simulator.draft import Draft, Point
from simulator.looks import Floats
from simulator.street import Street

__all__ = ["add_origins", "add_turns", "inflow_of", "line_of"]

STRAIGHT, RIGHT, LEFT = 0.65, 0.2, 0.15
STRAIGHT_ANGLE = 45.0
"""Degrees to either side that are still straight on."""

TRIP = 2500.0
"""Metres that a vehicle drives on average before it ends inside the town."""

LEAST_LEAVING = 0.02
"""Share that ends on each street at least, so that nobody drives on for ever."""

AT_EXITS = 0.3
"""Share of those who come to an exit that leaves there."""

AT_DEAD_ENDS = 0.5
"""Share that ends where one can only turn round."""

FILLED = 1.0
"""Of what the busiest street carries: what a rush hour asks for; some towns gridlock from 1.15 on."""

ROUNDS = 6
"""In which the busiest streets are relieved."""

BUSY = 0.9
"""Share of streets that are less busy than those that are relieved."""

GREEN = 0.45
"""Part of the time that a street at a light may leave."""


def add_turns(draft: Draft, exits: Collection[str] = (), trip: float = TRIP) -> None:
    """Fill in ``turns`` of the streets that have none.

    Args: exits: junctions at which many leave. trip: metres after which vehicles end anywhere.
    """
    begin = _beginning(draft)
    rules: dict[str, list[tuple[frozenset[str], bool]]] = defaultdict(list)
    for id, others, is_only in draft.forbidden:
        rules[id].append((others, is_only))
    for street in draft.streets:
        if street.id not in draft.turns:
            leaving = max(LEAST_LEAVING, 1 - exp(-street.length / trip))
            onward = _allowed(begin.get(street.end, []), rules.get(street.id, []))
            if street.end in exits:
                leaving = 1 - (1 - leaving) * (1 - AT_EXITS)
            draft.turns[street.id] = _turns(draft, street, onward, leaving)


def add_origins(draft: Draft, origins: Collection[str] | None = None) -> None:
    """Set ``origins``, relieve the busiest streets, and set the ``inflow`` that the town can take.

    Args: origins: junctions at which vehicles start; None, or none of these: all that a street begins at.
    """
    begin = _beginning(draft)
    chosen = [id for id in begin if origins is None or id in origins] or list(begin)
    for junction in chosen:
        total = sum(street.capacity for street in begin[junction])
        draft.origins[junction] = {street.id: street.capacity / total for street in begin[junction]}
    relieve(draft)
    draft.inflow = inflow_of(draft)


def _beginning(draft: Draft) -> dict[str, list[Street]]:
    """Junction -> the streets that begin there."""
    begin: dict[str, list[Street]] = defaultdict(list)
    for street in draft.streets:
        begin[street.start].append(street)
    return dict(begin)


def _allowed(onward: list[Street], rules: list[tuple[frozenset[str], bool]]) -> list[Street]:
    """Those that signs allow; all of them where signs allow nothing."""
    left = [out for out in onward if all((out.id in others) == is_only for others, is_only in rules)]
    return left or onward


def _turns(draft: Draft, street: Street, onward: list[Street], leaving: float) -> dict[str, float]:
    """Ratios at the end of a street; back where it came from only if nothing else is there."""
    ahead = [out for out in onward if out.end != street.start]
    if not ahead:
        leaving = max(leaving, AT_DEAD_ENDS)
        ahead = onward
    weights = {out.id: out.capacity * _share(_angle(draft, street, out)) for out in ahead}
    total = sum(weights.values())
    return {id: (1 - leaving) * weight / total for id, weight in weights.items()}


def _share(angle: float | None) -> float:
    """How many turn by an angle, degrees to the left."""
    if angle is None or abs(angle) <= STRAIGHT_ANGLE:
        return STRAIGHT
    return LEFT if angle > 0 else RIGHT


def _angle(draft: Draft, street: Street, out: Street) -> float | None:
    """Degrees to the left from the end of one street to the beginning of another; None: not known."""
    came, goes = line_of(draft, street)[-2:], line_of(draft, out)[:2]
    if len(came) < 2 or len(goes) < 2 or came[0] == came[1] or goes[0] == goes[1]:
        return None
    turn = degrees(_direction(*goes) - _direction(*came))
    return (turn + 180) % 360 - 180


def line_of(draft: Draft, street: Street) -> Sequence[Point]:
    """Where a street runs; shorter than two points: not known."""
    if street.id in draft.shapes:
        return draft.shapes[street.id]
    return [draft.positions[id] for id in (street.start, street.end) if id in draft.positions]


def _direction(start: Point, end: Point) -> float:
    return atan2(end[1] - start[1], end[0] - start[0])


def inflow_of(draft: Draft) -> Floats:
    """(O,) vehicles/s that start at each origin in a rush hour, as much as the busiest street carries.

    Vehicles start in proportion to what the streets there carry; what then flows everywhere is the solution
    of a linear system: what starts, and what turns in from elsewhere.
    """
    busy = float(_use(draft).max(initial=0.0))
    return _starting(draft) * (FILLED / busy if busy > 0 else 0.0)


def relieve(draft: Draft) -> None:
    """Let fewer turn into the busiest streets, where others lead on too, as people do who know the town."""
    for _ in range(ROUNDS):
        use = dict(zip((street.id for street in draft.streets), _use(draft).tolist(), strict=True))
        usual = float(np.quantile(list(use.values()), BUSY))
        for id, turns in draft.turns.items():
            if len(turns) > 1:
                wished = {to: ratio * (usual / max(use[to], usual)) ** 0.5 for to, ratio in turns.items()}
                scale = sum(turns.values()) / sum(wished.values())
                draft.turns[id] = {to: wish * scale for to, wish in wished.items()}


def _starting(draft: Draft) -> Floats:
    """(O,) vehicles/s that the streets at each origin carry."""
    capacity = {street.id: street.capacity for street in draft.streets}
    return np.array([sum(capacity[id] for id in to) for to in draft.origins.values()], float)


def _use(draft: Draft) -> Floats:
    """(S,) what flows on each street beside what it carries, when all origins send what they could."""
    at = {street.id: number for number, street in enumerate(draft.streets)}
    capacity = np.array([street.capacity for street in draft.streets], float)
    starting = np.zeros(len(at))
    for weight, to in zip(_starting(draft).tolist(), draft.origins.values(), strict=True):
        for id, ratio in to.items():
            starting[at[id]] += weight * ratio
    return _steady(draft, at, starting) / (capacity * _green(draft))


def _steady(draft: Draft, at: dict[str, int], starting: Floats) -> Floats:
    """(S,) what flows on each street, given what starts on it."""
    turns = draft.turns.items()
    come = np.repeat([at[id] for id, _ in turns], [len(turn) for _, turn in turns]).astype(np.intp)
    goes = np.fromiter((at[to] for _, turn in turns for to in turn), np.intp, len(come))
    ratio = np.fromiter((one for _, turn in turns for one in turn.values()), float, len(come))
    flow = starting
    for _ in range(1000):
        new = starting + np.bincount(goes, flow[come] * ratio, len(at))
        is_steady = np.abs(new - flow).sum() <= 1e-4 * new.sum()
        flow = new
        if is_steady:
            break
    return flow


def _green(draft: Draft) -> Floats:
    """(S,) part of the time that vehicles may leave each street."""
    approaches: dict[str, int] = defaultdict(int)
    for street in draft.streets:
        approaches[street.end] += 1

    def has_light(junction: str) -> bool:
        return approaches[junction] >= 3 if draft.lights is None else junction in draft.lights

    def share(street: Street) -> float:
        if draft.plans:
            cycle, _, green = draft.plans.get(street.id, (1.0, 0.0, 1.0))
            return max(green / cycle, 0.01)
        return GREEN if has_light(street.end) else 1.0

    return np.array([share(street) for street in draft.streets], float)
