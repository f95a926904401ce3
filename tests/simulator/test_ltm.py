"""The engine: invariants on random towns, and kinematic wave theory's own numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from support.traffic import (
    CAPACITY,
    FAST,
    JAM,
    SPEED,
    WAVE,
    Bench,
    diverge,
    line,
    merge,
    passed,
    plan,
    shuffled,
    situations,
    steps,
    with_capacity,
)

from simulator.ltm import LinkTransmission
from simulator.network import Street, Town
from simulator.signals import Signals

# --- Invariants


@given(situations())
def test_no_vehicle_appears_or_disappears(situation):
    town, dt, _, rates, count = situation
    leaving = 1 - np.bincount(town.movement_from, town.ratio, len(town.priority))
    gone = 0.0
    for engine, _, _, flow in steps(situation):
        # Counted apart from the engine's own sums: what the ratios send out of town.
        gone += float((flow * leaving).sum())
        present = engine.waiting.sum() + engine.vehicles.sum()
        scale = max(1.0, engine.generated)
        assert abs(engine.generated - present - engine.gone) <= 1e-9 * scale
        assert abs(engine.gone - gone) <= 1e-9 * scale
    assert engine.generated == pytest.approx(rates.sum() * dt * count, rel=1e-9)
    assert (engine.waiting >= 0).all()


@given(situations())
def test_every_street_holds_between_nothing_and_its_storage(situation):
    town = situation[0]
    for engine, *_ in steps(situation):
        assert (engine.vehicles >= -1e-9).all()
        assert (engine.vehicles <= town.storage + 1e-9).all()


@given(situations())
def test_flows_keep_to_capacity_at_both_ends(situation):
    town, dt = situation[:2]
    limit = town.capacity * dt * (1 + 1e-12) + 1e-9
    for engine, _, (entered, left), flow in steps(situation):
        assert (flow[: len(left)] <= limit).all()
        assert (engine.entered - entered <= limit).all()
        assert (engine.left - left <= limit).all()


@given(situations())
def test_nothing_passes_a_red_light(situation):
    for engine, green, (_, left), flow in steps(situation):
        assert (flow[: len(green)][~green] == 0).all()
        assert (engine.left[~green] == left[~green]).all()


@given(situations())
def test_cumulative_counts_never_fall(situation):
    for engine, _, (entered, left), flow in steps(situation):
        assert (flow >= 0).all()
        assert (engine.entered >= entered).all()
        assert (engine.left >= left).all()


@given(situations())
def test_every_feeder_turns_in_its_ratios(situation):
    town = situation[0]
    for engine, _, (entered, left), flow in steps(situation):
        into = np.bincount(town.movement_to, flow[town.movement_from] * town.ratio, len(entered))
        assert np.abs(engine.entered - entered - into).max() <= 1e-9
        assert np.abs(engine.left - left - flow[: len(left)]).max() <= 1e-9


@given(situations())
def test_an_empty_town_stays_empty(situation):
    town, dt, signals, rates, count = situation
    for engine, *_ in steps((town, dt, signals, np.zeros_like(rates), count)):
        assert not engine.entered.any()
        assert not engine.left.any()
    assert engine.generated == engine.gone == 0


@given(situations())
def test_gridlock_keeps_every_vehicle(situation):
    town, dt, _, rates, _ = situation
    # Nobody leaves town, so that it fills up until nothing moves.
    sums = np.bincount(town.movement_from, town.ratio)
    town = replace(town, ratio=town.ratio / sums[town.movement_from])
    engine = LinkTransmission(town, dt)
    green = np.ones(len(town.street_ids), bool)
    inside = 0.0
    for _ in range(300):
        engine.step(green, rates + 1.0)
        # Nobody is lost on the way: a town that nobody leaves never gets emptier.
        assert engine.vehicles.sum() >= inside - 1e-9
        inside = engine.vehicles.sum()
    assert 0 < inside <= town.storage.sum() + 1e-9
    assert inside + engine.waiting.sum() == pytest.approx(engine.generated, rel=1e-9)
    assert engine.gone == pytest.approx(0, abs=1e-9)
    red = ~green
    for _ in range(10):
        engine.step(red, rates * 0)
    left = engine.left.copy()
    engine.step(red, rates * 0)
    assert (engine.left == left).all()
    assert engine.vehicles.sum() + engine.waiting.sum() == pytest.approx(engine.generated, rel=1e-9)


def test_the_order_of_streets_changes_no_bit():
    random = np.random.default_rng(5)
    grid = Town.grid(4, 5)
    streets = [
        Street(id=id, start=id.split("-")[0], end=id.split("-")[1], length=length, capacity=capacity)
        for id, length, capacity in zip(
            grid.street_ids, random.uniform(100, 600, 62), random.uniform(0.3, 0.7, 62), strict=True
        )
    ]
    begin, cycle = random.uniform(0, 53.3, 62), random.choice([0.0, 53.3], 62)
    results = []
    for _ in range(3):
        town, order = shuffled(grid, streets, random)
        signals = Signals(cycle[order], begin[order], 0.45 * cycle[order])
        bench = Bench(town, signals=signals).run(900, *[0.25] * 14)
        counts = np.array([bench.engine.entered, bench.engine.left])[:, np.argsort(order)]
        results.append(counts)
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()


# --- Kinematic wave theory


@pytest.mark.parametrize("flow", [0.05, 0.2, 0.4, 0.55])
def test_free_traffic_lies_on_the_rising_side_of_the_fundamental_diagram(flow):
    bench = Bench(line(500.0, 500.0)).run(300, flow)
    before = bench.left("s0")
    bench.run(300, flow)
    assert (bench.left("s0") - before) / 300 == pytest.approx(flow, rel=0.005)
    assert bench.vehicles("s0") / 500 == pytest.approx(flow / SPEED, rel=0.005)


@pytest.mark.parametrize("flow", [0.05, 0.2, 0.4, 0.54])
def test_queued_traffic_lies_on_the_falling_side_of_the_fundamental_diagram(flow):
    bench = Bench(with_capacity(line(500.0, 500.0), "s1", flow)).run(4000, CAPACITY)
    before = bench.left("s0")
    bench.run(300, CAPACITY)
    assert (bench.left("s0") - before) / 300 == pytest.approx(flow, rel=0.005)
    assert bench.vehicles("s0") / 500 == pytest.approx(JAM - flow / WAVE, rel=0.005)


@pytest.mark.parametrize(
    ("flow", "properties", "expected"),
    [
        # Mass balance across the shock: it moves back at q / (k_jam - q / v).
        (0.3, {"speed": SPEED, "capacity": CAPACITY, "jam_density": JAM}, 0.3 / (JAM - 0.3 / SPEED)),
        (0.15, {"speed": SPEED, "capacity": CAPACITY, "jam_density": JAM}, 0.15 / (JAM - 0.15 / SPEED)),
        (0.3, FAST, 1.6216),
    ],
)
def test_a_queue_grows_back_from_a_closed_end_at_the_shock_speed(flow, properties, expected):
    # Twenty streets of 100 m, so that the shock can be watched on its way.
    bench = Bench(line(*[100.0] * 20, **properties))
    bench.close("s19")
    full = properties["jam_density"] * 100

    def when(id):
        return bench.until(lambda: bench.vehicles(id) > full - 1e-6, flow)

    reached = when("s19")
    assert 1800 / (when("s1") - reached) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("dt", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("properties", [{}, FAST], ids=["town", "corridor"])
def test_release_travels_up_a_queue_of_one_kilometre_within_one_step(dt, properties):
    town = line(1000.0, 1000.0, **properties)
    bench = Bench(town, dt=dt)
    bench.close("s0")
    bench.until(lambda: bench.vehicles("s0") > town.storage[0] - 1e-9, 0.5)
    opened, inside = bench.time, bench.entered("s0")
    bench.open("s0")
    moved = bench.until(lambda: bench.entered("s0") > inside + 1e-9, 0.5) - opened
    assert 0 <= moved - 1000 / town.wave[0] <= dt


def test_a_queue_discharges_at_capacity_after_green():
    bench = Bench(line(1000.0, 1000.0, **FAST))
    bench.close("s0")
    bench.run(2000, 0.5)
    bench.open("s0")
    bench.run(100, 0.5)
    assert bench.left("s0") == pytest.approx(80, rel=0.005)


def test_free_traffic_passes_a_street_in_its_travel_time():
    bench = Bench(line(500.0, 500.0))
    assert bench.until(lambda: bench.left("s0") > 1e-9, 0.3) == pytest.approx(36 + 1)


@pytest.mark.parametrize("dt", [1.0, 2.0, 5.0])
@pytest.mark.parametrize("seconds", [36.7, 5.0, 41.0, 23.99])
def test_travel_times_that_are_no_multiple_of_the_step_are_kept(dt, seconds):
    bench = Bench(line(500.0, speed=500 / seconds, capacity=0.6), dt=dt)
    bench.run(40, 0.5).run(200, 0.0)
    assert bench.left("s0") == pytest.approx(20)
    assert bench.vehicle_seconds / 20 == pytest.approx(seconds, rel=1e-9)


@pytest.mark.parametrize("saturation", [0.3, 0.6, 0.9])
def test_delay_at_a_signal_is_the_exact_uniform_delay(saturation):
    cycle, green = 60.0, 30.0
    town = line(1000.0, 500.0)
    bench = Bench(town, signals=plan(town, cycle, s0=(0, green)))
    flow = saturation * CAPACITY * green / cycle
    bench.run(20 * cycle, flow)
    bench.vehicle_seconds = 0.0
    bench.run(20 * cycle, flow)
    delay = bench.vehicle_seconds / (flow * 20 * cycle) - 1500 / SPEED
    # Webster's first term, for arrivals at a steady rate.
    share = green / cycle
    assert delay == pytest.approx(cycle * (1 - share) ** 2 / (2 * (1 - share * saturation)), rel=0.02)


@pytest.mark.parametrize("dt", [1.0, 2.0, 5.0])
def test_the_corridor_of_the_literature_takes_the_exact_time(dt):
    town = line(1000.0, 1000.0, 1000.0, **FAST)
    bench = Bench(town, dt=dt, signals=plan(town, 60.0, s0=(0, 30.0)))
    bench.run(1000, 0.3).run(500, 0.0)
    assert bench.engine.gone == pytest.approx(300)
    # 150 s of driving and 12 s of uniform delay for each of 300 vehicles.
    assert bench.vehicle_seconds == pytest.approx(48_600, rel=0.005)


@pytest.mark.parametrize("flow", [0.35, 0.45, 0.55])
def test_an_oversaturated_queue_grows_by_what_green_cannot_serve(flow):
    town = line(1000.0, 500.0)
    bench = Bench(town, signals=plan(town, 60.0, s0=(0, 30.0)))
    bench.run(600, flow)
    before = bench.total()
    bench.run(1200, flow)
    assert (bench.total() - before) / 1200 == pytest.approx(flow - CAPACITY / 2, rel=0.01)


PLANS = [(60.0, 27.0, 0.0), (60.0, 27.0, 3.3), (90.0, 41.5, 0.3), (37.5, 11.7, 2.2)]


@pytest.mark.parametrize("dt", [1.0, 4.0, 5.0, 20.0])
@pytest.mark.parametrize("times", PLANS)
def test_a_light_serves_its_green_whatever_the_step(times, dt):
    cycle, green, begin = times
    town = line(1000.0, 500.0)
    bench = Bench(town, dt=dt, signals=plan(town, cycle, s0=(begin, green))).run(600, 0.54)
    before = bench.left("s0")
    bench.run(900, 0.54)
    assert (bench.left("s0") - before) / 900 == pytest.approx(CAPACITY * green / cycle, rel=0.001)


@pytest.mark.parametrize(("times", "saturation"), list(zip(PLANS, [0.3, 0.6, 0.9, 0.3], strict=True)))
def test_delay_at_a_light_that_changes_within_a_step(saturation, times):
    cycle, green, begin = times
    town = line(1000.0, 500.0)
    share = green / cycle
    flow = saturation * CAPACITY * share
    bench = Bench(town, signals=plan(town, cycle, s0=(begin, green))).run(1200, flow)
    bench.vehicle_seconds = 0.0
    bench.run(1800, flow)
    delay = bench.vehicle_seconds / (flow * 1800) - 1500 / SPEED
    assert delay == pytest.approx(cycle * (1 - share) ** 2 / (2 * (1 - share * saturation)), rel=0.01)


@pytest.mark.parametrize(("dt", "tolerance"), [(0.5, 0.01), (1.0, 0.01), (2.0, 0.01), (4.0, 0.02)])
@pytest.mark.parametrize(("begin", "length"), [(0.0, 500.0), (0.5, 500.0), (0.25, 517.3)])
def test_a_green_wave_delays_nobody_twice(length, begin, dt, tolerance):
    town = line(1000.0, length, 500.0)
    signals = plan(town, 60.0, s0=(begin, 30.0), s1=(begin + length / SPEED, 30.0))
    bench = Bench(town, dt=dt, signals=signals).run(600, 0.2)
    bench.vehicle_seconds = 0.0
    bench.run(1200, 0.2)
    delay = bench.vehicle_seconds / (0.2 * 1200) - (1500 + length) / SPEED
    assert delay == pytest.approx(60 / 8 / (1 - 0.2 / CAPACITY), rel=tolerance)


def test_spill_back_reaches_each_entrance_of_a_two_street_line_within_one_step():
    for dt in (1.0, 2.0, 5.0):
        bench = Bench(line(300.0, 500.0), dt=dt)
        bench.close("s1")
        first = bench.until(lambda bench=bench: bench.vehicles("s1") > 500 * JAM - 1e-9, 0.3)
        assert 0 <= first - (300 / SPEED + 500 * JAM / 0.3) <= dt
        second = bench.until(lambda bench=bench: bench.engine.waiting[0] > 1e-9, 0.3)
        assert 0 <= second - 800 * JAM / 0.3 <= dt


# --- Junctions


@pytest.mark.parametrize(("first", "second"), [(2.0, 1.0), (1.0, 1.0), (1.0, 5.0)])
def test_a_merge_into_a_bottleneck_shares_by_priority(first, second):
    bench = merge(priorities={"a": first, "b": second}).run(300, 0.5, 0.5)
    a, b = passed(bench, 300, 0.5, 0.5)
    assert a == pytest.approx(0.3 * first / (first + second), rel=0.02)
    assert b == pytest.approx(0.3 * second / (first + second), rel=0.02)


def test_a_merge_gives_what_one_arm_does_not_need_to_the_other():
    bench = merge(priorities={"a": 2.0, "b": 1.0}).run(300, 0.5, 0.05)
    assert passed(bench, 300, 0.5, 0.05) == pytest.approx((0.25, 0.05), rel=1e-6)
    # And so does the arm with the larger priority.
    bench = merge(priorities={"a": 2.0, "b": 1.0}).run(300, 0.05, 0.5)
    assert passed(bench, 300, 0.05, 0.5) == pytest.approx((0.05, 0.25), rel=1e-6)


@pytest.mark.parametrize(("capacity", "weight"), [(0.55, None), (2.0, None), (0.55, 0.275)])
def test_an_origin_shares_a_merge_by_the_capacity_it_feeds(capacity, weight):
    streets = [
        Street(id="a", start="A", end="M", capacity=capacity, jam_density=0.5),
        Street(id="b", start="M", end="E"),
    ]
    weights = {"M": weight} if weight else None
    town = Town.from_streets(
        streets, {"a": {"b": 1.0}}, {"A": {"a": 1.0}, "M": {"b": 1.0}}, origin_priorities=weights
    )
    bench = Bench(town).run(600, 5.0, 5.0)
    before = bench.left("a"), bench.entered("b")
    bench.run(300, 5.0, 5.0)
    share = (bench.left("a") - before[0]) / (bench.entered("b") - before[1])
    assert share == pytest.approx(capacity / (capacity + (weight or 0.55)), rel=1e-6)


@pytest.mark.filterwarnings("ignore:overflow")
def test_feeders_without_weight_stand_still_and_hold_nobody_up_for_ever():
    # No town that was checked has such weights: they are too small to divide by.
    town = Town.grid(2, 2)
    town = replace(town, priority=np.full_like(town.priority, 1e-320))
    bench = Bench(town).run(20, *[0.5] * 4)
    assert bench.engine.waiting.sum() == bench.engine.generated == pytest.approx(40)


def test_one_rate_for_all_origins_counts_for_all_of_them():
    engine = LinkTransmission(Town.grid(2, 2), 1.0)
    engine.step(np.ones(8), np.array([0.5]))
    assert engine.generated == 2


def test_a_merge_below_capacity_delays_nobody():
    bench = merge(narrow=0.5).run(300, 0.2, 0.25)
    assert passed(bench, 300, 0.2, 0.25) == pytest.approx((0.2, 0.25), rel=1e-9)
    assert bench.vehicles("a") / 500 == pytest.approx(0.2 / SPEED)


def test_a_blocked_exit_holds_those_who_want_the_other():
    bench = Bench(diverge())
    bench.close("b")
    bench.until(lambda: bench.vehicles("b") > 500 * JAM - 1e-9, 0.4)
    held, other = bench.left("a"), bench.entered("c")
    bench.run(300, 0.4)
    assert bench.left("a") - held < 1e-9
    assert bench.entered("c") - other < 1e-9
    assert bench.vehicles("c") == pytest.approx(0, abs=1e-9)
    bench.open("b")
    bench.run(300, 0.4)
    assert bench.entered("c") - other > 30


def test_a_narrow_exit_holds_the_other_in_the_turning_ratio():
    bench = Bench(with_capacity(diverge(), "b", 0.1)).run(600, 0.5)
    before = bench.left("a"), bench.entered("c")
    bench.run(300, 0.5)
    assert bench.left("a") - before[0] == pytest.approx(0.2 * 300, rel=1e-9)
    assert bench.entered("c") - before[1] == pytest.approx(0.1 * 300, rel=1e-9)


def test_a_queue_from_an_origin_waits_outside_and_is_not_lost():
    bench = Bench(line(500.0)).run(100, 1.0)
    assert bench.engine.waiting[0] == pytest.approx(100 * (1.0 - CAPACITY))
    bench.run(200, 0.0)
    assert bench.engine.gone == pytest.approx(100)
    assert bench.engine.waiting[0] == pytest.approx(0, abs=1e-9)


# --- The step


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan"), 36.1])
def test_a_step_longer_than_the_shortest_travel_time_is_refused(dt):
    with pytest.raises(ValueError, match=r"dt must be above 0 and at most 36\.000 s"):
        LinkTransmission(line(500.0, 800.0), dt)


def test_a_step_as_long_as_the_shortest_travel_time_is_exact():
    bench = Bench(line(500.0, 500.0), dt=36.0).run(36 * 20, 0.3)
    assert bench.vehicles("s0") == pytest.approx(0.3 * 36)
    assert bench.left("s1") == pytest.approx(0.3 * 36 * 18)


def test_a_short_street_with_slow_waves_limits_the_step_too():
    town = line(500.0, 100.0, speed=10.0, capacity=0.3, jam_density=0.2)
    assert town.wave[1] < 10
    LinkTransmission(town, 10.0)
    quick = line(100.0, speed=5.0, capacity=0.5, jam_density=0.14)
    assert quick.wave[0] > 5
    with pytest.raises(ValueError, match=f"at most {100 / quick.wave[0]:.3f} s"):
        LinkTransmission(quick, 15.0)


def test_a_town_near_saturation_takes_the_same_time_with_any_step():
    town = Town.grid(3, 3)
    signals = Signals.two_phase(town, cycle=53.0, seed=3)
    rates = 0.16 * (1 + np.arange(len(town.origins)) % 3) / 2
    reference, *others = (
        Bench(town, dt=dt, signals=signals).run(1800, *rates).vehicle_seconds
        for dt in (1.0, 0.5, 2.0, 4.0, 5.0)
    )
    assert others == pytest.approx([reference] * 4, rel=0.0025)


@pytest.mark.parametrize("level", [0.05, 0.08])
def test_results_below_gridlock_do_not_depend_on_the_step(level):
    town = Town.grid(3, 3)
    cycle = np.full(len(town.street_ids), 60.0)
    begin = np.where(np.arange(len(cycle)) % 2 == 0, 0.0, 30.0)
    signals = Signals(cycle, begin, np.full(len(cycle), 30.0))
    rates = level * (1 + np.arange(len(town.origins)) % 3)
    reference, *others = (Bench(town, dt=dt, signals=signals).run(3600, *rates) for dt in (1.0, 2.0, 5.0))
    assert reference.engine.gone > 500
    for other in others:
        assert other.vehicle_seconds == pytest.approx(reference.vehicle_seconds, rel=0.01)
        assert other.engine.gone == pytest.approx(reference.engine.gone, rel=0.01)
