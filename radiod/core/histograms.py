"""How long things took: how many of them up to each bound, and all of their time together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

__all__ = ["SECONDS", "Histogram"]

# One literal: a compiled module never sets a tuple that is put together of others.
SECONDS: Final[tuple[float, ...]] = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
)
"""Bounds for what takes from a fraction of a millisecond to some seconds."""


class Histogram:
    """Counts of seconds.

    ``bounds``: in order; ``counts``: those up to each bound and above the one before it, at last those above
    all; ``sum``: of all seconds.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one; a clock that was set back may make it negative."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += max(0.0, seconds)

    def observe_all(self, all: list[float]) -> None:
        """Count many, none of them negative, which are sorted thereby."""
        if not all:
            return
        all.sort()
        before = 0
        for index, bound in enumerate(self.bounds):
            upto = bisect_right(all, bound)
            self.counts[index] += upto - before
            before = upto
        self.counts[-1] += len(all) - before
        self.sum += sum(all)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)
