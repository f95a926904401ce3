"""The past over HTTP: Server-Sent Events, lines of JSON, and long-poll, all with the same positions."""

import json

import pytest
from support import http
from support.http import Answer, dechunked
from support.memory import client_frame, server_frames, upgrade

from radiod.wire.codecs import CBOR

SSE = "Accept: text/event-stream"
LINES = "Accept: application/x-ndjson"
KEPT = """
[realms.radio.roles.open]
register = []

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
def world(world):
    return world.start(KEPT, max_connections=20)


def get(world, path, *lines):
    return world.ask(http.get(path, *lines))


def answered(wire):
    """What a wire received; None: nothing."""
    answer = Answer(wire.received())
    return answer if answer.status else None


def ask(world, path, *lines):
    return answered(get(world, path, *lines))


def stream(world, path, *lines):
    """An open stream, and what it began with behind its heartbeat."""
    wire = get(world, path, *lines)
    wire.settle()
    status, _, body = answered(wire)
    assert status == 200
    return wire, dechunked(body).removeprefix(":\n\n").removeprefix("\n")


def heard(wire):
    return dechunked(wire.received())


class Publisher:
    def __init__(self, world):
        self.wire = world.join()

    def publish(self, *numbers, topic="kept", **options):
        self.wire.say(*([16, None, options, topic, [number]] for number in numbers))


@pytest.fixture
def alice(world):
    return Publisher(world)


def epoch(world, topic="kept"):
    return world.realm.space.histories.find(topic).epoch


def at_topic(world, topic, seq):
    return f"{epoch(world, topic)}:{seq}"


def at(world, seq):
    return f"{epoch(world)}:{seq}"


class TestEventStream:
    def test_ids_are_positions(self, world, alice):
        wire, _ = stream(world, "/listen/kept", SSE)
        alice.publish(7)
        assert heard(wire) == f"id: {at(world, 1)}\ndata: 7\n\n"

    def test_a_channel_without_positions_has_no_ids(self, world, alice):
        wire, _ = stream(world, "/listen/plain", SSE)
        alice.publish(7, topic="plain")
        assert heard(wire) == "data: 7\n\n"

    @pytest.mark.parametrize("how", ["Last-Event-ID", "after", "last"])
    def test_goes_on_where_it_was_told_to_then_live(self, world, alice, how):
        alice.publish(1, 2, 3)
        query = {"Last-Event-ID": "?after=other:1", "after": f"?after={at(world, 1)}", "last": "?last=2"}[how]
        more = [f"Last-Event-ID: {at(world, 1)}"] if how == "Last-Event-ID" else []
        wire, begun = stream(world, f"/listen/kept{query}", SSE, *more)
        assert begun == "".join(f"id: {at(world, n)}\ndata: {n}\n\n" for n in (2, 3))
        alice.publish(4)
        assert heard(wire) == f"id: {at(world, 4)}\ndata: 4\n\n"

    def test_says_when_the_position_is_gone(self, world, alice):
        alice.publish(*range(12))
        _, begun = stream(world, "/listen/kept", SSE, f"Last-Event-ID: {at(world, 1)}")
        assert begun.startswith(f"event: recovered\ndata: false\n\nid: {at(world, 3)}\ndata: 2\n\nid: ")

    def test_an_empty_last_event_id_is_none(self, world, alice):
        alice.publish(1)
        _, begun = stream(world, "/listen/kept", SSE, "Last-Event-ID:")
        assert begun == ""

    def test_who_does_not_read_is_read_out_of_the_history(self, world, alice):
        alice.publish(*range(8))
        wire, _ = stream(world, "/listen/kept", SSE)
        wire.transport.producer.pauseProducing()
        alice.publish(*range(8, 10))
        wire.transport.producer.resumeProducing()
        assert [line for line in heard(wire).split("\n") if line.startswith("id")] == [
            f"id: {at(world, n)}" for n in (9, 10)
        ]

    def test_buffer_settings_are_parameters(self, world, alice):
        wire, _ = stream(world, "/listen/kept?every=3", SSE)
        alice.publish(1, 2, 3, 4, 5, 6)
        assert "data: 3" in (text := heard(wire))
        assert text.count("data") == 2


class TestLines:
    def test_each_record_is_a_line_with_an_empty_one_behind_it(self, world, alice):
        wire, _ = stream(world, "/listen/kept", LINES)
        alice.publish({"a": 1}, 2)
        first, between, second, *end = heard(wire).split("\n")
        assert first == f'{{"position":"{at(world, 1)}","data":{{"a":1}}}}'
        assert second == f'{{"position":"{at(world, 2)}","data":2}}'
        assert (between, end) == ("", ["", ""])

    def test_a_channel_without_positions_says_null(self, world, alice):
        wire, _ = stream(world, "/listen/plain", LINES)
        alice.wire.send(alice.wire.frame(b'[16,1,{},"plain",[{\r\n"a":\n"x\\ny"}]]'))
        assert heard(wire) == '{"position":null,"data":{"a":"x\\ny"}}\n\n'

    def test_goes_on_and_says_when_it_cannot(self, world, alice):
        alice.publish(1, 2)
        _, begun = stream(world, f"/listen/kept?after={at(world, 1)}", LINES)
        assert begun == f'{{"position":"{at(world, 2)}","data":2}}\n\n'
        _, begun = stream(world, "/listen/kept?after=gone:1", LINES)
        assert begun.startswith(f'{{"position":"{at(world, 1)}","data":1,"recovered":false}}\n\n')

    def test_says_what_was_lost(self, world, alice):
        wire, _ = stream(world, "/listen/plain?size=1", LINES)
        wire.transport.producer.pauseProducing()
        alice.publish(1, 2, 3, topic="plain")
        wire.transport.producer.resumeProducing()
        assert heard(wire) == '{"position":null,"data":3,"lost":2}\n\n'

    def test_a_silent_channel_has_empty_lines(self, world):
        wire, _ = stream(world, "/listen/kept", LINES)
        world.reactor.advance(15.1)
        wire.settle()
        assert heard(wire) == "\n"


class TestLongPoll:
    def test_what_is_held_is_answered_at_once(self, world, alice):
        alice.publish(1, {"a": 2})
        status, headers, body = ask(world, f"/listen/kept?after={at(world, 0)}")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        assert json.loads(body) == [
            {"position": at(world, 1), "data": 1},
            {"position": at(world, 2), "data": {"a": 2}},
        ]
        assert headers["X-Radiod-Position"] == at(world, 2)
        assert "X-Radiod-Recovered" not in headers
        assert headers["Cache-Control"] == "no-store"

    def test_the_next_events_are_waited_for(self, world, alice):
        alice.publish(1)
        wire = get(world, f"/listen/kept?after={at(world, 1)}")
        assert answered(wire) is None
        alice.publish(2, 3)
        wire.settle()
        status, _, body = answered(wire)
        assert (status, json.loads(body)) == (
            200,
            [{"position": at(world, 2), "data": 2}, {"position": at(world, 3), "data": 3}],
        )
        realm = world.realm
        assert (realm.space.broker.readers("kept"), world.radio.channel_polls.waiting) == (0, 0)

    def test_the_same_connection_may_poll_on(self, world, alice):
        wire = get(world, "/listen/kept?wait=5")
        for number in (1, 2):
            alice.publish(number)
            wire.settle()
            assert answered(wire).json == [{"position": at(world, number), "data": number}]
            wire.send(http.get(f"/listen/kept?after={at(world, number)}"))

    @pytest.mark.parametrize(("query", "seconds"), [("", 25), ("?wait=1.5", 1.5), ("?wait=60", 60)])
    def test_when_nothing_comes_that_is_said_after_the_wait(self, world, query, seconds):
        wire = get(world, f"/listen/kept{query}")
        world.reactor.advance(seconds - 0.01)
        assert answered(wire) is None
        world.reactor.advance(0.02)
        status, headers, body = answered(wire)
        assert (status, body, headers["X-Radiod-Position"]) == (204, b"", at(world, 0))

    def test_what_comes_in_the_turn_in_which_the_wait_is_over_is_not_missed(self, world, alice):
        wire = get(world, "/listen/kept?wait=1")
        message = json.dumps([16, 2, {}, "kept", [7]]).encode()
        input = client_frame(0x81, message)
        alice.publish(6)
        first = answered(wire).json
        assert [one["data"] for one in first] == [6]
        wire = get(world, f"/listen/kept?wait=1&after={first[0]['position']}")
        # The reactor handles input that is there before the timers that are due by then.
        world.reactor.callLater(0.999, alice.wire.transport.protocol.dataReceived, input)
        world.reactor.advance(1)
        wire.settle()
        status, _, body = answered(wire)
        assert (status, json.loads(body)) == (200, [{"position": at(world, 2), "data": 7}])

    @pytest.mark.parametrize("others", [1000, 20_000])
    def test_what_is_behind_many_events_for_others_is_not_missed(self, world, alice, others):
        for_others = {"eligible_authid": ["nobody"]}
        alice.publish(0, topic="long")
        begin = at_topic(world, "long", 1)
        alice.publish(*range(others), topic="long", **for_others)
        alice.publish("mine", topic="long")
        for _ in range(others // 10_000 + 1):
            status, headers, body = ask(world, f"/listen/long?after={begin}")
            begin = headers["X-Radiod-Position"]
            if body:
                break
            assert status == 204
        assert [one["data"] for one in json.loads(body)] == ["mine"]

    def test_no_wait_is_answered_at_once(self, world):
        assert ask(world, "/listen/kept?wait=0").status == 204

    def test_a_channel_without_positions_tells_what_comes(self, world, alice):
        wire = get(world, "/listen/plain")
        alice.publish(1, topic="plain")
        wire.settle()
        assert answered(wire).json == [{"position": None, "data": 1}]

    def test_what_happened_between_two_polls_is_not_missed(self, world, alice):
        _, headers, _ = ask(world, "/listen/kept?wait=0")
        alice.publish(1)
        _, _, body = ask(world, f"/listen/kept?after={headers['X-Radiod-Position']}")
        assert json.loads(body)[0]["data"] == 1

    @pytest.mark.parametrize(("last", "numbers"), [(1, [3]), (2, [2, 3]), (1000, [1, 2, 3])])
    def test_the_last_ones(self, world, alice, last, numbers):
        alice.publish(1, 2, 3)
        status, _, body = ask(world, f"/listen/kept?last={last}")
        assert (status, [one["data"] for one in json.loads(body)]) == (200, numbers)

    @pytest.mark.parametrize("path", ["/listen/kept?last=3", "/listen/plain?last=3"])
    def test_no_last_ones(self, world, path):
        assert ask(world, path).status == 204

    def test_a_position_that_is_gone_is_told(self, world, alice):
        alice.publish(1)
        status, headers, body = ask(world, "/listen/kept?after=gone:7")
        assert (status, headers["X-Radiod-Recovered"], len(json.loads(body))) == (200, "false", 1)

    def test_so_it_is_when_nothing_is_held(self, world, alice):
        wire = get(world, "/listen/kept?after=gone:7")
        alice.publish(1)
        wire.settle()
        _, headers, body = answered(wire)
        assert (headers["X-Radiod-Recovered"], len(json.loads(body))) == ("false", 1)

    def test_a_client_that_hangs_up_leaves_nothing_behind(self, world):
        wire = get(world, "/listen/kept")
        wire.hang_up()
        radio = world.radio
        assert (world.realm.sessions, radio.channel_polls.waiting, len(radio.clock.timers)) == ({}, 0, 0)

    def test_so_many_may_wait(self, world):
        waiting = [get(world, "/listen/kept") for _ in range(2)]
        status, headers, body = ask(world, "/listen/kept")
        assert (status, headers["Retry-After"]) == (429, "1")
        assert json.loads(body)["error"]
        waiting[0].hang_up()
        assert answered(get(world, "/listen/kept")) is None

    def test_strangers_are_refused_before_those_who_have_a_key(self, world):
        world.start(KEPT, max_connections=80)
        asked = [get(world, "/listen/kept") for _ in range(20)]
        assert [answered(wire).status for wire in asked[3:]] == [429] * 17
        assert [answered(wire) for wire in asked[:3]] == [None] * 3
        assert answered(get(world, "/listen/kept", "API-KEY: k")) is None
        assert world.radio.statistics.refused["polls"] == 17

    def test_a_server_that_stops_answers_that_nothing_came(self, world):
        wire = get(world, "/listen/kept")
        world.realm.close()
        wire.settle()
        assert answered(wire).status == 204

    def test_a_channel_that_ends_is_gone(self, world, alice):
        options = {"lifetime": 5, "history": {"size": 9}}
        alice.wire.ask([48, None, {}, "radiod.channel.create", ["new"], options])
        wire = get(world, "/listen/new")
        lines, _ = stream(world, "/listen/new", LINES)
        world.reactor.advance(5)
        wire.settle()
        assert answered(wire).status == 410
        assert lines.received() == b"0\r\n\r\n"
        assert ask(world, "/listen/new").status == 410

    def test_what_json_cannot_say_is_left_out(self, world, alice):
        realm = world.realm
        from radiod.wire.codecs import Payload

        session = next(iter(realm.sessions.values()))
        alice.publish(1)
        realm.gateway.publish(session, "kept", Payload(CBOR, b"\x81\xff", b""))
        alice.publish(3)
        _, headers, body = ask(world, f"/listen/kept?after={at(world, 0)}")
        assert [one["data"] for one in json.loads(body)] == [1, 3]
        assert headers["X-Radiod-Position"] == at(world, 3)

    def test_other_pages_may_read_the_position(self, world):
        _, headers, _ = ask(world, "/listen/kept?wait=0")
        assert headers["Access-Control-Expose-Headers"] == (
            "X-Radiod-Position, X-Radiod-Readers, X-Radiod-Recovered, X-Radiod-Lost, "
            "Idempotency-Replayed, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After"
        )

    def test_a_key_is_needed_where_one_is_given(self, world):
        assert ask(world, "/listen/kept?wait=0", "API-KEY: k").status == 204
        assert ask(world, "/listen/plain?wait=0", "API-KEY: k").status == 403


@pytest.mark.parametrize("accept", [[], [SSE], [LINES]], ids=["poll", "sse", "ndjson"])
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
def test_a_wrong_parameter_is_named(world, accept, name, value):
    status, _, body = ask(world, f"/listen/kept?{name}={value}", *accept)
    assert status == 400
    assert name in json.loads(body)["error"]


def test_after_and_last_exclude_each_other(world):
    assert ask(world, "/listen/kept?after=x:1&last=1").status == 400


def test_a_wrong_last_event_id_is_named(world):
    status, _, body = ask(world, "/listen/kept", SSE, "Last-Event-ID: \xff")
    assert (status, "Last-Event-ID" in json.loads(body)["error"]) == (400, True)


def test_unknown_parameters_mean_nothing(world):
    assert ask(world, "/listen/kept?wait=0&_=123&%ff=%ff").status == 204


def test_a_plain_websocket_goes_on_too(world, alice):
    alice.publish(1, 2, 3)
    wire = world.ask(upgrade(f"/listen/kept?after={at(world, 1)}"))
    wire.settle()
    _, _, data = wire.received().partition(b"\r\n\r\n")
    assert [payload for _, payload in server_frames(data)[0]] == [b"2", b"3"]


@pytest.mark.parametrize("query", ["after=x", "every=0", "last=-1"])
def test_a_plain_websocket_with_a_wrong_parameter_is_refused(world, query):
    wire = world.ask(upgrade(f"/listen/kept?{query}"))
    assert wire.received().startswith(b"HTTP/1.1 400 ")
