"""What is measured of two simulators that simulated the same, and what is wanted.

Counts are cumulative, (T + 1, S): vehicles that have entered or left each of S streets by the end of each of
T steps, the first row before the first. Link volumes prove nothing where turning ratios come from the other
one's run, nor does the time that vehicles drive freely: so delay is told apart, and occupancy above that of
free flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bound",
    "Case",
    "Measures",
    "Outcome",
    "Spread",
    "correlation",
    "free_counts",
    "measure",
    "outcome_of",
    "report",
    "within",
]

Floats = NDArray[np.floating[Any]]


class Outcome(NamedTuple):
    """What one simulator computed."""

    total: float
    """Vehicle-seconds of all, waiting outside included."""
    free: float
    """Vehicle-seconds that what was driven takes at free flow."""
    occupancy: Floats
    """(S,) vehicles on each street, mean over time."""
    free_occupancy: Floats
    """(S,) how many of them there would be if nobody had been held up."""
    completed: float
    """Vehicles that have left the town."""

    @property
    def delay(self) -> float:
        """Vehicle-seconds above free flow."""
        return self.total - self.free


def free_counts(entered: Floats, seconds: Floats, dt: float) -> Floats:
    """(T + 1, S) who would have left if nobody had been held up: who entered ``seconds`` before, (S,)."""
    rows = np.arange(len(entered), dtype=float)
    return np.stack(
        [
            np.interp(rows - late / dt, rows, counts, left=0.0)
            for counts, late in zip(entered.T, seconds, strict=True)
        ],
        axis=1,
    )


def outcome_of(
    entered: Floats, left: Floats, waiting: Floats, seconds: Floats, completed: float, dt: float = 1.0
) -> Outcome:
    """What counts tell.

    Args:
        waiting: (T + 1,) vehicles outside that found no room yet. seconds: (S,) that a street takes freely.
        completed: vehicles that have left the town. dt: seconds of a step.
    """
    free = entered - free_counts(entered, seconds, dt)
    inside = entered - left
    return Outcome(
        total=float(np.trapezoid(inside.sum(axis=1) + waiting, dx=dt)),
        free=float(np.trapezoid(free.sum(axis=1), dx=dt)),
        occupancy=_mean(inside),
        free_occupancy=_mean(free),
        completed=completed,
    )


def _mean(counts: Floats) -> Floats:
    """(S,) the means over time."""
    means: Floats = np.trapezoid(counts, axis=0) / max(len(counts) - 1, 1)
    return means


class Measures(NamedTuple):
    """How far ours is from theirs, a number each; shares of theirs, but for the last three."""

    total: float
    delay: float
    completed: float
    correlation: float
    """Of the streets' mean occupancies."""
    excess: float
    """The same of what of them is above free flow."""
    rmse: float
    """Of the streets' mean occupancies, vehicles."""


TITLES = {
    "total": "total time",
    "delay": "delay",
    "completed": "completed",
    "correlation": "correlation of occupancy",
    "excess": "of what is above free flow",
    "rmse": "RMSE, vehicles",
}
SHARES = ("total", "delay", "completed")
"""Which are shown in per cent."""


def measure(ours: Outcome, theirs: Outcome) -> Measures:
    """The measures of one pair."""
    return Measures(
        total=_beside(ours.total, theirs.total),
        delay=_beside(ours.delay, theirs.delay),
        completed=_beside(ours.completed, theirs.completed),
        correlation=correlation(ours.occupancy, theirs.occupancy),
        excess=correlation(ours.occupancy - ours.free_occupancy, theirs.occupancy - theirs.free_occupancy),
        rmse=float(np.sqrt(np.mean((ours.occupancy - theirs.occupancy) ** 2))),
    )


def _beside(ours: float, theirs: float) -> float:
    """How much more, as a share of theirs; nan: of nothing."""
    return ours / theirs - 1.0 if theirs else float("nan")


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's; nan where one of them does not vary, or has fewer than three numbers."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


class Spread(NamedTuple):
    """A number over several seeds."""

    mean: float
    least: float
    most: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """Of at least one."""
        return cls(sum(numbers) / len(numbers), min(numbers), max(numbers))


class Bound(NamedTuple):
    """What is wanted of the mean of a measure over the seeds.

    ``known``: why it is not met, where that is known: then it is told, and is no fault.
    """

    measure: str
    least: float = -np.inf
    most: float = np.inf
    known: str = ""

    def is_met(self, spread: Spread) -> bool:
        """Whether the mean is within; no number is not."""
        return self.least <= spread.mean <= self.most

    def __str__(self) -> str:
        if self.measure in SHARES and self.least == -self.most:
            return f"{TITLES[self.measure]} ±{self.most:.0%}"
        return f"{TITLES[self.measure]} {self.least:g} to {self.most:g}"


def within(measure: str, share: float, known: str = "") -> Bound:
    """At most so much more or less."""
    return Bound(measure, -share, share, known)


@dataclass(frozen=True, slots=True)
class Case:
    """One comparison: a pair of ours and theirs for each seed, and what is wanted of it."""

    name: str
    pairs: Sequence[tuple[Outcome, Outcome]]
    bounds: Sequence[Bound] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    """More columns; all cases of a table have the same."""

    def spreads(self) -> dict[str, Spread]:
        """Each measure over the seeds."""
        each = [measure(ours, theirs) for ours, theirs in self.pairs]
        return {name: Spread.of([getattr(one, name) for one in each]) for name in Measures._fields}

    def verdicts(self) -> Iterable[tuple[Bound, str]]:
        """Of each bound: "" (met), "known: …", or what it is instead."""
        spreads = self.spreads()
        for bound in self.bounds:
            if bound.is_met(spreads[bound.measure]):
                yield bound, ""
            elif bound.known:
                yield bound, f"known: {bound.known}"
            else:
                yield bound, f"NOT MET, {shown(bound.measure, spreads[bound.measure])}"


def shown(measure: str, spread: Spread) -> str:
    """The mean, and where the seeds lie."""
    if measure in SHARES:
        return f"{spread.mean:+.1%} ({spread.least:+.1%} to {spread.most:+.1%})"
    return f"{spread.mean:.3g} ({spread.least:.3g} to {spread.most:.3g})"


def report(cases: Iterable[Case]) -> int:
    """Print a table, a row as soon as its case is done.

    Returns: how many bounds are neither met nor known.
    """
    faults = 0
    for number, case in enumerate(cases):
        if not number:
            columns = ["", "seeds", *case.notes, *TITLES.values(), "wanted"]
            print(f"| {' | '.join(columns)} |")
            print("|---" * len(columns) + "|")
        verdicts = list(case.verdicts())
        faults += sum(text.startswith("NOT MET") for _, text in verdicts)
        wanted = "; ".join(f"{bound}: {text or 'met'}" for bound, text in verdicts)
        cells = [case.name, str(len(case.pairs)), *case.notes.values()]
        cells += [shown(name, spread) for name, spread in case.spreads().items()]
        print(f"| {' | '.join([*cells, wanted or '-'])} |", flush=True)
    return faults
