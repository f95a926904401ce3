"""The compiled step: the same numbers, bit for bit."""

import numpy as np
import pytest
from support.traffic import steps, traffic

from simulator import Simulator, Town, kernels
from simulator.compiled import COMPILED
from simulator.engines import ENGINES
from simulator.kernels import total
from simulator.network import Street

NAMES = list(ENGINES)


def same(one, other):
    """Whether two engines' states are equal in every bit that counts."""
    first, second = one.state(), other.state()
    return first.keys() == second.keys() and all((first[name] == second[name]).all() for name in first)


@pytest.mark.parametrize("name", NAMES)
def test_no_bit_differs_on_random_networks(name):
    for seed in range(12):
        situation = traffic(np.random.default_rng([seed, 3]), hub=seed == 7)
        for (one, *_), (other, *_) in zip(
            steps(situation, ENGINES[name]), steps(situation, COMPILED[name]), strict=True
        ):
            assert same(one, other)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dt", [1.0, 2.5])
def test_no_bit_differs_in_a_town(name, dt):
    town = Town.grid(5, 4, length=237.0)
    one, other = (Simulator(town, engine=name, dt=dt, fast=fast, seed=3) for fast in (False, True))
    for _ in range(3):
        one.run(400)
        other.run(400)
        assert same(one.engine, other.engine)
        assert one.stats() == other.stats()
        assert one.dump_state() == other.dump_state()
    assert one.engine.gone > 50


def test_no_bit_differs_where_the_past_is_thinned():
    # Waves of more than an hour, of which not every step is kept.
    lines = [("a", 12, {"length": 3000.0, "speed": 0.5}), ("b", 3, {"length": 400.0})]
    streets = [
        Street(id=f"{name}{n}", start=f"{name}{n}", end=f"{name}{n + 1}", capacity=0.05, **sizes)
        for name, count, sizes in lines
        for n in range(count)
    ]
    turns = {f"a{n}": {f"a{n + 1}": 0.9} for n in range(11)}
    town = Town.from_streets(streets, turns, {"a0": {"a0": 1.0}, "b0": {"b0": 1.0}})
    one, other = (make(town, 20.0) for make in (ENGINES["ltm"], COMPILED["ltm"]))
    for _ in range(900):
        for engine in (one, other):
            engine.step(np.ones(len(streets)), np.array([0.04, 0.2]))
    assert same(one, other)
    assert one.left[1] > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_state_goes_from_one_to_the_other_and_back(name):
    town = Town.grid(3, 3)
    one, other, third = (
        Simulator(town, engine=name, dt=1.5, step=4.5, fast=fast) for fast in (False, True, False)
    )
    one.run(450)
    other.run(900)
    state = one.engine.state()
    other.engine.restore({key: array.copy() for key, array in state.items()})
    rates = np.full(len(town.origins), 0.1)
    for engine in (one.engine, other.engine):
        for n in range(50):
            engine.advance(one.signals, 1.5 * n, rates)
    assert same(one.engine, other.engine)
    third.engine.restore(other.engine.state())
    for engine in (one.engine, third.engine):
        for n in range(50):
            engine.advance(one.signals, 1.5 * n, rates)
    assert same(one.engine, third.engine)


@pytest.mark.parametrize("name", NAMES)
def test_turns_capacities_and_intakes_change_between_steps(name):
    town = Town.grid(4, 4)
    one, other = (Simulator(town, engine=name, fast=fast) for fast in (False, True))
    random = np.random.default_rng(0)
    for _ in range(5):
        capacity, intake = town.capacity * random.integers(0, 3, (2, 48)) / 2
        ratio = town.ratio * random.choice([0.0, 0.5, 1.0], len(town.ratio))
        for simulator in (one, other):
            simulator.engine.capacity[:], simulator.engine.intake[:] = capacity, intake
            simulator.engine.turn(ratio)
            for step in range(150):
                simulator.engine.advance(simulator.signals, step, np.full(len(town.origins), 0.3))
        assert same(one.engine, other.engine)


class Waves:
    """A demand of somebody's own, which is asked step by step."""

    def rates(self, time):
        return np.abs(np.sin(time / 90 + np.arange(12))) / 4


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("dt", [0.1, 1.0, 2.5])
def test_steps_made_together_are_those_made_one_by_one(name, fast, dt):
    town = Town.grid(4, 4, length=211.0)
    one, other = (
        Simulator(town, engine=name, dt=dt, step=steps * dt, fast=fast, seed=5) for steps in (1, 70)
    )
    for part in range(3):
        for simulator in (one, other):
            simulator.run(140 * dt)
            if part == 0:
                simulator.set_demand("r0c1", 0.4)
                # In the middle of a step, and of those made together.
                simulator.close_street("r1c1-r1c2", simulator.time + 11.3 * dt, simulator.time + 30.6 * dt)
            if part == 1:
                simulator.demand = Waves()
        assert one.time == other.time
        assert same(one.engine, other.engine)
        assert one.stats() == other.stats()
    assert one.engine.entered.sum() > 1


def test_sums_are_numpys():
    random = np.random.default_rng(4)
    for count in (*range(300), 1023, 1024, 1025, 9800, 20_001, 100_003):
        values = random.lognormal(0, 5, count)
        assert total(values) == values.sum()


def test_a_saved_simulator_goes_on_compiled(tmp_path):
    one = Simulator(Town.grid(3, 3))
    one.run(300)
    one.save(tmp_path / "town.npz")
    other = Simulator.load(tmp_path / "town.npz", fast=True)
    assert type(other.engine) is COMPILED["ltm"]
    one.run(300)
    other.run(300)
    assert same(one.engine, other.engine)


def test_kernels_work_where_nothing_can_be_kept(monkeypatch):
    def njit(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: (function, options)

    monkeypatch.setattr(kernels, "njit", njit)
    assert kernels.kernel(print) == (print, {"error_model": "numpy"})
