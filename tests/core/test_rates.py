"""Rates: so many messages a second, so many at once; what is above is answered, or dropped and counted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.rates import Bucket, RateLimit
from radiod.core.rights import Action
from radiod.errors import RATE_LIMITED
from radiod.testing import Allow


@given(
    rate=st.sampled_from([0.5, 1, 10]),
    burst=st.integers(1, 5),
    pauses=st.lists(st.sampled_from([0, 0.125, 0.5, 1, 60]), max_size=40),
)
def test_no_stretch_of_time_has_more_than_its_burst_and_its_rate(rate, burst, pauses):
    bucket, now, taken = Bucket(RateLimit(rate, burst), 0), 0, []
    for pause in pauses:
        now += pause
        if bucket.take(now):
            taken.append(now)
        else:
            # Nothing is kept back that was due.
            assert sum(rate * (now - then) < burst for then in taken) >= 1
    for first, since in enumerate(taken):
        for last, until in enumerate(taken[first:], 1):
            assert last <= burst + rate * (until - since)


def test_a_burst_comes_back_with_time():
    bucket = Bucket(RateLimit(2, 3), 0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5) for _ in range(2)] == [True, False]
    assert [bucket.take(60) for _ in range(4)] == [True, True, True, False]


def limited(world, burst=1, rate=1, **options):
    return world.join("limited", permissions=Allow(*Action, rate_limit=RateLimit(rate, burst)), **options)


REQUESTS = [
    (16, {"acknowledge": True}, "a"),
    (32, {}, "a"),
    (48, {}, "radiod.echo"),
    (64, {}, "f"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=["publish", "subscribe", "call", "register"])
def test_what_asks_for_an_answer_gets_one(world, request_):
    client = limited(world)
    assert client.answer(*request_)[0] != 8
    refused = client.answer(*request_)
    assert (refused[:2], refused[4]) == ([8, request_[0]], RATE_LIMITED)
    assert world.realm.bounds.counts == {"rate": 1}
    world.clock.advance(1)
    assert RATE_LIMITED not in client.answer(*request_)


def test_what_asks_for_none_is_dropped_and_counted(world):
    listener = world.join()
    listener.subscribe("a")
    client = limited(world, burst=2)
    for number in range(5):
        client.request(16, {}, "a", [number])
    assert client.received() == []
    assert [message[4] for message in listener.received()] == [[0], [1]]
    assert world.realm.load.describe()["limits"] == {"rate": 3}


def test_what_gives_back_and_answers_is_free(world):
    client = limited(world, burst=2)
    subscription, registration = client.subscribe("a"), client.register("f")
    caller = world.join()
    caller.request(48, {}, "f")
    client.send(70, client.received()[-1][1], {})
    assert caller.received()[-1][0] == 50
    assert client.answer(34, subscription)[0] == 35
    assert client.answer(66, registration)[0] == 67


def test_each_session_has_its_own(world):
    first, second = limited(world), limited(world)
    for client in (first, second, world.join()):
        assert client.answer(*REQUESTS[0])[0] == 17


def test_a_chunk_too_many_ends_its_call(world):
    callee = world.join(features="callee.progressive_call_invocations callee.call_canceling")
    callee.register("f")
    client = limited(world, burst=2, features="caller.progressive_call_invocations")
    client.request(48, {"progress": True}, "f", [1])
    for chunk in (2, 3, 4):
        client.send(48, 1, {"progress": True}, "f", [chunk])
    assert [message[:5] for message in client.received()] == [[8, 48, 1, {}, RATE_LIMITED]]
    assert [message[0] for message in callee.received()] == [68, 68, 69]
