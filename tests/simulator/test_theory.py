"""What kinematic wave theory says of whole towns: queues that grow and clear, rings, merges, spill-back."""

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.demand import Demand, DemandTable
from simulator.network import Street
from simulator.signals import Signals

SPEED, CAPACITY, JAM = 50 / 3.6, 0.55, 0.125
WAVE = CAPACITY / (JAM - CAPACITY / SPEED)


def street(id, start, end, length=500.0):
    return Street(id=id, start=start, end=end, length=length)


def line(count, length):
    """Streets s0, s1 … in a row."""
    streets = [street(f"s{n}", f"j{n}", f"j{n + 1}", length) for n in range(count)]
    turns = {f"s{n}": {f"s{n + 1}": 1.0} for n in range(count - 1)}
    return Town.from_streets(streets, turns, {"j0": {"s0": 1.0}})


def simulated(town, demand, dt=1.0):
    """Without lights. Demand: rates, or any."""
    if isinstance(demand, list):
        demand = Demand.constant(demand)
    return Simulator(town, step=dt, dt=dt, signals=Signals.none(town), demand=demand)


def until(simulator, holds, limit=6000.0):
    """The time at the end of the first step after which ``holds()``."""
    while not holds():
        assert simulator.time < limit, "it never happened"
        simulator.next()
    return simulator.time


@pytest.mark.parametrize(("many", "few", "narrow"), [(0.5, 0.1, 0.3), (0.4, 0.2, 0.25), (0.5, 0.0, 0.4)])
def test_the_tail_of_a_queue_under_two_levels_of_demand(many, few, narrow):
    count, length, start, change = 40, 100.0, 400.0, 900.0
    town = line(count, length)
    simulator = simulated(town, DemandTable(1, [(0, 0.0, change, many), (0, change, 1e6, few)]))
    simulator.run(start)
    simulator.engine.capacity[-1] = narrow
    whole = count * length
    gone = many * (start - whole / SPEED)
    grown, cleared = [], []
    # Newell: who has passed a place is the less of those who came and of those whom the queue lets pass.
    for at in np.arange(count) * length:
        queue = gone - narrow * (start + (whole - at) / WAVE) + JAM * (whole - at)
        grown.append((queue + many * at / SPEED) / (many - narrow))
        came = (many - few) * change - few * at / SPEED
        cleared.append((came - queue) / (narrow - few))
    # The tail stands where it comes no farther.
    reached = [at for at in range(count) if grown[at] < cleared[at]]
    assert 3 <= len(reached) < count
    found, last = {at: [0.0, 0.0] for at in reached}, simulator.counts()["entered"]
    for _ in range(int(max(cleared[at] for at in reached) - start) + 100):
        simulator.next()
        now = simulator.counts()["entered"]
        for at in reached:
            # The front passes where the flow is half of that before and half of that behind it.
            rate = now[at] - last[at]
            if not found[at][0] and rate < (many + narrow) / 2:
                found[at][0] = simulator.time - 0.5
            if found[at][0] and not found[at][1] and rate < (narrow + few) / 2:
                found[at][1] = simulator.time - 0.5
        last = now
    for at in reached:
        assert found[at][0] == pytest.approx(grown[at], rel=0.005)
        assert found[at][1] == pytest.approx(cleared[at], rel=0.005)


@pytest.mark.parametrize("filled", [0.08, 0.16, 0.25, 0.5, 0.7, 0.9])
def test_a_ring_lies_on_the_triangle(filled):
    town = Town.ring(4)
    density = filled * JAM
    demand = DemandTable(4, [(n, 0.0, 1000.0, density * 500 / 1000) for n in range(4)])
    simulator = simulated(town, demand, 4.0)
    simulator.run(3000)
    assert simulator.stats()["waiting"] == pytest.approx(0, abs=1e-6)
    before = simulator.counts()["left"]
    simulator.run(3600)
    flow = (simulator.counts()["left"] - before) / 3600
    assert simulator.engine.vehicles.sum() / 2000 == pytest.approx(density, rel=1e-6)
    assert flow == pytest.approx([min(SPEED * density, WAVE * (JAM - density))] * 4, rel=0.005)


def merge(priorities):
    arms = [street(f"a{n}", f"A{n}", "M") for n in range(len(priorities))]
    origins = {f"A{n}": {f"a{n}": 1.0} for n in range(len(priorities))}
    turns = {arm.id: {"out": 1.0} for arm in arms}
    weights = {f"a{n}": weight for n, weight in enumerate(priorities)}
    return Town.from_streets([*arms, street("out", "M", "E")], turns, origins, None, weights)


@pytest.mark.parametrize(
    ("rates", "passing"),
    [
        ([0.5, 0.5, 0.5], [0.15, 0.1, 0.05]),
        # What the first does not need goes to the others, two to one.
        ([0.09, 0.5, 0.5], [0.09, 0.14, 0.07]),
        ([0.5, 0.06, 0.5], [0.18, 0.06, 0.06]),
        ([0.5, 0.06, 0.03], [0.21, 0.06, 0.03]),
    ],
)
def test_a_merge_of_three_arms_shares_three_to_two_to_one(rates, passing):
    simulator = simulated(merge([3.0, 2.0, 1.0]), rates)
    simulator.engine.intake[-1] = 0.3
    simulator.run(600)
    before = simulator.counts()["left"]
    simulator.run(600)
    assert (simulator.counts()["left"] - before)[:3] / 600 == pytest.approx(passing, rel=1e-6)


@pytest.mark.parametrize("dt", [1.0, 2.0, 5.0])
def test_a_full_exit_spills_back_across_a_junction_and_the_next(dt):
    streets = [
        street("z", "Z", "A", 300.0),
        street("a", "A", "M", 400.0),
        street("b", "M", "B", 200.0),
        street("c", "M", "C", 600.0),
    ]
    turns = {"z": {"a": 1.0}, "a": {"b": 0.5, "c": 0.5}}
    town = Town.from_streets(streets, turns, {"Z": {"z": 1.0}})
    flow = 0.4
    simulator = simulated(town, [flow], dt)
    simulator.engine.capacity[2] = 0.0
    full = town.storage - 1e-9
    vehicles = simulator.engine
    # Half of those who come fill b; then nobody passes, not even those who want c; then a fills, then z.
    blocked = 700 / SPEED + town.storage[2] / (flow / 2)
    passed = flow * (blocked - 700 / SPEED)
    first = until(simulator, lambda: vehicles.vehicles[2] > full[2])
    assert 0 <= first - blocked <= dt
    second = until(simulator, lambda: vehicles.vehicles[1] > full[1])
    assert 0 <= second - (300 / SPEED + (passed + town.storage[1]) / flow) <= dt
    third = until(simulator, lambda: vehicles.waiting[0] > 1e-9)
    assert 0 <= third - (passed + town.storage[1] + town.storage[0]) / flow <= dt
    assert vehicles.entered[3] == pytest.approx(passed / 2)
    assert vehicles.left[3] == pytest.approx(passed / 2)


def test_a_narrow_exit_spills_back_as_its_queue_is_dense():
    streets = [
        street("z", "Z", "A", 500.0),
        street("a", "A", "M", 500.0),
        street("b", "M", "B"),
        street("c", "M", "C"),
    ]
    town = Town.from_streets(streets, {"z": {"a": 1.0}, "a": {"b": 0.25, "c": 0.75}}, {"Z": {"z": 1.0}})
    simulator = simulated(town, [0.5])
    simulator.engine.intake[2] = 0.05
    # First in, first out: b takes 0.05, so that 0.2 pass in all.
    density = JAM - 0.2 / WAVE
    shock = (0.5 - 0.2) / (density - 0.5 / SPEED)
    simulator.run(100)
    for at, place in ((1, 500.0), (0, 1000.0)):
        rate = 0.5
        while rate > 0.5 - 1e-9:
            before = simulator.counts()["entered"][at]
            simulator.next()
            rate = simulator.counts()["entered"][at] - before
        assert simulator.time == pytest.approx(1000 / SPEED + place / shock, abs=1.5)
    simulator.run(600)
    assert simulator.engine.vehicles[:2] / 500 == pytest.approx([density] * 2, rel=0.005)


def test_a_sink_takes_no_more_than_it_can_and_holds_up_who_wants_it():
    town = line(2, 500.0).with_sinks({"j2": 0.1})
    simulator = simulated(town, [0.3])
    simulator.run(600)
    before = simulator.counts()["left"][1]
    simulator.run(600)
    assert (simulator.counts()["left"][1] - before) / 600 == pytest.approx(0.1, rel=1e-9)
    assert simulator.engine.vehicles[1] == pytest.approx(500 * (JAM - 0.1 / WAVE), rel=0.005)


def test_a_full_sink_holds_those_who_want_on():
    streets = [street("a", "A", "M"), street("b", "M", "B")]
    town = Town.from_streets(streets, {"a": {"b": 0.75}}, {"A": {"a": 1.0}}).with_sinks({"M": 0.05})
    simulator = simulated(town, [0.4])
    simulator.run(600)
    before = simulator.counts()
    simulator.run(600)
    after = simulator.counts()
    assert (after["left"] - before["left"]) / 600 == pytest.approx([0.2, 0.15], rel=1e-6)
    assert simulator.stats()["entered"] == pytest.approx(simulator.stats()["inside"] + simulator.engine.gone)


def test_sinks_share_their_room_among_streets():
    arms = [street("a", "A", "M"), street("b", "B", "M")]
    town = Town.from_streets(arms, {}, {"A": {"a": 1.0}, "B": {"b": 1.0}}, None, {"a": 2.0, "b": 1.0})
    simulator = simulated(town.with_sinks({"M": 0.3, "B": float("inf")}), [0.5, 0.5])
    simulator.run(300)
    before = simulator.counts()["left"]
    simulator.run(300)
    assert (simulator.counts()["left"] - before) / 300 == pytest.approx([0.2, 0.1], rel=1e-6)
