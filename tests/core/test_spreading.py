"""Things that end evenly: whatever their number, the time, and chance."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.spreading import SLICE_S, TICK_S, Spread
from radiod.testing import FakeClock


class Ending:
    """A spread over numbers, and when each of them ended, from now on."""

    def __init__(self, seed=1):
        self.clock = FakeClock()
        self.began = self.clock.seconds()
        self.spread = Spread(self.clock, self.clock.timers, Random(seed).random, self._end)
        self.ended = {}
        self.cost = 0.0

    def _end(self, number):
        assert number not in self.ended
        self.clock._now += self.cost
        self.ended[number] = self.clock.seconds() - self.began

    def tenths(self, seconds):
        """How many ended in each tenth of the time."""
        counts = [0] * 10
        for when in self.ended.values():
            counts[min(9, int(10 * (when - 1e-9) / seconds))] += 1
        return counts


@given(st.integers(1000, 5000), st.floats(5, 3600), st.integers(0, 100))
def test_each_tenth_of_the_time_holds_7_to_13_per_cent(count, seconds, seed):
    ending = Ending(seed)
    ending.spread.begin(range(count), seconds)
    ending.clock.advance(seconds + TICK_S)
    assert len(ending.ended) == count
    assert all(0.07 * count <= one <= 0.13 * count for one in ending.tenths(seconds))
    assert len(ending.clock.timers) == 0


@given(st.integers(0, 30), st.floats(0, 100), st.integers(0, 100))
def test_all_end_once_and_in_time(count, seconds, seed):
    ending = Ending(seed)
    ending.spread.begin(range(count), seconds)
    assert len(ending.spread) == count
    ending.clock.advance(seconds + TICK_S)
    assert sorted(ending.ended) == list(range(count))
    assert all(when <= seconds + TICK_S + 1e-6 for when in ending.ended.values())
    assert len(ending.spread) == 0


def test_the_order_is_left_to_chance():
    orders = []
    for seed in (1, 2):
        ending = Ending(seed)
        ending.spread.begin(range(100), 10)
        ending.clock.advance(11)
        orders.append(list(ending.ended))
    assert orders[0] != orders[1] != list(range(100))


def test_many_that_are_due_at_once_end_a_slice_of_each_turn():
    ending = Ending()
    ending.cost = SLICE_S / 2
    ending.spread.begin(range(10), 0)
    began = ending.clock.seconds()
    ending.clock.timers.run(began)
    assert len(ending.ended) == 2
    ending.clock.advance(1)
    assert len(ending.ended) == 10


def test_those_that_are_left_can_be_hastened():
    ending = Ending()
    ending.spread.begin(range(100), 100)
    ending.clock.advance(50)
    assert 45 <= len(ending.ended) <= 55
    ending.spread.hasten()
    ending.clock.advance(0.1)
    assert len(ending.ended) == 100


def test_those_that_are_left_stay_if_it_is_cancelled():
    ending = Ending()
    ending.spread.begin(range(100), 100)
    ending.clock.advance(50)
    before = len(ending.ended)
    ending.spread.cancel()
    ending.clock.advance(100)
    assert (len(ending.ended), len(ending.spread), len(ending.clock.timers)) == (before, 0, 0)


def test_it_can_begin_anew_with_those_that_are_left():
    ending = Ending()
    ending.spread.begin(range(10), 100)
    ending.spread.begin(range(5), 1)
    ending.clock.advance(2)
    assert sorted(ending.ended) == [0, 1, 2, 3, 4]


def test_one_that_fails_to_end_does_not_keep_the_others():
    clock, ended = FakeClock(), []

    def end(number):
        ended.append(number)
        if number == 3:
            raise ValueError

    spread = Spread(clock, clock.timers, Random(1).random, end)
    spread.begin(range(10), 0)
    with pytest.raises(ValueError):
        clock.advance(1)
    clock.advance(1)
    assert sorted(ended) == list(range(10))
