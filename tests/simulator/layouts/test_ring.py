"""``Town.ring``: nobody leaves it, and it lies on the fundamental diagram at any density."""

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.demand import DemandTable


def test_a_ring_is_closed():
    town = Town.ring(5, 300.0)
    assert town.street_ids == ("1-2", "2-3", "3-4", "4-5", "5-1")
    assert town.ratio.tolist() == [1.0] * 10
    assert town.length.tolist() == [300] * 5
    assert town.repairs == town.warnings == ()


def test_a_ring_is_drawn_as_one():
    positions = Town.ring(12).positions
    assert np.hypot(*positions.T) == pytest.approx(12 * 500 / (2 * np.pi))


def test_its_demand_half_fills_it():
    simulator = Simulator(Town.ring(6))
    simulator.run(900)
    assert simulator.stats()["inside"] == pytest.approx(6 * 500 * 0.125 / 2)
    assert simulator.stats()["left"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("filled", [0.1, 0.25, 0.3168, 0.5, 0.75, 0.95])
def test_flow_lies_on_the_triangle(filled):
    town = Town.ring(4, 500.0)
    rate = filled * town.storage[0] / 300
    demand = DemandTable(4, [(at, 0, 300, rate) for at in range(4)])
    simulator = Simulator(town, step=1.0, demand=demand)
    simulator.run(600)
    # Ten times as long as a wave takes for a street.
    before = simulator.engine.entered.copy()
    simulator.run(776)
    flow = (simulator.engine.entered - before) / 776
    density = filled * 0.125
    expected = min(town.speed[0] * density, town.wave[0] * (0.125 - density))
    assert flow == pytest.approx([expected] * 4, rel=0.005)


@pytest.mark.parametrize(
    ("streets", "length"), [(1, 500), (0, 500), (10_001, 500), (5, 0), (5, float("nan"))]
)
def test_sizes_that_cannot_be(streets, length):
    with pytest.raises(TownError, match=r"^ring: "):
        Town.ring(streets, length)
