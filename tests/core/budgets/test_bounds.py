"""Bounds that were met: counted each time, told once in a round."""

import pytest

from radiod.core.budgets.bounds import Bounds
from radiod.core.sessions.session import Session
from radiod.testing import make_principal

ALICE, BOB, CAROL = (Session(number, make_principal(), None) for number in (1, 2, 3))


@pytest.fixture
def told():
    return []


@pytest.fixture
def bounds(told):
    bounds = Bounds()
    bounds.tell = lambda *line: told.append(line)
    return bounds


def test_the_first_is_told_at_once_and_the_rest_when_the_round_ends(bounds, told):
    bounds.met("a", ALICE)
    bounds.met("b", times=3)
    bounds.met("a", BOB, times=2)
    bounds.met("a", CAROL)
    assert told == [("a", 1, ALICE), ("b", 3, None)]
    bounds.turn()
    assert told[2:] == [("a", 3, CAROL)]
    assert bounds.counts == {"a": 4, "b": 3}


def test_one_that_goes_on_is_told_once_a_round(bounds, told):
    for _ in range(3):
        for _ in range(5):
            bounds.met("a")
        bounds.turn()
    assert [times for _, times, _ in told] == [1, 4, 5, 5]


def test_one_that_was_quiet_is_told_at_once_again(bounds, told):
    bounds.met("a")
    bounds.turn()
    bounds.met("a")
    assert told == [("a", 1, None)] * 2


def test_without_a_log_it_is_counted_all_the_same():
    bounds = Bounds()
    bounds.met("a")
    assert bounds.counts == {"a": 1}
