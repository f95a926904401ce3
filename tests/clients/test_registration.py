"""Procedures that are offered, over sessions of a radio that is cut: without sockets, threads or a clock."""

import pytest
from radiod_client import CallError
from radiod_client.errors import ServiceError
from support.fake_radio import Client, Radio

REGISTER, SUBSCRIBE, UNREGISTER, YIELD, ERROR = 64, 32, 66, 70, 8
EXISTS = "wamp.error.procedure_already_exists"


@pytest.fixture
def radio():
    return Radio()


@pytest.fixture
def client(radio):
    return Client(radio).start()


def register(client, procedure="it", **options):
    calls, ends = [], []
    made = client.core.lasting.register(
        procedure, calls.append, lambda value, error: ends.append(error), **options
    )
    client.settle()
    return made, calls, ends


def sent(radio, *kinds):
    return [message for message in radio.asked if message[0] in kinds]


def test_it_is_there_before_what_is_listened_to(radio, client):
    client.listen()
    _, calls, ends = register(client)
    assert ends == [None]
    radio.asked.clear()
    client.cut()
    client.sleep(1)
    assert [message[0] for message in sent(radio, REGISTER, SUBSCRIBE)] == [REGISTER, SUBSCRIBE]
    assert sent(radio, REGISTER)[0][2] == {"force_reregister": True}
    client.connection.invoke("it", 1, 5)
    client.settle()
    assert calls[0].args == [5]


def test_the_first_time_it_takes_nothing_from_anybody_but_by_force(radio, client):
    radio.refuses = lambda procedure, options: None if "force_reregister" in options else EXISTS
    made, _, ends = register(client)
    assert made.is_over
    assert ends[0].uri == EXISTS
    assert register(client, force=True)[2] == [None]


def test_a_signature_that_is_refused_is_left_out(radio, client):
    radio.refuses = lambda procedure, options: (
        "wamp.error.invalid_argument" if "_radiod_signature" in options else None
    )
    assert register(client, signature={"parameters": []})[2] == [None]
    assert sent(radio, REGISTER)[-1][2] == {}


def test_one_that_is_taken_away_is_not_taken_back(radio, client):
    made, _, _ = register(client)
    client.connection.send(67, 0, {"registration": 1, "reason": "wamp.error.unregistered"})
    client.settle()
    assert made.is_over
    radio.asked.clear()
    client.cut()
    client.sleep(1)
    assert sent(radio, REGISTER) == []


def test_what_is_refused_later_is_tried_again(radio, client):
    made, _, _ = register(client)
    radio.refuses = lambda procedure, options: EXISTS
    client.cut()
    client.sleep(1)
    assert not made.is_over
    # Another session comes meanwhile: one attempt at a time.
    client.cut()
    client.sleep(1)
    radio.refuses = lambda procedure, options: None
    radio.asked.clear()
    client.sleep(10)
    assert len(sent(radio, REGISTER)) == 1
    assert client.connection.registrations


def test_one_that_leaves_before_it_is_there_is_not_left_behind(radio, client):
    made = client.core.lasting.register("it", print, lambda value, error: None)
    made.leave()
    client.settle()
    assert [message[0] for message in sent(radio, REGISTER, UNREGISTER)] == [REGISTER, UNREGISTER]
    assert client.connection.registrations == {}


class TestCalls:
    @pytest.fixture
    def call(self, client):
        _, calls, _ = register(client)
        client.connection.invoke("it", 7, 1, receive_progress=True)
        client.settle()
        return calls[0]

    def answers(self, radio):
        return sent(radio, YIELD, ERROR)

    def test_it_is_answered_once(self, radio, client, call):
        ends = []
        call.on_end = lambda: ends.append(1)
        call.step(call.progress("first"))
        call.end(call.result(2))
        call.end(call.result(3))
        call.step(call.progress("late"))
        client.settle()
        assert self.answers(radio) == [[70, 7, {"progress": True}, ["first"]], [70, 7, {}, [2]]]
        assert ends == [1]

    def test_nobody_is_answered_behind_an_interrupt_or_a_cut(self, radio, client, call):
        cancels = []
        call.on_cancel = lambda: cancels.append(1)
        client.connection.send(69, 7, {"mode": "killnowait", "reason": "wamp.error.timeout"})
        client.settle()
        call.end(call.result(2))
        client.cut()
        assert cancels == [1]
        assert self.answers(radio) == [[8, 68, 7, {}, "wamp.error.timeout"]]

    def test_a_cut_cancels(self, client, call):
        cancels = []
        call.on_cancel = lambda: cancels.append(1)
        client.cut()
        client.sleep(1)
        assert cancels == [1]

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (ValueError("no"), ["wamp.error.runtime_error", ["no"], {"type": "ValueError", "message": "no"}]),
            (ServiceError("a.b", 1, c=2), ["a.b", [1], {"c": 2}]),
            (CallError("a.b", [1]), [
                "wamp.error.runtime_error", ["a.b: 1"], {"type": "CallError", "message": "a.b: 1"}
            ]),
            (ValueError("\ud800"), [
                "wamp.error.runtime_error", ["\\ud800"], {"type": "ValueError", "message": "\\ud800"}
            ]),
        ],
        ids=["exception", "service error", "error of a call inside", "half a letter"],
    )  # fmt: skip
    def test_exceptions(self, radio, client, call, error, told):
        call.end(call.failure(error))
        client.settle()
        assert self.answers(radio) == [[8, 68, 7, {}, *told]]

    def test_exceptions_that_cannot_be_told(self, radio, client, call):
        class Rude(Exception):
            def __str__(self):
                raise ZeroDivisionError

        assert len(call.failure(ServiceError("a.b", object()))) == 6
        call.end(call.failure(Rude()))
        client.settle()
        assert self.answers(radio)[0][5] == ["(Rude that cannot be told)"]

    def test_results_that_cannot_be_sent(self, radio, client, call):
        with pytest.raises(TypeError):
            call.progress(object())
        call.end(call.result(object()))
        client.settle()
        assert self.answers(radio)[0][6]["type"] == "TypeError"

    def test_more_than_ten_thousand_wait(self, radio, client, call):
        for request in range(10_000):
            client.connection.invoke("it", 8 + request, 1)
        client.settle()
        assert [message[4] for message in self.answers(radio)] == ["wamp.error.unavailable"]

    def test_calls_of_what_is_not_there(self, radio, client, call):
        client.connection.send(68, 99, 12345, {})
        client.settle()
        assert self.answers(radio)[0][2:5] == [99, {}, "wamp.error.no_such_procedure"]
