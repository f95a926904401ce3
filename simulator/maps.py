"""A town's map, in as many parts as it takes for each to be a message of a usual size."""

from __future__ import annotations

import json
import zlib
from typing import Any

__all__ = ["MAX_BYTES", "parts", "topic", "whole"]

MAX_BYTES = 512 * 1024
"""JSON of one part: half of radiod's default ``max_message_bytes``."""


def topic(network: str, part: int = 1) -> str:
    """Where a part of a network's map is published; the first one where the whole map of a small town is."""
    return f"{network}.map" if part == 1 else f"{network}.map.{part}"


def parts(town: dict[str, Any], max_bytes: int = MAX_BYTES) -> list[dict[str, Any]]:
    """The map as it is where it is small enough; else its parts, the first with all that is no street.

    Each part has ``parts`` (how many there are), ``part`` (which it is, from 1) and ``version``: parts of the
    same map have the same.
    """
    streets = town["streets"]
    sizes = [len(json.dumps(street, separators=(",", ":"))) + 1 for street in streets]
    rest = {key: value for key, value in town.items() if key != "streets"}
    # What a part has beside its streets.
    room = max_bytes - len(json.dumps(rest)) - 100
    groups: list[list[Any]] = [[]]
    filled = 0
    for street, size in zip(streets, sizes, strict=True):
        if groups[-1] and filled + size > room:
            groups.append([])
            filled = 0
        groups[-1].append(street)
        filled += size
    if len(groups) == 1:
        return [town]
    version = f"{zlib.crc32(json.dumps(town).encode()):08x}"
    common = {"parts": len(groups), "version": version}
    heads = [rest, *({"name": town["name"]} for _ in groups[1:])]
    return [
        {**head, **common, "part": number, "streets": group}
        for number, (head, group) in enumerate(zip(heads, groups, strict=True), 1)
    ]


def whole(given: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The map of its parts, in whatever order they came; None: one of the first one's map is missing."""
    firsts = [part for part in given if part.get("part", 1) == 1]
    if not firsts or "parts" not in firsts[-1]:
        return firsts[-1] if firsts else None
    first = firsts[-1]
    same = {part["part"]: part for part in given if part.get("version") == first["version"]}
    if len(same) < first["parts"]:
        return None
    town = {key: value for key, value in first.items() if key not in ("parts", "part", "version", "streets")}
    town["streets"] = [street for number in sorted(same) for street in same[number]["streets"]]
    return town
