"""Rush hours: found in any demand that says how long its day is."""

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.demand import Demand
from simulator.shown import rush_hours
from simulator.signals import Signals
from simulator.street import Street


class Hours:
    """A day of 24 hours in which many drive from 7 to 9, and late, over midnight."""

    day = 86_400.0

    def rates(self, time):
        hour = time % self.day / 3600
        return np.array([1.0 if 7 <= hour < 9 or hour >= 23 else 0.2])


def test_a_day_of_two_humps_has_two_rush_hours():
    rush = rush_hours(Demand(100))
    assert rush["day"] == 7200
    assert len(rush["hours"]) == 2
    for (begin, end), peak in zip(rush["hours"], (1800, 5400), strict=True):
        assert begin < peak < end


def test_they_begin_and_end_where_demand_does_and_at_midnight():
    assert rush_hours(Hours()) == {"day": 86_400, "hours": [[25_200, 32_400], [82_800, 86_400]]}


def test_a_demand_that_is_always_the_same_or_knows_no_day_has_none():
    assert rush_hours(Demand.constant(np.array([0.2, 0.1]))) is None
    assert rush_hours(Demand(0)) is None
    assert "rush" not in Simulator(Town.ring(4), demand=Demand.constant(np.array([0.1] * 4))).map()


def test_what_was_driven_grows_by_what_is_on_the_road_at_free_speed():
    simulator = Simulator(Town.grid(4, 4), demand=Demand.constant(np.full(12, 0.02)))
    simulator.run(1800)
    before = simulator.dump_state(speeds=True)
    vehicles = []
    for _ in range(360):
        simulator.next()
        vehicles.append(simulator.stats()["inside"])
    driven = simulator.dump_state(speeds=True)["moved"] - before["moved"]
    # Lights hold some of them up.
    assert 0.6 < driven / (np.mean(vehicles) * 1800 * 50 / 3.6) < 1.0


def test_whoever_drives_through_has_driven_the_whole_way():
    simulator = Simulator(Town.grid(2, 2, length=300.0), demand=Demand.constant(np.full(4, 0.01)))
    simulator.run(3600)
    left = simulator.stats()["left"]
    assert simulator.dump_state(speeds=True)["moved"] == pytest.approx(
        300 * (simulator.engine.entered.sum() + simulator.engine.left.sum()) / 2, abs=1
    )
    assert simulator.dump_state(speeds=True)["moved"] > 300 * left


def test_speeds_are_those_of_steady_traffic():
    """A street that is fed more than the next one takes: its queue moves as the diagram says."""
    wide = Street(id="in", start="A", end="B", length=1000.0)
    narrow = Street(id="out", start="B", end="C", length=1000.0, capacity=0.2)
    town = Town.from_streets([wide, narrow], {"in": {"out": 1.0}}, {"A": {"in": 1.0}})
    steady = Signals(cycle=np.array([60.0, 60.0]), begin=np.zeros(2), green=np.array([60.0, 60.0]))
    simulator = Simulator(town, demand=Demand.constant(np.array([0.5])), signals=steady)
    simulator.run(3600)
    sample = simulator.dump_state(speeds=True)
    assert sample["v"][0] == pytest.approx(100 * 0.2 / sample["k"][0] / (50 / 3.6), abs=0.6)
    assert sample["v"][1] == 100
    assert "v" not in simulator.dump_state()


def test_an_empty_street_is_as_fast_as_it_can_be_and_one_that_stands_is_not():
    simulator = Simulator(Town.grid(3, 3), demand=Demand.constant(np.full(8, 0.3)))
    assert set(simulator.dump_state(speeds=True)["v"]) == {100}
    simulator.run(1800)
    sample = simulator.dump_state(speeds=True)
    assert min(sample["v"]) < 30
    assert all(0 <= percent <= 100 for percent in sample["v"])
