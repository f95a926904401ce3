"""Counts of the past: exact up to an hour, thinned beyond, and no dearer than each street's own lag."""

import numpy as np
import pytest

from simulator.errors import TownError
from simulator.ltm import LinkTransmission
from simulator.network import Street, Town
from simulator.past import Past

MB = 1e6


def history(lags, dt=1.0, steps=500, rate=lambda n: 0.5 + 0.5 * np.sin(n / 7)):
    """(past, counts): after each step (steps + 1, S) what was counted."""
    past = Past(np.asarray(lags, float), dt)
    counts = np.zeros((steps + 1, len(lags)))
    for n in range(1, steps + 1):
        counts[n] = counts[n - 1] + rate(n) * np.arange(1, len(lags) + 1)
        past.record(counts[n])
    return past, counts


@pytest.mark.parametrize("steps", [0, 1, 7, 40, 41, 42, 500])
def test_counts_are_those_of_a_lag_ago_between_steps_in_proportion(steps):
    lags = np.array([1.0, 1.5, 7.0, 36.7, 40.0, 123.4, 300.0])
    past, counts = history(lags, steps=steps)
    for earlier in (None, np.zeros(7), np.full(7, 0.25), np.array([0, 0.9, 0.1, 0.5, 0.999, 0, 0.3])):
        when = steps + 1 - lags - (0.0 if earlier is None else earlier)
        expected = [np.interp(at, np.arange(steps + 1), counts[:, n], left=0.0) for n, at in enumerate(when)]
        assert past.at(earlier) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("steps", [0, 1, 7, 41, 500])
def test_the_area_below_the_last_lag_s_counts(steps):
    lags = np.array([1.0, 1.5, 7.0, 36.7, 40.0, 123.4, 300.0])
    past, counts = history(lags, steps=steps)
    for n, lag in enumerate(lags):
        fine = steps - np.linspace(0, lag, 30001)
        values = np.interp(fine, np.arange(steps + 1), counts[:, n], left=0.0)
        area = (values[1:] + values[:-1]).mean() / 2 * lag
        assert past.within()[n] == pytest.approx(area, rel=1e-5, abs=1e-9)


def test_the_area_below_thinned_counts():
    past, counts = history([7500.5, 3.0], steps=9000, rate=lambda n: 0.5)
    fine = 9000 - np.linspace(0, 7500.5, 30001)
    expected = np.interp(fine, np.arange(9001), counts[:, 0]).mean() * 7500.5
    assert past.within() == pytest.approx([expected, (counts[-1] + counts[-4])[1] / 2 * 3], rel=1e-3)


@pytest.mark.parametrize("steps", [0, 1, 2, 300, 9000])
def test_a_past_goes_on_from_its_state(steps):
    lags = np.array([1.0, 7.5, 40.0, 7500.5])
    past, counts = history(lags, steps=steps)
    other = Past(lags, 1.0)
    other.restore(past.state())
    for n in range(5):
        for each in (past, other):
            each.record(counts[-1] + n)
        assert (past.at() == other.at()).all()
    wrong = {**past.state(), "places": past.state()["places"] + 1}
    with pytest.raises(TownError, match=r"^state: places are of another town"):
        other.restore(wrong)


def test_a_count_that_rose_in_a_part_of_a_step_is_known_within_it():
    past = Past(np.array([2.5, 2.5]), 1.0)
    past.record(np.array([1.0, 1.0]), (np.array([0.0, 0.5]), np.array([0.5, 1.0])))
    past.record(np.array([1.0, 1.0]))
    # The middle of the step in which all came early, and late.
    assert past.at().tolist() == [1.0, 0.0]
    assert past.at(np.array([0.25, 0.25])).tolist() == [0.5, 0.0]
    past.record(np.array([3.0, 3.0]))
    past.record(np.array([3.0, 3.0]))
    assert past.at().tolist() == [2.0, 2.0]


@pytest.mark.parametrize("dt", [1.0, 5.0, 30.0])
@pytest.mark.parametrize("hours", [1.5, 2.0, 3.7])
def test_lags_of_more_than_an_hour_are_known_to_within_their_stated_error(hours, dt):
    lag = hours * 3600 / dt
    past, counts = history([lag, 3.0], dt, steps=int(1.5 * lag))
    off = np.ceil(hours) * max(1.0, np.diff(counts[:, 0]).max())
    steps = len(counts) - 1
    assert past.at()[0] == pytest.approx(
        np.interp(steps + 1 - lag, np.arange(steps + 1), counts[:, 0]), abs=off
    )
    assert past.at()[1] == counts[steps - 2, 1]
    assert past.nbytes < 1.1 * 8 * (3600 / dt + 4 + 8)


def test_lags_longer_than_any_run_find_nothing():
    past, _ = history([1e19, 2.0], steps=100)
    assert past.at()[0] == 0
    assert past.nbytes < 8 * 4000


def streets(count, **odd):
    """A ring of streets of 500 m, the first one ``odd``."""
    made = [Street(id=f"s{n}", start=f"j{n}", end=f"j{(n + 1) % count}") for n in range(count)]
    made[0] = Street(id="s0", start="j0", end="j1", **odd)
    return Town.from_streets(made, {}, {})


def kept(town):
    engine = LinkTransmission(town, 1.0)
    return engine._past_entered.nbytes + engine._past_left.nbytes


def test_one_long_street_costs_the_others_nothing():
    assert kept(streets(9800, length=10_000.0)) - kept(streets(9800)) < 0.1 * MB
    assert kept(streets(9800)) < 12 * MB


def test_point_queues_cost_an_hour_at_most():
    made = [Street(id=f"s{n}", start=f"j{n}", end=f"j{n + 1}", jam_density=1000.0) for n in range(100)]
    assert kept(Town.from_streets(made, {}, {})) < 4 * MB


def test_streets_of_low_capacity_cost_an_hour_at_most():
    assert kept(streets(1000, capacity=1e-5)) < kept(streets(1000)) + 0.1 * MB


def test_a_wave_of_hours_arrives_within_its_stated_error():
    # Waves of 0.1 m/s on 1 km: 10,000 s, kept at every third step.
    street = Street(id="s0", start="a", end="b", length=1000.0, speed=10.0, capacity=0.5, jam_density=5.05)
    out = Street(id="s1", start="b", end="c", speed=10.0, capacity=0.5, jam_density=5.05)
    town = Town.from_streets([street, out], {"s0": {"s1": 1.0}}, {"a": {"s0": 1.0}})
    assert town.wave[0] == pytest.approx(0.1)
    engine = LinkTransmission(town, 5.0)
    shut, opened = np.array([0.0, 1.0]), np.ones(2)
    while engine.vehicles[0] < town.storage[0] - 1e-6:
        engine.step(shut, np.array([0.5]))
    inside, steps = engine.entered[0], 0
    while engine.entered[0] < inside + 0.1:
        engine.step(opened, np.array([0.5]))
        steps += 1
    assert abs(steps * 5.0 - 10_000) <= 3 * 5.0
