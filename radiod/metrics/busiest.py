"""Which topics have series of their own: the busiest ones, and the rest together is ``other``.

A counter must never fall. So a topic that gets a series counts there from then on, from 0 unless nobody was
told of it before, and what a topic had in its series is the others' when it loses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from heapq import nlargest
from typing import Final

from radiod.core.delivery.totals import Total, Totals

__all__ = ["OTHER", "Busiest"]

OTHER: Final = "other"
"""The name of all that have no series. A topic of this name has none."""

Counts = tuple[int, int, int]
"""Events published, delivered, dropped."""

NOTHING: Final = (0, 0, 0)


class Busiest:
    """Those of one realm, ``size`` at most."""

    def __init__(self, totals: Totals, size: int) -> None:
        self._totals = totals
        self._size = size
        # Topic -> what it had when it got its series.
        self._since: dict[str, Counts] = {}

    def choose(self, hidden: Collection[str]) -> Mapping[str, Counts]:
        """Topic, or ``OTHER`` -> what it had. ``hidden``: names that must not be told."""
        topics = self._totals.by_topic
        shown = [item for item in topics.items() if item[0] not in hidden and item[0] != OTHER]
        chosen = nlargest(self._size, shown, key=_busy)
        self._since = {topic: self._since.get(topic, _start(total)) for topic, total in chosen}
        for total in topics.values():
            total.is_told = True
        told = {topic: _less(total.all, self._since[topic]) for topic, total in chosen}
        whole = _sum([*(total.all for total in topics.values()), self._totals.rest.all])
        other = _less(whole, _sum(told.values()))
        if self._totals.is_full:
            self._totals.shrink([topic for topic, _ in chosen])
        return {**told, OTHER: other}


def _start(total: Total) -> Counts:
    return total.all if total.is_told else NOTHING


def _busy(item: tuple[str, Total]) -> int:
    total = item[1]
    return total.published + total.delivered + total.dropped


def _less(one: Counts, other: Counts) -> Counts:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _sum(counts: Collection[Counts]) -> Counts:
    published = delivered = dropped = 0
    for one in counts:
        published += one[0]
        delivered += one[1]
        dropped += one[2]
    return published, delivered, dropped
