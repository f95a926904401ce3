"""A number that changes at known times: pieces laid one over another, as an operator says them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["MAX_PIECES", "Timeline"]

MAX_PIECES = 1000
"""Of one timeline; more are refused."""

DIGITS = 9
"""Of parts of a step; what is finer is rounding."""


class Timeline:
    """A value for each time; what is said later holds where it overlaps what was said before.

    Args: usual: the value where nothing was said.
    """

    def __init__(self, usual: float) -> None:
        self.usual = usual
        # From each of these seconds on, up to the next one.
        self._times = [float("-inf")]
        self._values = [usual]

    def lay(self, begin: float, end: float, value: float) -> None:
        """Set the value from ``begin`` to ``end``, seconds; ``end`` may be infinite.

        Raises: OverflowError: more than ``MAX_PIECES``; nothing has changed.
        """
        after = self._values[bisect_right(self._times, end) - 1]
        kept = [(at, of) for at, of in self._pieces() if at < begin]
        kept.append((begin, value))
        if end < float("inf"):
            kept.append((end, after))
            kept += [(at, of) for at, of in self._pieces() if at > end]
        if len(kept) > MAX_PIECES:
            raise OverflowError
        self._take(kept)

    def forget(self, time: float) -> None:
        """Drop what was before ``time``."""
        first = bisect_right(self._times, time) - 1
        self._times, self._values = self._times[first:], self._values[first:]
        self._times[0] = float("-inf")

    def mean(self, time: float, dt: float) -> float:
        """Over the ``dt`` seconds from ``time`` on."""
        at = bisect_right(self._times, time) - 1
        total, begin = 0.0, time
        while begin < time + dt:
            end = min(self._times[at + 1], time + dt) if at + 1 < len(self._times) else time + dt
            total += self._values[at] * (end - begin)
            begin, at = end, at + 1
        return round(total / dt, DIGITS)

    def next_change(self, time: float) -> float:
        """The first change after ``time``, seconds; infinite: there is none."""
        at = bisect_right(self._times, time)
        return self._times[at] if at < len(self._times) else float("inf")

    @property
    def is_usual(self) -> bool:
        """Whether it has the usual value from the beginning on, for ever."""
        return self._values == [self.usual]

    def dump(self) -> list[list[float]]:
        """The pieces, ready for JSON: the first one's value, then (seconds, value)."""
        return [[self._values[0]], *([at, of] for at, of in self._pieces()[1:])]

    @classmethod
    def restored(cls, usual: float, pieces: Sequence[Sequence[float]]) -> Timeline:
        """What ``dump`` returned, of values from 0 to 1.

        Raises: IndexError, TypeError, ValueError: it is none.
        """
        line = cls(usual)
        found = [(float("-inf"), float(pieces[0][0])), *((float(at), float(of)) for at, of in pieces[1:])]
        times = [at for at, _ in found]
        # Of what is no number, no comparison is true.
        is_one = all(one < then for one, then in pairwise(times)) and times[-1] < float("inf")
        if not is_one or len(found) > MAX_PIECES or not all(0 <= value <= 1 for _, value in found):
            raise ValueError("no timeline")
        line._take(found)
        return line

    def _pieces(self) -> list[tuple[float, float]]:
        return list(zip(self._times, self._values, strict=True))

    def _take(self, pieces: list[tuple[float, float]]) -> None:
        """These, but for those that change nothing."""
        self._times, self._values = [], []
        for at, value in pieces:
            if not self._values or value != self._values[-1]:
                self._times.append(at)
                self._values.append(value)
