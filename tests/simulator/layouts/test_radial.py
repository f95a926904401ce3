"""``Town.radial``: what it looks like, and that it lives through its rush hours."""

import numpy as np
import pytest

from simulator import Simulator, Town, TownError


@pytest.fixture(scope="module")
def town():
    return Town.radial(3, 6)


def test_spokes_and_rings(town):
    assert len(town.junction_ids) == 1 + 3 * 6
    assert len(town.street_ids) == 2 * 2 * 3 * 6
    assert {"c-r1s0", "r1s0-c", "r3s5-r3s0", "r2s1-r2s0"} <= set(town.street_ids)
    assert town.repairs == town.warnings == ()


def test_spokes_and_the_outermost_ring_are_wide(town):
    lanes = dict(zip(town.street_ids, town.lanes.tolist(), strict=True))
    assert (lanes["c-r1s0"], lanes["r2s1-r3s1"], lanes["r3s1-r3s2"], lanes["r2s1-r2s2"]) == (2, 2, 2, 1)


def test_vehicles_start_and_end_everywhere(town):
    assert len(town.origins) == len(town.junction_ids)
    leaving = 1 - np.bincount(town.movement_from, town.ratio)[: len(town.street_ids)]
    assert (leaving > 0.05).all()


def test_rings_are_drawn_round(town):
    street = next(each for each in town.describe() if each["id"] == "r3s0-r3s1")
    radii = np.hypot(*np.array(street["points"]).T)
    assert radii == pytest.approx(1200, abs=0.2)
    assert len(radii) == 5


def test_a_day_has_queues_but_no_gridlock(town):
    simulator = Simulator(town)
    most = 0.0
    while simulator.time < 5400:
        simulator.run(300)
        most = max(most, float((simulator.engine.vehicles / town.storage).max()))
    assert most > 0.2
    assert (simulator.engine.vehicles / town.storage).max() < 0.5
    assert simulator.stats()["waiting"] < 1e-6


@pytest.mark.parametrize("size", [(0, 6), (3, 2), (101, 6), (3, 201), (-1, -1)])
def test_sizes_that_cannot_be(size):
    with pytest.raises(TownError, match=r"^radial: "):
        Town.radial(*size)


def test_a_map_has_room_for_all_that_is_drawn():
    town = Town.radial(1, 3)
    left, below, right, above = Simulator(town).map()["bounds"]
    assert (above, below) == pytest.approx((400, -400), abs=0.5)
    assert right == pytest.approx(-left)
    assert right > 380
