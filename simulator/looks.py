"""How a town hangs together: what looks like a mistake in it, although it can be simulated."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Ints", "Network", "Truths", "warnings_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Truths = NDArray[np.bool_]

NAMED = 5
"""Streets of an island that are named."""


class Network(Protocol):
    """What is looked at of a town."""

    @property
    def street_ids(self) -> tuple[str, ...]: ...
    @property
    def junction_ids(self) -> tuple[str, ...]: ...
    @property
    def start(self) -> Ints: ...
    @property
    def end(self) -> Ints: ...
    @property
    def origins(self) -> Ints: ...
    @property
    def movement_from(self) -> Ints: ...
    @property
    def movement_to(self) -> Ints: ...


def warnings_of(town: Network) -> tuple[str, ...]:
    """One line for each street without turns, each island, and each street that nobody can reach."""
    return (*_sinks(town), *_islands(town), *_unreachable(town))


def _sinks(town: Network) -> list[str]:
    """Streets at whose end everybody leaves the town."""
    turns = np.zeros(len(town.street_ids) + len(town.origins), bool)
    turns[town.movement_from] = True
    return [
        f"street {town.street_ids[at]}: it has no turns: everybody leaves the town at its end, "
        f"{town.junction_ids[town.end[at]]}"
        for at in np.flatnonzero(~turns[: len(town.street_ids)]).tolist()
    ]


def _islands(town: Network) -> list[str]:
    """Streets that are joined with each other, but not with most of the town."""
    part = _joined(len(town.junction_ids), town.start, town.end)[town.start]
    parts, first, sizes = np.unique(part, return_index=True, return_counts=True)
    lines = []
    for at in np.argsort(first).tolist():
        if at == int(sizes.argmax()):
            continue
        ids = [town.street_ids[street] for street in np.flatnonzero(part == parts[at])[: NAMED + 1].tolist()]
        names = ", ".join(ids[:NAMED]) + (" …" if len(ids) > NAMED else "")
        lines.append(
            f"street {names}: an island, joined with no other street of the town ({sizes[at]} of them)"
        )
    return lines


def _joined(count: int, one: Ints, other: Ints) -> Ints:
    """(J,) for each junction the first of those it is joined with, whichever way streets lead."""
    label = np.arange(count)
    while True:
        least = np.minimum(label[one], label[other])
        new = label.copy()
        np.minimum.at(new, label[one], least)
        np.minimum.at(new, label[other], least)
        while (new != new[new]).any():
            new = new[new]
        if (new == label).all():
            return new
        label = new


def _unreachable(town: Network) -> list[str]:
    """Streets to which nobody who enters the town can come."""
    streets = len(town.street_ids)
    if len(town.origins) == 0:
        return ["town: it has no origins: nobody ever enters it"]
    feeders = streets + len(town.origins)
    begins = np.searchsorted(town.movement_from, np.arange(feeders + 1))
    reached = np.zeros(streets, bool)
    fresh = np.arange(streets, feeders)
    while len(fresh):
        counts = begins[fresh + 1] - begins[fresh]
        offsets = np.repeat(begins[fresh] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        onward = np.unique(town.movement_to[offsets + np.arange(counts.sum())])
        fresh = onward[~reached[onward]]
        reached[fresh] = True
    return [
        f"street {town.street_ids[at]}: nobody can reach it from an origin"
        for at in np.flatnonzero(~reached).tolist()
    ]
