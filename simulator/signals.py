"""Traffic lights: fixed-time plans, two phases a junction, as arrays."""

from __future__ import annotations

from math import lcm
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simulator.errors import TownError, numbers
from simulator.looks import Truths
from simulator.network import Floats, Ints, Town

__all__ = ["Signals"]

ALL_RED = 3.0
"""Seconds between the phases in which every approach is red."""

ROUNDING = 1e-9
"""A part of a step that differs by less from nothing or all is nothing or all."""


DIGITS = 9
"""Of parts of a step; what is finer is rounding."""

MAX_KNOWN = 2**20
"""Streets times steps: of more lights it is found out anew in each step; up to 24 MB."""

MAX_JOINED = 2**18
"""Streets times steps of joined steps that are kept beside: those of small towns, up to 6 MB."""

ALWAYS = 2.0**40
"""Seconds of a green that no run sees the end of."""


Ahead: TypeAlias = tuple[Floats, Floats, Truths]
"""What ``Signals.ahead`` returns."""


class Signals:
    """When each street's downstream light is green.

    Args:
        cycle: (S,) seconds; 0: no light, always green.
        begin: (S,) seconds into the cycle at which green begins.
        green: (S,) seconds that green lasts, up to the cycle; 0: never.
    Raises: TownError: the lists are not equally long, or a number cannot be.
    """

    def __init__(self, cycle: Floats, begin: Floats, green: Floats) -> None:
        cycle = numbers("signals: cycle", cycle, 0.0)
        begin, green = numbers("signals: begin", begin), numbers("signals: green", green, 0.0)
        if not len(cycle) == len(begin) == len(green):
            raise TownError(
                f"signals: {len(cycle)} cycles, {len(begin)} begins and {len(green)} greens, not one a street"
            )
        self.has_light = cycle > 0
        longer = self.has_light & (green > cycle * (1 + ROUNDING))
        if longer.any():
            at = int(longer.argmax())
            raise TownError(
                f"signals: green: number {at} is {green[at]:g} s, longer than its cycle of {cycle[at]:g} s"
            )
        self._cycle = np.where(self.has_light, cycle, 1.0)
        self._begin = begin
        self._green = np.where(self.has_light, np.minimum(green, self._cycle), self._cycle)
        self._shortest = float(cycle[self.has_light].min(initial=ALWAYS))
        self._dt = 0.0
        # What was found out of a step, by its place in the turn of all cycles; of steps of one length.
        self._known: dict[int, tuple[Floats, tuple[Floats, Floats] | None]] = {}
        self._known_dt = 0.0
        self._turn = 0
        self._joined: dict[tuple[int, int], Ahead] = {}
        self._scaled = cycle, begin, green

    def __len__(self) -> int:
        """Streets that the plan is for."""
        return len(self._cycle)

    def state(self) -> dict[str, Floats]:
        """The plans, (S,) each: what another one is made of."""
        cycle = np.where(self.has_light, self._cycle, 0.0)
        return {"cycle": cycle, "begin": self._begin, "green": self._green}

    @classmethod
    def none(cls, town: Town) -> Signals:
        """No light anywhere."""
        zeros = np.zeros(len(town.street_ids))
        return cls(zeros, zeros, zeros)

    @classmethod
    def of(cls, town: Town, *, seed: int = 0) -> Signals:
        """The plans that the town came with; without them two phases."""
        return cls.two_phase(town, seed=seed) if town.plans is None else cls(*town.plans)

    @classmethod
    def two_phase(cls, town: Town, *, cycle: float = 60.0, seed: int = 0) -> Signals:
        """One phase for east-west and one for north-south wherever the town has lights.

        That is where three or more streets meet, if nothing else is known.
        Offsets differ from junction to junction (seeded); the split is even, all-red times excepted.
        Raises: TownError: the cycle has no room for two greens.
        """
        if not 2 * ALL_RED < cycle < float("inf"):
            raise TownError(f"signals: a cycle of {cycle:g} s; two phases need more than {2 * ALL_RED:g} s")
        offsets = np.random.default_rng(seed).uniform(0, cycle, len(town.junction_ids)).round()
        approaches = np.bincount(town.end, minlength=len(town.junction_ids))
        along = town.positions[town.end] - town.positions[town.start]
        is_vertical = np.abs(along[:, 1]) > np.abs(along[:, 0])
        has_light = (approaches >= 3 if town.lit is None else town.lit)[town.end]
        green = np.full(len(town.street_ids), cycle / 2 - ALL_RED)
        begin = offsets[town.end] + np.where(is_vertical, cycle / 2, 0.0)
        return cls(np.where(has_light, cycle, 0.0), begin, green)

    def replaced(self, at: Ints, cycle: float | Floats, begin: Floats, green: Floats) -> Signals:
        """The same plans, but for the streets ``at``: these have one of ``cycle`` seconds (0: no light).

        Args: cycle: of all, or one for each of ``at``. begin, green: seconds, one for each of ``at``.
        """
        cycles, begins, greens = (each.copy() for each in self.plans())
        cycles[at], begins[at], greens[at] = cycle, begin, green
        return Signals(cycles, begins, greens)

    def plans(self) -> tuple[Floats, Floats, Floats]:
        """(cycle, begin, green), as they were given."""
        return np.where(self.has_light, self._cycle, 0.0), self._begin, self._green

    def green(self, time: float) -> NDArray[np.bool_]:
        """(S,) True where vehicles may leave the street at ``time`` (seconds)."""
        return ~self.has_light | ((time - self._begin) % self._cycle < self._green)

    def average(self, time: float) -> tuple[Floats, Floats]:
        """(S,) part of the time that is green; (S,) seconds of red that a vehicle meets, on average, which
        comes at any time and finds nobody before it."""
        red = self._cycle - self._green
        return self._green / self._cycle, red**2 / (2 * self._cycle)

    def during(self, time: float, dt: float) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """Of the ``dt`` seconds from ``time`` on, as parts of them.

        Returns: (S,) how much is green; and (S,) when the first green begins and (S,) when the last one ends,
            None where no light changes within them.
        """
        if dt > self._shortest:
            return self._over_cycles(time, dt)
        place = self._place(time, dt)
        if place is None:
            return self._within(time, dt)
        if place not in self._known:
            self._known[place] = self._within(place * dt, dt)
        part, window = self._known[place]
        return part.copy(), None if window is None else (window[0].copy(), window[1].copy())

    def ahead(self, step: int, dt: float, count: int) -> Ahead:
        """``during`` of ``count`` steps of ``dt`` seconds from number ``step`` on. Not to be written to.

        Returns: (T, S) how much is green; (2, T, S) when the first green begins and the last one ends,
            (2, 0, 0) where no light changes in any step; (T,) whether one does.
        """
        place = None if dt > self._shortest else self._place(step * dt, dt)
        if place is None or lcm(self._turn, count) * len(self) > MAX_JOINED:
            return self._join(step, dt, count)
        if (place, count) not in self._joined:
            self._joined[place, count] = self._join(step, dt, count)
        return self._joined[place, count]

    def _join(self, step: int, dt: float, count: int) -> Ahead:
        """``ahead``, put together."""
        steps = [self.during((step + n) * dt, dt) for n in range(count)]
        changes = np.array([window is not None for _, window in steps])
        parts = np.array([part for part, _ in steps])
        windows = np.zeros((2, 0, 0))
        if changes.any():
            whole = np.zeros(len(self)), np.ones(len(self))
            windows = np.array([window or whole for _, window in steps]).transpose(1, 0, 2).copy()
        return parts, windows, changes

    def _place(self, time: float, dt: float) -> int | None:
        """How many steps after the beginning of all cycles; None: they do not begin together again soon."""
        if self._known_dt != dt:
            self._known_dt = dt
            self._known.clear()
            self._joined.clear()
            self._turn = _together(self._cycle[self.has_light] / dt)
            if self._turn * len(self) > MAX_KNOWN:
                self._turn = 0
        steps = time / dt
        whole = round(steps)
        return whole % self._turn if self._turn and abs(whole - steps) < ROUNDING else None

    def _within(self, time: float, dt: float) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """``during`` of steps that are no longer than any cycle."""
        # In steps; rounded, so that what is a whole number of them is one.
        cycle, begin, green = self._in_steps(dt)
        position = np.round((time / dt - begin) % cycle, DIGITS)
        # What is left of a green, and what the next one has of the step.
        left = np.minimum(np.maximum(green - position, 0.0), 1.0)
        late = cycle - position
        part = left + np.minimum(np.maximum(1.0 - late, 0.0), green)
        changes = (part > 0.0) & (part < 1.0)
        if not changes.any():
            return part, None
        first = np.where(changes & (left == 0.0), late, 0.0)
        # A green that began within the step may also end there, and what was left is not the last then.
        last = np.where(late < 1.0, np.minimum(late + green, 1.0), left)
        return part, (first, np.where(changes, last, 1.0))

    def _in_steps(self, dt: float) -> tuple[Floats, Floats, Floats]:
        """(cycle, begin, green) in steps of ``dt``; streets without a light have a green without end."""
        if self._dt != dt:
            self._dt = dt
            times = (np.where(self.has_light, self._cycle, ALWAYS), self._begin)
            green = np.where(self.has_light, self._green, ALWAYS)
            cycle, begin, green = (np.round(each / dt, DIGITS) for each in (*times, green))
            self._scaled = cycle, np.where(self.has_light, begin, 0.0), green
        return self._scaled

    def _over_cycles(self, time: float, dt: float) -> tuple[Floats, tuple[Floats, Floats]]:
        """``during`` of steps that are longer than some cycle."""
        cycle, green = self._cycle, self._green
        position = (time - self._begin) % cycle
        turns, after = np.divmod(position + dt, cycle)
        seconds = turns * green + np.minimum(after, green) - np.minimum(position, green)
        part = _whole(seconds / dt)
        begin = np.where(position < green - ROUNDING * dt, 0.0, _whole((cycle - position) / dt))
        # Where the last green goes on into the next step, this one's end counts; a step that ends as a cycle
        # does begins no green.
        since = np.where(after > ROUNDING * dt, after - green, cycle - green)
        end = _whole(1.0 - np.maximum(since, 0.0) / dt)
        return part, (np.where(part > 0, begin, 0.0), np.where(part > 0, end, 1.0))


def _whole(part: Floats) -> Floats:
    """From 0 to 1; exactly 0 or 1 where only rounding stands between."""
    part = np.clip(part, 0.0, 1.0)
    part = np.where(part < ROUNDING, 0.0, part)
    return np.where(part > 1.0 - ROUNDING, 1.0, part)


def _together(cycles: Floats) -> int:
    """Steps after which all cycles begin together again; 0: too many, or some cycle is not whole steps."""
    different = np.unique(cycles)
    if len(different) > 10 or (np.abs(different - np.round(different)) > ROUNDING).any():
        return 0
    turn = int(np.lcm.reduce(np.round(different).astype(np.int64), initial=1))
    return turn if 0 < turn <= MAX_KNOWN else 0
