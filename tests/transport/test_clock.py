"""The reactor's seconds: monotonic on a real reactor, the test's own on a fake."""

import time

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock

from radiod.transport.clock import ReactorClock, make_monotonic


class SettableReactor(SelectReactor):
    """A real one that runs no loop and wakes nobody."""

    def installWaker(self):
        pass


def test_a_real_reactor_goes_on_whoever_sets_the_clock():
    reactor = SettableReactor()
    before = reactor.callLater(5, lambda: None)
    make_monotonic(reactor)
    # What it was asked for before keeps its time, and may be moved.
    assert reactor.seconds is not time.time
    assert abs(before.getTime() - reactor.seconds() - 5) < 1
    before.reset(7)
    assert abs(before.getTime() - reactor.seconds() - 7) < 1
    assert 6 < reactor.timeout() <= 7
    assert abs(reactor.seconds() - time.time()) < 1
    before.cancel()


def test_a_second_time_changes_nothing():
    reactor = SettableReactor()
    make_monotonic(reactor)
    seconds = reactor.seconds
    make_monotonic(reactor)
    assert reactor.seconds is seconds


def test_a_reactor_of_a_test_keeps_its_own_time():
    reactor = Clock()
    make_monotonic(reactor)
    reactor.advance(3)
    assert ReactorClock(reactor).seconds() == 3
