"""Towns by their names on a command line: ``KIND:REST``, a size or the path of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from simulator.errors import TownError
from simulator.network import Town

__all__ = ["choose", "names"]

KINDS: Final = {
    "grid": "ROWSxCOLUMNS",
    "blocks": "ROWSxCOLUMNS",
    "radial": "RINGSxSPOKES",
    "ring": "STREETS",
    "tntp": "NET",
    "gmns": "FOLDER",
    "uxsim": "LINKS",
    "geojson": "FILE",
    "osm": "FILE",
    "sumo": "FILE",
}
"""Kind -> what stands behind its colon."""


def names() -> str:
    """All that can be chosen, in a line."""
    return " | ".join(f"{kind}:{rest}" for kind, rest in KINDS.items())


def choose(text: str, units: str | None = None) -> Town:
    """The town that is named.

    Args: units: of a TNTP net, as in "ft,min".
    Raises: ValueError: no such kind, or the size is none. TownError: the town cannot be.
    """
    kind, _, rest = text.partition(":")
    if kind not in KINDS or not rest:
        raise ValueError(f"--town {text}: expected {names()}")
    if units is not None and kind != "tntp":
        raise ValueError(f"--units {units}: only of tntp:NET; {kind} has its own")
    if kind == "tntp":
        return _tntp(Path(rest), units)
    if kind in READERS:
        return READERS[kind](Path(rest))
    sizes = _sizes(text, rest, KINDS[kind])
    if kind == "ring":
        return Town.ring(sizes[0])
    makers: dict[str, Callable[[int, int], Town]] = {
        "grid": Town.grid,
        "blocks": Town.blocks,
        "radial": Town.radial,
    }
    return makers[kind](sizes[0], sizes[1])


def _sizes(text: str, rest: str, expected: str) -> list[int]:
    parts = rest.split("x")
    if len(parts) != len(expected.split("x")) or not all(
        part.isdecimal() and len(part) < 9 for part in parts
    ):
        raise ValueError(f"--town {text}: expected {text.partition(':')[0]}:{expected}")
    return [int(part) for part in parts]


def _tntp(net: Path, units: str | None) -> Town:
    """A net, with the nodes and trips that lie beside it: ``X_net``, ``X_node``, ``X_trips``."""
    if units is None:
        raise ValueError(f"--town tntp:{net}: no such file says its units; --units ft,min or others")
    node, trips = _beside(net, "net", "node"), _beside(net, "net", "trips")
    return Town.from_tntp(net, node, trips, units=units)


def _uxsim(links: Path) -> Town:
    """Links, with the nodes and the demand that lie beside them: ``X_links``, ``X_nodes``, ``X_demand``."""
    nodes = _beside(links, "links", "nodes")
    if nodes is None:
        raise TownError(f"{links}: no nodes beside it; they are in a file named as this, nodes for links")
    return Town.from_uxsim_csv(nodes, links, _beside(links, "links", "demand"))


def _beside(path: Path, was: str, now: str) -> Path | None:
    """The file whose name says ``now`` where this one's says ``was``; None: there is none."""
    other = path.with_name(now.join(path.name.rsplit(was, 1)))
    return other if other != path and other.is_file() else None


READERS: Final[dict[str, Callable[[Path], Town]]] = {
    "gmns": Town.from_gmns,
    "uxsim": _uxsim,
    "geojson": Town.from_geojson,
    "osm": Town.from_osm,
    "sumo": Town.from_sumo_net,
}
"""Kinds that are read from a file which says everything."""
