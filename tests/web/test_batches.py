"""POST /publish with an array: one result for each item, in their order."""

import json

import pytest
from support import http
from support.http import Answer

GOOD = {"network": "sample_net", "data": {"speed": 1}}
BRIDGE = {"topic": "sample_net", "args": [1]}
FORBIDDEN = {"network": "secret_net", "data": {}}
KEY = "API-KEY: sample-key"
MINIMAL = "Prefer: return=minimal"


@pytest.fixture
def listener(world):
    wire = world.join()
    wire.ask([32, 1, {}, "sample_net"])
    return wire


def ask(world, body, *lines):
    return world.ask(http.post("/publish", body, KEY, *lines))


def publish(world, body, *lines):
    """(status, results) of one request."""
    answer = Answer(ask(world, body, *lines).received())
    return answer.status, answer.json


def test_each_item_has_the_answer_that_it_would_have_had_alone(world, listener):
    items = [GOOD, FORBIDDEN, {"network": "sample_net"}, 3, BRIDGE, {"topic": "x y"}, {"topic": 1}]
    status, results = publish(world, items)
    alone = [Answer(ask(world, item).received()) for item in items]
    assert status == 200
    for result, answer in zip(results, alone, strict=True):
        expected = {"status": answer.status, **answer.json}
        if "id" in expected:
            expected["id"] = result["id"]
        assert result == expected
    assert [result["status"] for result in results] == [200, 403, 400, 400, 200, 200, 400]
    assert [event[4] for event in listener.heard()][:2] == [[{"speed": 1}], [1]]


def test_items_are_published_in_their_order(world, listener):
    items = [{"network": "sample_net", "data": {"n": n}} for n in range(300)]
    wire = ask(world, items)
    while not (received := wire.received()):
        world.wait(0)
    assert len(Answer(received).json) == 300
    assert [event[4][0]["n"] for event in listener.heard()] == list(range(300))


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_no_items_are_what_they_were_before_there_were_arrays(world, body):
    assert publish(world, body) == (400, {"error": "*network* key missing"})


@pytest.mark.parametrize("body", [b"[", b"[{}", b"[1,]", b"[1] 2", b'[{"a": \xff}]', b"[" * 100_000])
def test_what_is_no_json_publishes_nothing(world, listener, body):
    status, answer = publish(world, body)
    assert (status, answer) == (400, {"error": "POST data is not JSON"}) or answer == [
        {"status": 400, "error": "POST data is not JSON"}
    ]
    assert listener.heard() == []


def test_white_space_before_an_array_does_not_matter(world):
    assert publish(world, b"\r\n\t " + json.dumps([GOOD]).encode())[1] == [{"status": 200, "message": "OK"}]


def test_a_request_without_a_key_is_refused_as_a_whole(world):
    answer = Answer(world.ask(http.post("/publish", [GOOD])).received())
    assert (answer.status, answer.json) == (400, {"error": "API-KEY missing in headers"})


class TestMinimum:
    def test_has_only_what_failed_and_how_many_there_were(self, world):
        refused = {"topic": "secret_net"}
        answer = Answer(ask(world, [GOOD, FORBIDDEN, GOOD, refused], MINIMAL).received())
        assert answer.headers["Preference-Applied"] == "return=minimal"
        first, second, summary = answer.json
        assert first == {"index": 1, "status": 403, "error": "You cannot broadcast to this channel"}
        assert (second["index"], second["status"]) == (3, 200)
        assert second["error"] == "wamp.error.not_authorized"
        assert summary == {"items": 4, "failed": 2}

    @pytest.mark.parametrize(
        "value", ["respond-async, return=minimal", "RETURN = minimal", 'return="minimal"; foo=1, wait=3']
    )
    def test_is_a_preference_among_others(self, world, value):
        assert publish(world, [GOOD], f"Prefer: {value}")[1] == [{"items": 1, "failed": 0}]

    @pytest.mark.parametrize("value", ["return=representation", "xreturn=minimal", "return=minimalist", ""])
    def test_is_nothing_else(self, world, value):
        answer = Answer(ask(world, [GOOD], f"Prefer: {value}").received())
        assert answer.json == [{"status": 200, "message": "OK"}]
        assert "Preference-Applied" not in answer.headers


class TestSlowListeners:
    @pytest.fixture
    def slow(self, world):
        wire = world.join()
        wire.ask([32, 1, {"_radiod_buffer": {"policy": "wait", "size": 1}}, "sample_net"])
        wire.transport.producer.pauseProducing()
        return wire

    def test_keep_the_rest_of_the_array_waiting_and_lose_nothing(self, world, slow):
        items = [{"network": "sample_net", "data": {"n": n}} for n in range(6)]
        held = ask(world, items)
        assert held.received() == b""
        slow.transport.producer.resumeProducing()
        world.wait(0)
        world.wait(0)
        assert [one["status"] for one in Answer(held.received()).json] == [200] * 6
        assert [event[4][0]["n"] for event in slow.heard()] == list(range(6))

    def test_that_are_too_slow_fail_their_items_alone(self, world, slow):
        items = [GOOD, GOOD, {"network": "other", "data": {}}]
        held = ask(world, items)
        assert held.received() == b""
        world.wait(5.1)
        assert [one["status"] for one in Answer(held.received()).json] == [200, 503, 200]


def test_guesses_at_a_channels_key_end_after_some(world, listener):
    owner = world.join()
    made = owner.ask([48, 1, {}, "radiod.channel.create", [], {"name": "other", "public": False, "key": "k"}])
    assert made[0] == 50
    guess = [{"topic": "other", "options": {"_radiod_key": f"guess{n}"}} for n in range(20)]
    _, results = publish(world, guess)
    assert [one["status"] for one in results] == [200] * 8 + [403] * 12
    assert results[0]["error"] == "radiod.error.bad_key"
