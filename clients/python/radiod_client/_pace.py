"""A period that does not drift."""

from __future__ import annotations

import math

__all__ = ["Pace"]


class Pace:
    """Marks ``period`` seconds apart, counted from ``now``; those that were missed are left out."""

    def __init__(self, period: float, now: float) -> None:
        if not (math.isfinite(period) and period >= 0):
            raise ValueError("period: seconds, 0 or more")
        self._period = period
        self._begun = now
        self._count = 0
        self.missed = 0
        """Marks that had passed before somebody asked."""

    def pause(self, now: float) -> float:
        """Seconds until the next mark: the one behind the last that was waited for, or later."""
        if not self._period:
            return 0.0
        count = max(self._count + 1, math.ceil((now - self._begun) / self._period))
        self.missed += count - self._count - 1
        self._count = count
        return max(self._begun + count * self._period - now, 0.0)
