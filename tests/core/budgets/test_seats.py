"""Seats: nobody takes them all, strangers least, and those that are given back are free again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.budgets.seats import Seats
from radiod.core.statistics import REFUSALS
from radiod.errors import Refused


def make(size=100):
    refused = dict.fromkeys(REFUSALS, 0)
    return Seats(size, refused, "polls", "polls that wait"), refused


def fill(seats, party, *, is_stranger=False):
    """As many as it gets."""
    taken = []
    while True:
        try:
            taken.append(seats.take(party, is_stranger=is_stranger))
        except Refused:
            return taken


def test_one_alone_gets_half_and_others_still_find_some():
    seats, refused = make()
    assert [len(fill(seats, party)) for party in "abc"] == [50, 25, 13]
    assert refused["polls"] == 3


def test_strangers_leave_a_quarter_to_the_others():
    seats, _ = make()
    for number in range(200):
        fill(seats, number, is_stranger=True)
    assert len(seats) == 75
    assert len(fill(seats, "member")) == 13


def test_who_has_no_name_has_no_share():
    seats, _ = make()
    assert len(fill(seats, None)) == 100


def test_there_is_one_even_of_one():
    seats, _ = make(1)
    assert len(fill(seats, "a", is_stranger=True)) == 1


def test_one_that_turns_out_to_be_somebody_elses_counts_as_theirs():
    seats, _ = make(8)
    seat = seats.take("a", is_stranger=False)
    seat.move("b", is_stranger=True)
    assert len(fill(seats, "a")) == 4
    seat.leave()
    strange, other, _ = (seats.take(party, is_stranger=False) for party in "cde")
    with pytest.raises(Refused):
        strange.move("f", is_stranger=True)
    assert len(seats) == 6
    other.leave()
    other.leave()
    strange.move("g", is_stranger=False)
    assert len(seats) == 5


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.booleans(), st.booleans()), max_size=80))
def test_what_is_taken_is_what_was_not_given_back(steps):
    seats, _ = make(12)
    held = []
    for party, is_stranger, is_coming in steps:
        if is_coming:
            free = 12 - len(held) - (3 if is_stranger else 0)
            mine = sum(1 for each, _ in held if each == party) if party else 0
            try:
                held.append((party, seats.take(party, is_stranger=is_stranger)))
            except Refused:
                assert free <= mine
            else:
                assert free > mine
        elif held:
            seat = held.pop(0)[1]
            seat.leave()
            seat.leave()
        assert len(seats) == len(held) <= 12


def test_what_one_of_several_gives_back_is_free_again():
    seats, _ = make(8)
    taken = [*fill(seats, "a"), seats.take(None, is_stranger=False)]
    assert len(taken) == 5
    for left, seat in enumerate(reversed(taken), 1):
        seat.leave()
        assert len(seats) == 5 - left
    assert len(fill(seats, "a")) == 4
