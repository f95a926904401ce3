import pytest

from radiod.core.histograms import SECONDS, Histogram


def test_a_bound_belongs_to_what_is_up_to_it():
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(seconds)
    assert histogram.counts == [2, 2, 1]
    assert histogram.count == 5
    assert histogram.sum == pytest.approx(8.65)


def test_a_clock_that_was_set_back_takes_nothing_away():
    histogram = Histogram()
    histogram.observe(-3.0)
    assert (histogram.counts[0], histogram.sum) == (1, 0.0)


def test_the_bounds_are_in_order():
    assert list(SECONDS) == sorted(set(SECONDS))
