"""Traffic lights: who has one, and when it is green."""

import numpy as np
import pytest

from simulator.network import Town
from simulator.signals import ALL_RED, Signals


@pytest.fixture
def town():
    return Town.grid(4, 5)


def cycle_of(signals, cycle=60):
    """(seconds, S) green in each second of a cycle."""
    return np.array([signals.green(float(second)) for second in range(cycle)])


def is_vertical(town):
    return town.positions[town.start][:, 0] == town.positions[town.end][:, 0]


def test_lights_stand_where_three_or_more_streets_meet(town):
    signals = Signals.two_phase(town)
    corners = {town.junction_ids.index(id) for id in ("r0c0", "r0c4", "r3c0", "r3c4")}
    assert signals.has_light.tolist() == [end not in corners for end in town.end.tolist()]


def test_each_phase_gets_half_the_cycle_but_for_the_all_red(town):
    signals = Signals.two_phase(town)
    assert (cycle_of(signals).sum(axis=0)[signals.has_light] == 30 - ALL_RED).all()


def test_crossing_approaches_are_never_green_together(town):
    signals = Signals.two_phase(town, cycle=60.0)
    vertical = is_vertical(town)
    for green in cycle_of(signals):
        for junction in set(town.end[signals.has_light].tolist()):
            here = (town.end == junction) & green
            assert not (here & vertical).any() or not (here & ~vertical).any()


def test_opposite_approaches_are_green_together(town):
    green = cycle_of(Signals.two_phase(town))
    at = town.street_ids.index
    assert (green[:, at("r1c0-r1c1")] == green[:, at("r1c2-r1c1")]).all()
    assert (green[:, at("r0c1-r1c1")] == green[:, at("r2c1-r1c1")]).all()


def test_plans_repeat_after_their_cycle(town):
    signals = Signals.two_phase(town, cycle=80.0)
    for second in range(0, 80, 7):
        assert (signals.green(second) == signals.green(second + 80 * 1000)).all()


def test_offsets_come_from_the_seed(town):
    first, again, other = (cycle_of(Signals.two_phase(town, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_without_lights_everything_is_green(town):
    assert cycle_of(Signals.none(town)).all()
