"""Plans of lights by the time of day: what is green while one follows another."""

import json
from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simulator import Simulator, Town
from simulator.dayplans import DayPlan, DayPlans, Plan
from simulator.demand import Demand
from simulator.errors import TownError
from simulator.lights import Lights
from simulator.phases import phased
from simulator.reactive import Actuated
from simulator.signals import Signals

WEST, EAST, NORTH, SOUTH = "r1c0-r1c1", "r1c2-r1c1", "r0c1-r1c1", "r2c1-r1c1"
CALM = (60.0, 0.0, {WEST: (0, 27), EAST: (0, 27), NORTH: (30, 27), SOUTH: (30, 27)})
BUSY = (90.0, 12.5, {WEST: (0, 57), EAST: (0, 57), NORTH: (60, 27), SOUTH: (60, 27)})


def plan(cycle, offset, *greens):
    """A plan of streets, each (begin after the offset, seconds)."""
    begins, seconds = np.array(greens, float).reshape(-1, 2).T
    return Plan(float(cycle), begins + offset, seconds)


def seen(day, time, until):
    """Street -> its greens as (begin, end), as they are from ``time`` on, second by second exact."""
    segment = day.at_once(time)
    greens = [[] for _ in segment.plan.begins]
    while time < until:
        end = min(segment.end, until)
        for street, (begin, seconds) in enumerate(zip(segment.plan.begins, segment.plan.greens, strict=True)):
            cycle = segment.plan.cycle
            if not cycle or seconds >= cycle - 1e-9:
                greens[street].append((time, end))
            elif seconds > 0:
                at = begin + np.ceil((time - begin - seconds) / cycle + 1e-9) * cycle
                while at < end - 1e-9:
                    greens[street].append((max(at, time), min(at + seconds, end)))
                    at += cycle
        time, segment = end, segment if end < segment.end else day.after(end)
    return [joined(each) for each in greens]


def joined(greens):
    """The same, those that follow each other as one."""
    found = []
    for begin, end in greens:
        if found and begin - found[-1][1] < 1e-6:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def test_a_plan_ends_with_its_cycle_and_the_next_one_is_stretched_until_it_is_in_step():
    day = DayPlan(
        "light x", [0, 605], [plan(60, 0, (0, 27), (30, 27)), plan(90, 10, (0, 50), (55, 30))], [0, 10], inf
    )
    first = day.at_once(0.0)
    # The cycle in which 605 s lie ends at 660 s; the next plan's begins at 10 + 8 x 90 = 730 s, in 70 s.
    assert first.end == 660.0
    second = day.after(660.0)
    assert (second.plan.cycle, second.end) == (90 + 70 / 2, 660 + 2 * 125)
    assert second.plan.greens == pytest.approx(np.array([50, 30]) * 125 / 90)
    third = day.after(second.end)
    assert (third.plan.cycle, third.end) == (90.0, inf)
    assert (second.end - 10) % 90 == pytest.approx(0)


def test_a_short_way_takes_one_cycle():
    day = DayPlan("light x", [0, 100], [plan(60, 0, (0, 27)), plan(60, 20, (0, 27))], [0, 20], inf)
    change = day.after(day.at_once(0.0).end)
    assert (change.plan.cycle, change.end) == (80.0, 200.0)


def test_plans_in_step_follow_each_other_without_a_word():
    day = DayPlan(
        "light x", [0, 300], [plan(60, 0, (0, 27), (30, 27)), plan(60, 0, (0, 20), (25, 32))], [0, 0], inf
    )
    assert day.at_once(0.0).end == 300.0
    assert day.after(300.0).end == inf


def test_a_cycle_ends_where_no_green_is_cut():
    # The second green lasts over the offset: so the cycle ends where the first one begins.
    assert plan(60, 0, (10, 25), (40, 28)).anchor(0.0) == 10.0
    assert plan(60, 5, (0, 25), (30, 25)).anchor(5.0) == 5.0
    # Always green is never cut; where greens overlap all round there is no better place.
    assert plan(60, 0, (0, 60), (50, 20)).anchor(0.0) == 50.0
    assert plan(60, 7, (0, 35), (30, 35)).anchor(7.0) == 7.0


def test_a_light_that_is_off_at_night_comes_on_and_goes_off():
    day = DayPlan("light x", [0, 500], [plan(0, 0, (0, 0)), plan(60, 10, (0, 27))], [0, 10], 1000.0)
    assert day.at_once(0.0).end == 500.0
    on = day.after(500.0)
    assert (on.plan.cycle, on.end) == (85.0, 670.0)
    assert day.after(670.0).end == 1030.0
    assert (day.after(1030.0).plan.cycle, day.after(1030.0).end) == (0, 1500.0)


def test_days_repeat_and_the_last_plan_holds_till_the_first_begins():
    plans = [plan(60, 0, (0, 20)), plan(60, 0, (0, 40))]
    day = DayPlan("light x", [600, 1800], plans, [0, 0], 3600.0)
    assert (day.at_once(0.0).plan, day.at_once(0.0).end) == (plans[1], 600.0)
    assert (day.at_once(700.0).plan, day.at_once(3600 + 700.0).plan) == (plans[0], plans[0])
    assert day.at_once(1900.0).end == 4200.0
    once = DayPlan("light x", [600, 1800], plans, [0, 0], inf)
    assert (once.at_once(0.0).plan, once.at_once(0.0).end) == (plans[0], 1800.0)


@st.composite
def two_phases(draw):
    """A plan with two greens and reds between, anywhere in its cycle."""
    reds = draw(st.floats(0, 5)), draw(st.floats(0, 5))
    greens = draw(st.floats(5, 60)), draw(st.floats(5, 60))
    offset = draw(st.floats(-50, 100))
    begin = draw(st.floats(0, 100))
    cycle = sum(reds) + sum(greens)
    second = begin + greens[0] + reds[0]
    return plan(cycle, offset, (begin, greens[0]), (second, greens[1])), offset


@given(st.lists(two_phases(), min_size=1, max_size=4), st.data())
def test_no_green_is_cut_or_shared_and_everybody_has_a_share(made, data):
    plans, offsets = [each[0] for each in made], [each[1] for each in made]
    gaps = data.draw(st.lists(st.floats(1, 700), min_size=len(plans), max_size=len(plans)))
    times = np.cumsum(gaps)
    day = DayPlan("light x", times, plans, offsets, float(times[-1] + data.draw(st.floats(1, 500))))
    greens = seen(day, 0.0, 3000.0)
    shortest = [min(one.greens[street] for one in plans) for street in (0, 1)]
    longest = [max(one.greens[street] for one in plans) for street in (0, 1)]
    for street in (0, 1):
        # What is under way at both ends is not whole.
        for begin, end in greens[street][1:-1]:
            # Where nothing is red between, the last of one plan and the first of the next are one.
            assert shortest[street] - 1e-6 <= end - begin <= 3 * longest[street] + 1e-6
    both = sorted(each for street in (0, 1) for each in greens[street])
    for (_, end), (begin, _) in pairwise(both):
        assert begin >= end - 1e-6
    # Each of them comes round again within the longest cycle, stretched as far as it may be.
    most = 1.5 * max(one.cycle for one in plans)
    for street in (0, 1):
        assert all(later[0] - former[0] <= 2 * most for former, later in pairwise(greens[street]))


@given(two_phases(), two_phases(), st.sampled_from([0.5, 1.0, 3.0, 20.0, 200.0]), st.floats(0, 500))
def test_whatever_the_step_as_much_is_green(one, other, dt, change):
    assume(change >= 1)
    day = DayPlan("light x", [0, change], [one[0], other[0]], [one[1], other[1]], 1600.0)
    expected = [sum(end - begin for begin, end in each) for each in seen(day, 0.0, 3000.0)]
    streets = np.arange(2)
    known = DayPlans()
    first = known.put(0, streets, day, 0.0)
    signals = Signals(np.full(2, first.cycle), first.begins, first.greens)
    green = np.zeros(2)
    for step in range(round(3000 / dt)):
        signals = known.look(signals, step * dt, dt)
        part, window = signals.during(step * dt, dt)
        mixed = known.mixed(step * dt, dt)
        if mixed is not None:
            part, window = mixed[1], mixed[2:]
        green += part * dt
        if window is not None:
            assert (window[0] <= window[1] + 1e-9).all()
            assert (part <= window[1] - window[0] + 1e-6).all()
    assert green == pytest.approx(expected, abs=1e-3)


# --- In a town


@pytest.fixture
def town():
    return Town.grid(3, 3)


def test_a_town_changes_its_plans_and_goes_on_after_a_save_in_between(town, tmp_path):
    for engine in ("ltm", "ctm", "avg"):
        simulator = Simulator(town, "x", 2.0, seed=3, engine=engine, dt=2.0)
        simulator.set_plans("r1c1", {0: CALM, 400: BUSY, 1400: (0, 0, {})}, day=3600)
        simulator.set_plans(
            "r0c1", {100: phased([(["r0c0-r0c1"], 30), (["r1c1-r0c1"], 20)]), 500.5: (0, 0, {})}
        )
        simulator.run(462)
        assert simulator.light("r1c1")["cycle"] == 132.5
        simulator.save(tmp_path / "town.npz")
        other = Simulator.load(tmp_path / "town.npz")
        assert other.lights.dump() == simulator.lights.dump()
        for each in (simulator, other):
            each.run(3600)
        assert (simulator.engine.left == other.engine.left).all()
        assert simulator.dump_state() == other.dump_state()
        assert other.lights.dump() == simulator.lights.dump()


def test_what_passes_a_light_that_is_full_is_its_greens(town):
    demand = Demand.constant(np.full(len(town.origins), 1.0))
    signals = Signals.none(town)
    at = town.street_ids.index(WEST)
    for dt in (1.0, 4.0, 10.0):
        simulator = Simulator(town, "x", dt, dt=dt, signals=signals, demand=demand)
        simulator.set_plans("r1c1", {0: CALM, 700: BUSY})
        simulator.run(600)
        before, green = simulator.engine.left[at], 0.0
        while simulator.time < 1200:
            simulator.lights.look(simulator.engine, simulator.time, dt)
            green += simulator.lights.during(simulator.time, dt)[0][at] * dt
            simulator.next()
        # 720 s: the calm plan's cycle ends; 732.5 = 12.5 + 8 x 90: the busy one's begins.
        assert green == pytest.approx(27 * 2 + 57 * 102.5 / 90 + 57 * 4 + min(17.5, 57), abs=1e-6)
        assert simulator.engine.left[at] - before <= 0.55 * green + 1e-6


def test_plans_hold_at_once_and_another_word_ends_them(town):
    lights = Lights(town, Signals.two_phase(town, seed=1))
    at = town.street_ids.index(WEST)
    lights.set_plans("r1c1", {0: CALM, 21_600: BUSY}, 30_000.0, 86_400)
    assert lights.plans.plans()[0][at] == 90
    assert list(lights.dump()["by_time"]) == [str(town.junction_ids.index("r1c1"))]
    with pytest.raises(TownError, match=r"^wave: the light of street r1c0-r1c1 has plans by the time of day"):
        lights.coordinate([WEST, "r1c1-r1c2"])
    lights.set_plan("r1c1", *CALM)
    assert lights.dump()["by_time"] == {}
    assert lights.plans.plans()[0][at] == 60


def test_lights_that_react_have_their_plans_again(town):
    simulator = Simulator(town, "x", 1.0)
    simulator.set_plans("r1c1", {0: CALM, 100: BUSY})
    simulator.set_reactive(Actuated(), ["r1c1"])
    simulator.run(600)
    assert simulator.light("r1c1")["kind"] == "actuated"
    simulator.set_reactive(None, ["r1c1"])
    assert (simulator.light("r1c1")["kind"], simulator.light("r1c1")["cycle"]) == ("plan", 90)
    simulator.set_reactive(Actuated(), ["r1c1"])
    simulator.set_plans("r1c1", {0: CALM})
    assert simulator.light("r1c1")["kind"] == "plan"


@pytest.mark.parametrize(
    ("plans", "day", "text"),
    [
        ({}, inf, "0 plans; it has 1 to 100"),
        ([CALM], inf, r"plans are \{seconds: \(cycle, offset, greens\)\}"),
        ({0: 5}, inf, r"a plan is \(cycle, offset, greens\), not 5"),
        ({0: (60, 0, {})}, inf, "no street has a green"),
        ({0: (60, 0, {"x": (0, 5)})}, inf, "there is no street x"),
        ({0: (0.5, 0, {WEST: (0, 0.2)})}, inf, "from 0 s: cycle is 0.5; it must be from 1 to 3600 s"),
        ({0: (float("nan"), 0, {})}, inf, "cycle is nan"),
        ({"noon": CALM}, inf, "when a plan begins is 'noon', not a number"),
        ({300: CALM, 0: BUSY}, inf, "times of a table ascend"),
        ({0: CALM, 90_000: BUSY}, 86_400, "a time of 90000 s in a day of 86400 s"),
        ({-5: CALM}, 86_400, "times"),
        ({0: CALM, 0.5: BUSY}, inf, "plans begin at least 1 s after each other"),
        ({0: CALM, 86_399.5: BUSY}, 86_400, "plans begin at least 1 s after each other"),
        ({0: CALM}, -1, "day is -1"),
        ({0: CALM}, float("nan"), "day is nan"),
        (dict.fromkeys(range(101), CALM), inf, "101 plans; it has 1 to 100"),
    ],
)
def test_plans_that_cannot_be_are_refused_and_change_nothing(town, plans, day, text):
    simulator = Simulator(town)
    before = json.dumps(simulator.lights.dump())
    with pytest.raises(TownError, match=rf"^light r1c1: {text}"):
        simulator.set_plans("r1c1", plans, day)
    assert json.dumps(simulator.lights.dump()) == before
    with pytest.raises(TownError, match=r"^light x: there is no junction of that name"):
        simulator.set_plans("x", plans, day)


def test_what_is_no_state_is_refused(town):
    simulator = Simulator(town)
    simulator.set_plans("r1c1", {0: CALM, 600: BUSY}, day=3600)
    dumped = simulator.lights.dump()
    ((number, good),) = dumped["by_time"].items()
    for wrong in (
        {"99": good},
        {number: 5},
        {number: {**good, "times": [0]}},
        {number: {**good, "times": [600, 0]}},
        {number: {**good, "day": "long"}},
        {number: {**good, "plans": good["plans"][:1]}},
        {number: {**good, "offsets": [float("nan"), 0]}},
        {number: {**good, "now": [None]}},
        {number: {**good, "now": [None, [60, [0], [27]]]}},
        {number: {**good, "now": [None, [1e-9, [0] * 4, [0] * 4]]}},
        {number: {**good, "now": [None, [60, [0] * 4, [90] * 4]]}},
    ):
        with pytest.raises(TownError, match=r"^lights: not those of this town"):
            simulator.lights.restore({**dumped, "by_time": wrong})
    # One that ended long ago is no work.
    simulator.lights.restore({**dumped, "by_time": {number: {**good, "now": [-1e12, good["now"][1]]}}})
    simulator.run(60)
    # Files of before know nothing of it.
    simulator.lights.restore({name: each for name, each in dumped.items() if name != "by_time"})
    assert simulator.lights.dump()["by_time"] == {}
