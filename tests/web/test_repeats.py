"""Idempotency-Key: what was done is not done again, and answered as before."""

import json
from types import SimpleNamespace

import pytest
from support import http
from support.http import Answer

from radiod.core.budgets.idempotency import Kept
from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, RUNTIME_ERROR, STILL_RUNNING, RadiodError, Refused
from radiod.web.answers import json_answer
from radiod.web.repeats import Repeats

GOOD = {"network": "sample_net", "data": {"speed": 1}}
KEYS = """
[realms.radio.keys.twin]
key = "twin-key"
publish = ["*"]
"""


@pytest.fixture
def world(world):
    return world.start(KEYS)


@pytest.fixture
def listener(world):
    wire = world.join()
    wire.ask([32, 1, {}, "sample_net"])
    return wire


def ask(world, body=GOOD, key="a", api_key="sample-key", path="/publish"):
    return world.ask(http.post(path, body, f"API-KEY: {api_key}", f"Idempotency-Key: {key}"))


def publish(world, *args, **options):
    return Answer(ask(world, *args, **options).received())


def test_the_second_time_only_the_answer_comes(world, listener):
    first, second = publish(world), publish(world)
    assert (first.status, first.body) == (second.status, second.body) == (200, b'{"message":"OK"}')
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.headers["X-Radiod-Readers"] == "1"
    assert len(listener.heard()) == 1


def test_a_quoted_key_is_the_same(world, listener):
    publish(world)
    assert publish(world, key='"a"').headers["Idempotency-Replayed"] == "true"
    assert len(listener.heard()) == 1


def test_arrays_and_refusals_are_kept_too(world, listener):
    for body, status in (([GOOD, GOOD], 200), ({"network": "secret_net", "data": {}}, 403), (b"x", 400)):
        first, second = (publish(world, body, key=f"of {status}".replace(" ", "-")) for _ in range(2))
        assert (first.status, first.body) == (second.status, second.body)
        assert first.status == status
        assert second.headers["Idempotency-Replayed"] == "true"
    assert len(listener.heard()) == 2


def test_another_body_is_another_request(world, listener):
    publish(world)
    answer = publish(world, {**GOOD, "data": {}})
    assert answer.status == 422
    assert "another body" in answer.json["error"]
    assert len(listener.heard()) == 1


@pytest.mark.parametrize("other", [{"path": "/api/publish"}, {"key": "b"}, {"api_key": "twin-key"}])
def test_it_belongs_to_one_key_and_path(world, listener, other):
    publish(world)
    assert "Idempotency-Replayed" not in publish(world, **other).headers
    assert len(listener.heard()) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\x7f", '"a', '""'])
def test_what_is_no_key_is_refused(world, listener, key):
    answer = Answer(
        world.ask(http.post("/publish", GOOD, "API-KEY: sample-key", f"Idempotency-Key: {key}")).received()
    )
    assert answer.status == 400
    assert listener.heard() == []


def test_two_keys_are_refused(world):
    lines = ("API-KEY: sample-key", "Idempotency-Key: a", "Idempotency-Key: a")
    assert Answer(world.ask(http.post("/publish", GOOD, *lines)).received()).status == 400


def test_it_is_forgotten_in_time(world, listener):
    world.start(KEYS, idempotency_s=10)
    publish(world)
    world.wait(9)
    assert publish(world).headers["Idempotency-Replayed"] == "true"
    world.wait(2)
    assert "Idempotency-Replayed" not in publish(world).headers


def test_a_wrong_api_key_keeps_nothing(world):
    assert publish(world, api_key="wrong").status == 400
    assert publish(world).status == 200


class TestWhileItRuns:
    @pytest.fixture
    def slow(self, world):
        wire = world.join()
        wire.ask([32, 1, {"_radiod_buffer": {"policy": "wait", "size": 1}}, "sample_net"])
        wire.transport.producer.pauseProducing()
        publish(world, key="fills-the-buffer")
        return wire

    def test_the_same_request_is_a_conflict(self, world, slow):
        held = ask(world)
        assert held.received() == b""
        second = publish(world)
        assert (second.status, second.headers["Retry-After"]) == (409, "1")
        slow.transport.producer.resumeProducing()
        held.settle()
        assert Answer(held.received()).status == 200
        assert publish(world).headers["Idempotency-Replayed"] == "true"

    def test_a_client_that_was_cut_off_finds_the_answer(self, world, slow):
        held = ask(world)
        held.hang_up()
        slow.transport.producer.resumeProducing()
        world.wait(0)
        assert publish(world).headers["Idempotency-Replayed"] == "true"
        assert len(slow.heard()) == 2

    def test_what_may_succeed_later_is_done_again(self, world, slow):
        held = ask(world)
        world.wait(5.1)
        assert Answer(held.received()).status == 503
        slow.transport.producer.resumeProducing()
        world.wait(0)
        answer = publish(world)
        assert answer.status == 200
        assert "Idempotency-Replayed" not in answer.headers


class TestOfCalls:
    CALL = """
[realms.radio.keys.sample]
call = ["*"]
"""
    BODY = {"procedure": "p", "args": [1]}

    @pytest.fixture
    def world(self, world):
        return world.start(self.CALL)

    @pytest.fixture
    def callee(self, world):
        wire = world.join()
        wire.ask([64, 1, {}, "p"])
        return wire

    def test_the_second_time_only_the_answer_comes(self, world, callee):
        first = ask(world, self.BODY, path="/call")
        (invocation,) = callee.heard()
        assert publish(world, self.BODY, path="/call").status == 409
        callee.say([70, invocation[1], {}, ["done"]])
        assert Answer(first.received()).json == {"args": ["done"]}
        again = publish(world, self.BODY, path="/call")
        assert (again.json, again.headers["Idempotency-Replayed"]) == ({"args": ["done"]}, "true")
        assert callee.heard() == []

    def test_refusals_look_like_the_bridges(self, world, callee):
        ask(world, self.BODY, path="/call")
        answer = publish(world, {"procedure": "q"}, path="/call")
        assert (answer.status, answer.json["error"]) == (422, "radiod.error.idempotency_mismatch")
        assert answer.json["kwargs"] == {}

    def test_a_call_that_was_given_up_is_made_again(self, world, callee):
        first = ask(world, self.BODY, path="/call")
        assert len(callee.heard()) == 1
        first.hang_up()
        world.wait(0)
        ask(world, self.BODY, path="/call")
        assert len(callee.heard()) == 1

    @pytest.mark.parametrize("kind", ["application/x-ndjson", "text/event-stream"])
    def test_a_stream_of_results_takes_none(self, world, callee, kind):
        lines = ("API-KEY: sample-key", "Idempotency-Key: a", f"Accept: {kind}")
        answer = Answer(world.ask(http.post("/call", self.BODY, *lines)).received())
        assert answer.status == 400
        assert json.loads(answer.body)["error"] == "wamp.error.invalid_argument"
        assert callee.heard() == []


class Elsewhere:
    """Answers that other nodes are asked for: what comes of a request is known later."""

    def __init__(self):
        self.begun = Promise()
        self.told = []

    def begin(self, holder, path, key, body):
        return self.begun

    def answered(self, status, answer, size):
        self.told.append(status)

    def release(self):
        self.told.append("released")


class TestWhereOtherNodesAreAsked:
    @pytest.fixture
    def answers(self):
        return Elsewhere()

    @pytest.fixture
    def outcome(self, answers):
        """What a request comes to, once that is known; ``self.act`` is what it does."""
        head = SimpleNamespace(first=lambda name: b"key", all=lambda name: [b"key"])
        request = SimpleNamespace(head=head, target=SimpleNamespace(path="/publish"), body=b"")
        caller = SimpleNamespace(realm=SimpleNamespace(name="radio"), id="station")
        self.act = lambda: json_answer(200, {})
        found = []
        asked = Repeats(answers).once(
            request,
            caller,
            lambda: self.act(),
            lambda refusal, status: json_answer(status, {"error": refusal.text}),
        )
        asked.then(found.append)
        assert found == []
        return found

    def test_what_is_new_is_done_then(self, answers, outcome):
        answers.begun.settle(answers)
        assert ([answer.status for answer in outcome], answers.told) == ([200], [200])

    def test_what_takes_its_time_is_kept_when_it_is_done(self, answers, outcome):
        done = Promise()
        self.act = lambda: done
        answers.begun.settle(answers)
        assert (outcome, answers.told) == ([], [])
        done.settle(json_answer(200, {}))
        assert ([answer.status for answer in outcome], answers.told) == ([200], [200])

    def test_what_cannot_be_done_is_told_and_may_be_tried_again(self, answers, outcome):
        def act():
            raise RadiodError(NETWORK_FAILURE, "no")

        self.act = act
        answers.begun.settle(answers)
        assert ([error.uri for error in outcome], answers.told) == ([NETWORK_FAILURE], ["released"])

    def test_a_fault_leaves_nobody_waiting(self, answers, outcome):
        self.act = lambda: 1 / 0
        with pytest.raises(ZeroDivisionError):
            answers.begun.settle(answers)
        assert ([error.uri for error in outcome], answers.told) == ([RUNTIME_ERROR], ["released"])

    def test_what_was_done_elsewhere_is_answered_as_there(self, answers, outcome):
        answers.begun.settle(Kept(b"", json_answer(201, {}), 2, 0.0))
        (answer,) = outcome
        assert (answer.status, answer.fields) == (201, (("Idempotency-Replayed", "true"),))

    def test_what_is_refused_is_told_with_when_to_come_again(self, answers, outcome):
        answers.begun.settle(Refused(STILL_RUNNING, "wait"))
        (answer,) = outcome
        assert (answer.status, answer.fields) == (409, (("Retry-After", "1"),))

    def test_another_failure_is_handed_on(self, answers, outcome):
        answers.begun.settle(RadiodError(NETWORK_FAILURE, "no"))
        assert [error.uri for error in outcome] == [NETWORK_FAILURE]
