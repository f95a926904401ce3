"""The same with many things: in order or not, at once or later."""

import pytest

from radiod.core.promises import Promise
from radiod.core.series import series
from radiod.core.slices import SLICE_S, Slices
from radiod.errors import RUNTIME_ERROR, RadiodError
from radiod.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


class Broken(Exception):
    """A fault of ours."""


class Doing:
    """Does things: those in ``late`` come when the test settles them. ``begun``: in order."""

    def __init__(self, *late, settled=()):
        self._late = late
        self._settled = settled
        self.begun = []
        self.promises = {}

    def __call__(self, thing):
        self.begun.append(thing)
        if thing not in self._late:
            return -thing
        promise = self.promises[thing] = Promise()
        if thing in self._settled:
            promise.settle(-thing)
        return promise


def run(clock, things, do, **options):
    """Returns: what it came to, or the list that it will be put in."""
    whole = series(Slices(clock, clock.timers), things, do, **options)
    if not isinstance(whole, Promise):
        return whole
    outcomes = []
    whole.then(outcomes.append)
    return outcomes


@pytest.mark.parametrize("is_in_order", [False, True])
class TestEither:
    def test_is_known_at_once_where_all_is(self, clock, is_in_order):
        assert run(clock, [1, 2, 3], Doing(), is_in_order=is_in_order) == [-1, -2, -3]
        assert run(clock, [], Doing(), is_in_order=is_in_order) == []

    def test_what_has_come_already_is_not_waited_for(self, clock, is_in_order):
        do = Doing(1, 2, 3, settled=(1, 2, 3))
        assert run(clock, [1, 2, 3], do, is_in_order=is_in_order) == [-1, -2, -3]

    def test_takes_a_share_of_each_turn(self, clock, is_in_order):
        clock.look_s = SLICE_S
        do = Doing()
        outcomes = run(clock, [1, 2, 3], do, is_in_order=is_in_order)
        assert (do.begun, outcomes) == ([1], [])
        clock.advance(1)
        assert (do.begun, outcomes) == ([1, 2, 3], [[-1, -2, -3]])

    def test_what_fails_is_an_outcome(self, clock, is_in_order):
        do, error = Doing(2), RadiodError("uri", "text")
        outcomes = run(clock, [1, 2, 3], do, is_in_order=is_in_order)
        do.promises[2].settle(error)
        assert outcomes == [[-1, error, -3]]


def test_all_may_be_under_way_at_once(clock):
    do = Doing(1, 3)
    outcomes = run(clock, [1, 2, 3], do)
    assert do.begun == [1, 2, 3]
    do.promises[3].settle(-3)
    assert outcomes == []
    do.promises[1].settle(-1)
    assert outcomes == [[-1, -2, -3]]


def test_in_order_each_waits_for_the_one_before(clock):
    do = Doing(1, 3)
    outcomes = run(clock, [1, 2, 3, 4], do, is_in_order=True)
    assert do.begun == [1]
    do.promises[1].settle(-1)
    assert do.begun == [1, 2, 3]
    do.promises[3].settle(-3)
    assert outcomes == [[-1, -2, -3, -4]]


def test_many_that_wait_need_no_deep_stack(clock):
    things = list(range(1, 3001))
    do = Doing(*things)
    outcomes = run(clock, things, do, is_in_order=True)
    for thing in things:
        do.promises[thing].settle(-thing)
    assert outcomes == [[-thing for thing in things]]


def test_a_failure_of_ours_is_told(clock):
    def do(thing):
        if thing == 2:
            raise Broken
        return thing

    clock.look_s = SLICE_S
    outcomes = run(clock, [1, 2], do)
    with pytest.raises(Broken):
        clock.advance(1)
    assert [one.uri for one in outcomes] == [RUNTIME_ERROR]
