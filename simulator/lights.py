"""All lights of a town: plans, and those that react; and what may be said about them while the town runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from simulator.dayplans import DayPlan, DayPlans, Plan
from simulator.errors import TownError
from simulator.looks import Floats, Ints, Truths
from simulator.network import Town
from simulator.phases import MAX_CYCLE, Approaches, phases_of, sequence
from simulator.reactive import Phases, Reactive, Rule, Seen
from simulator.signals import Ahead, Signals
from simulator.street import within
from simulator.waves import band, both_ways, one_way

__all__ = ["Lights"]


class Lights:
    """When each street's downstream light is green, as engines ask for it."""

    def __init__(self, town: Town, signals: Signals) -> None:
        """Raises: TownError: the plans are those of another town."""
        if len(signals) != len(town.street_ids):
            raise TownError(f"signals: plans for {len(signals)} streets; the town has {len(town.street_ids)}")
        self._town = town
        self._plans = signals
        self._approaches = Approaches(town)
        self._reactive = Reactive(town)
        self._by_time = DayPlans()

    @property
    def plans(self) -> Signals:
        """The plans; those of junctions that react hold again when they react no more."""
        return self._plans

    @property
    def keep_to_one_plan(self) -> bool:
        """Whether all keep to one plan each, so that ``ahead`` can be asked."""
        return not len(self._reactive) and not len(self._by_time)

    def look(self, engine: Seen, time: float, dt: float) -> None:
        """Let plans change, and lights react to what is there, in the ``dt`` seconds from ``time`` on."""
        if len(self._by_time):
            self._plans = self._by_time.look(self._plans, time, dt)
        if len(self._reactive):
            self._reactive.look(engine, time, dt)

    def during(self, time: float, dt: float) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """As ``Signals.during``; of lights that react, and where plans change, what ``look`` settled."""
        part, window = self._plans.during(time, dt)
        mixed = self._by_time.mixed(time, dt)
        if mixed is not None:
            at, part[at], since, until = mixed
            window = window or (np.zeros(len(part)), np.ones(len(part)))
            window[0][at], window[1][at] = since, until
        if not len(self._reactive):
            return part, window
        at = self._reactive.streets
        own, own_window = self._reactive.during()
        part[at] = own
        if window is None and own_window is None:
            return part, None
        first, last = window or (np.zeros(len(part)), np.ones(len(part)))
        first[at], last[at] = own_window or (0.0, 1.0)
        return part, (first, last)

    def ahead(self, step: int, dt: float, count: int) -> Ahead:
        """As ``Signals.ahead``; only while ``keep_to_one_plan``."""
        return self._plans.ahead(step, dt, count)

    def green(self, time: float) -> Truths:
        """(S,) True where vehicles may leave the street at ``time``, seconds."""
        green = self._plans.green(time)
        if len(self._reactive):
            green[self._reactive.streets] = self._reactive.green(time)
        return green

    def average(self, time: float) -> tuple[Floats, Floats]:
        """As ``Signals.average``; lights that react are as green as ``look`` settled, and delay no more."""
        part, red = self._plans.average(time)
        if len(self._reactive):
            part, red = part.copy(), red.copy()
            part[self._reactive.streets], red[self._reactive.streets] = self._reactive.during()[0], 0.0
        return part, red

    def describe(self, junction: str) -> dict[str, Any]:
        """A junction's light now, ready for JSON: ``{junction, kind, cycle, offset, greens}``.

        ``kind`` is none, plan, or how it reacts; the rest is its plan, as ``set_plan`` takes it. The offset
        is that of the first green. Raises: TownError: no such junction.
        """
        number = self._approaches.junction(junction)
        cycles, begins, greens = self._plans.plans()
        here = [at for at in self._approaches.of(number) if cycles[at] > 0]
        cycle = max((float(cycles[at]) for at in here), default=0.0)
        since = {at: float(begins[at] % cycle) for at in here if greens[at] > 0}
        offset = min(since.values(), default=0.0)
        times = {at: [round(begin - offset, 6), float(greens[at])] for at, begin in since.items()}
        return {
            "junction": junction,
            "kind": self._reactive.kind(number) or ("plan" if here else "none"),
            "cycle": cycle,
            "offset": round(offset, 6),
            "greens": {self._town.street_ids[at]: times[at] for at in times},
        }

    def dump(self) -> dict[str, Any]:
        """Plans, and those that react, ready for JSON."""
        plans = [each.tolist() for each in self._plans.plans()]
        return {"plans": plans, "reactive": self._reactive.dump(), "by_time": self._by_time.dump()}

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """What ``dump`` returned. Raises: TownError: it is of another town, or none."""
        try:
            plans = Signals(*(np.array(each, float) for each in dumped["plans"]))
            if len(plans) != len(self._plans):
                raise ValueError
            by_time = dumped.get("by_time", {})
            by_time_streets = {int(at): self._streets_of(int(at)) for at in by_time}
            self._by_time.restore(by_time, by_time_streets)
            self._reactive.restore(dumped["reactive"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise TownError("lights: not those of this town") from None
        self._plans = plans

    def set_plan(self, junction: str, cycle: float, offset: float, greens: Mapping[str, Any]) -> None:
        """Give a junction a plan: ``greens`` is {street: (begin, seconds)}, each begin after ``offset``.

        Streets that lead there and are not named have no green; a ``cycle`` of 0 takes the light away.
        Raises: TownError: no such junction, a street does not lead there, or a time cannot be.
        """
        number = self._approaches.junction(junction)
        cycle, _, found = self._checked(junction, cycle, offset, greens)
        self._set(number, cycle, found)

    def set_plans(
        self, junction: str, plans: Mapping[float, Any], time: float, day: float = float("inf")
    ) -> None:
        """Give a junction plans by the time: {seconds of the day: (cycle, offset, greens)}, from ``time`` on.

        Args: day: seconds after which they begin again; inf: never.
        Raises: TownError: as ``set_plan``; plans or times are none.
        """
        number, about = self._approaches.junction(junction), f"light {junction}"
        if not isinstance(plans, Mapping):
            raise TownError(f"{about}: plans are {{seconds: (cycle, offset, greens)}}")
        here = self._streets_of(number)
        times, made, offsets = [], [], []
        for since, plan in plans.items():
            if not isinstance(plan, list | tuple) or len(plan) != 3:
                raise TownError(f"{about}: a plan is (cycle, offset, greens), not {plan!r}"[:200])
            cycle, offset, greens = self._checked(junction, *plan)
            begin, green = _in_order(here.tolist(), greens)
            times.append(within(f"{about}: when a plan begins", since, -1e9, 1e9, "s"))
            made.append(Plan(cycle, begin, green))
            offsets.append(offset)
        table = DayPlan(about, times, made, offsets, day)
        now = self._by_time.put(number, here, table, time)
        self._plans = self._plans.replaced(here, now.cycle, now.begins, now.greens)
        self._reactive.take(number)

    def _checked(
        self, junction: str, cycle: Any, offset: Any, greens: Any
    ) -> tuple[float, float, dict[int, tuple[float, float]]]:
        """A plan as it is said: cycle, offset, street -> (begin, green), each begin with the offset in it."""
        about = f"light {junction}"
        cycle = within(f"{about}: cycle", cycle, 0.0, MAX_CYCLE, "s")
        offset = within(f"{about}: offset", offset, -MAX_CYCLE, MAX_CYCLE, "s")
        found = self._approaches.greens(junction, cycle, greens)
        if cycle and not found:
            raise TownError(f"{about}: no street has a green")
        return cycle, offset, {at: (offset + begin, green) for at, (begin, green) in found.items()}

    def _streets_of(self, junction: int) -> Ints:
        """Those that lead there. Raises: IndexError: there is no such junction."""
        if not 0 <= junction < len(self._town.junction_ids):
            raise IndexError(junction)
        return np.array(self._approaches.of(junction), np.intp)

    def set_phases(
        self,
        junction: str,
        phases: Sequence[tuple[Iterable[str], float]],
        all_red: float = 3.0,
        offset: float = 0.0,
    ) -> None:
        """Give a junction a plan of phases: (streets, seconds of green), all red after each.

        Raises: TownError: as ``set_plan``; a street has two greens with a red between.
        """
        self._approaches.junction(junction)
        cycle, greens = sequence(f"light {junction}", phases, all_red)
        self.set_plan(junction, cycle, offset, greens)

    def react(
        self, rule: Rule | None, time: float, junctions: Collection[str] | None = None, phases: Any = None
    ) -> int:
        """Let lights react, from ``time`` on; None: let them keep to their plans again.

        Args:
            junctions: which ones; default: all that have a light and two phases or more.
            phases: lists of streets, of one junction; default: what its plan has green together.
        Returns: how many do.
        Raises: TownError: no such junction, it has no two phases, or phases are none.
        """
        numbers = None if junctions is None else [self._approaches.junction(id) for id in junctions]
        if rule is None:
            for at in list(self._reactive.junctions) if numbers is None else numbers:
                self._reactive.take(at)
            return 0
        if phases is not None:
            if junctions is None or len(junctions) != 1:
                raise TownError("light: phases are those of one junction")
            (id,) = junctions
            rules = {self._approaches.junction(id): self._approaches.groups(id, phases)}
        else:
            rules = self._usual(numbers)
        self._reactive.put({at: (rule, groups) for at, groups in rules.items()}, time)
        return len(rules)

    def coordinate(
        self, streets: Sequence[str], cycle: float | None = None, *, is_both_ways: bool = False
    ) -> float:
        """Set the offsets of the lights along a street so that who meets the first one green meets all green.

        Args:
            streets: one after the other; the light at the end of each has a plan.
            cycle: seconds, of all of them; default: the longest of theirs. Plans grow with it.
            is_both_ways: the same room for those who come the other way, where both have green together.
        Returns: seconds of a cycle in which one can set off and stop nowhere.
        Raises: TownError: the streets do not lead one into the other, a light has no plan, or reacts.
        """
        at = self._corridor(streets)
        cycles, begins, greens = (each[at] for each in self._plans.plans())
        cycle = within("wave: cycle", cycles.max() if cycle is None else cycle, 1.0, MAX_CYCLE, "s")
        share = greens / cycles
        travel = np.cumsum(self._town.length[at] / self._town.speed[at]) / cycle
        if is_both_ways:
            wanted = both_ways(travel, share) - share / 2
        else:
            wanted = one_way(travel)
        wanted += begins[0] / cycles[0] - wanted[0]
        for street, scale, shift in zip(at, cycle / cycles, wanted - begins / cycles, strict=True):
            self._shift(int(self._town.end[street]), cycle, float(scale), float(shift) * cycle)
        return band(travel, wanted, share) * cycle

    def _shift(self, junction: int, cycle: float, scale: float, seconds: float) -> None:
        """Stretch a junction's plan to ``cycle`` seconds, and move it."""
        cycles, begins, greens = self._plans.plans()
        here = [at for at in self._approaches.of(junction) if cycles[at] > 0]
        self._set(
            junction,
            cycle,
            {at: (begins[at] * scale + seconds, min(greens[at] * scale, cycle)) for at in here},
        )

    def _corridor(self, streets: Sequence[str]) -> list[int]:
        """The streets' numbers, checked."""
        if isinstance(streets, str) or len(streets) < 2:
            raise TownError("wave: it leads along two streets at least")
        at = [self._approaches.street("wave", id) for id in streets]
        cycles, _, greens = self._plans.plans()
        for here, there in pairwise(at):
            if self._town.end[here] != self._town.start[there]:
                raise TownError(
                    f"wave: street {self._town.street_ids[here]} does not lead to "
                    f"street {self._town.street_ids[there]}"
                )
        if len({int(self._town.end[street]) for street in at}) < len(at):
            raise TownError("wave: it comes to a junction twice")
        for street in at:
            if not cycles[street] or not greens[street]:
                raise TownError(f"wave: street {self._town.street_ids[street]} has no light with a plan")
            if int(self._town.end[street]) in self._by_time:
                raise TownError(
                    f"wave: the light of street {self._town.street_ids[street]} has plans by the time of day"
                )
            if self._reactive.rule(int(self._town.end[street])):
                raise TownError(f"wave: the light of street {self._town.street_ids[street]} reacts")
        return at

    def _set(self, junction: int, cycle: float, greens: Mapping[int, tuple[float, float]]) -> None:
        """Take a plan that was checked; the junction reacts no more."""
        here = self._approaches.of(junction)
        begin, green = _in_order(here, greens)
        self._plans = self._plans.replaced(np.array(here, np.intp), cycle, begin, green)
        self._reactive.take(junction)
        self._by_time.take(junction)

    def _usual(self, junctions: Sequence[int] | None) -> dict[int, Phases]:
        """The phases of junctions; None: of all that have a light and more than one phase."""
        ends = self._town.end[self._plans.has_light]
        wanted = np.unique(ends).tolist() if junctions is None else junctions
        found = {at: phases_of(self._town, self._plans, self._approaches.of(at)) for at in wanted}
        if junctions is not None:
            for at, groups in found.items():
                if not groups:
                    raise TownError(
                        f"light {self._town.junction_ids[at]}: it has no two phases to choose from"
                    )
        return {at: groups for at, groups in found.items() if groups}


def _in_order(streets: Sequence[int], greens: Mapping[int, tuple[float, float]]) -> tuple[Floats, Floats]:
    """(A,) begins and (A,) greens of these streets; 0 of those without."""
    begin, green = np.array([greens.get(at, (0.0, 0.0)) for at in streets], float).reshape(-1, 2).T
    return begin, green
