"""Trips of a GMNS folder: ``demand.csv``, vehicles/h from zone to zone, and the zones of ``node.csv``.

The specification has zones, but no trips; this is the table that programs which read such folders agree on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from os.path import join

from simulator.draft import Draft
from simulator.errors import TownError
from simulator.importers.tables import rows
from simulator.trips import Connector, TripTable, add_trips, demand_of

__all__ = ["add_demand"]

MAX_TRIPS = 1e7
"""Vehicles/h from one zone to another."""

MAX_ROWS = 5_000_000

Zones = Mapping[str, list[str]]
"""Zone -> its nodes."""


def add_demand(draft: Draft, base: str) -> None:
    """Set turns, origins and demand by the trips of a folder. Raises: TownError."""
    zones = _zones(join(base, "node.csv"))
    path = join(base, "demand.csv")
    trips = TripTable([_trips(path, zones)])
    connectors: list[Connector] = []
    for zone, nodes in zones.items():
        for node in nodes:
            connectors += [(_centre(zone), node, 0.0), (node, _centre(zone), 0.0)]
    begun, _ = add_trips(draft, trips, path, connectors, {_centre(zone) for zone in zones})
    draft.demand = demand_of(draft, begun, trips)


def _centre(zone: str) -> str:
    """Where a zone's trips start and end; no node is called so, as no name keeps a blank at its end."""
    return f"zone {zone} "


def _zones(path: str) -> Zones:
    zones: dict[str, list[str]] = defaultdict(list)
    for row in rows(path, ["node_id"], {"zone_id": ("zone",)}):
        if zone := row.text("zone_id"):
            zones[zone].append(row.needed("node_id"))
    return zones


def _trips(path: str, zones: Zones) -> dict[str, dict[str, float]]:
    """Zone -> zone -> vehicles/s; trips that do not leave their zone are left out."""
    trips: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    where = f"{path}:1"
    for count, row in enumerate(rows(path, ["o_zone_id", "d_zone_id", "volume"]), 1):
        if count > MAX_ROWS:
            raise TownError(f"{row.where}: more than {MAX_ROWS} rows of trips")
        where = row.where
        start, end = row.needed("o_zone_id"), row.needed("d_zone_id")
        for zone in (start, end):
            if zone not in zones:
                raise TownError(f"{row.where}: zone {zone[:40]} is none of node.csv's zone_id")
        volume = row.needed_number("volume")
        if not 0 <= volume <= MAX_TRIPS:
            raise TownError(f"{row.where}: {volume:g} vehicles/h from zone {start} to {end}")
        if start != end and volume > 0:
            trips[_centre(start)][_centre(end)] += volume / 3600
    if not trips:
        raise TownError(f"{where}: no trips in it")
    return trips
