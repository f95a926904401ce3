"""What may be said to a running town, as one and saved."""

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.demand import Demand
from simulator.engine import Engine
from simulator.operation import Kept, Operated
from simulator.reactive import Actuated, MaxPressure
from simulator.signals import Signals


@pytest.mark.parametrize("engine", ["ltm", "ctm", "avg"])
def test_whatever_was_said_goes_on_after_a_save(tmp_path, engine):
    simulator = Simulator(Town.grid(4, 4), "x", 2.0, seed=3, engine=engine)
    simulator.set_light("r1c1", 80, 7, {"r1c0-r1c1": (0, 30), "r0c1-r1c1": (35, 40)})
    simulator.set_reactive(Actuated(max_green=21.5), ["r1c2", "r2c2"])
    simulator.set_reactive(MaxPressure(), ["r2c1"])
    simulator.close_street("r0c0-r0c1", 100, 500)
    simulator.close_street("r1c1-r1c2", 300, 700, detour=False)
    simulator.set_capacity("r2c1-r2c2", 0.3, 50)
    # Between a beginning and an end, with others to come.
    simulator.run(350)
    simulator.save(tmp_path / "town.npz")
    other = Simulator.load(tmp_path / "town.npz")
    assert other.lights.dump() == simulator.lights.dump()
    for each in (simulator, other):
        each.run(500)
    assert (simulator.engine.entered == other.engine.entered).all()
    assert (simulator.engine.left == other.engine.left).all()
    assert simulator.dump_state() == other.dump_state()


def test_what_is_no_state_is_refused():
    kept = Kept(Simulator(Town.grid(2, 2)).incidents)
    for state in ({}, {"json": np.frombuffer(b"{", np.uint8)}, {"json": np.frombuffer(b"\xff", np.uint8)}):
        with pytest.raises(TownError, match=r"^state: lights or incidents are missing, or none"):
            kept.restore(state)


@pytest.mark.parametrize("engine", ["ltm", "ctm", "avg"])
def test_incidents_hold_in_every_engine(engine):
    town = Town.grid(3, 3)
    demand = Demand.constant(np.full(len(town.origins), 0.1))
    simulator = Simulator(town, "x", 1.0, engine=engine, demand=demand)
    simulator.run(300)
    at = town.street_ids.index("r1c0-r1c1")
    simulator.close_street("r1c0-r1c1", None, 600.0)
    before = simulator.engine.entered[at]
    simulator.run(300)
    assert simulator.engine.entered[at] == before
    assert simulator.engine.vehicles[at] < 0.5
    simulator.run(100)
    assert simulator.engine.entered[at] > before + 1


def test_without_a_word_a_run_is_what_it_was():
    town, demand = Town.grid(3, 3), Demand.constant(np.full(8, 0.2))
    simulator = Simulator(town, "x", 1.0, seed=2, demand=demand)
    simulator.run(300)
    signals = Signals.two_phase(town, seed=2)
    other: Engine = type(simulator.engine)(town, 1.0)
    for second in range(300):
        other.advance(signals, float(second), demand.rates(float(second)))
    assert (simulator.engine.left == other.left).all()
    assert (simulator.engine.entered == other.entered).all()


def test_it_is_of_a_simulator():
    with pytest.raises(NotImplementedError):
        _ = Operated(Town.grid(2, 2), Signals.none(Town.grid(2, 2))).time
