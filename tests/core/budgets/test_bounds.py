"""Bounds that were met: counted each time, told once in a round."""

import pytest

from radiod.core.budgets.bounds import Bounds, count_refusal
from radiod.errors import NOT_AUTHORIZED, QUOTA, RATE_LIMITED, Exceeded, PeerError, Refused


@pytest.fixture
def told():
    return []


@pytest.fixture
def bounds(told):
    bounds = Bounds()
    bounds.tell = lambda *line: told.append(line)
    return bounds


def test_the_first_is_told_at_once_and_the_rest_when_the_round_ends(bounds, told):
    bounds.met("a", "alice")
    bounds.met("b", times=3)
    bounds.met("a", "bob", times=2)
    bounds.met("a", "carol")
    assert told == [("a", 1, "alice"), ("b", 3, None)]
    bounds.turn()
    assert told[2:] == [("a", 3, "carol")]
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


@pytest.mark.parametrize(
    ("refusal", "name"),
    [
        (Exceeded("max_channels", "too many"), "max_channels"),
        (Exceeded("rate", "too fast", RATE_LIMITED), "rate"),
        (Refused(QUOTA, "too many"), "quota"),
    ],
)
def test_a_refusal_for_a_bound_is_counted_by_its_name_and_told_with_who_met_it(bounds, told, refusal, name):
    count_refusal(bounds, refusal, "alice")
    assert (bounds.counts, told) == ({name: 1}, [(name, 1, "alice")])


@pytest.mark.parametrize(
    "refusal", [Refused(NOT_AUTHORIZED, "no"), PeerError("a fault"), Refused(RATE_LIMITED, "no bound")]
)
def test_other_refusals_meet_none(bounds, told, refusal):
    count_refusal(bounds, refusal, "alice")
    assert (bounds.counts, told) == ({}, [])
