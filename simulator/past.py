"""What was counted some time ago on every street: rings, each as long as its own street needs.

Streets whose rings are about as long share a block of memory with one row for each step, so that alike
streets lie side by side; a street in a town of its own costs what its own lag does. Lags of more than an hour
are thinned: of such a ring only every n-th count is kept, and what lies between is interpolated. Counts rise
by at most the capacity, so that this moves a count by less than the vehicles of n steps, and a wave by less
than n steps: a 3,600th of its way, or one step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.engine import check_state
from simulator.errors import TownError
from simulator.network import Floats, Ints

__all__ = ["Past"]

HOUR = 3600.0
"""Seconds: longer lags are kept with no more counts than this one has steps."""

CLASSES = 16
"""Lengths of rings between a power of two and the next: a block's rows are at most a 16th too many."""


class Past:
    """One count for each street, as it was ``lags`` steps before the end of the step that comes next.

    Args: lags: (S,) steps, at least 1 each, whole or not. dt: seconds of a step.
    """

    def __init__(self, lags: Floats, dt: float) -> None:
        # So long ago that no run began: only so that it fits into an integer.
        lags = np.minimum(lags, 1e12)
        every = np.maximum(np.ceil(lags * dt / HOUR - 1e-9), 1.0).astype(np.intp)
        whole = np.ceil(lags - 1e-9).astype(np.intp)
        self._lags = lags
        # Whole steps back, and how far to go forward again from there (0 to 1).
        self._part = np.maximum(whole - lags, 0.0)
        # Room for one step more on either side, and for the newest.
        rows = _rounded(-(-whole // every) + 3)
        lengths, block = np.unique(rows, return_inverse=True)
        self._stride = np.bincount(block)[block]
        starts = np.concatenate([[0], np.cumsum(lengths * np.bincount(block))])
        self._base = starts[block] + _place_in(block)
        self._size = rows * self._stride
        self._end = self._base + self._size
        self._counts = np.zeros(int(starts[-1]))
        self._thin = np.flatnonzero(every > 1)
        self._every = every[self._thin]
        self._lag = lags[self._thin]
        self._rows = rows[self._thin]
        self._steps = 0
        # When in its step each was counted, from here to there; made for the first step that needs it.
        self._from: NDArray[np.float32] | None = None
        self._to: NDArray[np.float32] | None = None
        # Where the newest counts are; counts that nobody has written are those before the beginning: 0.
        self._newest = self._base.copy()
        self._here = self._wrapped(self._base + (1 - whole) % rows * self._stride)
        self._before = self._wrapped(self._here - self._stride)
        self._after = self._wrapped(self._here + self._stride)

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept of the past."""
        windows = 0 if self._from is None or self._to is None else self._from.nbytes + self._to.nbytes
        return self._counts.nbytes + windows

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that ``record`` changes."""
        places = np.array([self._newest, self._before, self._here, self._after])
        arrays = {"counts": self._counts, "places": places, "steps": np.array(self._steps)}
        if self._from is not None and self._to is not None:
            arrays["windows"] = np.array([self._from, self._to])
        return arrays

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of other lags."""
        check_state(self.state(), state, but={"windows"})
        windows = state.get("windows")
        if windows is not None and windows.shape != (2, len(self._counts)):
            raise TownError("state: windows are of another town, engine or step")
        steps = int(state["steps"])
        rows = self._size // self._stride
        newest = self._base + self._row(steps) * self._stride
        whole = np.ceil(self._lags - 1e-9).astype(np.intp)
        here = (self._base + (steps + 1 - whole) % rows * self._stride).astype(np.intp)
        before, after = self._wrapped(here - self._stride), self._wrapped(here + self._stride)
        places = np.array([newest, before, here, after])
        if steps < 0 or not (state["places"] == places).all():
            raise TownError("state: places are of another town, engine or step")
        self._newest, self._before, self._here, self._after = places
        self._steps = steps
        self._counts = state["counts"].copy()
        self._from = self._to = None
        if windows is not None:
            self._from, self._to = windows.astype(np.float32)

    def record(self, counts: Floats, window: tuple[Floats, Floats] | None = None) -> None:
        """The counts at the end of one more step.

        Args: window: (S,) parts of the step between which they rose, evenly; default: from begin to end.
        """
        self._steps += 1
        newest = self._next(self._newest)
        if len(self._thin):
            stays = self._steps % self._every != 0
            newest[self._thin] = np.where(stays, self._newest[self._thin], newest[self._thin])
        self._newest = newest
        self._counts[newest] = counts
        if window is not None and self._from is None:
            self._from = np.zeros(len(self._counts), np.float32)
            self._to = np.ones(len(self._counts), np.float32)
        if self._from is not None and self._to is not None:
            self._from[newest], self._to[newest] = (0.0, 1.0) if window is None else window
        self._before, self._here = self._here, self._after
        self._after = self._next(self._after)

    def at(self, earlier: Floats | None = None) -> Floats:
        """(S,) the counts ``lags`` steps before the end of the coming step, or up to a step ``earlier``."""
        here, after, part = self._here, self._after, self._part
        if earlier is not None and earlier.any():
            part = part - earlier
            borrows = part < 0
            here, after = np.where(borrows, self._before, here), np.where(borrows, here, after)
            part = np.where(borrows, part + 1, part)
        if self._from is not None and self._to is not None:
            begin, end = self._from[after], self._to[after]
            inside = (part - begin) / np.maximum(end - begin, 1e-6)
            part = np.where((begin > 0) | (end < 1), np.clip(inside, 0.0, 1.0), part)
        found: Floats = self._counts.take(here) * (1 - part) + self._counts.take(after) * part
        if len(self._thin):
            found[self._thin] = self._thinned(0.0 if earlier is None else earlier[self._thin])
        return found

    def within(self) -> Floats:
        """(S,) the area below the counts of the last ``lags`` steps, up to now: counts times steps.

        Costs as many look-ups as the longest lag has steps.
        """
        whole = np.ceil(self._lags - 1e-9).astype(np.intp)
        whole[self._thin] = 0
        # The longest first, so that those that are still to be summed are the first ones.
        order = np.argsort(-whole, kind="stable")
        lengths, place = whole[order], self._newest[order]
        area = self._counts[place] / 2
        last = before = self._counts[place]
        base, stride, size = self._base[order], self._stride[order], self._size[order]
        for age in range(1, int(lengths.max(initial=0)) + 1):
            alive = int(np.searchsorted(-lengths, -age, side="right"))
            here = place[:alive] - stride[:alive]
            np.add(here, size[:alive], out=here, where=here < base[:alive])
            before = np.concatenate([last[:alive], before[alive:]])
            place, last = here, np.concatenate([self._counts[here], last[alive:]])
            area[:alive] += last[:alive]
        # From the last whole step on only a part counts.
        part = self._part[order]
        area -= last / 2 + part * last + (before - last) * part**2 / 2
        found = np.empty_like(area)
        found[order] = area
        found[self._thin] = [self._within_thinned(at) for at in range(len(self._thin))]
        return found

    def _within_thinned(self, at: int) -> float:
        """The same of one of the thinned rings: between the counts that are kept lie straight lines."""
        every, rows, lag = int(self._every[at]), int(self._rows[at]), float(self._lag[at])
        newest = self._steps // every
        back = np.arange(rows)
        ages = np.where(back == 0, 0, self._steps - (newest - back + 1) * every + 1)
        place = self._base[self._thin[at]] + (newest - back) % rows * self._stride[self._thin[at]]
        inside = np.append(ages[ages < lag], lag)
        counts = np.interp(inside, ages, self._counts[place])
        return float((np.diff(inside) * (counts[1:] + counts[:-1])).sum() / 2)

    def ago(self, streets: Ints, steps: Ints) -> Floats:
        """The newest counts of some streets but so many whole steps; not of streets whose lag is thinned.

        Args: streets: (V,). steps: (V,) from 0 to the street's lag, rounded up.
        """
        stride = self._stride[streets]
        places = self._newest[streets] - steps * stride
        return self._counts[np.where(places < self._base[streets], places + self._size[streets], places)]

    def _thinned(self, earlier: Floats | float) -> Floats:
        """The same of the thinned rings: place n is of the end of step n * every + every - 1."""
        place = (self._steps + 1 - self._lag - earlier + 1) / self._every - 1
        whole = np.floor(place)
        part = place - whole
        row = whole.astype(np.intp)
        base, stride = self._base[self._thin], self._stride[self._thin]
        first = self._counts[base + row % self._rows * stride]
        second = self._counts[base + (row + 1) % self._rows * stride]
        return np.where(row < -1, 0.0, first * (1 - part) + second * part)

    def _row(self, steps: int) -> Ints:
        """The row of the newest counts."""
        rows = self._size // self._stride
        row = steps % rows
        row[self._thin] = steps // self._every % rows[self._thin]
        return row

    def _next(self, places: Ints) -> Ints:
        """The places a step later."""
        places = places + self._stride
        np.subtract(places, self._size, out=places, where=places >= self._end)
        return places

    def _wrapped(self, places: Ints) -> Ints:
        """The places, those beyond an end of their ring taken back into it."""
        places = np.where(places >= self._end, places - self._size, places)
        return np.where(places < self._base, places + self._size, places)


def _rounded(rows: Ints) -> Ints:
    """Somewhat more, so that there are few lengths."""
    grain = 2 ** np.maximum(np.floor(np.log2(rows / CLASSES)), 0).astype(np.intp)
    return -(-rows // grain) * grain


def _place_in(block: Ints) -> Ints:
    """How many streets of the same block come before each."""
    order = np.argsort(block, kind="stable")
    place = np.empty(len(block), np.intp)
    begins = np.concatenate([[0], np.cumsum(np.bincount(block))[:-1]])
    place[order] = np.arange(len(block)) - begins[block[order]]
    return place
