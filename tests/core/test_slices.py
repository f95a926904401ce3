"""Work in slices: at once where it is short, else a slice in each turn, and an outcome in any case."""

import pytest

from radiod.core.slices import SLICE_S, Slices, smallest
from radiod.errors import RUNTIME_ERROR, Refused
from radiod.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


def steps(count, trace, error=None):
    for number in range(count):
        trace.append(number)
        yield
    if error is not None:
        raise error
    return "done"


def begin(clock, count, error=None):
    """Begin work whose steps take half a slice each. Returns: what was done, and what comes of it."""
    clock.look_s = SLICE_S / 2
    trace = []
    return trace, Slices(clock, clock.timers).run(steps(count, trace, error))


def test_short_work_is_done_at_once(clock):
    assert begin(clock, 1) == ([0], "done")
    assert len(clock.timers) == 0


def test_long_work_goes_on_in_the_next_turns(clock):
    outcomes = []
    trace, later = begin(clock, 5)
    later.then(outcomes.append)
    assert trace == [0, 1]
    clock.advance(SLICE_S)
    assert (trace, outcomes) == ([0, 1, 2, 3], [])
    clock.advance(2 * SLICE_S)
    assert (trace, outcomes) == ([0, 1, 2, 3, 4], ["done"])
    assert len(clock.timers) == 0


def test_several_have_their_shares_in_turn(clock):
    slices, trace, outcomes = Slices(clock, clock.timers), [], []
    clock.look_s = SLICE_S
    for name in "ab":
        slices.run(steps(3, trace)).then(lambda outcome, name=name: outcomes.append((name, outcome)))
    assert trace == [0, 0]
    clock.advance(100 * SLICE_S)
    assert trace == [0, 0, 1, 1, 2, 2]
    assert outcomes == [("a", "done"), ("b", "done")]


def test_one_turn_is_no_longer_for_many_than_for_one(clock):
    slices, trace = Slices(clock, clock.timers), []
    clock.look_s = SLICE_S / 2
    for _ in range(20):
        slices.run(steps(50, trace))
    del trace[:]
    clock.timers.run(clock.seconds())
    assert 0 < len(trace) < 5


def test_the_smallest_are_found_in_steps(clock):
    clock.look_s = SLICE_S
    found = []
    work = smallest(range(5000, 0, -1), 3, lambda one: one, lambda one: one % 2 == 0)
    Slices(clock, clock.timers).run(work).then(found.append)
    assert found == []
    clock.advance(60 * SLICE_S)
    assert found == [[2, 4, 6]]


def test_what_it_raises_at_once_is_raised(clock):
    with pytest.raises(Refused):
        begin(clock, 0, Refused("a.b", "no"))


def test_what_it_raises_later_is_the_outcome(clock):
    error, outcomes = Refused("a.b", "no"), []
    begin(clock, 2, error)[1].then(outcomes.append)
    clock.advance(SLICE_S)
    assert outcomes == [error]


def test_a_fault_of_ours_leaves_nobody_waiting(clock):
    outcomes = []
    begin(clock, 2, KeyError("x"))[1].then(outcomes.append)
    with pytest.raises(KeyError):
        clock.advance(SLICE_S)
    assert [outcome.uri for outcome in outcomes] == [RUNTIME_ERROR]
