"""The router's own calls, to a callee of a real dealer."""

from contextlib import suppress

import pytest
from support.realms import World

from radiod.core.rpc.router_calls import Questions
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PROCEDURE, TIMEOUT, Refused
from radiod.wire.codecs import CBOR, Payload
from radiod.wire.messages import Result

INVOCATION, YIELD, ERROR = 68, 70, 8


class Heard(list):
    """Collects what a question comes to."""

    def __init__(self, later):
        later.then(self.append)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def callee(world):
    client = world.join()
    client.register("decide")
    client.received()
    return client


@pytest.fixture
def questions(world):
    return Questions(world.realm.dealer)


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


def test_an_answer_that_is_opaque_is_a_refusal(callee, questions):
    heard = Heard(questions.ask("decide", timeout_s=5))
    (call,) = callee.session.invocations.values()
    call.on_end(Result(1, {}), Payload(CBOR, CBOR.dump("opaque"), b""))
    assert heard[0].uri == INVALID_ARGUMENT
