"""Plans of lights by the time of day: when a junction changes from one to the next, and how no green is lost.

A plan goes on to the end of its cycle, at a moment in which no green would be cut. The next one begins there
and then, and is stretched for a cycle or two, to 1.5 times its length at most, until it is where its offset
says: so every street has its share of each second, and nobody is cut off (as controllers change by "add").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf
from typing import Any

import numpy as np

from simulator.errors import TownError
from simulator.looks import Floats, Ints
from simulator.phases import MAX_CYCLE
from simulator.signals import Signals
from simulator.street import within
from simulator.turns import check_times, row_at

__all__ = ["DayPlan", "DayPlans", "Plan", "Segment"]

MAX_PLANS = 100
"""Of one junction."""

LEAST = 1.0
"""Seconds of a cycle, and between two plans: a step must not see many."""

SAME = 1e-6
"""Seconds: what differs by less is at the same time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Of the A streets that lead to a junction, in seconds: (A,) begins, greens. ``cycle`` 0: no light."""

    cycle: float
    begins: Floats
    greens: Floats

    def anchor(self, offset: float) -> float:
        """When a cycle can end and no green is cut: the offset, else the first begin of one that cuts none.

        Where greens overlap so that there is no such moment it is the offset.
        """
        if not self.cycle:
            return 0.0
        is_part = (self.greens > 0) & (self.greens < self.cycle - SAME)
        begins, greens = self.begins[is_part], self.greens[is_part]
        later = np.sort((begins - offset) % self.cycle) + offset
        for moment in (offset, *later.tolist()):
            since = (moment - begins) % self.cycle
            if not ((since > SAME) & (since < greens - SAME)).any():
                return float(moment)
        return offset

    def stretched(self, begin: float, anchor: float, cycle: float) -> Plan:
        """The same in ``cycle`` seconds, one of which begins at ``begin`` as here at ``anchor``."""
        scale = cycle / self.cycle
        return Plan(cycle, begin + ((self.begins - anchor) % self.cycle) * scale, self.greens * scale)


@dataclass(frozen=True, slots=True)
class Segment:
    """What holds until ``end``, simulated seconds; infinite: for ever."""

    end: float
    plan: Plan


class DayPlan:
    """The plans of one junction, and when each holds.

    Args:
        times: (H,) seconds of the day, ascending: each plan from its time on. Before the first one
            the last holds where days repeat, else the first.
        plans: (H) plans. offsets: (H) seconds at which a cycle of each begins.
        day: seconds after which it begins again; inf: never.
    Raises: TownError: they cannot be; the text begins with ``about``.
    """

    def __init__(
        self, about: str, times: Sequence[float], plans: Sequence[Plan], offsets: Sequence[float], day: float
    ) -> None:
        if not 1 <= len(plans) <= MAX_PLANS or len(times) != len(plans):
            raise TownError(f"{about}: {len(plans)} plans; it has 1 to {MAX_PLANS}")
        self.day = day if day == inf else within(f"{about}: day", day, LEAST, 1e9, "s")
        self.times = check_times(about, times, self.day)
        if (np.diff(self.times) < LEAST).any() or self.day + self.times[0] - self.times[-1] < LEAST:
            raise TownError(f"{about}: plans begin at least {LEAST:g} s after each other")
        for since, plan in zip(self.times.tolist(), plans, strict=True):
            if plan.cycle:
                within(f"{about}: from {since:g} s: cycle", plan.cycle, LEAST, MAX_CYCLE, "s")
        self.plans, self.offsets = list(plans), list(offsets)
        self._anchors = [plan.anchor(offset) for plan, offset in zip(plans, offsets, strict=True)]

    def at_once(self, time: float) -> Segment:
        """What holds from ``time`` on where no plan was before."""
        row = self._row(time)
        return Segment(self._end(row, time), self.plans[row])

    def after(self, time: float) -> Segment:
        """What holds from ``time`` on, at which a segment has ended."""
        row = self._row(time)
        plan, anchor = self.plans[row], self._anchors[row]
        late = (anchor - time) % plan.cycle if plan.cycle else 0.0
        if late < SAME or plan.cycle - late < SAME:
            return Segment(self._end(row, time), plan)
        cycles = 1 if late <= plan.cycle / 2 else 2
        cycle = plan.cycle + late / cycles
        return Segment(time + cycles * cycle, plan.stretched(time, anchor, cycle))

    def _end(self, row: int, time: float) -> float:
        """When a plan that holds at ``time`` ends: with its cycle, once another one's time has come."""
        change = self._change(row, time)
        cycle, anchor = self.plans[row].cycle, self._anchors[row]
        if not cycle or change == inf:
            return change
        return float(anchor + ceil((change - anchor - SAME) / cycle) * cycle)

    def _row(self, time: float) -> int:
        """Which plan holds at ``time``; what begins within ``SAME`` has begun: no segment is empty."""
        return row_at(self.times, time + SAME, self.day)

    def _change(self, row: int, time: float) -> float:
        """The first time after ``time`` from which another plan holds; infinite: none does."""
        base = floor(time / self.day) * self.day if self.day < inf else 0.0
        days = (0.0, self.day) if self.day < inf else (0.0,)
        for day in days:
            for at, since in enumerate(self.times.tolist()):
                if base + day + since > time + SAME and at != row:
                    return float(base + day + since)
        return inf

    def dump(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "times": self.times.tolist(),
            "day": None if self.day == inf else self.day,
            "offsets": self.offsets,
            "plans": [_dumped(plan) for plan in self.plans],
        }


class DayPlans:
    """The junctions that have plans by the time of day; and what their streets do while these change."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[DayPlan, Ints, Segment]] = {}
        self._due = inf
        self._step = (0.0, 0.0)
        self._mixed: tuple[Ints, Floats, Floats, Floats] | None = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)

    def __contains__(self, junction: int) -> bool:
        return junction in self._known

    def put(self, junction: int, streets: Ints, plan: DayPlan, time: float) -> Plan:
        """Let a junction have these plans from ``time`` on. Returns: which holds first."""
        segment = plan.at_once(time)
        self._known[junction] = plan, streets, segment
        self._due = min(self._due, segment.end)
        return segment.plan

    def take(self, junction: int) -> None:
        """Let a junction have none any more."""
        self._known.pop(junction, None)
        self._mixed = None

    def look(self, plans: Signals, time: float, dt: float) -> Signals:
        """Go on through the ``dt`` seconds from ``time`` on. Returns: the plans that hold at their end."""
        if self._step == (time, dt) and self._mixed is not None:
            return plans
        self._step, self._mixed = (time, dt), None
        stop = time + dt
        if self._due > stop:
            return plans
        streets, parts, new = [], [], []
        for junction, (plan, at, segment) in self._known.items():
            if segment.end <= stop:
                segment, part = _through(plan, segment, time, stop)
                self._known[junction] = plan, at, segment
                streets.append(at)
                parts.append(part)
                new.append((np.full(len(at), segment.plan.cycle), segment.plan.begins, segment.plan.greens))
        self._due = min((segment.end for _, _, segment in self._known.values()), default=inf)
        if not streets:
            return plans
        here = np.concatenate(streets)
        share, first, last = (np.concatenate(each) for each in zip(*parts, strict=True))
        self._mixed = here, share, first, last
        return plans.replaced(here, *(np.concatenate(each) for each in zip(*new, strict=True)))

    def mixed(self, time: float, dt: float) -> tuple[Ints, Floats, Floats, Floats] | None:
        """Of a step that ``look`` saw a change in: the streets, and as ``Signals.during`` of those."""
        return self._mixed if self._step == (time, dt) else None

    def dump(self) -> dict[str, Any]:
        """Ready for JSON; junctions by their numbers."""
        return {
            str(junction): {
                **plan.dump(),
                "now": [None if segment.end == inf else segment.end, _dumped(segment.plan)],
            }
            for junction, (plan, _, segment) in self._known.items()
        }

    def restore(self, dumped: Mapping[str, Any], streets: Mapping[int, Ints]) -> None:
        """What ``dump`` returned, ``streets`` of each junction. Raises: KeyError, TypeError, ValueError."""
        known = {}
        for text, one in dumped.items():
            here = streets[int(text)]
            plans = [_plan(each, len(here)) for each in one["plans"]]
            offsets = [within("offset", offset, -MAX_CYCLE, MAX_CYCLE) for offset in one["offsets"]]
            plan = DayPlan("light", one["times"], plans, offsets, inf if one["day"] is None else one["day"])
            end, now = one["now"]
            known[int(text)] = plan, here, Segment(inf if end is None else float(end), _plan(now, len(here)))
        self._known, self._mixed, self._due = known, None, -inf


def _through(
    plan: DayPlan, segment: Segment, time: float, stop: float
) -> tuple[Segment, tuple[Floats, Floats, Floats]]:
    """(what holds at ``stop``; part that is green between, when it begins first and ends last, in steps)."""
    dt, at = stop - time, time
    count = len(segment.plan.begins)
    seconds, first, last = np.zeros(count), np.zeros(count), np.ones(count)
    if segment.end < time:
        # A file says so; nothing that ran does.
        segment = plan.at_once(time)
    while at < stop:
        end = min(segment.end, stop)
        if end > at:
            part, window = _signals(segment.plan, count).during(at, end - at)
            since, until = window or (np.zeros(count), np.ones(count))
            is_first = (seconds == 0) & (part > 0)
            first = np.where(is_first, (at - time + since * (end - at)) / dt, first)
            last = np.where(part > 0, (at - time + until * (end - at)) / dt, last)
            seconds += part * (end - at)
            at = end
        if segment.end <= stop:
            segment = plan.after(segment.end)
    while segment.end <= stop:
        segment = plan.after(segment.end)
    share = np.round(seconds / dt, 9)
    is_part = (share > 0) & (share < 1)
    return segment, (share, np.where(is_part, first, 0.0), np.where(is_part, last, 1.0))


def _signals(plan: Plan, count: int) -> Signals:
    return Signals(np.full(count, plan.cycle), plan.begins, plan.greens)


def _dumped(plan: Plan) -> list[Any]:
    return [plan.cycle, plan.begins.tolist(), plan.greens.tolist()]


def _plan(dumped: Any, count: int) -> Plan:
    """One that was dumped. Raises: TypeError, ValueError: it is none."""
    cycle, begins, greens = dumped
    plan = Plan(float(cycle), np.array(begins, float), np.array(greens, float))
    if plan.begins.shape != (count,) or plan.greens.shape != (count,):
        raise ValueError("not of this junction")
    if plan.cycle and not LEAST <= plan.cycle <= 2 * MAX_CYCLE:
        raise ValueError("no cycle")
    # Checked as those of a town are.
    _signals(plan, count)
    return plan
