"""The cell model: kinematic wave theory's numbers within 1 % with 20 cells, and sharper with more of them."""

from functools import partial
from itertools import pairwise
from math import log

import numpy as np
import pytest
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
    with_capacity,
)

from simulator import Simulator, Town
from simulator.ctm import CellTransmission
from simulator.demand import Demand

TWENTY = partial(CellTransmission, cells=20)
OURS = {"speed": SPEED, "capacity": CAPACITY, "jam_density": JAM}


def bench(town, cells=20, **options):
    return Bench(town, engine=partial(CellTransmission, cells=cells), **options)


@pytest.mark.parametrize("flow", [0.05, 0.4, 0.55])
def test_free_traffic_lies_on_the_rising_side_of_the_fundamental_diagram(flow):
    town = bench(line(500.0, 500.0)).run(400, flow)
    before = town.left("s0")
    town.run(200, flow)
    assert (town.left("s0") - before) / 200 == pytest.approx(flow, rel=1e-9)
    assert town.vehicles("s0") / 500 == pytest.approx(flow / SPEED, rel=1e-9)


@pytest.mark.parametrize("flow", [0.2, 0.4])
def test_queued_traffic_lies_on_the_falling_side_of_the_fundamental_diagram(flow):
    town = bench(with_capacity(line(500.0, 500.0), "s1", flow), dt=1.5).run(2400, CAPACITY)
    before = town.left("s0")
    town.run(150, CAPACITY)
    assert (town.left("s0") - before) / 150 == pytest.approx(flow, rel=0.01)
    assert town.vehicles("s0") / 500 == pytest.approx(JAM - flow / WAVE, rel=0.01)


@pytest.mark.parametrize(
    ("flow", "properties", "expected"),
    [
        (0.3, OURS, 0.3 / (JAM - 0.3 / SPEED)),
        (0.15, OURS, 0.15 / (JAM - 0.15 / SPEED)),
        (0.3, FAST, 1.6216),
    ],
)
def test_a_queue_grows_back_from_a_closed_end_at_the_shock_speed(flow, properties, expected):
    # By mass: behind the shock the street is full, before it the free flow's density.
    town = bench(line(2000.0, **properties))
    town.close("s0")
    free = flow / properties["speed"]
    queued = []
    for _ in range(2):
        town.run(400, flow)
        queued.append((town.vehicles("s0") - free * 2000) / (properties["jam_density"] - free))
    assert (queued[1] - queued[0]) / 400 == pytest.approx(expected, rel=0.01)


def test_a_queue_discharges_at_capacity_after_green():
    town = bench(line(1000.0, 1000.0, **FAST))
    town.close("s0")
    town.run(1000, 0.5)
    town.open("s0")
    assert town.run(100, 0.5).left("s0") == pytest.approx(80, rel=0.01)


@pytest.mark.parametrize("saturation", [0.3, 0.6, 0.9])
def test_delay_at_a_signal_is_the_exact_uniform_delay(saturation):
    # Of 20 cells each is crossed in a step of 3.6 s.
    town = line(1000.0, 1000.0)
    flow = saturation * CAPACITY / 2
    for dt, of_the_delay, of_the_total in ((3.6, 0.01, 0.01), (1.0, 0.06, 0.01)):
        running = bench(town, dt=dt, signals=plan(town, 60.0, s0=(0, 30.0))).run(1260, flow)
        running.vehicle_seconds = 0.0
        running.run(1080, flow)
        free, exact = 2000 / SPEED, 60 / 8 / (1 - saturation / 2)
        time = running.vehicle_seconds / (flow * 1080)
        assert time - free == pytest.approx(exact, rel=of_the_delay)
        assert time == pytest.approx(free + exact, rel=of_the_total)


@pytest.mark.parametrize("dt", [1.0, 2.5])
def test_the_corridor_of_the_literature_takes_the_exact_time(dt):
    town = line(1000.0, 1000.0, 1000.0, **FAST)
    running = bench(town, dt=dt, signals=plan(town, 60.0, s0=(0, 30.0))).run(1000, 0.3).run(600, 0.0)
    assert running.engine.gone == pytest.approx(300, rel=1e-6)
    assert running.vehicle_seconds == pytest.approx(48_600, rel=0.01)


@pytest.mark.parametrize("flow", [0.35, 0.55])
def test_an_oversaturated_queue_grows_by_what_green_cannot_serve(flow):
    town = line(1000.0, 500.0)
    running = bench(town, signals=plan(town, 60.0, s0=(0, 30.0))).run(420, flow)
    before = running.total()
    assert (running.run(600, flow).total() - before) / 600 == pytest.approx(flow - CAPACITY / 2, rel=0.01)


@pytest.mark.parametrize("times", [(60.0, 27.0, 3.3), (90.0, 41.5, 0.3), (37.5, 11.7, 2.2)])
def test_a_light_serves_its_green_whatever_the_step(times):
    cycle, green, begin = times
    town = line(1000.0, 500.0)
    running = bench(town, dt=1.5, signals=plan(town, cycle, s0=(begin, green))).run(450, 0.54)
    before = running.left("s0")
    served = (running.run(900, 0.54).left("s0") - before) / 900
    assert served == pytest.approx(CAPACITY * green / cycle, rel=0.001)


def test_spill_back_reaches_each_entrance_of_a_two_street_line():
    running = bench(line(300.0, 500.0))
    running.close("s1")
    first = running.until(lambda: running.vehicles("s1") > 500 * JAM * 0.999, 0.3)
    assert first == pytest.approx(300 / SPEED + 500 * JAM / 0.3, rel=0.07)
    # When nearly nobody finds room any more, all of the two streets are full.
    second = running.until(lambda: running.engine.waiting[0] > 0.3, 0.3)
    assert second == pytest.approx(800 * JAM / 0.3, rel=0.01)


def test_junctions_are_those_of_the_other_engines():
    arms = Bench(merge(priorities={"a": 2.0, "b": 1.0}).town, engine=TWENTY).run(300, 0.5, 0.5)
    assert passed(arms, 150, 0.5, 0.5) == pytest.approx((0.2, 0.1), rel=0.01)
    forks = bench(diverge())
    forks.close("b")
    forks.run(900, 0.4)
    held, other = forks.left("a"), forks.entered("c")
    forks.run(100, 0.4)
    assert forks.left("a") - held < 1e-3
    assert forks.entered("c") - other < 1e-3


def test_a_ring_lies_on_the_triangle_at_six_densities():
    town = Town.ring(6, length=500.0)
    size = JAM * 500
    for share in (0.1, 0.25, 0.4, 0.55, 0.7, 0.9):
        engine = TWENTY(town, 1.0)
        engine.cells[:] = share * size / 20
        engine.entered[:] = share * size
        nobody = np.zeros(len(town.origins))
        flow = sum(engine.step(np.ones(6), nobody)[0] for _ in range(100)) / 100
        k = share * JAM
        assert flow == pytest.approx(min(k * SPEED, CAPACITY, (JAM - k) * WAVE), rel=0.005)


def test_a_release_comes_sharper_with_more_cells():
    town = line(1000.0, 1000.0)

    def smear(cells):
        """Vehicles that enter before the wave has come back, and are missing after that."""
        running = bench(town, cells)
        engine = running.engine
        engine.cells[: engine.first[1]] = town.storage[0] / engine.first[1]
        engine.entered[0] = town.storage[0]
        counts = np.array([running.run(1, 1.0).entered("s0") for _ in range(300)])
        exact = CAPACITY * np.clip(np.arange(300) - 1000 / WAVE, 0, 1)
        return np.abs(np.diff(counts, prepend=town.storage[0]) - exact).sum()

    smears = [smear(cells) for cells in (5, 10, 20, 40)]
    assert all(log(one / other) / log(2) >= 0.45 for one, other in pairwise(smears))


def test_streets_have_as_many_cells_as_the_step_allows():
    engine = CellTransmission(line(500.0, 100.0, 30.0), 2.0, 8)
    assert np.diff(engine.first).tolist() == [8, 3, 1]


def test_the_engine_tells_who_stands_at_the_end():
    running = bench(line(500.0, 500.0))
    running.close("s0")
    running.run(100, 0.3)
    # The shock has run back for 64 s.
    standing, coming = running.engine.queued()
    assert standing[0] == pytest.approx(64 * 2.901 * JAM, abs=3)
    assert (standing[1], coming[1]) == (0, 0)
    running.open("s0")
    running.run(60, 0.3)
    # What passed the end of the first street comes to that of the next one.
    assert running.engine.queued()[1][1] == pytest.approx(CAPACITY, rel=0.01)


def towns():
    """Three towns, and a demand that jams none of them."""
    return (
        pytest.param(Town.grid(6, 6), 0.15, id="grid"),
        pytest.param(Town.radial(3, 6), None, id="radial"),
        pytest.param(Town.blocks(7, 7), None, id="blocks"),
    )


@pytest.mark.parametrize(("town", "level"), towns())
def test_a_town_takes_the_time_of_the_link_transmission_model(town, level):
    rates = np.full(len(town.origins), level) if town.inflow is None else town.inflow * 0.8

    def total(engine):
        simulator = Simulator(town, engine=engine, cells=20, demand=Demand.constant(rates))
        present = 0.0
        while simulator.time < 900:
            simulator.next()
            present += simulator.engine.vehicles.sum() + simulator.engine.waiting.sum()
        return present

    exact = total("ltm")
    assert total("ctm") == pytest.approx(exact, rel=0.02)
    assert total("avg") == pytest.approx(exact, rel=0.02)
