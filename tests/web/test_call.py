"""POST /call: procedures in the dialect of Crossbar's bridge."""

import json

import pytest
from support import http
from support.http import Answer, dechunked

KEYS = """
[realms.radio.keys.sample]
call = ["p", "q", "wamp.registration.*", "wamp.session.count", "radiod.channel.*"]

[realms.radio.keys.deaf]
key = "deaf-key"
publish = ["*"]
"""
CALLEE = {"features": {"progressive_call_results": True, "call_canceling": True}}
HELLO = [1, "radio", {"roles": {"callee": CALLEE, "caller": {}, "publisher": {}, "subscriber": {}}}]


@pytest.fixture
def world(world):
    return world.start(KEYS)


@pytest.fixture
def callee(world):
    wire = world.join(hello=HELLO)
    wire.ask([64, None, {}, "p"])
    return wire


def ask(world, body, *lines, key="sample-key", method="POST"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return world.ask(http.request(method, "/call", f"API-KEY: {key}", *lines, body=data))


def call(world, body, *lines, **options):
    """(status, body) of a call that is answered at once."""
    answer = Answer(ask(world, body, *lines, **options).received())
    return answer.status, answer.json


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("result", "told"),
    [
        (["done"], {"args": ["done"]}),
        ([[]], {"args": [[]]}),
        ([None], {"args": [None]}),
        ([1, 2], {"args": [1, 2]}),
        ([[], {"x": 3}], {"kwargs": {"x": 3}}),
        ([[1], {"x": 3}], {"args": [1], "kwargs": {"x": 3}}),
    ],
)
def test_arguments_go_there_and_results_come_back(world, callee, result, told, method):
    wire = ask(world, {"procedure": "p", "args": [1, {"a": 2}], "kwargs": {"k": 3}}, method=method)
    assert wire.received() == b""
    (invocation,) = callee.heard()
    assert invocation[3:] == [{}, [1, {"a": 2}], {"k": 3}]
    parts = result if isinstance(result[-1], dict) else [result]
    callee.say([70, invocation[1], {}, *parts])
    answer = Answer(wire.received())
    assert (answer.status, answer.json) == (200, told)


def test_a_procedure_without_a_result_has_none(world, callee):
    wire = ask(world, {"procedure": "p"})
    callee.say([70, callee.heard()[0][1], {}])
    assert Answer(wire.received()).json == {}


def test_an_error_of_the_callee_has_all_that_came_with_it(world, callee):
    for parts, told in (([], ([], {})), ([["why"], {"k": 1}], (["why"], {"k": 1}))):
        wire = ask(world, {"procedure": "p"})
        callee.say([8, 68, callee.heard()[0][1], {}, "an.error", *parts])
        answer = Answer(wire.received())
        assert (answer.status, answer.json) == (
            200,
            {"error": "an.error", "args": told[0], "kwargs": told[1]},
        )


@pytest.mark.parametrize(
    ("procedure", "uri"),
    [
        ("q", "wamp.error.no_such_procedure"),
        ("secret", "wamp.error.not_authorized"),
        ("radiod.server.info", "wamp.error.not_authorized"),
        ("a b", "wamp.error.invalid_uri"),
        ("wamp.registration.nothing", "wamp.error.no_such_procedure"),
        ("radiod.channel.create", "wamp.error.feature_not_supported"),
    ],
)
def test_what_wamp_refuses_is_told_with_status_200(world, callee, procedure, uri):
    status, answer = call(world, {"procedure": procedure})
    assert (status, answer["error"], answer["kwargs"]) == (200, uri, {})
    assert len(answer["args"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b"\xff",
        b'{"procedure": "p\xff"}',
        b'{"procedure": 3}',
        b'{"procedure": "p", "args": {}}',
        b'{"procedure": "p", "kwargs": []}',
        b'{"procedure": "p", "options": 3}',
        b'{"procedure": "p", "options": {"timeout": "1"}}',
        b'{"procedure": "p", "args": [1e400]}',
        b'{"procedure": "p", "args": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_call_is_a_400_that_says_why(world, callee, body):
    status, answer = call(world, body)
    assert (status, answer["kwargs"]) == (400, {})
    assert answer["error"]
    assert callee.heard() == []


def test_a_key_is_needed_that_may_call(world):
    missing = Answer(world.ask(http.post("/call", {"procedure": "p"})).received())
    assert (missing.status, missing.json) == (400, {"error": "API-KEY missing in headers"})
    assert call(world, {"procedure": "p"}, key="wrong") == (400, {"error": "API-KEY not valid"})
    assert call(world, {"procedure": "p"}, key="deaf-key")[1]["error"] == "wamp.error.not_authorized"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_other_methods_are_refused(world, method):
    answer = Answer(world.ask(http.request(method, "/call")).received())
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, PUT, OPTIONS")


def test_a_timeout_is_in_milliseconds(world, callee):
    wire = ask(world, {"procedure": "p", "options": {"timeout": 1500}})
    world.wait(1.4)
    assert wire.received() == b""
    world.wait(0.2)
    answer = Answer(wire.received())
    assert (answer.status, answer.json["error"]) == (200, "wamp.error.timeout")
    assert callee.heard()[-1][0] == 69


def test_a_caller_that_asks_is_named(world, callee):
    ask(world, {"procedure": "p", "options": {"disclose_me": True}})
    details = callee.heard()[0][3]
    assert (details["caller_authid"], details["caller_authrole"]) == ("sample", "key:sample")


class TestTheRouter:
    """Its own procedures, those that the key may call."""

    def test_answers_too(self, world, callee):
        assert call(world, {"procedure": "wamp.session.count"}) == (200, {"args": [1]})
        _, listed = call(world, {"procedure": "wamp.registration.list"})
        # A key has no right to know of what it may not call.
        assert len(listed["args"][0]["exact"]) == 1
        _, page = call(world, {"procedure": "radiod.channel.list", "kwargs": {"prefix": "sample"}})
        assert [one["name"] for one in page["args"][0]["channels"]] == ["sample_net"]

    def test_tells_the_past(self, world):
        world.start(KEYS + "[realms.radio.channels.sample_net.history]\nsize = 5\n")
        world.ask(http.post("/publish", {"network": "sample_net", "data": {"n": 1}}, "API-KEY: sample-key"))
        body = {"procedure": "radiod.channel.history", "kwargs": {"name": "sample_net"}}
        _, answer = call(world, body)
        assert [event["args"] for event in answer["args"][0]["events"]] == [[{"n": 1}]]

    def test_refuses_wrong_arguments_by_name(self, world):
        _, answer = call(world, {"procedure": "radiod.channel.get", "args": [3]})
        assert answer["error"] == "wamp.error.invalid_argument"
        assert "name" in answer["args"][0]

    def test_wrong_control_keys_are_guesses(self, world):
        owner = world.join()
        owner.ask([48, None, {}, "radiod.channel.create", ["c"]])
        body = {"procedure": "radiod.channel.delete", "kwargs": {"name": "other_net", "control_key": "x"}}
        owner.ask([48, None, {}, "radiod.channel.create", ["other_net"]])
        # Who may act on others needs no key; who shows a wrong one is refused all the same.
        for _ in range(100):
            status, answer = call(world, body)
            if status != 200 or "error" not in answer:
                break
            assert answer["error"] == "radiod.error.bad_key"
            if world.radio.fan_out.guesses.networks:
                break
        assert world.radio.fan_out.guesses.networks


class TestProgress:
    def test_comes_as_lines(self, world, callee):
        wire = ask(world, {"procedure": "p"}, "Accept: application/x-ndjson")
        head, _, rest = wire.received().partition(b"\r\n\r\n")
        assert b"Content-Type: application/x-ndjson\r\n" in head
        assert rest == b""
        (invocation,) = callee.heard()
        assert invocation[3] == {"receive_progress": True}
        for part in (1, 2):
            callee.say([70, invocation[1], {"progress": True}, [part]])
            assert dechunked(wire.received()) == f'{{"progress":true,"args":[{part}]}}\n'
        callee.say([70, invocation[1], {}, [3], {"k": "a\nb"}])
        data = wire.received()
        assert data.endswith(b"0\r\n\r\n")
        assert dechunked(data) == '{"args":[3],"kwargs":{"k":"a\\nb"}}\n'
        wire.send(http.get("/healthz"))
        assert Answer(wire.received()).status == 200

    def test_comes_as_events(self, world, callee):
        wire = ask(world, {"procedure": "p"}, "Accept: text/event-stream")
        (invocation,) = callee.heard()
        callee.say([70, invocation[1], {"progress": True}, [1]])
        callee.say([8, 68, invocation[1], {}, "an.error", ["why"]])
        head, _, data = wire.received().partition(b"\r\n\r\n")
        assert b"Content-Type: text/event-stream\r\n" in head
        assert dechunked(data) == (
            'event: progress\ndata: {"progress":true,"args":[1]}\n\n'
            'event: result\ndata: {"error":"an.error","args":["why"],"kwargs":{}}\n\n'
        )

    def test_a_refusal_is_a_result(self, world):
        wire = ask(world, {"procedure": "q"}, "Accept: application/x-ndjson")
        _, _, data = wire.received().partition(b"\r\n\r\n")
        assert json.loads(dechunked(data))["error"] == "wamp.error.no_such_procedure"
        assert data.endswith(b"0\r\n\r\n")

    def test_what_is_no_call_is_no_stream(self, world):
        assert call(world, b"{}", "Accept: application/x-ndjson")[0] == 400

    def test_nobody_who_wants_one_answer_gets_any(self, world, callee):
        ask(world, {"procedure": "p", "options": {"receive_progress": True}})
        assert callee.heard()[0][3] == {}

    def test_an_old_client_gets_it_without_chunks(self, world, callee):
        body = b'{"procedure":"p"}'
        wire = world.ask(
            b"POST /call HTTP/1.0\r\nHost: x\r\nAPI-KEY: sample-key\r\nAccept: application/x-ndjson\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        callee.say([70, callee.heard()[0][1], {}, [1]])
        assert wire.received().endswith(b'\r\n\r\n{"args":[1]}\n')
        assert wire.is_closed


@pytest.mark.parametrize("accept", ["*/*", "application/x-ndjson", "text/event-stream"])
def test_who_hangs_up_has_the_call_killed(world, callee, accept):
    wire = ask(world, {"procedure": "p"}, f"Accept: {accept}")
    (invocation,) = callee.heard()
    wire.hang_up()
    world.wait(0)
    assert callee.heard() == [[69, invocation[1], {"mode": "kill", "reason": "wamp.error.canceled"}]]
    callee.say([8, 68, invocation[1], {}, "wamp.error.canceled"])
    assert callee.heard() == []


def test_a_callee_that_leaves_ends_the_call(world, callee):
    wire = ask(world, {"procedure": "p"})
    callee.hang_up()
    world.wait(0)
    assert Answer(wire.received()).json["error"] == "wamp.error.canceled"


@pytest.mark.parametrize("patterns", [["*"], ["radiod.*"], ["radiod.channel.*", "radiod..."]])
def test_procedures_that_give_access_need_a_pattern_of_a_key_that_names_them(world, patterns):
    world.start(f"[realms.radio.keys.sample]\ncall = {json.dumps(patterns)}\n")
    _, told = call(world, {"procedure": "radiod.admin.audit"})
    assert told["error"] == "wamp.error.not_authorized"
