"""``Town.blocks``: arterials, one-way pairs, a river with few bridges, and a way back from everywhere."""

import pytest

from simulator import Simulator, Town, TownError
from simulator.components import strongly_connected


@pytest.fixture(scope="module")
def town():
    return Town.blocks(12, 17)


def test_a_river_has_few_bridges(town):
    bridges = {
        id for id in town.street_ids if set(id.split("-")) in [{f"r5c{c}", f"r6c{c}"} for c in range(17)]
    }
    assert bridges == {f"r{a}c{c}-r{b}c{c}" for c in (0, 8, 16) for a, b in ((5, 6), (6, 5))}
    lanes = {town.lanes[town.street_ids.index(id)] for id in bridges}
    assert lanes == {2}


def test_arterials_are_wide_and_blocks_are_slow(town):
    kinds = set(zip(town.lanes.tolist(), (town.speed * 3.6).round().tolist(), strict=True))
    assert kinds == {(2, 60), (1, 50), (1, 30)}


def test_one_way_streets_come_in_pairs(town):
    east = [id for id in town.street_ids if id.startswith("r5c0-") or id.startswith("r6c0-")]
    west = [id for id in town.street_ids if id in ("r5c1-r5c0", "r6c1-r6c0")]
    assert "r5c0-r5c1" in east
    assert west == ["r6c1-r6c0"]


@pytest.mark.parametrize("size", [(4, 4), (5, 4), (4, 9), (6, 7), (12, 17), (13, 8)])
def test_one_gets_from_everywhere_to_everywhere(size):
    town = Town.blocks(*size)
    pairs = [tuple(id.split("-")) for id in town.street_ids]
    assert strongly_connected(pairs) == set(town.junction_ids)
    assert len(town.junction_ids) == size[0] * size[1]
    assert town.warnings == town.repairs == ()


def test_the_seed_makes_the_corners(town):
    assert (Town.blocks(4, 4).positions == Town.blocks(4, 4).positions).all()
    assert (Town.blocks(4, 4, seed=1).positions != Town.blocks(4, 4).positions).all()


def test_a_rush_hour_does_not_gridlock_it():
    town = Town.blocks(6, 6)
    simulator = Simulator(town)
    simulator.run(5400)
    assert simulator.stats()["left"] > 1000
    assert (simulator.engine.vehicles / town.storage > 0.9).sum() == 0


@pytest.mark.parametrize("size", [(3, 4), (4, 3), (301, 4), (4, 301)])
def test_sizes_that_cannot_be(size):
    with pytest.raises(TownError, match=r"^blocks: "):
        Town.blocks(*size)


def test_a_seed_that_cannot_be():
    with pytest.raises(TownError, match=r"^blocks: seed is -1"):
        Town.blocks(4, 4, seed=-1)
