"""A server that sends its clients away: who is let in, and when the others come back."""

from math import inf
from random import Random

import pytest

from radiod.core.draining import LARGEST_WIDTH_S, LEAST_S, REFUSED_S, WIDTH_S, Draining
from radiod.errors import STORE_UNAVAILABLE, TryLater, http_status
from radiod.testing import FakeClock


class Drained:
    def __init__(self):
        self.clock = FakeClock()
        self.refused = {"draining": 0}
        self.draining = Draining(self.clock, Random(1).random, self.refused)

    def wait_of_the_next(self):
        with pytest.raises(TryLater) as refusal:
            self.draining.check()
        assert (refusal.value.uri, http_status(refusal.value)) == (STORE_UNAVAILABLE, 503)
        return refusal.value.retry_after

    def widths(self):
        found = [self.draining.retry_after() for _ in range(1000)]
        return min(found), max(found)


@pytest.fixture
def drained():
    return Drained()


def test_everybody_is_let_in_but_while_it_is_on(drained):
    drained.draining.check()
    drained.draining.check_poll("one")
    assert drained.draining.longest_wait() == inf
    drained.draining.begin(10, set())
    drained.wait_of_the_next()
    drained.draining.end()
    drained.draining.check()
    assert drained.refused == {"draining": 1}


def test_who_is_refused_comes_back_when_it_is_over(drained):
    drained.draining.begin(30, set())
    assert 30 + LEAST_S <= drained.wait_of_the_next() <= 30 + LEAST_S + WIDTH_S
    drained.clock.advance(29)
    # The server may stay drained.
    assert REFUSED_S + LEAST_S <= drained.wait_of_the_next() <= REFUSED_S + LEAST_S + WIDTH_S
    drained.clock.advance(29)
    assert drained.wait_of_the_next() >= REFUSED_S


def test_who_polls_may_go_on_until_it_is_sent_away(drained):
    drained.draining.begin(10, {"old"})
    drained.draining.check_poll("old")
    with pytest.raises(TryLater):
        drained.draining.check_poll("new")
    drained.draining.forget("old")
    drained.draining.forget("unknown")
    with pytest.raises(TryLater):
        drained.draining.check_poll("old")


def test_who_begins_to_wait_does_so_for_a_part_of_what_is_left(drained):
    drained.draining.begin(10, {"old"})
    drained.clock.advance(4)
    waits = sorted(drained.draining.longest_wait() for _ in range(1000))
    assert 0 <= waits[0] < 0.1
    assert 2.7 < waits[500] < 3.3
    assert 5.9 < waits[-1] < 6
    drained.clock.advance(20)
    assert drained.draining.longest_wait() == 0


@pytest.mark.parametrize(
    ("listeners", "width"), [(0, WIDTH_S), (1000, WIDTH_S), (9000, 9.0), (10**9, LARGEST_WIDTH_S)]
)
def test_the_more_are_sent_away_at_once_the_longer_they_take_to_come_back(drained, listeners, width):
    drained.draining.all_at_once(listeners)
    least, most = drained.widths()
    assert LEAST_S <= least < LEAST_S + width / 50
    assert LEAST_S + width * 0.98 < most < LEAST_S + width
    # Not those of a drain that takes its time.
    drained.draining.begin(10, set())
    assert drained.widths()[1] < LEAST_S + WIDTH_S
