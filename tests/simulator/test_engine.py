"""What every engine promises: its invariants, to go on from a state, and to take capacities that change."""

import numpy as np
import pytest
from support.traffic import check, traffic

from simulator import Simulator, Town, TownError
from simulator.averaged import AveragedLights
from simulator.ctm import CellTransmission
from simulator.ltm import LinkTransmission


@pytest.fixture(params=["ltm", "ctm", "avg"])
def engine(request):
    return request.param


ENGINES = [LinkTransmission, CellTransmission, AveragedLights]


@pytest.mark.parametrize("make", ENGINES)
def test_every_invariant_holds_on_random_networks(make):
    for seed in range(20):
        check(traffic(np.random.default_rng(seed)), make)


@pytest.mark.parametrize("make", ENGINES)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_invariant_holds_where_a_hundred_arms_meet(make, seed):
    check(traffic(np.random.default_rng(seed), hub=True), make)


@pytest.mark.soak
@pytest.mark.parametrize("make", ENGINES)
def test_every_invariant_holds_on_a_thousand_networks(make):
    for seed in range(1000):
        check(traffic(np.random.default_rng([seed, 7]), hub=seed % 50 == 0), make)


def counts(simulator):
    return np.concatenate([simulator.engine.entered, simulator.engine.left, simulator.engine.waiting])


def test_an_engine_goes_on_from_a_state_bit_for_bit(engine):
    town = Town.grid(3, 3, length=237)
    whole = Simulator(town, engine=engine, dt=2.5)
    whole.run(900)
    kept = {name: array.copy() for name, array in whole.engine.state().items()}
    whole.run(300)
    other = Simulator(town, engine=engine, dt=2.5)
    other.engine.restore(kept)
    other._ticks = 360
    other.run(300)
    assert (counts(other) == counts(whole)).all()
    assert (other.engine.generated, other.engine.gone) == (whole.engine.generated, whole.engine.gone)
    # And what ran on did not change what was kept.
    again = Simulator(town, engine=engine, dt=2.5)
    again.engine.restore(kept)
    assert (again.engine.entered == kept["entered"]).all()


def test_a_state_of_another_town_or_step_is_refused(engine):
    state = Simulator(Town.grid(3, 3), engine=engine).engine.state()
    with pytest.raises(TownError, match=r"state: .* of another town, engine or step"):
        Simulator(Town.grid(3, 4), engine=engine).engine.restore(state)
    with pytest.raises(TownError, match=r"state: .* is missing"):
        Simulator(Town.grid(3, 3), engine=engine).engine.restore({})


def test_a_street_without_capacity_takes_and_lets_go_nobody(engine):
    simulator = Simulator(Town.grid(3, 3), engine=engine)
    simulator.run(600)
    closed = simulator.town.street_ids.index("r1c0-r1c1")
    simulator.engine.capacity[closed] = simulator.engine.intake[closed] = 0.0
    before = simulator.engine.entered[closed], simulator.engine.left[closed]
    assert before[0] > before[1] > 0
    simulator.run(300)
    assert (simulator.engine.entered[closed], simulator.engine.left[closed]) == before
    simulator.engine.capacity[closed] = simulator.engine.intake[closed] = 0.55
    simulator.run(300)
    assert simulator.engine.left[closed] > before[1]
