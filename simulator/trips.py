"""Trips between places, put onto a town's streets: turning ratios, and where each place's trips begin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.demand import DemandTable
from simulator.draft import Draft
from simulator.errors import TownError
from simulator.routes import Arc, Loaded, Trips, load
from simulator.street import within
from simulator.turning import add_turns
from simulator.turns import Turns, check_times

__all__ = ["Begun", "Connector", "TripTable", "add_trips", "demand_of", "trip_table"]

NAMED = 20
"""Pairs of places without a way between them that are told one by one."""

MOST_ROWS = 1000
"""Of a table of trips."""

Begun = Mapping[str, Mapping[str, float]]
"""Place where trips start -> junction -> vehicles/s that begin there."""

Connector = tuple[str, str, float]
"""From a zone's centre to a junction or back, and the seconds that takes."""


@dataclass(slots=True)
class TripTable:
    """Trips by time: ``rows[n]``, vehicles/s from place to place, hold from ``times[n]`` on, seconds.

    ``day``: seconds after which it begins again; inf: the last row holds for ever.
    """

    rows: Sequence[Trips]
    times: Sequence[float] = (0.0,)
    day: float = float("inf")

    def seconds(self) -> list[float]:
        """How long each row holds; one that holds for ever counts as much as that before it."""
        ends = [*self.times[1:], self.day]
        held = [end - begin for begin, end in zip(self.times, ends, strict=True)]
        if held[-1] == float("inf"):
            held[-1] = held[-2] if len(held) > 1 else 1.0
        elif self.times[0] > 0:
            held[-1] += self.times[0]
        return held

    def mean(self) -> Trips:
        """All rows together, vehicles/s."""
        held = self.seconds()
        mean: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for row, seconds in zip(self.rows, held, strict=True):
            for start, to in row.items():
                for end, volume in to.items():
                    mean[start][end] += volume * seconds / sum(held)
        return mean


def trip_table(
    trips: Trips | Sequence[Trips], times: Sequence[float] | None, day: float, known: Sequence[str]
) -> TripTable:
    """What a caller has given, checked. Args: known: junctions. Raises: TownError."""
    rows = [trips] if isinstance(trips, Mapping) else list(trips)
    begins = check_times("trips", [0.0] if times is None else times, day).tolist()
    if len(rows) != len(begins):
        raise TownError(f"trips: {len(rows)} tables for {len(begins)} times")
    if len(rows) > MOST_ROWS:
        raise TownError(f"trips: {len(rows)} tables; {MOST_ROWS} at most")
    names = set(known)
    for row in rows:
        for start, to in row.items():
            for end, volume in to.items():
                for junction in (start, end):
                    if junction not in names:
                        raise TownError(f"trips from {start} to {end}: {junction} is no junction of the town")
                within(f"trips from {start} to {end}: their number", volume, 0.0, 1e4, "vehicles/s")
    if not any(volume for row in rows for to in row.values() for volume in to.values()):
        raise TownError("trips: there are none")
    return TripTable(rows, begins, day)


def add_trips(
    draft: Draft,
    trips: TripTable,
    about: str,
    connectors: list[Connector] | None = None,
    closed: set[str] | None = None,
    *,
    spread: float | None = None,
    by_time: bool = True,
) -> tuple[list[Begun], set[tuple[str, str]]]:
    """Set turns and origins by the paths of trips; streets that nobody needs turn as they do, or by angles.

    Args:
        about: how lines about trips begin.
        closed: nodes that nobody drives through: zones that are no junctions.
        spread: as in ``load``.
        by_time: each row of the trips has paths and ratios of its own; else all have those of all trips
            together.
    Returns: for each row of the trips, place -> junction -> vehicles/s that begin there; and the pairs
        without a way.
    """
    arcs = [Arc(s.start, s.end, s.length / s.speed, s.capacity, s.id) for s in draft.streets]
    arcs += [Arc(start, end, time, float("inf"), None) for start, end, time in connectors or []]
    start = {street.id: street.start for street in draft.streets}
    if by_time and len(trips.rows) > 1:
        each = [load(arcs, row, closed, spread) for row in trips.rows]
        together = Loaded()
        for loaded, seconds in zip(each, trips.seconds(), strict=True):
            together.add(loaded, seconds / sum(trips.seconds()))
        draft.hours = [
            Turns(since, loaded.turns(), _fans(_fed(loaded, start)))
            for since, loaded in zip(trips.times, each, strict=True)
        ]
        draft.day = trips.day
    else:
        together = load(arcs, trips.mean(), closed, spread)
        each = [together] * len(trips.rows)
    draft.turns.update(together.turns())
    add_turns(draft)
    draft.origins = _fans(_fed(together, start))
    _tell(draft, together.lost, about)
    begun = [_begun(loaded, start) for loaded in each]
    if each[0] is together:
        begun = [_scaled(begun[0], trips.mean(), row) for row in trips.rows]
    return begun, set(together.lost)


def demand_of(draft: Draft, begun: Sequence[Begun], trips: TripTable) -> DemandTable:
    """What ``add_trips`` returns, as a demand in the order of the draft's origins."""
    place = {junction: number for number, junction in enumerate(draft.origins)}
    rows = []
    for flows in begun:
        rates = [0.0] * len(place)
        for to in flows.values():
            for junction, flow in to.items():
                rates[place[junction]] += flow
        rows.append(rates)
    return DemandTable.by_time(trips.times, rows, trips.day)


def _fed(loaded: Loaded, start: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Junction -> street -> vehicles/s that begin there."""
    fed: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (_, street), flow in loaded.first.items():
        fed[start[street]][street] += flow
    return fed


def _fans(fed: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Shares of 1."""
    return {
        junction: {street: flow / sum(to.values()) for street, flow in to.items()}
        for junction, to in fed.items()
        if sum(to.values()) > 0
    }


def _begun(loaded: Loaded, start: Mapping[str, str]) -> Begun:
    begun: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for (zone, street), flow in loaded.first.items():
        begun[zone][start[street]] += flow
    return begun


def _scaled(begun: Begun, mean: Trips, row: Trips) -> Begun:
    """What begins in one row, where all rows together begin so."""
    shares = {zone: sum(row.get(zone, {}).values()) / (sum(mean[zone].values()) or 1.0) for zone in begun}
    return {
        zone: {junction: flow * shares[zone] for junction, flow in to.items()} for zone, to in begun.items()
    }


def _tell(draft: Draft, lost: Mapping[tuple[str, str], float], about: str) -> None:
    """Which trips are left out."""
    for (start, end), volume in list(lost.items())[:NAMED]:
        why = "it ends where it begins" if start == end else "no way leads there on streets"
        pair = f"from {start.strip()} to {end.strip()}"
        draft.warnings.append(f"{about}: {volume * 3600:g} vehicles/h {pair} left out: {why}")
    if len(lost) > NAMED:
        rest = sum(list(lost.values())[NAMED:]) * 3600
        draft.warnings.append(f"{about}: {len(lost) - NAMED} more pairs left out so, {rest:g} vehicles/h")
