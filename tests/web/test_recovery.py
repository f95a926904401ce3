"""The past over HTTP: Server-Sent Events, lines of JSON, and long-poll, all with the same positions."""

import json

import pytest
from support.memory import WebSocketWire, Wire, client_frame, make_radio, server_frames, upgrade

from radiod.wire.codecs import CBOR

SSE = "Accept: text/event-stream\r\n"
LINES = "Accept: application/x-ndjson\r\n"
CONFIG = """
[limits]
max_connections = 20

[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
deny = ["forbidden"]

[realms.radio.keys.k]
key = "k"
listen = ["kept"]

[realms.radio.channels.kept]
history = { size = 10 }

[realms.radio.channels.plain]

[realms.radio.channels.long]
history = { size = 50000 }
"""


@pytest.fixture
def radio():
    return make_radio(CONFIG)


def get(radio, path, extra=""):
    wire = Wire(*radio)
    wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())
    return wire


def answered(wire):
    """(status, headers, body) of what a wire received; None: nothing."""
    head, _, body = wire.received().partition(b"\r\n\r\n")
    if not head:
        return None
    lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, body


def ask(radio, path, extra=""):
    return answered(get(radio, path, extra))


def chunks(data):
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body, data = body + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return body.decode()


def stream(radio, path, extra):
    """An open stream, and what it began with behind its heartbeat."""
    wire = get(radio, path, extra)
    wire.settle()
    status, _, body = answered(wire)
    assert status == 200
    return wire, chunks(body).removeprefix(":\n\n").removeprefix("\n")


def heard(wire):
    return chunks(wire.received())


class Publisher:
    def __init__(self, radio):
        self.wire = WebSocketWire(*radio)
        self.wire.join()

    def publish(self, *numbers, topic="kept", **options):
        self.wire.say(*([16, None, options, topic, [number]] for number in numbers))


@pytest.fixture
def alice(radio):
    return Publisher(radio)


def epoch(radio, topic="kept"):
    return radio[0].realms["radio"].space.histories.find(topic).epoch


def at_topic(radio, topic, seq):
    return f"{epoch(radio, topic)}:{seq}"


def at(radio, seq):
    return f"{epoch(radio)}:{seq}"


class TestEventStream:
    def test_ids_are_positions(self, radio, alice):
        wire, _ = stream(radio, "/listen/kept", SSE)
        alice.publish(7)
        assert heard(wire) == f"id: {at(radio, 1)}\ndata: 7\n\n"

    def test_a_channel_without_positions_has_no_ids(self, radio, alice):
        wire, _ = stream(radio, "/listen/plain", SSE)
        alice.publish(7, topic="plain")
        assert heard(wire) == "data: 7\n\n"

    @pytest.mark.parametrize("how", ["Last-Event-ID", "after", "last"])
    def test_goes_on_where_it_was_told_to_then_live(self, radio, alice, how):
        alice.publish(1, 2, 3)
        query = {"Last-Event-ID": "?after=other:1", "after": f"?after={at(radio, 1)}", "last": "?last=2"}[how]
        extra = f"Last-Event-ID: {at(radio, 1)}\r\n" if how == "Last-Event-ID" else ""
        wire, begun = stream(radio, f"/listen/kept{query}", SSE + extra)
        assert begun == "".join(f"id: {at(radio, n)}\ndata: {n}\n\n" for n in (2, 3))
        alice.publish(4)
        assert heard(wire) == f"id: {at(radio, 4)}\ndata: 4\n\n"

    def test_says_when_the_position_is_gone(self, radio, alice):
        alice.publish(*range(12))
        _, begun = stream(radio, "/listen/kept", f"{SSE}Last-Event-ID: {at(radio, 1)}\r\n")
        assert begun.startswith(f"event: recovered\ndata: false\n\nid: {at(radio, 3)}\ndata: 2\n\nid: ")

    def test_an_empty_last_event_id_is_none(self, radio, alice):
        alice.publish(1)
        _, begun = stream(radio, "/listen/kept", f"{SSE}Last-Event-ID:\r\n")
        assert begun == ""

    def test_who_does_not_read_is_read_out_of_the_history(self, radio, alice):
        alice.publish(*range(8))
        wire, _ = stream(radio, "/listen/kept", SSE)
        wire.transport.producer.pauseProducing()
        alice.publish(*range(8, 10))
        wire.transport.producer.resumeProducing()
        assert [line for line in heard(wire).split("\n") if line.startswith("id")] == [
            f"id: {at(radio, n)}" for n in (9, 10)
        ]

    def test_buffer_settings_are_parameters(self, radio, alice):
        wire, _ = stream(radio, "/listen/kept?every=3", SSE)
        alice.publish(1, 2, 3, 4, 5, 6)
        assert "data: 3" in (text := heard(wire))
        assert text.count("data") == 2


class TestLines:
    def test_each_record_is_a_line_with_an_empty_one_behind_it(self, radio, alice):
        wire, _ = stream(radio, "/listen/kept", LINES)
        alice.publish({"a": 1}, 2)
        first, between, second, *end = heard(wire).split("\n")
        assert first == f'{{"position":"{at(radio, 1)}","data":{{"a":1}}}}'
        assert second == f'{{"position":"{at(radio, 2)}","data":2}}'
        assert (between, end) == ("", ["", ""])

    def test_a_channel_without_positions_says_null(self, radio, alice):
        wire, _ = stream(radio, "/listen/plain", LINES)
        alice.wire.send(alice.wire.frame(b'[16,1,{},"plain",[{\r\n"a":\n"x\\ny"}]]'))
        assert heard(wire) == '{"position":null,"data":{"a":"x\\ny"}}\n\n'

    def test_goes_on_and_says_when_it_cannot(self, radio, alice):
        alice.publish(1, 2)
        _, begun = stream(radio, f"/listen/kept?after={at(radio, 1)}", LINES)
        assert begun == f'{{"position":"{at(radio, 2)}","data":2}}\n\n'
        _, begun = stream(radio, "/listen/kept?after=gone:1", LINES)
        assert begun.startswith(f'{{"position":"{at(radio, 1)}","data":1,"recovered":false}}\n\n')

    def test_says_what_was_lost(self, radio, alice):
        wire, _ = stream(radio, "/listen/plain?size=1", LINES)
        wire.transport.producer.pauseProducing()
        alice.publish(1, 2, 3, topic="plain")
        wire.transport.producer.resumeProducing()
        assert heard(wire) == '{"position":null,"data":3,"lost":2}\n\n'

    def test_a_silent_channel_has_empty_lines(self, radio):
        wire, _ = stream(radio, "/listen/kept", LINES)
        radio[1].advance(15.1)
        wire.settle()
        assert heard(wire) == "\n"


class TestLongPoll:
    def test_what_is_held_is_answered_at_once(self, radio, alice):
        alice.publish(1, {"a": 2})
        status, headers, body = ask(radio, f"/listen/kept?after={at(radio, 0)}")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert json.loads(body) == [
            {"position": at(radio, 1), "data": 1},
            {"position": at(radio, 2), "data": {"a": 2}},
        ]
        assert headers["X-Radiod-Position"] == at(radio, 2)
        assert "X-Radiod-Recovered" not in headers
        assert headers["Cache-Control"] == "no-store"

    def test_the_next_events_are_waited_for(self, radio, alice):
        alice.publish(1)
        wire = get(radio, f"/listen/kept?after={at(radio, 1)}")
        assert answered(wire) is None
        alice.publish(2, 3)
        wire.settle()
        status, _, body = answered(wire)
        assert (status, json.loads(body)) == (
            200,
            [{"position": at(radio, 2), "data": 2}, {"position": at(radio, 3), "data": 3}],
        )
        realm = radio[0].realms["radio"]
        assert (realm.space.broker.readers("kept"), radio[0].channel_polls.waiting) == (0, 0)

    def test_the_same_connection_may_poll_on(self, radio, alice):
        wire = get(radio, "/listen/kept?wait=5")
        for number in (1, 2):
            alice.publish(number)
            wire.settle()
            assert json.loads(answered(wire)[2]) == [{"position": at(radio, number), "data": number}]
            wire.send(f"GET /listen/kept?after={at(radio, number)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    @pytest.mark.parametrize(("query", "seconds"), [("", 25), ("?wait=1.5", 1.5), ("?wait=60", 60)])
    def test_when_nothing_comes_that_is_said_after_the_wait(self, radio, query, seconds):
        wire = get(radio, f"/listen/kept{query}")
        radio[1].advance(seconds - 0.01)
        assert answered(wire) is None
        radio[1].advance(0.02)
        status, headers, body = answered(wire)
        assert (status, body, headers["X-Radiod-Position"]) == (204, b"", at(radio, 0))

    def test_what_comes_in_the_turn_in_which_the_wait_is_over_is_not_missed(self, radio, alice):
        wire = get(radio, "/listen/kept?wait=1")
        message = json.dumps([16, 2, {}, "kept", [7]]).encode()
        input = client_frame(0x81, message)
        alice.publish(6)
        first = json.loads(answered(wire)[2])
        assert [one["data"] for one in first] == [6]
        wire = get(radio, f"/listen/kept?wait=1&after={first[0]['position']}")
        # The reactor handles input that is there before the timers that are due by then.
        radio[1].callLater(0.999, alice.wire.transport.protocol.dataReceived, input)
        radio[1].advance(1)
        wire.settle()
        status, _, body = answered(wire)
        assert (status, json.loads(body)) == (200, [{"position": at(radio, 2), "data": 7}])

    @pytest.mark.parametrize("others", [1000, 20_000])
    def test_what_is_behind_many_events_for_others_is_not_missed(self, radio, alice, others):
        for_others = {"eligible_authid": ["nobody"]}
        alice.publish(0, topic="long")
        begin = at_topic(radio, "long", 1)
        alice.publish(*range(others), topic="long", **for_others)
        alice.publish("mine", topic="long")
        for _ in range(others // 10_000 + 1):
            status, headers, body = ask(radio, f"/listen/long?after={begin}")
            begin = headers["X-Radiod-Position"]
            if body:
                break
            assert status == 204
        assert [one["data"] for one in json.loads(body)] == ["mine"]

    def test_no_wait_is_answered_at_once(self, radio):
        assert ask(radio, "/listen/kept?wait=0")[0] == 204

    def test_a_channel_without_positions_tells_what_comes(self, radio, alice):
        wire = get(radio, "/listen/plain")
        alice.publish(1, topic="plain")
        wire.settle()
        assert json.loads(answered(wire)[2]) == [{"position": None, "data": 1}]

    def test_what_happened_between_two_polls_is_not_missed(self, radio, alice):
        _, headers, _ = ask(radio, "/listen/kept?wait=0")
        alice.publish(1)
        _, _, body = ask(radio, f"/listen/kept?after={headers['X-Radiod-Position']}")
        assert json.loads(body)[0]["data"] == 1

    @pytest.mark.parametrize(("last", "numbers"), [(1, [3]), (2, [2, 3]), (1000, [1, 2, 3])])
    def test_the_last_ones(self, radio, alice, last, numbers):
        alice.publish(1, 2, 3)
        status, _, body = ask(radio, f"/listen/kept?last={last}")
        assert (status, [one["data"] for one in json.loads(body)]) == (200, numbers)

    @pytest.mark.parametrize("path", ["/listen/kept?last=3", "/listen/plain?last=3"])
    def test_no_last_ones(self, radio, path):
        assert ask(radio, path)[0] == 204

    def test_a_position_that_is_gone_is_told(self, radio, alice):
        alice.publish(1)
        status, headers, body = ask(radio, "/listen/kept?after=gone:7")
        assert (status, headers["X-Radiod-Recovered"], len(json.loads(body))) == (200, "false", 1)

    def test_so_it_is_when_nothing_is_held(self, radio, alice):
        wire = get(radio, "/listen/kept?after=gone:7")
        alice.publish(1)
        wire.settle()
        _, headers, body = answered(wire)
        assert (headers["X-Radiod-Recovered"], len(json.loads(body))) == ("false", 1)

    def test_a_client_that_hangs_up_leaves_nothing_behind(self, radio):
        wire = get(radio, "/listen/kept")
        wire.hang_up()
        realm = radio[0].realms["radio"]
        assert (realm.sessions, radio[0].channel_polls.waiting, len(radio[0].clock.timers)) == ({}, 0, 0)

    def test_so_many_may_wait(self, radio):
        waiting = [get(radio, "/listen/kept") for _ in range(2)]
        status, headers, body = ask(radio, "/listen/kept")
        assert (status, headers["Retry-After"]) == (429, "1")
        assert json.loads(body)["error"]
        waiting[0].hang_up()
        assert answered(get(radio, "/listen/kept")) is None

    def test_strangers_are_refused_before_those_who_have_a_key(self):
        radio = make_radio(CONFIG.replace("max_connections = 20", "max_connections = 80"))
        asked = [get(radio, "/listen/kept") for _ in range(20)]
        assert [answered(wire)[0] for wire in asked[3:]] == [429] * 17
        assert [answered(wire) for wire in asked[:3]] == [None] * 3
        assert answered(get(radio, "/listen/kept", "API-KEY: k\r\n")) is None
        assert radio[0].statistics.refused["polls"] == 17

    def test_a_server_that_stops_answers_that_nothing_came(self, radio):
        wire = get(radio, "/listen/kept")
        radio[0].realms["radio"].close()
        wire.settle()
        assert answered(wire)[0] == 204

    def test_a_channel_that_ends_is_gone(self, radio, alice):
        options = {"lifetime": 5, "history": {"size": 9}}
        alice.wire.ask([48, None, {}, "radiod.channel.create", ["new"], options])
        wire = get(radio, "/listen/new")
        lines, _ = stream(radio, "/listen/new", LINES)
        radio[1].advance(5)
        wire.settle()
        assert answered(wire)[0] == 410
        assert lines.received() == b"0\r\n\r\n"
        assert ask(radio, "/listen/new")[0] == 410

    def test_what_json_cannot_say_is_left_out(self, radio, alice):
        realm = radio[0].realms["radio"]
        from radiod.wire.codecs import Payload

        session = next(iter(realm.sessions.values()))
        alice.publish(1)
        realm.gateway.publish(session, "kept", Payload(CBOR, b"\x81\xff", b""))
        alice.publish(3)
        _, headers, body = ask(radio, f"/listen/kept?after={at(radio, 0)}")
        assert [one["data"] for one in json.loads(body)] == [1, 3]
        assert headers["X-Radiod-Position"] == at(radio, 3)

    def test_other_pages_may_read_the_position(self, radio):
        _, headers, _ = ask(radio, "/listen/kept?wait=0")
        assert headers["Access-Control-Expose-Headers"] == (
            "X-Radiod-Position, X-Radiod-Readers, X-Radiod-Recovered, X-Radiod-Lost, Retry-After"
        )

    def test_a_key_is_needed_where_one_is_given(self, radio):
        assert ask(radio, "/listen/kept?wait=0", "API-KEY: k\r\n")[0] == 204
        assert ask(radio, "/listen/plain?wait=0", "API-KEY: k\r\n")[0] == 403


@pytest.mark.parametrize("accept", ["", SSE, LINES], ids=["poll", "sse", "ndjson"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("after", "x"), ("after", ""), ("after", "x:-1"), ("after", "x:1:1"), ("last", "0"), ("last", "1001"),
        ("last", "1.5"), ("last", "x"), ("last", ""), ("last", "9" * 5000), ("wait", "-1"), ("wait", "61"),
        ("wait", "nan"), ("wait", "inf"), ("wait", "1e1"), ("wait", ""), ("wait", "."), ("wait", "1_0"),
        ("every", "0"), ("every", "x"), ("size", "-1"), ("size", "9" * 5000), ("min_interval", "nan"),
        ("min_interval", "-1"), ("latest", "maybe"), ("policy", "lossy"), ("weight", "101"),
        ("max_bytes", "0"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_named(radio, accept, name, value):
    status, _, body = ask(radio, f"/listen/kept?{name}={value}", accept)
    assert status == 400
    assert name in json.loads(body)["error"]


def test_after_and_last_exclude_each_other(radio):
    assert ask(radio, "/listen/kept?after=x:1&last=1")[0] == 400


def test_a_wrong_last_event_id_is_named(radio):
    status, _, body = ask(radio, "/listen/kept", SSE + "Last-Event-ID: \xff\r\n")
    assert (status, "Last-Event-ID" in json.loads(body)["error"]) == (400, True)


def test_unknown_parameters_mean_nothing(radio):
    assert ask(radio, "/listen/kept?wait=0&_=123&%ff=%ff")[0] == 204


def test_a_plain_websocket_goes_on_too(radio, alice):
    alice.publish(1, 2, 3)
    wire = Wire(*radio)
    wire.send(upgrade(f"/listen/kept?after={at(radio, 1)}"))
    wire.settle()
    _, _, data = wire.received().partition(b"\r\n\r\n")
    assert [payload for _, payload in server_frames(data)[0]] == [b"2", b"3"]


@pytest.mark.parametrize("query", ["after=x", "every=0", "last=-1"])
def test_a_plain_websocket_with_a_wrong_parameter_is_refused(radio, query):
    wire = Wire(*radio)
    wire.send(upgrade(f"/listen/kept?{query}"))
    assert wire.received().startswith(b"HTTP/1.1 400 ")
