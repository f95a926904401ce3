"""Places for junctions whose file has none: so that a map can be drawn, lengths kept as well as they can be.

Pivot MDS (Brandes and Pich): the two directions in which distances from a few far junctions differ most.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

import numpy as np

from simulator.draft import Draft

__all__ = ["add_positions"]

PIVOTS = 20


def add_positions(draft: Draft) -> None:
    """Give every junction without a place one: the middle of its neighbours', or a layout of all."""
    missing = _junctions(draft) - draft.positions.keys()
    if not missing:
        return
    near = _neighbours(draft)
    if len(missing) > len(near) / 2:
        draft.warnings.append(f"town: {len(missing)} junctions have no place; the map is drawn by lengths")
        draft.positions.update(_drawn(near))
        return
    for id in sorted(missing):
        places = [draft.positions[other] for other in near[id] if other in draft.positions]
        x, y = np.mean(places or list(draft.positions.values()), axis=0)
        draft.repairs.append(f"junction {id}: it has no place; drawn between its neighbours")
        draft.positions[id] = float(x), float(y)


def _junctions(draft: Draft) -> set[str]:
    return {id for street in draft.streets for id in (street.start, street.end)}


def _neighbours(draft: Draft) -> dict[str, dict[str, float]]:
    """Junction -> its neighbours -> metres, whichever way the streets lead."""
    near: dict[str, dict[str, float]] = defaultdict(dict)
    for street in draft.streets:
        for one, other in ((street.start, street.end), (street.end, street.start)):
            near[one][other] = min(street.length, near[one].get(other, street.length))
    return dict(near)


def _drawn(near: dict[str, dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Junction -> its place, metres."""
    ids = list(near)
    columns = []
    far = np.full(len(ids), np.inf)
    pivot = 0
    for _ in range(min(PIVOTS, len(ids))):
        way = _ways(near, ids[pivot])
        column = np.array([way.get(id, np.nan) for id in ids])
        # Islands lie as far off as anything does.
        column = np.where(np.isnan(column), np.nanmax(column) * 1.2, column)
        columns.append(column)
        far = np.minimum(far, column)
        pivot = int(far.argmax())
    squares = np.array(columns).T ** 2
    centred = squares - squares.mean(0) - squares.mean(1, keepdims=True) + squares.mean()
    _, axes = np.linalg.eigh(centred.T @ centred)
    places = -0.5 * centred @ axes[:, -2:][:, ::-1] if len(columns) > 1 else np.zeros((len(ids), 2))
    if places.shape[1] < 2:
        places = np.column_stack([places, np.zeros(len(ids))])
    return {id: (float(x), float(y)) for id, (x, y) in zip(ids, _scaled(near, ids, places), strict=True)}


def _scaled(near: dict[str, dict[str, float]], ids: list[str], places: np.ndarray) -> np.ndarray:
    """The same places, such that all streets together are as long as they should be."""
    at = {id: number for number, id in enumerate(ids)}
    pairs = np.array([(at[one], at[other]) for one in ids for other in near[one]], np.intp)
    wanted = sum(length for one in ids for length in near[one].values())
    drawn = float(np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T).sum())
    scaled: np.ndarray = places * (wanted / drawn if drawn > 0 else 1.0)
    return scaled


def _ways(near: dict[str, dict[str, float]], root: str) -> dict[str, float]:
    """Junction -> metres on the shortest way from ``root``."""
    done: dict[str, float] = {}
    heap = [(0.0, root)]
    while heap:
        way, id = heapq.heappop(heap)
        if id in done:
            continue
        done[id] = way
        for other, length in near[id].items():
            if other not in done:
                heapq.heappush(heap, (way + length, other))
    return done
