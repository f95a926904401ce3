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


def test_many_moments_are_counted_at_once():
    one_by_one, at_once = Histogram(), Histogram()
    moments = [1.0, 1.0, 1.5, 1.5, 1.0, 1.999]
    for moment in moments:
        one_by_one.observe(2.0 - moment)
    at_once.observe_since(moments, 2.0)
    assert at_once.counts == one_by_one.counts
    assert at_once.sum == pytest.approx(one_by_one.sum)


def test_the_bounds_are_in_order():
    assert list(SECONDS) == sorted(set(SECONDS))
