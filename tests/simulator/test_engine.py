"""What every engine promises: to go on from a state, bit for bit, and to take capacities that change."""

import numpy as np
import pytest

from simulator import Simulator, Town, TownError


@pytest.fixture(params=["ltm"])
def engine(request):
    return request.param


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
    assert other.stats() == whole.stats()
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
    simulator.engine.capacity[closed] = 0.0
    before = simulator.engine.entered[closed], simulator.engine.left[closed]
    assert before[0] > before[1] > 0
    simulator.run(300)
    assert (simulator.engine.entered[closed], simulator.engine.left[closed]) == before
    simulator.engine.capacity[closed] = simulator.town.capacity[closed]
    simulator.run(300)
    assert simulator.engine.left[closed] > before[1]
