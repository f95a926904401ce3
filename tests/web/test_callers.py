"""Who asks over HTTP: keys that are shown, and keys that sign."""

import gzip
import json

import pytest
from support import http
from support.http import Answer
from support.signing import KEYS, signed_query
from twisted.logger import globalLogPublisher

from radiod.core.budgets.guesses import FREE

BODY = b'{"topic":"weather.harbour","args":[21.5]}'


@pytest.fixture
def world(world):
    return world.start(KEYS)


@pytest.fixture
def listener(world):
    wire = world.join()
    wire.ask([32, 1, {}, "weather.harbour"])
    return wire


def ask(world, query, body=BODY, *lines, method="POST"):
    return Answer(world.ask(http.request(method, f"/publish?{query}", *lines, body=body)).received())


def told(answer):
    return answer.status, answer.json


def refused(status, text):
    return status, {"error": text, "args": [], "kwargs": {}}


UNPROVEN = refused(401, "REST bridge signature secret not valid.")
ANOTHER = refused(401, "API-KEY is not the key that signed the request")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_signed_request_needs_no_key(world, listener, method):
    answer = ask(world, signed_query(BODY), method=method)
    assert (answer.status, list(answer.json)) == (200, ["id"])
    assert [event[4] for event in listener.heard()] == [[21.5]]


def test_the_signature_is_of_the_body_as_it_was_before_it_was_compressed(world, listener):
    compressed = gzip.compress(BODY)
    assert ask(world, signed_query(BODY), compressed, "Content-Encoding: gzip").status == 200
    assert told(ask(world, signed_query(compressed), compressed, "Content-Encoding: gzip")) == UNPROVEN
    assert len(listener.heard()) == 1


def test_the_articles_dialect_may_be_signed_too(world):
    body = json.dumps({"network": "weather.harbour", "data": {}}).encode()
    assert told(ask(world, signed_query(body), body)) == (200, {"message": "OK"})


MALFORMED = {
    "key": "REST bridge signature was invalid (missing mandatory field - 'key' field missing).",
    "timestamp": "REST bridge signature was invalid (missing mandatory field - "
    "signed request required, but mandatory 'timestamp' field missing).",
    "seq": "REST bridge signature was invalid (missing mandatory field - 'seq' field missing).",
    "nonce": "REST bridge signature was invalid (missing mandatory field - 'nonce' field missing).",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_missing_is_named(world, name):
    assert told(ask(world, signed_query(BODY, **{name: None}))) == refused(400, MALFORMED[name])


def test_what_is_too_old_is_refused(world):
    query = signed_query(BODY, timestamp="2020-01-01T00:00:00.0Z")
    assert told(ask(world, query)) == refused(400, "Request expired, too old timestamp.")


@pytest.mark.parametrize(
    "query",
    [
        lambda: signed_query(BODY, secret="wrong"),
        lambda: signed_query(BODY, key="nobody"),
        lambda: signed_query(BODY, key="sample"),
        lambda: signed_query(BODY + b" "),
        lambda: signed_query(BODY, signature=""),
    ],
    ids=["secret", "unknown key", "key that signs nothing", "body", "no signature"],
)
def test_who_cannot_sign_proves_nothing(world, listener, query):
    assert told(ask(world, query(), BODY, "API-KEY: key-of-station")) == UNPROVEN
    assert listener.heard() == []


def test_a_request_counts_once(world, listener):
    query = signed_query(BODY)
    assert ask(world, query).status == 200
    text = "Request was sent before, or is too old to know whether it was."
    assert told(ask(world, query)) == refused(401, text)
    assert len(listener.heard()) == 1


def test_of_a_parameter_that_is_there_twice_the_first_counts(world):
    assert ask(world, signed_query(BODY) + "&signature=x&key=y").status == 200
    assert told(ask(world, "key=y&" + signed_query(BODY))) == UNPROVEN


class TestAKeyBeside:
    @pytest.mark.parametrize("line", ["API-KEY: key-of-station", "Authorization: Bearer key-of-station"])
    def test_may_be_the_same(self, world, line):
        assert ask(world, signed_query(BODY), BODY, line).status == 200

    @pytest.mark.parametrize("line", ["API-KEY: sample-key", "API-KEY: wrong", "Authorization: Bearer wrong"])
    def test_must_be_no_other(self, world, listener, line):
        assert told(ask(world, signed_query(BODY), BODY, line)) == ANOTHER
        assert listener.heard() == []


class TestGuesses:
    @pytest.mark.parametrize(
        ("query", "line"),
        [
            (lambda: signed_query(BODY, secret="wrong"), "X: y"),
            (lambda: signed_query(BODY), "API-KEY: wrong"),
            (lambda: "", "API-KEY: wrong"),
        ],
    )
    def test_are_counted(self, world, query, line):
        for _ in range(FREE):
            ask(world, query(), BODY, line)
        assert world.radio.statistics.refused["wrong_keys"] == FREE
        assert ask(world, signed_query(BODY)).status == 0
        assert ask(world, "", BODY, "API-KEY: sample-key").status == 0

    def test_what_is_malformed_or_came_before_is_none(self, world):
        query = signed_query(BODY)
        for _ in range(FREE + 2):
            ask(world, query)
            ask(world, signed_query(BODY, seq="x"))
        assert world.radio.statistics.refused.get("wrong_keys", 0) == 0

    def test_who_signed_before_on_its_connection_does_not_wait(self, world):
        def send(wire):
            wire.send(http.request("POST", f"/publish?{signed_query(BODY)}", body=BODY))
            return Answer(wire.received()).status

        wire = world.connect()
        assert send(wire) == 200
        for _ in range(FREE):
            ask(world, "", BODY, "API-KEY: wrong")
        assert send(wire) == 200
        assert send(world.connect()) == 0


def test_refusals_are_logged_without_what_was_shown(world):
    lines = []
    globalLogPublisher.addObserver(lines.append)
    try:
        ask(world, signed_query(BODY, secret="wrong"), BODY)
        ask(world, signed_query(BODY), BODY, "API-KEY: another-secret")
    finally:
        globalLogPublisher.removeObserver(lines.append)
    texts = [event["text"] for event in lines if event.get("text")]
    assert texts == [UNPROVEN[1]["error"], ANOTHER[1]["error"]]
    assert "another-secret" not in str(lines)
