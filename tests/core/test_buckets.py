"""Token buckets: exactly what the formula says, at every rate and through every change."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.buckets import TICKS, TokenBucket, burst_of

RATES = st.one_of(
    st.sampled_from([0.001, 0.1, 0.3, 1, 1.1, 7, 10, 33.3, 1e6]), st.floats(0.001, 1e6, allow_nan=False)
)
TICK = st.integers(0, 5 * TICKS)


class Model:
    """The same with fractions, and nothing else."""

    def __init__(self, rate, burst, now):
        self.rate, self.burst, self.level, self.since = Fraction(repr(rate)), burst, Fraction(burst), now

    def take(self, now):
        self.level = min(self.burst, self.level + self.rate * (now - self.since))
        self.since = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


def at(tick):
    """A moment as clocks tell it: with a fraction that no float has."""
    return tick / TICKS


@given(rate=RATES, burst=st.integers(1, 1000), ticks=st.lists(TICK, min_size=1, max_size=60))
def test_it_lets_through_what_the_formula_says(rate, burst, ticks):
    bucket, model, now = TokenBucket(rate, burst, 0.0), Model(rate, burst, Fraction(0)), 0
    for tick in ticks:
        now += tick
        assert bucket.take(at(now)) == model.take(Fraction(now, TICKS))
        assert bucket.left(at(now)) == floor(model.level)


@given(
    rate=st.sampled_from([0.1, 0.3, 1, 1.1, 7, 9.99, 10, 33.3]),
    burst=st.integers(1, 50),
    start=st.sampled_from([0, 1, 1_795_694_400]),
    steps=st.lists(st.integers(1, 20), min_size=1, max_size=80),
)
def test_who_keeps_asking_gets_burst_and_rate_times_time(rate, burst, start, steps):
    """In milliseconds, so that nothing that comes is lost for want of room: more is asked than may be."""
    bucket, passed, accepted = TokenBucket(rate, burst, start), 0, 0
    while bucket.take(start):
        accepted += 1
    for step in steps:
        passed += step
        while bucket.take(start + passed / 1000):
            accepted += 1
        assert accepted == floor(burst + Fraction(repr(rate)) * Fraction(passed, 1000))


def test_a_day_of_tenths_comes_to_no_other_sum():
    bucket = TokenBucket(0.1, 1, 0.0)
    accepted = sum(bucket.take(tenth / 10) for tenth in range(864_001))
    assert accepted == 1 + 8640


@given(rate=RATES, burst=st.integers(1, 100), taken=st.integers(0, 120), later=TICK)
def test_it_says_when_there_is_one_more(rate, burst, taken, later):
    bucket, now = TokenBucket(rate, burst, 0.0), at(later)
    for _ in range(taken):
        bucket.take(now)
    left, wait = bucket.left(now), bucket.wait(now)
    if left == burst:
        assert wait == 0
        return
    assert wait >= 1
    assert bucket.left(now + wait) > left
    if wait > 1:
        assert TokenBucket.left(bucket, now) >= left


def test_the_wait_for_a_token_is_rounded_up():
    bucket = TokenBucket(0.4, 1, 0.0)
    assert bucket.wait(0.0) == 0
    assert bucket.take(0.0)
    assert [bucket.wait(now) for now in (0.0, 0.5, 1.5, 2.4, 2.5)] == [3, 2, 1, 1, 0]


def test_what_was_taken_for_nothing_comes_back_and_no_more():
    bucket = TokenBucket(1, 3, 0.0)
    assert bucket.take(0.0)
    bucket.give_back()
    bucket.give_back()
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]


def test_time_that_goes_back_is_no_time():
    bucket = TokenBucket(1, 2, 100.0)
    assert [bucket.take(now) for now in (100.0, 99.0, 100.5, 100.0, 101.0)] == [
        True,
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("rate", "burst", "left"), [(10, 20, 15), (10, 100, 95), (1, 5, 0), (0.5, 6, 1), (20, 3, 0)]
)
def test_a_change_resets_nothing(rate, burst, left):
    bucket = TokenBucket(10, 20, 0.0)
    for _ in range(5):
        bucket.take(0.0)
    bucket.change(rate, burst, 0.0)
    assert bucket.left(0.0) == left
    assert (bucket.rate, bucket.burst) == (rate, burst)
    assert bucket.left(1.0) == min(burst, floor(left + rate))


@given(rates=st.lists(RATES, min_size=2, max_size=5), taken=st.integers(0, 10))
def test_changes_back_and_forth_give_nothing_away(rates, taken):
    bucket = TokenBucket(rates[0], 10, 0.0)
    for _ in range(taken):
        bucket.take(0.0)
    for rate in rates:
        bucket.change(rate, 10, 0.0)
    assert bucket.left(0.0) <= 10 - taken


def test_a_burst_that_is_not_said_is_what_comes_in_a_second():
    assert [burst_of(rate, None) for rate in (0.001, 1, 1.2, 33.3)] == [1, 1, 2, 34]
    assert burst_of(0.5, 7) == 7
    assert burst_of(2.0, None) == ceil(2.0)


def test_the_window_is_how_long_an_empty_one_fills():
    rates = [(2, 5), (10, 10), (1e6, 1), (0.001, 1), (0.3, 1)]
    assert [TokenBucket(rate, burst, 0.0).window for rate, burst in rates] == [3, 1, 1, 1000, 4]


def test_what_is_taken_elsewhere_is_made_up_for_first():
    bucket = TokenBucket(10, 5, 0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True] * 3
    bucket.drain(12, 0.0)
    assert (bucket.taken, bucket.left(0.0), bucket.take(0.0)) == (3, 0, False)
    # Ten are owed, and one is to be there.
    assert (bucket.wait(0.0), bucket.take(1.09), bucket.take(1.1)) == (2, False, True)
    bucket.give_back()
    assert bucket.taken == 3
    assert [bucket.take(1.1) for _ in range(2)] == [True, False]
