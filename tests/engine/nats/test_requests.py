"""Requests: whatever happens, each ends once, in its time, and nothing is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from radiod.engine.nats.errors import ConnectionLost, Overloaded, TimedOut
from radiod.engine.nats.requests import Requests
from radiod.transport.clock import ReactorClock

MOST = 5


class Taker:
    """Takes ``wants`` answers."""

    def __init__(self, wants):
        self.wants = wants
        self.ends = []

    def take(self, headers, payload):
        self.wants -= 1
        if not self.wants:
            self.ends.append("answered")
        return not self.wants

    def fail(self, error):
        self.ends.append(type(error))


steps = st.one_of(
    st.tuples(st.just("open"), st.integers(1, 50), st.integers(1, 3)),
    st.tuples(st.just("answer"), st.integers(0, 20)),
    st.tuples(st.just("forget"), st.integers(0, 20)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.just("lose")),
)


class Game:
    """Requests beside a model: ``opened``, reply -> (taker, when it is due), of those that should be open."""

    def __init__(self):
        self.reactor = Clock()
        self.requests = Requests(ReactorClock(self.reactor), b"inbox.", MOST)
        self.opened = {}
        self.replies = []
        self.takers = []

    def open(self, timeout, wants):
        taker = Taker(wants)
        if len(self.opened) == MOST:
            with pytest.raises(Overloaded):
                self.requests.open(taker, timeout)
            return
        reply = self.requests.open(taker, timeout)
        assert reply not in self.replies
        self.replies.append(reply)
        self.takers.append(taker)
        self.opened[reply] = (taker, self.reactor.seconds() + timeout)

    def answer(self, which):
        for reply in self.replies[which : which + 1]:
            self.requests.on_message(reply, None, None, b"")
            if reply in self.opened and not self.opened[reply][0].wants:
                assert self.opened.pop(reply)[0].ends == ["answered"]

    def forget(self, which):
        for reply in self.replies[which : which + 1]:
            self.requests.forget(reply)
            self.opened.pop(reply, None)

    def wait(self, seconds):
        self.reactor.advance(seconds)
        for reply, (taker, due) in list(self.opened.items()):
            assert (taker.ends == [TimedOut]) == (due <= self.reactor.seconds())
            if due <= self.reactor.seconds():
                del self.opened[reply]

    def lose(self):
        self.requests.fail_all(ConnectionLost("of the test"))
        assert all(taker.ends == [ConnectionLost] for taker, _ in self.opened.values())
        self.opened.clear()


@given(st.lists(steps, max_size=60))
def test_each_ends_once_and_in_its_time(script):
    game = Game()
    for what, *values in script:
        getattr(game, what)(*values)
        assert len(game.requests) == len(game.opened)
    game.wait(100)
    assert len(game.requests) == 0
    assert all(len(taker.ends) <= 1 for taker in game.takers)
    assert game.reactor.getDelayedCalls() == []


def test_those_that_ended_do_not_pile_up():
    requests = Requests(ReactorClock(Clock()), b"inbox.", MOST)
    for _ in range(10_000):
        requests.on_message(requests.open(Taker(1), 1000), None, None, b"")
    assert len(requests._due) < 2_000


def test_one_that_fails_to_be_told_does_not_keep_others_from_it():
    class Failing(Taker):
        def fail(self, error):
            raise RuntimeError("of the test")

    reactor = Clock()
    requests = Requests(ReactorClock(reactor), b"inbox.", MOST)
    other = Taker(1)
    requests.open(Failing(1), 1)
    requests.open(other, 1)
    reactor.advance(1)
    assert other.ends == [TimedOut]
