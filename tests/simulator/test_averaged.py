"""Averaged lights: the time means of lights below saturation, and no pulse."""

import numpy as np
import pytest
from support.traffic import CAPACITY, SPEED, Bench, line, plan

from simulator.averaged import AveragedLights
from simulator.ltm import LinkTransmission


@pytest.mark.parametrize("saturation", [0.1, 0.9])
@pytest.mark.parametrize("times", [(60.0, 27.0), (90.0, 60.0), (45.0, 10.0)])
@pytest.mark.parametrize("dt", [1.0, 5.0])
def test_as_many_are_on_a_street_as_on_average_over_the_lights_cycles(dt, times, saturation):
    cycle, green = times
    town = line(1000.0, 500.0)
    flow = saturation * CAPACITY * green / cycle
    means = {}
    for engine in (LinkTransmission, AveragedLights):
        bench = Bench(town, dt=dt, engine=engine, signals=plan(town, cycle, s0=(0, green))).run(
            20 * cycle, flow
        )
        bench.vehicle_seconds, before = 0.0, bench.left("s0")
        bench.run(10 * cycle, flow)
        means[engine] = np.array(
            [bench.vehicle_seconds / (10 * cycle), (bench.left("s0") - before) / (10 * cycle)]
        )
    assert means[AveragedLights] == pytest.approx(means[LinkTransmission], rel=0.05)
    # And so is the delay alone, by Webster's first term.
    free, share = 1500 / SPEED, green / cycle
    delay = means[AveragedLights][0] / flow - free
    assert delay == pytest.approx(cycle * (1 - share) ** 2 / (2 * (1 - share * saturation)), rel=0.02)


@pytest.mark.parametrize("flow", [0.35, 0.55])
def test_a_queue_grows_by_what_the_average_green_cannot_serve(flow):
    town = line(1000.0, 500.0)
    bench = Bench(town, engine=AveragedLights, signals=plan(town, 60.0, s0=(0, 30.0))).run(600, flow)
    before = bench.total()
    assert (bench.run(300, flow).total() - before) / 300 == pytest.approx(flow - CAPACITY / 2, rel=1e-9)


def test_streets_without_lights_are_those_of_the_link_transmission_model():
    town = line(1000.0, 300.0, 500.0)
    benches = [Bench(town, engine=engine) for engine in (LinkTransmission, AveragedLights)]
    for bench in benches:
        bench.close("s2")
        bench.run(400, 0.4)
        bench.open("s2")
        bench.run(400, 0.3)
    assert benches[0].engine.entered == pytest.approx(benches[1].engine.entered, rel=1e-12)
    assert benches[0].engine.left == pytest.approx(benches[1].engine.left, rel=1e-12)


def test_nothing_pulsates():
    town = line(500.0, 500.0)
    bench = Bench(town, engine=AveragedLights, signals=plan(town, 60.0, s0=(0, 20.0))).run(900, 0.15)
    flows = np.diff([bench.run(1, 0.15).left("s0") for _ in range(120)])
    assert flows == pytest.approx(np.full(119, 0.15), rel=1e-6)


def test_nobody_passes_a_light_that_is_never_green():
    town = line(500.0, 500.0)
    bench = Bench(town, engine=AveragedLights, signals=plan(town, 60.0, s0=(0, 0.0))).run(600, 0.3)
    assert bench.left("s0") == 0
    assert bench.vehicles("s0") == pytest.approx(town.storage[0])
