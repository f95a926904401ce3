"""How a grid of two-way streets turns, and where its vehicles start: by its neighbours in four directions."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["even", "neighbours", "turns_at"]

STRAIGHT, RIGHT, LEFT = 0.65, 0.2, 0.15
LEAVING = 0.3
"""Share of the vehicles reaching the town's edge that leaves it there."""


def neighbours(row: int, column: int) -> list[tuple[int, int]]:
    """To the north, east, south and west."""
    return [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]


def turns_at(
    places: Mapping[tuple[int, int], str], back: tuple[int, int], here: tuple[int, int], is_edge: bool
) -> dict[str, float]:
    """Turning ratios of the street from ``back`` to ``here``: straight, right and left where these exist."""
    around = neighbours(*here)
    came = around.index(back)
    shares = ((around[came - 2], STRAIGHT), (around[came - 1], RIGHT), (around[came - 3], LEFT))
    possible = [(places[there], share) for there, share in shares if there in places] or [(places[back], 1.0)]
    scale = (1 - LEAVING if is_edge else 1.0) / sum(share for _, share in possible)
    name = places[here]
    return {f"{name}-{there}": share * scale for there, share in possible}


def even(places: Mapping[tuple[int, int], str], here: tuple[int, int]) -> dict[str, float]:
    """Equal shares of the streets that begin at ``here``."""
    out = [f"{places[here]}-{places[there]}" for there in neighbours(*here) if there in places]
    return {id: 1 / len(out) for id in out}
