"""POST /publish: the article's contract row by row, and Crossbar's dialect."""

import json

import pytest
from support import http
from support.http import Answer

GOOD = {"network": "sample_net", "data": {"speed": 1}}


@pytest.fixture
def listener(world):
    wire = world.join()
    wire.ask([32, 1, {}, "sample_net"])
    return wire


def request(world, body=b"", headers=None, method="POST", path="/publish"):
    """(status, headers, body) of one request; ``body`` is bytes or JSON."""
    lines = [f"{name}: {value}" for name, value in (headers or {}).items()]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(world.ask(http.request(method, path, *lines, body=data)).received())


def publish(world, body=GOOD, key="sample-key", **kwargs):
    status, _, content = request(world, body, {"API-KEY": key} if key is not None else {}, **kwargs)
    return status, json.loads(content)


ROWS = {
    "missing key": (400, "API-KEY missing in headers"),
    "wrong key": (400, "API-KEY not valid"),
    "not json": (400, "POST data is not JSON"),
    "no network": (400, "*network* key missing"),
    "not allowed": (403, "You cannot broadcast to this channel"),
    "no data": (400, "*data* key missing"),
    "data no object": (400, "Can only broadcast json data"),
}


@pytest.mark.parametrize(
    ("row", "key", "body"),
    [
        ("missing key", None, GOOD),
        ("missing key", None, b"nonsense"),
        ("wrong key", "wrong", GOOD),
        ("wrong key", "", GOOD),
        ("wrong key", "wrong", b"nonsense"),
        ("not json", "sample-key", b""),
        ("not json", "sample-key", b"nonsense"),
        ("not json", "sample-key", b'{"network": "sample_net", "data": {"x": "\xff"}}'),
        ("not json", "sample-key", b'{"network": "sample_net", "data": {"x": NaN}}'),
        ("not json", "sample-key", b'{"network": "sample_net", "data": {"x": -Infinity}}'),
        ("not json", "sample-key", b'{"network": "sample_net", "data": {}} trailing'),
        ("not json", "sample-key", b'{"network": "sample_net", "data": ' + b"[" * 100_000),
        ("no network", "sample-key", {}),
        ("no network", "sample-key", {"data": 1}),
        ("no network", "sample-key", b"[]"),
        ("no network", "sample-key", b"3"),
        ("no network", "sample-key", b'"network"'),
        ("no network", "sample-key", b"null"),
        ("not allowed", "sample-key", {"network": "secret_net", "data": {}}),
        ("not allowed", "sample-key", {"network": "secret_net"}),
        ("not allowed", "sample-key", {"network": "secret_net", "data": 3}),
        ("not allowed", "sample-key", {"network": 3, "data": {}}),
        ("not allowed", "sample-key", {"network": ["sample_net"], "data": {}}),
        ("not allowed", "sample-key", {"network": {}, "data": {}}),
        ("not allowed", "sample-key", {"network": None, "data": {}}),
        ("no data", "sample-key", {"network": "sample_net"}),
        ("data no object", "sample-key", {"network": "sample_net", "data": [1]}),
        ("data no object", "sample-key", {"network": "sample_net", "data": "x"}),
        ("data no object", "sample-key", {"network": "sample_net", "data": None}),
    ],
)
def test_the_earliest_fault_is_answered_and_nobody_receives_anything(world, listener, row, key, body):
    status, text = ROWS[row]
    assert publish(world, body, key) == (status, {"error": text})
    assert listener.heard() == []


class TestNamesThatAreNoUris:
    """What is wrong with one is told to those who may publish on everything; to others it is not theirs."""

    KEYS = """
[realms.radio.keys.all]
key = "key-of-all"
publish = ["*"]

[realms.radio.keys.some]
key = "key-of-some"
publish = ["weather.*"]
"""

    @pytest.fixture
    def world(self, world):
        return world.start(self.KEYS, base="")

    @pytest.mark.parametrize("network", ["a..b", "a b", "", "x" * 256])
    def test_are_told_to_those_who_may(self, world, network):
        status, body = publish(world, {"network": network, "data": {}}, "key-of-all")
        assert status == 400
        assert "URI" in body["error"]
        assert publish(world, {"network": network}, "key-of-all") == (400, {"error": ROWS["no data"][1]})

    @pytest.mark.parametrize("network", ["a..b", "a b", "", "x" * 256])
    def test_are_nothing_that_others_may_broadcast_to(self, world, network):
        status, text = ROWS["not allowed"]
        assert publish(world, {"network": network, "data": {}}, "key-of-some") == (status, {"error": text})


@pytest.mark.parametrize("path", ["/publish", "/api/publish"])
def test_a_sample_is_acknowledged_and_received_as_it_was_sent(world, listener, path):
    assert publish(world, path=path) == (200, {"message": "OK"})
    assert [event[4] for event in listener.heard()] == [[{"speed": 1}]]


def test_the_answer_tells_how_many_listen(world, listener):
    _, headers, _ = request(world, GOOD, {"API-KEY": "sample-key"})
    assert headers["X-Radiod-Readers"] == "1"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "FOO"])
def test_other_methods_are_refused(world, method):
    status, headers, _ = request(world, method=method)
    assert (status, headers["Allow"]) == (405, "POST, OPTIONS")


def test_options_tells_the_methods(world):
    status, headers, _ = request(world, method="OPTIONS")
    assert (status, headers["Allow"]) == (200, "POST, OPTIONS")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""])
def test_the_content_type_does_not_matter(world, content_type):
    headers = {"API-KEY": "sample-key", "Content-Type": content_type}
    assert request(world, GOOD, headers).status == 200


def test_a_bearer_token_is_a_key_too(world):
    assert request(world, GOOD, {"Authorization": "Bearer sample-key"}).status == 200


def test_the_last_of_duplicate_members_counts(world, listener):
    assert publish(world, b'{"network":"x","network":"sample_net","data":3,"data":{"a":1}}')[0] == 200
    assert listener.heard()[0][4] == [{"a": 1}]


def test_a_closed_channel_is_gone(world):
    owner = world.join()
    owner.ask([48, 1, {}, "radiod.channel.create", ["other"], {"lifetime": 0.25}])
    assert publish(world, {"network": "other", "data": {}})[0] == 200
    world.reactor.advance(0.25)
    assert publish(world, {"network": "other", "data": {}})[0] == 410


def test_a_body_announced_too_long_is_refused_before_it_is_sent(world):
    lines = b"Host: x\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n"
    wire = world.ask(b"POST /publish HTTP/1.1\r\n%b\r\n" % lines)
    assert wire.received().startswith(b"HTTP/1.1 413 ")
    assert wire.is_closed


def test_a_body_that_grows_too_long_is_refused(world):
    wire = world.ask(b"POST /publish HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(17):
        if wire.is_closed:
            break
        wire.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    assert wire.received().startswith(b"HTTP/1.1 413 ")
    assert wire.is_closed


def test_continue_is_said_to_those_who_ask(world):
    body = json.dumps(GOOD).encode()
    wire = world.ask(
        b"POST /publish HTTP/1.1\r\nHost: x\r\nAPI-KEY: sample-key\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    assert wire.received() == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.send(body)
    assert wire.received().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: three\r\n",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\n",
        "No colon\r\n",
    ],
)
def test_a_length_that_could_be_read_in_two_ways_is_refused(world, lines):
    wire = world.ask(f"POST /publish HTTP/1.1\r\nHost: x\r\n{lines}\r\n{{}}\n".encode())
    assert wire.received().startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


def test_crossbars_dialect_publishes_and_answers_the_publication(world, listener):
    body = {"topic": "sample_net", "args": [1, {"a": 2}], "kwargs": {"x": 3}}
    status, answer = publish(world, body)
    assert status == 200
    event = listener.heard()[0]
    assert event[2] == answer["id"]
    assert event[4:] == [[1, {"a": 2}], {"x": 3}]


def test_crossbars_dialect_says_wamp_refusals_with_status_200(world):
    status, answer = publish(world, {"topic": "secret_net", "args": []})
    assert (status, answer["error"], answer["kwargs"]) == (200, "wamp.error.not_authorized", {})


@pytest.mark.parametrize(
    "change", [{"topic": 3}, {"args": {}}, {"kwargs": []}, {"options": 3}, {"options": {"exclude": ["x"]}}]
)
def test_crossbars_dialect_refuses_wrong_types(world, listener, change):
    status, answer = publish(world, {"topic": "sample_net", **change})
    assert (status, answer["args"], answer["kwargs"]) == (400, [], {})
    assert listener.heard() == []


DEEP = b"[" * 63 + b"]" * 63
UNFIT = {
    b"1e400": "no double",
    b"-1e309": "no double",
    b"9" * 400: "no double",
    b"[" + DEEP + b"]": "deep, 64 at most",
    b'"\\u0000x"': "base64",
    b'{"__proto__": 1}': "__proto__",
}


@pytest.mark.parametrize("data", UNFIT, ids=UNFIT.values())
def test_what_others_cannot_read_is_refused_as_what_is_no_json(world, listener, data):
    network = b'{"network": "sample_net", "data": {"a": %b}}' % data
    status, answer = publish(world, network)
    assert status == 400
    assert UNFIT[data] in answer["error"]
    for part in (b'"args": [%b]', b'"kwargs": {"k": %b}'):
        status, answer = publish(world, b'{"topic": "sample_net", %b}' % (part % data))
        assert (status, answer["error"]) == (400, "wamp.error.invalid_argument")
        assert UNFIT[data] in answer["args"][0]
    assert listener.heard() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"network": "sample_net", "data": {"a": "\\ud83d"}}',
        b'{"topic": "sample_net", "args": ["\\ud83d"]}',
        b'{"topic": "sample_net", "kwargs": {"\\ude00": 1}}',
        b'{"topic": "sample_net\\ud83d"}',
    ],
)
def test_half_a_character_is_called_by_its_name(world, listener, body):
    status, answer = publish(world, body)
    assert (status, answer) == (400, {"error": "a text holds half a character, a lone surrogate"})
    assert listener.heard() == []


def test_how_deep_data_may_go_is_a_limit(world):
    world.start(max_nesting=8)
    deep = b'{"network": "sample_net", "data": {"a": [[[[[[%b]]]]]]}}'
    assert publish(world, deep % b"1")[0] == 200
    status, answer = publish(world, deep % b"[]")
    assert status == 400
    assert "nested 9 deep, 8 at most" in answer["error"]


@pytest.mark.parametrize("word", [b"NaN", b"-Infinity", b'"', b'"\\ud83d\\ude00'])
def test_what_is_no_json_is_no_json_in_either_dialect(world, listener, word):
    for body in (
        b'{"network": "sample_net", "data": {"a": %b}}' % word,
        b'{"topic": "sample_net", "args": [%b]}' % word,
    ):
        assert publish(world, body) == (400, {"error": "POST data is not JSON"})
    assert listener.heard() == []


def test_a_retained_event_awaits_late_listeners(world):
    assert publish(world, {"topic": "other", "args": ["map"], "options": {"retain": True}})[0] == 200
    late = world.join()
    late.say([32, 1, {"get_retained": True}, "other"])
    subscribed, event = late.heard()
    assert (subscribed[0], event[3], event[4]) == (33, {"retained": True}, ["map"])


def test_publishing_only_reaches_declared_channels_where_the_realm_says_so(world):
    world.start("realms.radio.undeclared_topics = false")
    assert publish(world)[0] == 200
    assert publish(world, {"network": "other", "data": {}})[0] == 404


class TestSlowListeners:
    """Listeners for whom a publisher waits, or is refused."""

    @pytest.fixture
    def slow(self, world):
        def listen(policy):
            wire = world.join()
            wire.ask([32, 1, {"_radiod_buffer": {"policy": policy, "size": 1}}, "sample_net"])
            wire.transport.producer.pauseProducing()
            return wire

        return listen

    def ask(self, world, body):
        return world.ask(http.post("/publish", body, "API-KEY: sample-key"))

    BRIDGE = {"topic": "sample_net", "args": [1]}

    @pytest.mark.parametrize("body", [GOOD, BRIDGE])
    def test_hold_the_answer_back_until_there_is_room(self, world, slow, body):
        listener = slow("wait")
        assert Answer(self.ask(world, body).received()).status == 200
        held = self.ask(world, body)
        assert held.received() == b""
        assert Answer(self.ask(world, {"network": "other", "data": {}}).received()).status == 200
        listener.transport.producer.resumeProducing()
        held.settle()
        status, headers, _ = Answer(held.received())
        assert (status, headers["X-Radiod-Readers"]) == (200, "1")

    @pytest.mark.parametrize("body", [GOOD, BRIDGE])
    def test_that_are_too_slow_are_a_503_that_asks_to_try_again(self, world, slow, body):
        slow("wait")
        self.ask(world, body)
        held = self.ask(world, body)
        world.reactor.advance(5.1)
        status, headers, content = Answer(held.received())
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "error" in json.loads(content)

    def test_hold_the_answer_to_a_body_with_other_options_too(self, world, slow):
        slow("wait")
        body = {**self.BRIDGE, "options": {"exclude_me": False}}
        assert Answer(self.ask(world, body).received()).status == 200
        assert self.ask(world, body).received() == b""

    @pytest.mark.parametrize("body", [GOOD, BRIDGE])
    def test_that_refuse_are_a_503_at_once(self, world, slow, body):
        slow("raise")
        self.ask(world, body)
        status, headers, content = Answer(self.ask(world, body).received())
        assert (status, headers["Retry-After"]) == (503, "1")
        if body is self.BRIDGE:
            assert json.loads(content)["error"] == "radiod.error.overrun"

    def test_do_not_hold_who_asked_for_no_acknowledgement(self, world, slow):
        slow("wait")
        body = {**self.BRIDGE, "options": {"acknowledge": False}}
        assert [Answer(self.ask(world, body).received()).status for _ in range(3)] == [200] * 3

    def test_may_outlast_the_request_that_waits_for_them(self, world, slow):
        listener = slow("wait")
        self.ask(world, GOOD)
        held = self.ask(world, GOOD)
        held.hang_up()
        listener.transport.producer.resumeProducing()
        held.settle()
        assert [event[0] for event in listener.heard()] == [36, 36]
