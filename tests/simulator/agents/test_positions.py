"""Where vehicles are: kinematic wave theory's own numbers."""

import numpy as np
import pytest

from simulator.agents.positions import Positions
from simulator.network import Street, Town

FAST = {"speed": 20.0, "capacity": 0.8, "jam_density": 0.2}
"""Waves run back at 5 m/s; in a jam there are 5 m from one to the next."""


def one_street(length=1000.0, **properties):
    return Town.from_streets([Street(id="s", start="a", end="b", length=length, **FAST | properties)], {}, {})


def at(positions, labels, ages):
    count = len(labels)
    return positions.at(np.zeros(count, np.intp), np.array(labels, float), np.array(ages, float))


def test_who_is_held_by_nobody_drives_at_free_speed_up_to_the_end():
    positions = Positions(one_street(), 1.0)
    for _ in range(100):
        positions.record(np.array([0.0]))
    assert at(positions, [0.0, 0.0, 0.0], [0.0, 12.5, 80.0]).tolist() == [0.0, 250.0, 1000.0]


def test_vehicles_stand_behind_a_red_light_as_in_a_jam():
    positions = Positions(one_street(), 1.0)
    for _ in range(300):
        positions.record(np.array([7.0]))
    assert at(positions, [8.0, 9.0, 17.5, 206.0], [200.0] * 4) == pytest.approx([995, 990, 947.5, 5])


@pytest.mark.parametrize("dt", [0.5, 1.0, 2.0])
def test_a_queue_discharges_as_a_wave_of_five_metres_a_second(dt):
    positions = Positions(one_street(), dt)
    for _ in range(int(250 / dt)):
        positions.record(np.array([0.0]))
    labels, ages = [1.0, 10.0, 41.0, 100.0], [400.0] * 4
    behind = 1000 - at(positions, labels, ages)
    assert behind == pytest.approx([5, 50, 205, 500])
    for n in range(1, int(150 / dt) + 1):
        positions.record(np.array([0.8 * n * dt]))
        moved = behind - (1000 - at(positions, labels, ages))
        # Each drives at free speed from the moment that the wave has come to it.
        assert moved == pytest.approx(np.clip(20 * (n * dt - behind / 5), 0, behind), abs=1e-6)


def test_nobody_ever_goes_back_or_overtakes():
    random = np.random.default_rng(3)
    positions = Positions(one_street(), 1.0)
    labels = np.cumsum(random.uniform(0.9, 1.6, 60))
    left, before = 0.0, np.zeros(60)
    since = np.cumsum(random.uniform(1.0, 4.0, 60))
    for n in range(400):
        left = min(left + (0.8 if n % 60 < 25 else 0.0), labels[-1])
        positions.record(np.array([left]))
        ages = np.maximum(n - since, 0.0)
        now = at(positions, labels, ages)
        assert (now >= before - 1e-9).all()
        assert (now - before <= 20 + 1e-9).all()
        assert (np.diff(now) <= 1e-9).all()
        before = now


def test_waves_of_hours_take_the_memory_of_one():
    # 5e5 vehicles fit: a point queue.
    town = one_street(jam_density=500.0)
    positions = Positions(town, 1.0)
    assert sum(array.nbytes for array in positions.state().values()) < 40_000
    for _ in range(5000):
        positions.record(np.array([2.0]))
    assert at(positions, [502.0, 250_002.0], [1e5, 1e5]) == pytest.approx([999.0, 500.0])
