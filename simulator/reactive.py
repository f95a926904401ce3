"""Lights that react to who comes: actuated, and by pressure (Varaiya 2013), all junctions at once.

A junction has phases, one green at a time, all red between two. A green that has lasted its least time may
end, which is decided as a step begins; but least, most and all-red times are exact whatever the step, so that
a junction that is full on all sides runs a fixed plan to the last vehicle.

Actuated: a green goes on while it serves a queue, up to its most, and ends once somebody waits elsewhere;
next is the following phase that somebody waits for. Pressure: who waits at a street's end, less who waits at
the ends of those it turns into, times what passes, and nothing where one of them is full; the phase with most
of it is next, if it gains more than the change costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from simulator.looks import Floats, Ints, Truths
from simulator.network import Town
from simulator.street import within

__all__ = ["RULES", "TIMES", "Actuated", "MaxPressure", "Phases", "Reactive", "Rule", "Seen"]

CALL = 0.25
"""Vehicles at a street's end that ask for a green. Flows are means: before a whole one has gathered, many a
vehicle would have come. With 1 a town delays more, and with 0.1, too."""

REST = 1e-6
"""Vehicles that ask for one after the most time of red: what is left of a flow that has ended."""

FULL = 0.98
"""Of what a street holds: from there on next to nobody enters it."""

COST = 6.0
"""Times what passes while all is red: a change must gain so much. With 1 and with 12, junctions that are full
on all sides delay more: they change too often, or too late."""

NEVER = float("inf")

Phases = tuple[frozenset[int], ...]
"""The streets of each phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actuated:
    """Greens that last while they serve a queue. Times in seconds.

    Args:
        min_green, max_green: how long a green lasts at least and, if somebody waits elsewhere, at most.
        all_red: between two greens.
    """

    min_green: float = 6.0
    max_green: float = 40.0
    all_red: float = 3.0

    def __post_init__(self) -> None:
        _check(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPressure:
    """Green where it moves most. Times in seconds.

    Args:
        min_green: how long a green lasts at least. max_green: how long one waits for it, with somebody there,
            at most, but for the greens and all-reds before it.
        all_red: between two greens.
    """

    min_green: float = 6.0
    max_green: float = 60.0
    all_red: float = 3.0

    def __post_init__(self) -> None:
        _check(self)


Rule = Actuated | MaxPressure

KINDS: Mapping[type[Rule], str] = {Actuated: "actuated", MaxPressure: "max-pressure"}
"""Rule -> its name in files."""

RULES: Mapping[str, type[Rule]] = {name: rule for rule, name in KINDS.items()}
TIMES = tuple(field.name for field in fields(Actuated))
"""What can be said of any rule, seconds."""


def _check(rule: Rule) -> None:
    """Raises: TownError: its times cannot be."""
    name = KINDS[type(rule)]
    within(f"{name} light: min_green", rule.min_green, 1.0, 600.0, "s")
    within(f"{name} light: max_green", rule.max_green, rule.min_green, 3600.0, "s, at least min_green")
    within(f"{name} light: all_red", rule.all_red, 0.0, 60.0, "s")


class Seen(Protocol):
    """What lights see of an engine."""

    capacity: Floats
    intake: Floats

    @property
    def vehicles(self) -> Floats: ...
    @property
    def ratio(self) -> Floats: ...
    def queued(self) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True, slots=True)
class _View:
    """What is there of each phase, (J, P)."""

    calls: Truths
    rests: Truths
    lasts: Floats  # seconds until its queues are served, if it is green; infinite: not in this step
    pressure: Floats | None  # vehicles²/s
    lost: Floats  # the same of a second in which nobody passes


State = tuple[int, int, float, float, list[float]]
"""The phase that is on, the next one, when its green begins and ends, and when the last one of each ended."""


class Reactive:
    """The junctions whose lights react: J of them here, with up to P phases each.

    A grant is a street's right to a phase: G of them.
    """

    _street: Ints  # (G,) whose grant it is
    _row: Ints  # (G,) of which junction here
    _phase: Ints  # (G,) in which of its phases
    _slot: Ints  # (G,) row and phase as one number
    _streets: Ints  # those that have any
    _count: Ints  # (J,) phases
    _exists: Truths  # (J, P) whether it is one
    _least: Floats  # (J,) seconds
    _most: Floats  # (J,) seconds
    _all_red: Floats  # (J,) seconds
    _by_pressure: Truths  # (J,)
    _now: Ints  # (J,) the phase that is on
    _next: Ints  # (J,) the one after it, where its end is known
    _begin: Floats  # (J,) when its green begins; all is red before
    _end: Floats  # (J,) when it ends; infinite: not known yet
    _since: Floats  # (J, P) when its last green ended
    _part: Floats  # of ``streets``: part of the step that is green

    def __init__(self, town: Town) -> None:
        self._town = town
        self._rules: dict[int, tuple[Rule, Phases]] = {}
        self._window: tuple[Floats, Floats] | None = None
        self._build({})

    def __len__(self) -> int:
        """Junctions whose lights react."""
        return len(self._rules)

    @property
    def junctions(self) -> tuple[int, ...]:
        """Which ones."""
        return tuple(self._rules)

    @property
    def streets(self) -> Ints:
        """The streets at whose end such a light stands."""
        return self._streets

    def put(self, rules: Mapping[int, tuple[Rule, Phases]], time: float) -> None:
        """Let these junctions react; the first phase of those that did not has green from ``time`` on."""
        kept = self._states()
        for at, (rule, phases) in rules.items():
            if self._rules.get(at, (None, None))[1] != phases:
                kept[at] = (0, 0, time, NEVER, [time] * len(phases))
            self._rules[at] = rule, phases
        self._build(kept)

    def take(self, junction: int) -> None:
        """Let a junction react no more."""
        if junction in self._rules:
            kept = self._states()
            del self._rules[junction]
            self._build(kept)

    def look(self, engine: Seen, time: float, dt: float) -> None:
        """See who is there, and settle who has green in the ``dt`` seconds from ``time`` on."""
        stop = time + dt
        seconds = np.zeros(len(self._town.street_ids))
        first, last = np.zeros(len(seconds)), np.ones(len(seconds))
        has_changed = False
        seen: _View | None = None
        while True:
            may = (self._end == NEVER) & (self._begin + self._least < stop - 1e-9)
            if may.any():
                seen = seen or self._view(engine, dt)
                self._decide(seen, may, time, stop)
            begin, end = np.maximum(self._begin, time), np.minimum(self._end, stop)
            lasts = np.maximum(end - begin, 0.0)
            street, at = self._active()
            seconds[street] += lasts[at]
            has_changed |= bool(((self._begin > time) | (self._end < stop)).any())
            shown = lasts[at] > 0
            street, at = street[shown], at[shown]
            fresh = seconds[street] <= lasts[at]
            first[street] = np.where(fresh, (begin[at] - time) / dt, first[street])
            last[street] = (end[at] - time) / dt
            ended = self._end < stop
            if not ended.any():
                break
            self._go_on(ended)
        self._part = seconds[self._streets] / dt
        self._part[self._part > 1.0 - 1e-9] = 1.0
        self._window = (first[self._streets], last[self._streets]) if has_changed else None

    def during(self) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """What ``look`` settled, of ``streets``: as ``Signals.during``."""
        return self._part, self._window

    def green(self, time: float) -> Truths:
        """Of ``streets``: whether vehicles may leave at ``time``, the end of the last step or within it."""
        street, at = self._active()
        green = np.zeros(len(self._town.street_ids), bool)
        green[street] = ((self._begin <= time) & (time < self._end))[at]
        return green[self._streets]

    def rule(self, junction: int) -> Rule | None:
        """How a junction reacts; None: it does not."""
        return self._rules[junction][0] if junction in self._rules else None

    def kind(self, junction: int) -> str | None:
        """The name of how a junction reacts; None: it does not."""
        rule = self.rule(junction)
        return None if rule is None else KINDS[type(rule)]

    def dump(self) -> dict[str, Any]:
        """Rules, phases and who has green, ready for JSON; streets and junctions by their numbers."""
        junctions = {}
        for at, (now, then, begin, end, since) in self._states().items():
            rule, phases = self._rules[at]
            junctions[str(at)] = {
                "rule": KINDS[type(rule)],
                "times": [getattr(rule, field.name) for field in fields(rule)],
                "phases": [sorted(phase) for phase in phases],
                "state": [now, then, begin, None if end == NEVER else end, since],
            }
        return junctions

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """What ``dump`` returned. Raises: KeyError, TypeError, ValueError: it is none."""
        rules, states = {}, {}
        for text, one in dumped.items():
            at = int(text)
            rule = RULES[one["rule"]]
            times = dict(zip((field.name for field in fields(rule)), one["times"], strict=True))
            phases = tuple(frozenset(phase) for phase in one["phases"])
            rules[at] = rule(**times), phases
            states[at] = _state(one["state"], len(phases))
            if not all(
                type(street) is int and self._leads(street, at) for phase in phases for street in phase
            ):
                raise ValueError("a street does not lead there")
        self._rules = rules
        self._build(states)

    def _leads(self, street: int, junction: int) -> bool:
        return 0 <= street < len(self._town.end) and int(self._town.end[street]) == junction

    # --- Deciding

    def _view(self, engine: Seen, dt: float) -> _View:
        """What is there of each phase: sums and truths over its streets, (J, P)."""
        stands, comes = engine.queued()
        queue = stands + comes
        rows, phases = self._exists.shape
        capacity = np.maximum(engine.capacity, 1e-12)
        # Seconds after which nobody stands there any more, if it is green.
        clear = np.where(queue < capacity * dt, stands / np.maximum(capacity - comes / dt, 1e-12), NEVER)

        def of(values: Floats) -> Floats:
            sums: Floats = np.bincount(self._slot, values[self._street], rows * phases).astype(float)
            return sums.reshape(rows, phases)

        calls, rests = queue >= CALL, queue >= REST
        pressure = None
        if self._by_pressure.any():
            # Of those who gain nothing, those who wait still come before nobody; but for those who cannot go.
            moves = ~self._blocked(engine)
            gain = np.maximum(queue - self._beyond(engine, queue), 0.0) + 1e-3 * queue
            pressure = of(capacity * gain * moves)
            by_rule = np.zeros(len(queue), bool)
            by_rule[self._street] = self._by_pressure[self._row]
            calls, rests = calls & (moves | ~by_rule), rests & (moves | ~by_rule)
        lasts = np.zeros(rows * phases)
        np.maximum.at(lasts, self._slot, clear[self._street])
        return _View(
            calls=of(calls.astype(float)) > 0,
            rests=of(rests.astype(float)) > 0,
            lasts=lasts.reshape(rows, phases),
            pressure=pressure,
            lost=of(capacity**2),
        )

    def _blocked(self, engine: Seen) -> Truths:
        """(S,) whether a street that some turn into takes nobody; nobody behind them can leave then."""
        town = self._town
        takes = (engine.intake > 0) & (engine.vehicles < FULL * town.storage)
        waits = np.bincount(town.movement_from, engine.ratio * ~takes[town.movement_to], len(town.priority))
        blocked: Truths = waits[: len(takes)] > 0
        return blocked

    def _beyond(self, engine: Seen, queue: Floats) -> Floats:
        """(S,) vehicles that stand in the streets that each turns into, on average."""
        town = self._town
        share = engine.ratio * queue[town.movement_to]
        beyond: Floats = np.bincount(town.movement_from, share, len(town.priority)).astype(float)
        return beyond[: len(queue)]

    def _decide(self, seen: _View, may: Truths, time: float, stop: float) -> None:
        """End the greens that should end within this step, and say who is next."""
        rows = np.arange(len(may))
        now = np.maximum(self._begin + self._least, time)
        waits = (now[:, None] - self._since) > self._most[:, None]
        calls = (seen.calls | (seen.rests & waits)) & self._exists
        calls[rows, self._now] = False
        later = self._begin + self._most
        # On while there is a queue, up to the most.
        served = np.maximum(time + seen.lasts[rows, self._now], now)
        end = np.maximum(np.minimum(served, later), now)
        end = np.where(end < stop - 1e-9, end, NEVER)
        follows = self._following(calls)
        ends = calls.any(axis=1)
        if seen.pressure is not None:
            gains, most = self._gains(seen, seen.pressure, calls, waits)
            end = np.where(self._by_pressure, np.where(served < stop - 1e-9, served, now), end)
            follows = np.where(self._by_pressure, most, follows)
            ends = np.where(self._by_pressure, gains, ends)
        settled = may & ends & (end < NEVER)
        self._end = np.where(settled, end, self._end)
        self._next = np.where(settled, follows, self._next)

    def _gains(self, seen: _View, pressure: Floats, calls: Truths, waits: Truths) -> tuple[Truths, Ints]:
        """(J,) whether another phase gains more than the change costs; (J,) which one."""
        rows = np.arange(len(pressure))
        own = pressure[rows, self._now]
        others = np.where(calls, pressure, -1.0)
        most = others.argmax(axis=1)
        # While all is red, what passes now would not.
        cost = (
            COST
            * self._all_red
            * np.where(seen.lasts[rows, self._now] == NEVER, seen.lost[rows, self._now], 0.0)
        )
        gains = others[rows, most] > own + cost
        # Who has waited for long comes first, whatever the pressure.
        late = np.where(calls & waits, -self._since, -NEVER)
        oldest = late.argmax(axis=1)
        is_late = late[rows, oldest] > -NEVER
        return gains | is_late, np.where(is_late, oldest, most)

    def _following(self, calls: Truths) -> Ints:
        """(J,) the next phase in turn that somebody waits for."""
        rows, phases = calls.shape
        follows = self._now.copy()
        for ahead in range(phases - 1, 0, -1):
            at = (self._now + ahead) % self._count
            follows = np.where(calls[np.arange(rows), at] & (ahead < self._count), at, follows)
        return follows

    def _go_on(self, ended: Truths) -> None:
        """The next phase where one has ended: green after all has been red."""
        rows = np.flatnonzero(ended)
        self._since[rows, self._now[rows]] = self._end[rows]
        self._now = np.where(ended, self._next, self._now)
        self._begin = np.where(ended, self._end + self._all_red, self._begin)
        self._end = np.where(ended, NEVER, self._end)

    def _active(self) -> tuple[Ints, Ints]:
        """(streets, their junction's row) of the phases that are on."""
        on = self._phase == self._now[self._row]
        return self._street[on], self._row[on]

    # --- Building

    def _build(self, states: Mapping[int, State]) -> None:
        """The arrays, of the rules."""
        ids = sorted(self._rules)
        rules = [self._rules[at] for at in ids]
        most = max((len(phases) for _, phases in rules), default=1)
        grants = [
            (street, row, number)
            for row, (_, phases) in enumerate(rules)
            for number, phase in enumerate(phases)
            for street in sorted(phase)
        ]
        self._street, self._row, self._phase = np.array(grants, np.intp).reshape(-1, 3).T
        self._slot = self._row * most + self._phase
        self._streets = np.unique(self._street)
        self._count = np.array([len(phases) for _, phases in rules], np.intp)
        self._exists = np.arange(most)[None, :] < self._count[:, None]
        self._least, self._most, self._all_red = (
            np.array([getattr(rule, name) for rule, _ in rules], float)
            for name in ("min_green", "max_green", "all_red")
        )
        self._by_pressure = np.array([isinstance(rule, MaxPressure) for rule, _ in rules], bool)
        kept = [states[at] for at in ids]
        self._now = np.array([state[0] for state in kept], np.intp)
        self._next = np.array([state[1] for state in kept], np.intp)
        self._begin = np.array([state[2] for state in kept], float)
        self._end = np.array([state[3] for state in kept], float)
        self._since = np.array([_padded(state[4], most) for state in kept], float).reshape(-1, most)
        self._part, self._window = np.ones(len(self._streets)), None

    def _states(self) -> dict[int, State]:
        """Junction -> its state."""
        each = (self._now, self._next, self._begin, self._end, self._since)
        rows = zip(sorted(self._rules), *(array.tolist() for array in each), strict=True)
        return {
            at: (now, then, begin, end, since[: len(self._rules[at][1])])
            for at, now, then, begin, end, since in rows
        }


def _padded(values: Sequence[float], count: int) -> list[float]:
    return [*values, *[0.0] * (count - len(values))]


def _state(values: Sequence[Any], count: int) -> State:
    """One that was dumped. Raises: TypeError, ValueError: it is none."""
    now, then, begin, end, since = values
    times = [float(begin), 0.0 if end is None else float(end), *(float(one) for one in since)]
    if not (0 <= int(now) < count and 0 <= int(then) < count == len(since)) or not np.isfinite(times).all():
        raise ValueError("no state")
    return int(now), int(then), times[0], NEVER if end is None else times[1], times[2:]
