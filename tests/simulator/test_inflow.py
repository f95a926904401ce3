"""What wants to enter: the demand's rates, checked, asked for in one step or in many."""

import numpy as np
import pytest

from simulator.demand import Demand, DemandTable
from simulator.errors import TownError
from simulator.inflow import Inflow
from simulator.network import Town

TOWN = Town.grid(3, 3)
ORIGINS = len(TOWN.origins)


class Own:
    """A demand of somebody's own, which remembers when it was asked."""

    def __init__(self):
        self.times = []

    def rates(self, time):
        self.times.append(time)
        return np.full(ORIGINS, time % 3)


def rows(inflow, demand, step, count, dt=0.1):
    return np.array([inflow.rates(demand, (step + n) * dt) for n in range(count)])


DEMANDS = [Demand(ORIGINS, day=300.0), DemandTable(ORIGINS, [(2, 0.0, 1.0, 0.5)], day=1.5), Own()]


@pytest.mark.parametrize("demand", DEMANDS)
def test_rates_ahead_are_those_of_each_step(demand):
    inflow = Inflow(TOWN)
    for step, count in ((0, 5), (5, 5), (3000, 40), (7, 1), (100_000, 3000)):
        assert (inflow.ahead(demand, step, 0.1, count) == rows(inflow, demand, step, count)).all()


@pytest.mark.parametrize("demand", DEMANDS)
def test_what_is_set_by_hand_counts_at_once_and_no_longer_than_it_is_set(demand):
    inflow = Inflow(TOWN)
    before = inflow.ahead(demand, 0, 0.1, 5).copy()
    inflow.set("r0c0", 7.0)
    assert (inflow.ahead(demand, 0, 0.1, 5) == rows(inflow, demand, 0, 5)).all()
    assert (inflow.ahead(demand, 0, 0.1, 5) == 7.0).any(axis=1).all()
    inflow.set("r0c0", None)
    assert (inflow.ahead(demand, 0, 0.1, 5) == before).all()


def test_another_demand_and_another_step_are_noticed():
    inflow = Inflow(TOWN)
    for seed, dt in ((0, 1.0), (1, 1.0), (1, 2.0)):
        demand = Demand(ORIGINS, seed=seed)
        assert (inflow.ahead(demand, 0, dt, 5) == rows(inflow, demand, 0, 5, dt)).all()


def test_a_demand_of_another_kind_is_asked_for_the_steps_that_come_and_no_others():
    demand = Own()
    Inflow(TOWN).ahead(demand, 10, 1.0, 3)
    assert demand.times == [10.0, 11.0, 12.0]


@pytest.mark.parametrize(
    ("demand", "text"),
    [
        (Demand(ORIGINS, level=np.full(ORIGINS, 1e308), high=1e300), "demand: rates at 500 s"),
        (Demand(3), f"demand: 3 rates; the town has {ORIGINS} origins"),
    ],
)
def test_rates_that_cannot_be_are_refused_ahead_too(demand, text):
    with np.errstate(over="ignore"), pytest.raises(TownError, match=text):
        Inflow(TOWN).ahead(demand, 500, 1.0, 5)
