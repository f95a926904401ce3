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


@given(st.lists(steps, max_size=60))
def test_each_ends_once_and_in_its_time(script):
    reactor = Clock()
    requests = Requests(ReactorClock(reactor), b"inbox.", MOST)
    # reply -> (taker, when it is due), of those that should be open.
    opened, replies, takers = {}, [], []
    for what, *values in script:
        if what == "open":
            taker = Taker(values[1])
            if len(opened) == MOST:
                with pytest.raises(Overloaded):
                    requests.open(taker, values[0])
                continue
            reply = requests.open(taker, values[0])
            assert reply not in replies
            replies.append(reply)
            takers.append(taker)
            opened[reply] = (taker, reactor.seconds() + values[0])
        elif what == "answer" and values[0] < len(replies):
            reply = replies[values[0]]
            requests.on_message(reply, None, None, b"")
            if reply in opened and not opened[reply][0].wants:
                assert opened.pop(reply)[0].ends == ["answered"]
        elif what == "forget" and values[0] < len(replies):
            reply = replies[values[0]]
            requests.forget(reply)
            opened.pop(reply, None)
        elif what == "wait":
            reactor.advance(values[0])
            for reply, (taker, due) in list(opened.items()):
                assert (taker.ends == [TimedOut]) == (due <= reactor.seconds())
                if due <= reactor.seconds():
                    del opened[reply]
        elif what == "lose":
            requests.fail_all(ConnectionLost("of the test"))
            assert all(taker.ends == [ConnectionLost] for taker, _ in opened.values())
            opened.clear()
        assert len(requests) == len(opened)
    reactor.advance(100)
    assert len(requests) == 0
    assert all(len(taker.ends) <= 1 for taker in takers)
    assert reactor.getDelayedCalls() == []


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
