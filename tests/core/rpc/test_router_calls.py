"""Calls that do not come from a session, to a callee of a real dealer."""

from contextlib import suppress

import pytest

from radiod.core.rpc.router_calls import CallFailed, RouterCalls
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PROCEDURE, TIMEOUT, Refused
from radiod.wire.codecs import CBOR, Payload
from radiod.wire.messages import Result
from radiod.wire.options import CallOptions

INVOCATION, YIELD, ERROR = 68, 70, 8


class Heard(list):
    """Collects what a question comes to."""

    def __init__(self, later):
        later.then(self.append)


@pytest.fixture
def callee(world):
    client = world.join()
    client.register("decide")
    client.received()
    return client


@pytest.fixture
def questions(world):
    return RouterCalls(world.realm.dealer)


def asked(callee):
    """(request id, arguments) of the one invocation that came."""
    (invocation,) = [message for message in callee.received() if message[0] == INVOCATION]
    return invocation[1], invocation[4]


@pytest.mark.parametrize("results", [[True], [{"allow": True}, "more"], []], ids=str)
def test_a_question_comes_to_the_first_result(questions, callee, results):
    heard = Heard(questions.ask("decide", "joe", 1, timeout_s=5))
    request, arguments = asked(callee)
    assert (arguments, heard) == (["joe", 1], [])
    callee.send(YIELD, request, {}, results)
    assert heard == [results[0] if results else None]


def test_an_error_is_a_refusal_of_its_uri(questions, callee):
    heard = Heard(questions.ask("decide", timeout_s=5))
    callee.received()
    callee.send(ERROR, INVOCATION, 1, {}, "com.example.error", ["secret"])
    (refusal,) = heard
    assert isinstance(refusal, Refused)
    assert refusal.uri == "com.example.error"
    assert "secret" not in refusal.text


def test_nobody_to_ask_is_known_at_once(questions):
    (refusal,) = Heard(questions.ask("decide", timeout_s=5))
    assert refusal.uri == NO_SUCH_PROCEDURE


def test_no_answer_in_time_is_a_refusal(world, questions, callee):
    heard = Heard(questions.ask("decide", timeout_s=2.5))
    world.clock.advance(2.4)
    assert heard == []
    world.clock.advance(0.2)
    assert heard[0].uri == TIMEOUT


def test_answers_that_were_held_back_come_also_when_what_was_done_fails(questions, callee):
    heard = Heard(questions.ask("decide", timeout_s=5))
    request, _ = asked(callee)
    with suppress(ZeroDivisionError), questions.hold():
        callee.send(YIELD, request, {}, [1])
        raise ZeroDivisionError
    assert heard == [1]
    later = Heard(questions.ask("decide", timeout_s=5))
    request, _ = asked(callee)
    callee.send(YIELD, request, {}, [2])
    assert later == [2]


def test_answers_are_held_back_until_what_is_done_is_done(questions, callee):
    heard = Heard(questions.ask("decide", timeout_s=5))
    request, _ = asked(callee)
    with questions.hold():
        callee.send(YIELD, request, {}, ["yes"])
        assert heard == []
    assert heard == ["yes"]


def test_an_answer_that_cannot_be_read_is_a_refusal(world, questions):
    callee = world.join(codec=CBOR)
    callee.register("decide")
    heard = Heard(questions.ask("decide", timeout_s=5))
    callee.send(YIELD, 1, {}, [], {(1, 2): 3})
    assert heard[0].uri == INVALID_ARGUMENT


def test_an_answer_that_is_opaque_is_a_refusal(world, callee, questions):
    heard = Heard(questions.ask("decide", timeout_s=5))
    (call,) = world.realm.dealer.calls_of(callee.session).answering.values()
    call.on_end(Result(1, {}), Payload(CBOR, CBOR.dump("opaque"), b""))
    assert heard[0].uri == INVALID_ARGUMENT


class TestCallsOfVisitors:
    def call(self, questions, *args, details=None, **options):
        made = questions.call("decide", Payload.of(*args), CallOptions(**options), details or {})
        return Heard(made.outcome)

    def test_come_to_the_whole_result(self, questions, callee):
        heard = self.call(questions, "joe", details={"caller_authid": "joe"})
        (invocation,) = callee.received()
        assert invocation[3:] == [{"caller_authid": "joe"}, ["joe"]]
        callee.send(YIELD, invocation[1], {}, [1, 2], {"more": 3})
        assert [payload.values() for payload in heard] == [([1, 2], {"more": 3})]

    def test_that_fail_come_to_the_error_with_all_that_came_with_it(self, questions, callee):
        heard = self.call(questions)
        (invocation,) = callee.received()
        callee.send(ERROR, INVOCATION, invocation[1], {}, "com.example.error", ["why"], {"code": 5})
        (failure,) = heard
        assert isinstance(failure, CallFailed)
        assert (failure.uri, failure.payload.values()) == ("com.example.error", (["why"], {"code": 5}))
        assert "why" not in failure.text

    def test_that_reach_nobody_are_refused_and_have_not_failed(self, world):
        (refusal,) = self.call(RouterCalls(world.realm.dealer))
        assert refusal.uri == NO_SUCH_PROCEDURE
        assert not isinstance(refusal, CallFailed)

    def test_have_the_time_that_they_are_given(self, world, questions, callee):
        heard = self.call(questions, timeout=2500)
        world.clock.advance(2.4)
        assert heard == []
        world.clock.advance(0.2)
        assert heard[0].uri == TIMEOUT

    def test_take_one_answer_and_send_one_part(self, world, questions):
        features = "callee.progressive_call_results callee.progressive_call_invocations callee.call_canceling"
        callee = world.join(features=features)
        callee.register("decide")
        callee.received()
        heard = self.call(questions, progress=True, receive_progress=True)
        (invocation,) = callee.received()
        assert invocation[3] == {}
        callee.send(YIELD, invocation[1], {"progress": True}, ["some"])
        assert heard == []
        callee.send(YIELD, invocation[1], {}, ["all"])
        assert [payload.values() for payload in heard] == [(["all"], {})]

    def test_are_held_back_as_all_others_are(self, questions, callee):
        heard = self.call(questions)
        (invocation,) = callee.received()
        with questions.hold():
            callee.send(YIELD, invocation[1], {}, ["yes"])
            assert heard == []
        assert len(heard) == 1
