"""Trips between zones, put onto a town's streets: turning ratios, and where each zone's trips begin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from simulator.draft import Draft
from simulator.routes import Arc, load
from simulator.turning import add_turns

__all__ = ["Connector", "Flows", "add_trips"]

NAMED = 20
"""Pairs of zones without a way between them that are told one by one."""

Flows = Mapping[str, Mapping[str, float]]
"""Zone -> junction or zone -> vehicles/s."""

Connector = tuple[str, str, float]
"""From a zone's centre to a junction or back, and the seconds that takes."""


def add_trips(
    draft: Draft,
    trips: Flows,
    about: str,
    connectors: list[Connector] | None = None,
    closed: set[str] | None = None,
) -> tuple[Flows, set[tuple[str, str]]]:
    """Set turns and origins by the paths of trips; streets that nobody needs turn by their angles.

    Args:
        trips: zone -> zone -> vehicles/s. about: how lines about trips begin.
        closed: nodes that nobody drives through: zones that are no junctions.
    Returns: zone -> junction -> vehicles/s that begin there; and the pairs of zones without a way.
    """
    arcs = [Arc(s.start, s.end, s.length / s.speed, s.capacity, s.id) for s in draft.streets]
    arcs += [Arc(start, end, time, float("inf"), None) for start, end, time in connectors or []]
    loaded = load(arcs, trips, closed or set())
    draft.turns.update(loaded.turns())
    add_turns(draft)
    start = {street.id: street.start for street in draft.streets}
    fed: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    begun: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (zone, street), flow in loaded.first.items():
        fed[start[street]][street] += flow
        begun[zone][start[street]] += flow
    draft.origins = {
        junction: {street: flow / sum(to.values()) for street, flow in to.items()}
        for junction, to in fed.items()
    }
    _tell(draft, loaded.lost, about)
    return begun, set(loaded.lost)


def _tell(draft: Draft, lost: Mapping[tuple[str, str], float], about: str) -> None:
    """Which trips are left out."""
    for (start, end), volume in list(lost.items())[:NAMED]:
        why = "it ends where it begins" if start == end else "no way leads there on streets"
        draft.warnings.append(f"{about}: {volume * 3600:g} vehicles/h from {start} to {end} left out: {why}")
    if len(lost) > NAMED:
        rest = sum(list(lost.values())[NAMED:]) * 3600
        draft.warnings.append(f"{about}: {len(lost) - NAMED} more pairs left out so, {rest:g} vehicles/h")
