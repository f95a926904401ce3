"""Streams that go on when nobody takes them any more."""

import pytest

from radiod.core.rpc.unheard import MAX_UNHEARD, Unheard
from radiod.core.sessions.session import Session
from radiod.testing import FakeClock, make_principal

SILENCE_S = 10.0


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def unheard(clock):
    return Unheard(clock, SILENCE_S)


@pytest.fixture
def callee():
    return Session(1, make_principal(), None)


def fill(unheard, callee):
    for invocation in range(1, MAX_UNHEARD + 1):
        assert not unheard.is_full(callee)
        unheard.begin(callee, invocation)
    assert unheard.is_full(callee)


def test_a_callee_may_run_so_many_for_nobody(unheard, callee):
    fill(unheard, callee)
    assert not unheard.is_full(Session(2, make_principal(), None))


@pytest.mark.parametrize("is_over", [True, False])
def test_what_ended_makes_room_and_what_goes_on_does_not(unheard, callee, is_over):
    fill(unheard, callee)
    unheard.heard(callee, 7, is_over)
    assert unheard.is_full(callee) is not is_over


def test_what_was_no_stream_changes_nothing(unheard, callee):
    unheard.heard(callee, 7, is_over=True)
    fill(unheard, callee)
    unheard.heard(callee, 7 + MAX_UNHEARD, is_over=True)
    unheard.heard(callee, 7 + MAX_UNHEARD, is_over=False)
    assert unheard.is_full(callee)


def test_silent_ones_are_taken_for_ended(unheard, callee, clock):
    fill(unheard, callee)
    clock.advance(SILENCE_S / 2)
    for invocation in range(2, MAX_UNHEARD + 1):
        unheard.heard(callee, invocation, is_over=False)
    clock.advance(SILENCE_S / 2)
    assert not unheard.is_full(callee)
    unheard.begin(callee, MAX_UNHEARD + 1)
    assert unheard.is_full(callee)
    clock.advance(SILENCE_S)
    assert not unheard.is_full(callee)


def test_nothing_stays_of_a_callee_that_ended_all_or_left(unheard, callee):
    unheard.begin(callee, 1)
    unheard.heard(callee, 1, is_over=True)
    assert len(unheard) == 0
    unheard.begin(callee, 2)
    unheard.forget(callee)
    unheard.forget(callee)
    assert len(unheard) == 0
