"""What ``make validate`` measures of two simulators, with numbers that can be worked out by hand."""

import math

import numpy as np
import pytest

from benchmarks.validation.compare import (
    Bound,
    Case,
    Outcome,
    Spread,
    correlation,
    free_counts,
    measure,
    outcome_of,
    report,
    within,
)


def outcome(
    total=100.0, free=80.0, occupancy=(1.0, 2.0, 4.0), free_occupancy=(1.0, 1.0, 1.0), completed=50.0
):
    return Outcome(total, free, np.array(occupancy), np.array(free_occupancy), completed)


def counts(*columns):
    return np.array(columns, float).T


def test_who_is_held_up_by_nobody_leaves_a_travel_time_after_entering():
    entered = counts([0, 1, 2, 2, 2], [0, 0, 4, 4, 4])
    left = free_counts(entered, np.array([2.0, 1.5]), 1.0)
    assert left.T.tolist() == [[0, 0, 0, 1, 2], [0, 0, 0, 2, 4]]
    assert free_counts(entered, np.array([4.0, 3.0]), 2.0).tolist() == left.tolist()


def test_delay_is_what_is_above_free_flow_and_includes_those_outside():
    # One vehicle enters at 1 s, could leave at 3 s and leaves at 4 s; another one waits outside for 2 s.
    entered, left = counts([0, 1, 1, 1, 1, 1]), counts([0, 0, 0, 0, 1, 1])
    waiting = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    found = outcome_of(entered, left, waiting, np.array([2.0]), completed=1)
    assert (found.total, found.free, found.delay) == (5.0, 2.0, 3.0)
    assert found.occupancy == pytest.approx([3 / 5])
    assert found.free_occupancy == pytest.approx([2 / 5])


def test_seconds_of_a_step_count():
    entered, left = counts([0, 1, 1, 1]), counts([0, 0, 0, 1])
    found = outcome_of(entered, left, np.zeros(4), np.array([5.0]), completed=0, dt=5.0)
    assert (found.total, found.free) == (10.0, 5.0)
    assert found.occupancy == pytest.approx([2 / 3])


def test_shares_are_of_theirs_and_delay_is_apart_from_the_rest():
    found = measure(outcome(total=110.0, completed=60.0), outcome())
    assert (found.total, found.delay, found.completed) == pytest.approx((0.1, 0.5, 0.2))
    assert found.rmse == 0


def test_the_excess_is_correlated_apart():
    found = measure(
        outcome(occupancy=(11, 22, 33), free_occupancy=(10, 20, 30)),
        outcome(occupancy=(13, 22, 31), free_occupancy=(10, 20, 30)),
    )
    assert found.correlation > 0.99
    assert found.excess == pytest.approx(-1)
    assert found.rmse == pytest.approx(math.sqrt(8 / 3))


@pytest.mark.parametrize(
    ("first", "second"), [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [5, 5, 5]), ([1, 2], [2, 4])]
)
def test_there_is_no_correlation_of_what_does_not_vary_or_is_too_few(first, second):
    assert math.isnan(correlation(np.array(first, float), np.array(second, float)))


def test_shares_of_nothing_are_none():
    assert math.isnan(measure(outcome(), outcome(total=80.0)).delay)


def test_a_spread_has_the_mean_and_where_the_seeds_lie():
    assert Spread.of([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)


def test_a_bound_is_of_the_mean_and_no_number_does_not_meet_it():
    assert within("total", 0.05).is_met(Spread(-0.05, -0.2, 0.1))
    assert not within("total", 0.05).is_met(Spread(0.051, 0.0, 0.1))
    assert not Bound("excess", least=0.85).is_met(Spread(math.nan, 0.9, 0.9))


def test_what_is_neither_met_nor_known_is_counted_and_named(capsys):
    case = Case(
        "town",
        [(outcome(total=110.0), outcome()), (outcome(total=106.0), outcome())],
        [
            within("total", 0.1),
            within("delay", 0.2, "it is so"),
            within("completed", 0.01),
            Bound("excess", 1.1),
        ],
        {"trips": "7"},
    )
    assert report([case, case]) == 2
    head, ruler, first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert head.startswith("|  | seeds | trips | total time | delay |")
    assert head.count("|") == ruler.count("|") == first.count("|")
    assert "| town | 2 | 7 | +8.0% (+6.0% to +10.0%) | +40.0% (+30.0% to +50.0%) |" in first
    assert "total time ±10%: met; delay ±20%: known: it is so; completed ±1%: met" in first
    assert "of what is above free flow 1.1 to inf: NOT MET, 1 (1 to 1)" in first
