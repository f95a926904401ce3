"""Lights that react: kinematic waves' own delays, exact times whatever the step, and invariants."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Simulator, Town
from simulator.demand import Demand
from simulator.errors import TownError
from simulator.network import Street
from simulator.reactive import Actuated, MaxPressure, Reactive
from simulator.signals import Signals

CAPACITY, SPEED = 0.55, 50 / 3.6


def crossing(arms=2):
    """Streets a0, a1 … that cross at M, each with a way out of its own."""
    streets = [Street(id=f"a{n}", start=f"A{n}", end="M") for n in range(arms)]
    streets += [Street(id=f"b{n}", start="M", end=f"B{n}") for n in range(arms)]
    turns = {f"a{n}": {f"b{n}": 1.0} for n in range(arms)}
    return Town.from_streets(streets, turns, {f"A{n}": {f"a{n}": 1.0} for n in range(arms)})


def running(rule, *rates, dt=1.0, phases=None, town=None):
    town = town or crossing(len(rates))
    simulator = Simulator(
        *(town, "x", dt), dt=dt, signals=Signals.none(town), demand=Demand.constant(np.array(rates))
    )
    simulator.set_reactive(rule, ["M"], phases or [[f"a{n}"] for n in range(len(rates))])
    return simulator


def delay(simulator, seconds, flow):
    """Mean seconds above free flow of 1,000 m, of those who arrive in steady state."""

    def present():
        return simulator.engine.vehicles.sum() + simulator.engine.waiting.sum()

    total, end = 0.0, simulator.time + seconds
    while simulator.time < end - 1e-9:
        before = present()
        simulator.next()
        total += (before + present()) / 2 * simulator.step
    return total / (flow * seconds) - 1000 / SPEED


# Which queue presses more is seen as a step begins, so that longer steps delay more.
@pytest.mark.parametrize(("kind", "dt"), [(Actuated, 1.0), (Actuated, 2.0), (MaxPressure, 1.0)])
@pytest.mark.parametrize("flow", [0.15, 0.2, 0.24])
def test_a_green_ends_when_its_queue_is_gone_and_delay_is_exact(kind, flow, dt):
    simulator = running(kind(min_green=3, max_green=90), flow, flow, dt=dt)
    simulator.run(600)
    load = flow / CAPACITY
    cycle = 2 * 3.0 / (1 - 2 * load)
    assert delay(simulator, 900, 2 * flow) == pytest.approx(cycle * (1 - load) / 2, rel=0.01)


@pytest.mark.parametrize("dt", [1.0, 2.5, 20.0])
@pytest.mark.parametrize("times", [(6.0, 27.3, 2.2), (1.0, 11.7, 0.0), (13.3, 13.3, 4.4)])
def test_a_junction_that_is_full_on_all_sides_runs_a_plan_whatever_the_step(times, dt):
    least, most, all_red = times
    rule = Actuated(min_green=least, max_green=most, all_red=all_red)
    simulator = running(rule, 0.54, 0.54, 0.54, dt=dt)
    simulator.run(400)
    before, begun = simulator.engine.left[:3].copy(), simulator.time
    now, _, begin, *_ = next(iter(simulator.lights._reactive._states().values()))
    simulator.run(600)
    period = most + all_red
    begins = begin + (np.arange(3) - now) % 3 * period
    plan = Signals(np.full(3, 3 * period), begins, np.full(3, most))
    expected = CAPACITY * 600 * plan.during(begun, 600.0)[0]
    assert simulator.engine.left[:3] - before == pytest.approx(expected, rel=0.001)


def greens(simulator, *streets):
    """(street or None, seconds) of each green, and each all-red, in the next steps of a run."""
    return [
        bool(simulator.lights.green(simulator.time)[simulator.town.street_ids.index(id)]) for id in streets
    ]


def test_green_rests_where_it_is_while_nobody_else_waits():
    simulator = running(Actuated(), 0.3, 0.0)
    for _ in range(300):
        simulator.next()
        assert greens(simulator, "a0", "a1") == [True, False]
    assert delay(simulator, 300, 0.3) == pytest.approx(0, abs=1e-6)


def test_phases_that_nobody_waits_for_are_skipped():
    simulator = running(Actuated(), 0.2, 0.0, 0.2)
    seen = set()
    for _ in range(600):
        simulator.next()
        seen.add(tuple(greens(simulator, "a0", "a1", "a2")))
    assert seen == {(True, False, False), (False, False, False), (False, False, True)}


@pytest.mark.parametrize("rule", [Actuated(max_green=30), MaxPressure(max_green=30)])
def test_what_is_left_of_a_flow_does_not_wait_for_ever(rule):
    simulator = running(rule, 0.4, 0.0)
    simulator.engine.waiting[1] = 0.2
    simulator.run(200)
    assert simulator.engine.left[1] == pytest.approx(0.2)


def test_the_way_that_is_full_presses_for_nobody():
    town = crossing()
    demand = Demand.constant(np.array([0.5, 0.2]))
    simulator = Simulator(town, "x", 1.0, signals=Signals.none(town), demand=demand)
    simulator.set_reactive(MaxPressure(), ["M"], [["a0"], ["a1"]])
    simulator.set_capacity("b0", 0.0)
    simulator.run(600)
    before = simulator.engine.left.copy()
    simulator.run(600)
    assert simulator.engine.left[0] == before[0]
    assert simulator.engine.left[1] - before[1] == pytest.approx(0.2 * 600, rel=0.05)


def test_a_street_may_have_several_phases():
    simulator = running(Actuated(), 0.1, 0.1, 0.3, phases=[["a0", "a2"], ["a1", "a2"]])
    simulator.run(600)
    assert simulator.stats()["waiting"] == pytest.approx(0)
    assert simulator.engine.left[2] > 0.3 * (600 - 36 - 20)


@pytest.mark.parametrize("kind", [Actuated, MaxPressure])
@pytest.mark.parametrize(
    ("times", "text"),
    [
        ({"min_green": 0}, "min_green is 0; it must be from 1 to 600 s"),
        (
            {"min_green": 20, "max_green": 10},
            "max_green is 10; it must be from 20 to 3600 s, at least min_green",
        ),
        ({"all_red": -1}, "all_red is -1"),
        ({"all_red": float("nan")}, "all_red is nan"),
        ({"max_green": "long"}, "max_green is 'long', not a number"),
    ],
)
def test_times_that_cannot_be_are_refused(kind, times, text):
    name = {Actuated: "actuated", MaxPressure: "max-pressure"}[kind]
    with pytest.raises(TownError, match=rf"^{name} light: {text}"):
        kind(**times)


# --- Invariants


@st.composite
def towns(draw):
    """A town with lights that react, streets that close, and more demand than it can take: a simulator."""
    rows, columns = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    town = Town.grid(rows, columns, length=draw(st.sampled_from([60.0, 237.0])))
    streets = len(town.street_ids)
    town = replace(town, capacity=town.capacity * random.uniform(0.3, 1, streets))
    dt = draw(st.sampled_from([0.5, 1.0, 2.0, 4.0]))
    rates = draw(st.sampled_from([0.02, 0.2, 1.0])) * random.uniform(0, 1, len(town.origins))
    engine = draw(st.sampled_from(["ltm", "ltm", "ctm", "avg"]))
    simulator = Simulator(town, "x", dt, engine=engine, dt=dt, demand=Demand.constant(rates))
    kind = draw(st.sampled_from([Actuated, MaxPressure]))
    rule = kind(
        min_green=draw(st.sampled_from([1.0, 5.3])), max_green=9.1, all_red=draw(st.sampled_from([0.0, 2.2]))
    )
    simulator.set_reactive(rule)
    for _ in range(draw(st.integers(0, 6))):
        id = town.street_ids[random.integers(streets)]
        begin = random.uniform(0, 60)
        end = begin + random.uniform(1, 60)
        if random.random() < 0.5:
            simulator.close_street(id, begin, end, detour=random.random() < 0.5)
        else:
            simulator.set_capacity(id, random.choice([0.0, 0.3, 1.0]), begin, end)
    return simulator


@settings(max_examples=20)
@given(towns())
def test_no_vehicle_is_lost_and_no_street_is_too_full(simulator):
    town, engine = simulator.town, simulator.engine
    for _ in range(60):
        before = engine.entered.copy(), engine.left.copy()
        simulator.operate(simulator.step, town.ratio)
        capacity, intake = engine.capacity.copy(), engine.intake.copy()
        part = simulator.lights.during(simulator.time, simulator.step)[0]
        simulator.next()
        present = engine.waiting.sum() + engine.vehicles.sum()
        assert engine.generated == pytest.approx(present + engine.gone, rel=1e-9)
        assert (engine.vehicles >= -1e-9).all()
        assert (engine.vehicles <= town.storage + 1e-9).all()
        left, entered = engine.left - before[1], engine.entered - before[0]
        assert (left <= capacity * part * simulator.step + 1e-9).all()
        assert (entered <= intake * simulator.step + 1e-9).all()
        assert (left >= 0).all()
        assert (entered >= 0).all()
        # For the whole step: within it one closure may end, and another begin.
        shut = intake == 0
        assert (engine.entered[shut] == before[0][shut]).all()


@settings(max_examples=20)
@given(towns())
def test_one_phase_at_a_time_all_red_between_and_no_green_too_short(simulator):
    reactive = simulator.lights._reactive
    assert isinstance(reactive, Reactive)
    last = {}
    for _ in range(80):
        simulator.next()
        for at, (now, _, begin, end, _) in reactive._states().items():
            rule, _ = reactive._rules[at]
            known = last.get(at)
            if known and known[1] != begin:
                # Perhaps more than one green since, where steps are long.
                assert begin - known[1] >= rule.min_green + rule.all_red - 1e-9
            assert end - begin >= rule.min_green - 1e-9
            last[at] = now, begin


@pytest.mark.parametrize("kind", [Actuated, MaxPressure])
def test_uneven_demand_is_delayed_less_than_by_fixed_plans(kind):
    town = Town.grid(4, 4)
    west = town.positions[town.origins][:, 0] == 0
    demand = Demand.constant(np.where(west, 0.3, 0.05))

    def total(rule):
        simulator = Simulator(town, "x", 1.0, demand=demand)
        if rule:
            assert simulator.set_reactive(rule) == 12
        seconds = 0.0
        while simulator.time < 900:
            simulator.next()
            seconds += simulator.engine.vehicles.sum() + simulator.engine.waiting.sum()
        return seconds - (simulator.engine.left * town.length / town.speed).sum()

    assert total(kind()) < 0.6 * total(None)
