"""Listening to several channels on one connection: records, cursors, rights, losses and ends."""

import json
import random
import zlib

import pytest
from support import http
from support.config import BASE
from support.http import Answer, dechunked
from support.memory import server_frames, upgrade

from radiod.core.disclosure import Visitor
from radiod.core.history.cursors import positions
from radiod.core.history.positions import Position
from radiod.core.rights import Action
from radiod.testing import Allow, make_principal
from radiod.wire.codecs import CBOR, Payload
from radiod.wire.options import PublishOptions

SSE = "Accept: text/event-stream"
LINES = "Accept: application/x-ndjson"
KEPT = """
[realms.radio.roles.open]
register = []

[realms.radio.keys.some]
key = "some"
listen = ["a", "b", "c.*"]

[realms.radio.channels.a]
history = { size = 10000 }

[realms.radio.channels.b]
history = { size = 10000 }

[realms.radio.channels."c.x"]
history = { size = 10000 }

[realms.radio.channels.few]
history = { size = 3 }

[realms.radio.channels.plain]
"""
NOWHERE = Position("", 0)
ABC = "/listen?channel=a&channel=b&channel=c.x"


@pytest.fixture
def world(world):
    return world.start(KEPT, max_connections=1000)


@pytest.fixture
def alice(world):
    return Publisher(world)


class Publisher:
    def __init__(self, world):
        self.wire = world.join()

    def say(self, topic, *values, **options):
        self.wire.say(*([16, None, options, topic, [value]] for value in values))


class Stream:
    """An open stream, and what it has brought."""

    def __init__(self, world, path, *lines):
        self.wire = world.ask(http.get(path, *lines))
        self.wire.settle()
        answer = Answer(self.wire.received())
        self.status, self.head = answer.status, answer.headers
        self._text = dechunked(answer.body) if self.status == 200 else ""

    @property
    def text(self):
        text, self._text = self._text + dechunked(self.wire.received()), ""
        return text

    @property
    def lines(self):
        """Records of NDJSON."""
        return [json.loads(line) for line in self.text.splitlines() if line]

    @property
    def events(self):
        """(event, id, data) of Server-Sent Events; those without data are left out."""
        found = []
        for block in self.text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in fields:
                found.append((fields.get("event"), fields.get("id"), json.loads(fields["data"])))
        return found


def ask(world, path, *lines):
    wire = world.ask(http.get(path, *lines))
    wire.settle()
    return Answer(wire.received())


def pairs(records):
    return [(record["channel"], record["data"]) for record in records]


def position(world, topic):
    return str(world.realm.space.histories.find(topic).position)


# --- what comes


def test_records_name_their_channel_and_where_the_stream_goes_on(world, alice):
    stream = Stream(world, ABC, SSE)
    assert stream.head["X-Radiod-Position"].startswith("c1.")
    alice.say("a", 1)
    alice.say("c.x", {"n": 2})
    first, second = stream.events
    assert first[2] == {"channel": "a", "position": position(world, "a"), "data": 1}
    assert second[2] == {"channel": "c.x", "position": position(world, "c.x"), "data": {"n": 2}}
    assert first[1] != second[1]
    assert stream.head["X-Radiod-Position"] != first[1]


def test_an_event_source_has_an_id_before_the_first_event(world, alice):
    stream = Stream(world, ABC, SSE)
    assert stream.text == f":\n\nid: {stream.head['X-Radiod-Position']}\n\n"
    alice.say("b", "missed")
    stream.wire.hang_up()
    again = Stream(world, ABC, SSE, f"Last-Event-ID: {stream.head['X-Radiod-Position']}")
    assert [data["data"] for _, _, data in again.events] == ["missed"]


def test_lines_of_json_have_the_cursor_as_id(world, alice):
    stream = Stream(world, ABC, LINES)
    alice.say("a", 1)
    (record,) = stream.lines
    assert list(record) == ["id", "channel", "position", "data"]
    assert record["id"].startswith("c1.")


def test_a_client_of_http_1_0_gets_them_without_chunks(world, alice):
    wire = world.ask(b"GET /listen?channel=a HTTP/1.0\r\nAccept: application/x-ndjson\r\n\r\n")
    wire.received()
    alice.say("a", 1)
    assert json.loads(wire.received())["data"] == 1


@pytest.mark.parametrize("extension", ["", "permessage-deflate"])
def test_a_websocket_gets_the_same_records(world, alice, extension):
    lines = [f"Sec-WebSocket-Extensions: {extension}\r\n"] if extension else []
    wire = world.connect()
    wire.send(upgrade("/listen?channel=a&channel=c.*", extra="".join(lines)))
    assert wire.received().startswith(b"HTTP/1.1 101 ")
    alice.say("a", "x" * 200)
    alice.say("c.y", 2)
    world.wait(0)
    opened = inflated_frames(wire.received())
    assert pairs(opened) == [("a", "x" * 200), ("c.y", 2)]
    assert opened[0]["id"] == opened[1]["id"]
    wire.hang_up()
    again = world.connect()
    again.send(upgrade(f"/listen?channel=a&after={opened[0]['id']}"))
    again.received()
    alice.say("a", 3)
    assert pairs(inflated_frames(again.received())) == [("a", 3)]


def inflated_frames(data):
    found = []
    for first, payload in server_frames(data)[0]:
        if first & 0x40:
            payload = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
        found.append(json.loads(payload))
    return found


def test_a_pattern_brings_events_under_their_own_topics(world, alice):
    stream = Stream(world, "/listen?channel=c.*&channel=d..z&channel=a", LINES)
    for topic in ("c.x", "c.new.deep", "d.y.z", "d.y.no", "cc.x"):
        alice.say(topic, topic)
    alice.say("a", "a")
    records = stream.lines
    assert pairs(records) == [(name, name) for name in ("c.x", "c.new.deep", "d.y.z", "a")]
    # A channel of a pattern has positions of its own; the cursor is for what was named.
    assert records[0]["position"] == position(world, "c.x")
    assert records[1]["position"] is None
    assert records[0]["id"] == records[2]["id"] != records[3]["id"]


def test_a_stream_of_patterns_alone_has_no_cursor(world, alice):
    stream = Stream(world, "/listen?channel=c.*", SSE)
    alice.say("c.x", 1)
    assert [(id, data["data"]) for _, id, data in stream.events] == [(None, 1)]
    assert "X-Radiod-Position" not in stream.head


def test_the_star_is_everything_but_the_routers_own(world, alice):
    stream = Stream(world, "/listen?channel=*", LINES)
    alice.wire.ask([48, None, {}, "radiod.channel.create", ["made"]])
    alice.say("made", 1)
    assert pairs(stream.lines) == [("made", 1)]


def test_what_comes_by_several_names_comes_once(world, alice):
    stream = Stream(world, "/listen?channel=c.*&channel=*&channel=c.x&channel=c.x", LINES)
    alice.say("c.x", 1)
    alice.say("c.y", 2)
    alice.say("z", 3)
    records = stream.lines
    assert sorted(pairs(records)) == [("c.x", 1), ("c.y", 2), ("z", 3)]
    assert "lost" not in json.dumps(records)
    assert world.realm.space.broker.tally.undeliverable == 0


def test_one_channel_in_the_query_is_a_list_of_one(world, alice):
    stream = Stream(world, "/listen?channel=a", LINES)
    alice.say("a", 1)
    assert pairs(stream.lines) == [("a", 1)]


def test_silence_has_heartbeats(world):
    stream = Stream(world, ABC, LINES)
    assert stream.text == "\n"
    world.wait(15.1)
    assert stream.text == "\n"


def test_who_hangs_up_leaves_nothing_behind(world):
    streams = [Stream(world, ABC, SSE), Stream(world, ABC + "&channel=d.*", LINES)]
    socket = world.connect()
    socket.send(upgrade(ABC))
    poll = world.ask(http.get(ABC))
    assert len(world.realm.sessions) == 4
    for wire in (*(stream.wire for stream in streams), socket, poll):
        wire.hang_up()
    assert (world.realm.sessions, len(world.realm.space.broker), len(world.radio.clock.timers)) == ({}, 0, 0)


@pytest.mark.parametrize("lines", [[SSE], [LINES], []])
def test_head_opens_nothing(world, lines):
    for path in (ABC, "/listen/a"):
        wire = world.ask(http.request("HEAD", path, *lines))
        status, _, body = Answer(wire.received())
        assert (status, body) == (200, b"")
    assert world.realm.sessions == {}
    assert Answer(world.ask(http.request("HEAD", "/listen?channel=wamp.x", *lines)).received()).status == 400


# --- going on


def test_a_stream_goes_on_behind_its_cursor_on_each_channel(world, alice):
    stream = Stream(world, ABC, LINES)
    alice.say("a", 1)
    cursor = stream.lines[-1]["id"]
    stream.wire.hang_up()
    alice.say("b", 2)
    alice.say("a", 3)
    alice.say("c.x", 4)
    again = Stream(world, f"{ABC}&after={cursor}", LINES)
    assert sorted(pairs(again.lines)) == [("a", 3), ("b", 2), ("c.x", 4)]
    alice.say("a", 5)
    assert pairs(again.lines) == [("a", 5)]


def test_a_channel_that_the_cursor_does_not_know_begins_live(world, alice):
    alice.say("b", 1)
    cursor = Stream(world, "/listen?channel=a", LINES).head["X-Radiod-Position"]
    alice.say("a", 2)
    stream = Stream(world, f"{ABC}&after={cursor}", LINES)
    alice.say("b", 3)
    assert sorted(pairs(stream.lines)) == [("a", 2), ("b", 3)]


def test_last_counts_for_each_channel(world, alice):
    for topic in ("a", "b", "few"):
        alice.say(topic, 1, 2, 3, 4)
    path = "/listen?channel=a&channel=b&channel=few&channel=plain&channel=c.*&last=2"
    said = [("a", 3), ("a", 4), ("b", 3), ("b", 4), ("few", 3), ("few", 4)]
    assert sorted(pairs(Stream(world, path, LINES).lines)) == said
    assert sorted(pairs(ask(world, path).json)) == said


def test_a_position_that_is_gone_is_told_for_its_channel_alone(world, alice):
    stream = Stream(world, "/listen?channel=a&channel=few", SSE)
    cursor = stream.head["X-Radiod-Position"]
    stream.wire.hang_up()
    alice.say("few", 1, 2, 3, 4, 5)
    alice.say("a", 6)
    path = f"/listen?channel=a&channel=few&after={cursor}"
    events = Stream(world, path, SSE).events
    assert ("recovered", None, {"channel": "few", "recovered": False}) in events
    assert sorted(pairs(data for event, _, data in events if event is None)) == [
        ("a", 6),
        ("few", 3),
        ("few", 4),
        ("few", 5),
    ]
    records = Stream(world, path, LINES).lines
    assert [record["data"] for record in records if "recovered" in record] == [3]
    polled = ask(world, path)
    assert polled.headers["X-Radiod-Recovered"] == "false"
    assert [record["data"] for record in polled.json if "recovered" in record] == [3]


@pytest.mark.parametrize("after", ["x:1", "c2", "", "c1.short", "c1" + ".aaaaaaaae-1" * 51])
def test_what_is_no_cursor_is_refused(world, after):
    assert ask(world, f"{ABC}&after={after}").status == 400
    status, _, body = ask(world, ABC, f"Last-Event-ID: {after or 'x'}")
    assert (status, b"Last-Event-ID" in body) == (400, True)


# --- rights


@pytest.mark.parametrize(
    ("query", "status", "named"),
    [
        ("channel=a&channel=forbidden", 403, "forbidden: "),
        ("channel=a&channel=wamp.x", 400, "wamp.x is no channel"),
        ("channel=a&channel=wamp.*", 400, "wamp.* is no channel"),
        ("channel=a&channel=a%20b", 400, "'a b'"),
        ("channel=a&channel=a*", 400, "'a*'"),
        ("channel=a&channel=", 400, "lacks a channel"),
        ("channel=a&last=0", 400, "last"),
        ("channel=a&every=0", 400, "every"),
        ("&".join(f"channel=x{n}" for n in range(51)), 400, "at most 50"),
    ],
)
@pytest.mark.parametrize("lines", [[SSE], [LINES], []])
def test_one_refusal_refuses_all_and_names_the_channel(world, query, status, named, lines):
    got, _, body = ask(world, f"/listen?{query}", *lines)
    assert (got, named in json.loads(body)["error"]) == (status, True), body
    assert world.realm.sessions == {}


@pytest.mark.parametrize("path", ["/listen/a?policy=wait", "/listen?channel=a&channel=c.*&policy=wait"])
def test_a_buffer_that_it_may_not_have_is_refused_before_the_handshake(world, path):
    world.start(KEPT, base=BASE.replace("hold_publishers = true", ""))
    wire = world.connect()
    wire.send(upgrade(path))
    assert wire.received()[:12] in (b"HTTP/1.1 403", b"HTTP/1.1 400")
    assert ask(world, path).status in (400, 403)


def test_more_subscriptions_than_a_session_may_have(world):
    world.start(KEPT, max_subscriptions=2)
    for lines in ([SSE], [LINES], []):
        status, _, body = ask(world, ABC, *lines)
        assert (status, json.loads(body)["error"][:5]) == (429, "c.x: ")
    wire = world.connect()
    wire.send(upgrade(ABC))
    world.wait(0)
    _, _, frames = wire.received().partition(b"\r\n\r\n")
    ((opcode, reason),) = server_frames(frames)[0]
    assert (opcode, reason[:7]) == (8, b"\x03\xf0c.x: ")
    assert world.realm.sessions == {}


def test_a_key_of_the_configuration_listens_to_its_patterns(world):
    for query, status in (("channel=a&channel=c.*&wait=0", 204), ("channel=a&channel=*", 403)):
        assert ask(world, f"/listen?{query}", "API-KEY: some").status == status


def test_a_websocket_is_refused_in_the_same_way(world):
    wire = world.connect()
    wire.send(upgrade("/listen?channel=a&channel=forbidden"))
    assert wire.received().startswith(b"HTTP/1.1 403 forbidden: ")


PRIVATE = """
[realms.radio.roles.open]
register = []

[realms.radio.keys.member]
key = "member-key"
listen = ["*"]

[realms.radio.channels.open_one]

[realms.radio.channels.mine]
public = false
key = "open sesame"

[realms.radio.channels.yours]
public = false
key = "open sesame"

[realms.radio.channels.theirs]
public = false
key = "another"
"""


def publish_privately(world, topic, key, value):
    principal = next(iter(world.realm.sessions.values())).principal
    visitor = Visitor(99, principal)
    world.realm.gateway.publish(visitor, topic, Payload.of(value), PublishOptions(key=key))
    world.wait(0)


class TestAKey:
    """One key is tried on each channel that is named."""

    @pytest.fixture
    def world(self, world):
        return world.start(PRIVATE)

    def test_opens_those_that_it_fits(self, world):
        alice = Publisher(world)
        path = "/listen?channel=open_one&channel=mine&channel=yours&channel=theirs"
        stream = Stream(world, path, LINES, "Channel-Key: open sesame")
        publish_privately(world, "mine", "open sesame", 1)
        publish_privately(world, "yours", "open sesame", 2)
        publish_privately(world, "theirs", "another", "hidden")
        alice.say("open_one", 3)
        # Without its key, this name is a public topic.
        alice.say("theirs", 4)
        alice.say("mine", "public")
        assert pairs(stream.lines) == [("mine", 1), ("yours", 2), ("open_one", 3), ("theirs", 4)]

    @pytest.mark.parametrize("where", ["header", "query"])
    def test_that_fits_nowhere_is_a_wrong_one(self, world, where):
        path = "/listen?channel=open_one&channel=mine"
        lines = ["Channel-Key: wrong"] if where == "header" else []
        status, _, body = ask(world, path if lines else f"{path}&key=wrong", SSE, *lines)
        assert (status, json.loads(body)["error"][:10]) == (403, "open_one: ")
        assert len(world.radio.fan_out.guesses.networks) == 1

    def test_of_a_channel_that_has_ended_says_so(self, world):
        client = world.join()
        client.ask([48, None, {}, "radiod.channel.create", ["p"], {"public": False, "key": "k"}])
        client.hang_up()
        world.wait(0)
        created = world.join()
        made = created.ask([48, None, {}, "radiod.channel.create", ["q"], {"public": False, "key": "k"}])
        created.ask([48, None, {}, "radiod.channel.delete", ["q", made[3][0]["control_key"]]])
        status, _, body = ask(world, "/listen?channel=open_one&channel=q&key=k", SSE)
        assert (status, json.loads(body)["error"][:3]) == (410, "q: ")


# --- ends


def made(client, name, **options):
    return client.ask([48, None, {}, "radiod.channel.create", [name], options])[3][0]["control_key"]


def end(client, name, control_key):
    client.ask([48, None, {}, "radiod.channel.delete", [name, control_key]])


class TestEnds:
    def test_of_one_channel_is_told_and_the_others_go_on(self, world, alice):
        key = made(alice.wire, "x")
        streams = [Stream(world, "/listen?channel=a&channel=x", kind) for kind in (SSE, LINES)]
        alice.say("x", 1)
        end(alice.wire, "x", key)
        world.wait(0)
        alice.say("a", 2)
        events, lines = streams[0].events, streams[1].lines
        closed = {"channel": "x", "closed": "radiod.error.channel_closed"}
        assert events[1] == ("closed", None, closed)
        assert lines[1] == closed
        assert pairs([events[0][2], events[2][2]]) == pairs([lines[0], lines[2]]) == [("x", 1), ("a", 2)]
        assert [one.topic for one in world.realm.space.broker.subscriptions("exact")] == ["a"]
        # Whoever comes back with the same address is told which channel is in the way.
        status, _, body = ask(world, "/listen?channel=a&channel=x", SSE)
        assert (status, json.loads(body)["error"][:3]) == (410, "x: ")

    def test_of_the_last_one_ends_the_stream(self, world, alice):
        keys = {name: made(alice.wire, name) for name in ("x", "y")}
        stream = Stream(world, "/listen?channel=x&channel=y", LINES)
        stream.text  # noqa: B018
        for name, key in keys.items():
            end(alice.wire, name, key)
        world.wait(0)
        data = stream.wire.received()
        assert data.endswith(b"0\r\n\r\n")
        records = [json.loads(line) for line in dechunked(data[:-5]).splitlines() if line]
        assert [record["channel"] for record in records] == ["x", "y"]
        assert (len(world.realm.sessions), len(world.realm.space.broker)) == (1, 0)

    def test_of_one_channel_on_a_websocket(self, world, alice):
        key = made(alice.wire, "x")
        wire = world.connect()
        wire.send(upgrade("/listen?channel=a&channel=x"))
        wire.received()
        end(alice.wire, "x", key)
        world.wait(0)
        alice.say("a", 1)
        closed, record = inflated_frames(wire.received())
        assert closed == {"channel": "x", "closed": "radiod.error.channel_closed"}
        assert pairs([record]) == [("a", 1)]

    def test_of_a_pattern_comes_with_its_right(self, world, alice):
        stream = Stream(world, "/listen?channel=a&channel=c.*", LINES)
        stream.text  # noqa: B018
        sessions = [one for one in world.realm.sessions.values() if one.outlet.driver is None]
        for session in sessions:
            world.realm.revision.revise(session, Allow(Action.SUBSCRIBE, hidden={"c."}))
        world.wait(0)
        alice.say("c.x", 1)
        alice.say("a", 2)
        closed, record = stream.lines
        assert closed == {"channel": "c.*", "closed": "wamp.error.not_authorized"}
        assert pairs([record]) == [("a", 2)]

    def test_of_what_waits_is_told_with_what_was_lost(self, world, alice):
        key = made(alice.wire, "x")
        stream = Stream(world, "/listen?channel=a&channel=x", LINES)
        stream.text  # noqa: B018
        stream.wire.transport.producer.pauseProducing()
        alice.say("x", *range(120))
        alice.say("a", 1)
        end(alice.wire, "x", key)
        world.wait(0)
        stream.wire.transport.producer.resumeProducing()
        world.wait(0)
        closed, record = stream.lines
        assert closed == {"channel": "x", "closed": "radiod.error.channel_closed", "lost": 120}
        assert pairs([record]) == [("a", 1)]

    def test_of_the_server_tells_when_to_come_back(self, world):
        stream = Stream(world, ABC, SSE)
        world.realm.close()
        stream.wire.settle()
        assert b"retry: " in stream.wire.received()


# --- losses


def unsayable(world, topic):
    """An event that JSON cannot say."""
    world.realm.gateway.publish(Visitor(99, make_principal()), topic, Payload(CBOR, b"\x81\xff", b""))
    world.wait(0)


class TestLosses:
    def test_are_told_for_the_channel_that_lost(self, world, alice):
        streams = [Stream(world, "/listen?channel=a&channel=b", kind) for kind in (SSE, LINES)]
        for stream in streams:
            stream.text  # noqa: B018
            stream.wire.transport.producer.pauseProducing()
        alice.say("a", *range(110))
        alice.say("b", "whole")
        for stream in streams:
            stream.wire.transport.producer.resumeProducing()
        world.wait(0)
        events, lines = streams[0].events, streams[1].lines
        assert [data for event, _, data in events if event] == [{"channel": "a", "lost": 10}]
        assert [(one["channel"], one["data"]) for one in lines if "lost" in one] == [("a", 10)]
        assert len(lines) == 101

    def test_that_no_event_tells_have_a_record_of_their_own(self, world):
        events, lines = (Stream(world, "/listen?channel=a&channel=b", kind) for kind in (SSE, LINES))
        unsayable(world, "a")
        told = {"channel": "a", "position": position(world, "a"), "lost": 1}
        ((event, id, data),) = events.events
        assert (event, data) == ("lost", told)
        world.wait(15.1)
        (record,) = lines.lines
        assert record == {"id": id, **told}
        # And the cursor is behind it.
        again = Stream(world, f"/listen?channel=a&channel=b&after={id}", LINES)
        assert again.lines == []

    def test_of_a_pattern_are_told_under_the_pattern(self, world, alice):
        stream = Stream(world, "/listen?channel=c.*&channel=a", LINES)
        unsayable(world, "c.x")
        alice.say("c.y", 1)
        world.wait(15.1)
        (record,) = stream.lines
        assert (pairs([record]), record["lost"]) == ([("c.y", 1)], 1)

    def test_before_an_event_that_comes_twice_are_told_all_the_same(self, world, alice):
        stream = Stream(world, "/listen?channel=c.x&channel=c.*", SSE)
        unsayable(world, "c.y")
        alice.say("c.x", 1)
        events = stream.events
        assert [(event, data.get("channel"), data.get("lost")) for event, _, data in events] == [
            ("lost", "c.*", 1),
            (None, "c.x", None),
        ]

    def test_on_a_websocket_are_told_before_long(self, world):
        wire = world.connect()
        wire.send(upgrade("/listen?channel=a&channel=b"))
        wire.received()
        unsayable(world, "b")
        world.wait(15.1)
        (record,) = inflated_frames(wire.received())
        assert {**record, "id": ""} == {"id": "", "channel": "b", "position": position(world, "b"), "lost": 1}


# --- many listeners


def test_listeners_that_keep_step_get_the_same_and_others_their_own(world, alice):
    def stands(stream):
        return {name: positions("id", stream.at, ["a", "b"]).get(name, NOWHERE).seq for name in ("a", "b")}

    streams = []
    for n in range(40):
        # Every other time, the cursor says the same in another order.
        path = "/listen?channel=a&channel=b" if n % 2 else "/listen?channel=b&channel=a"
        streams += [Stream(world, path, kind) for kind in (SSE, LINES, LINES)]
        streams.append(Stream(world, "/listen?channel=b&channel=c.*", LINES))
        alice.say("a" if n % 3 else "b", n)
    for stream in streams:
        stream.text  # noqa: B018
    # One that is behind is told later what the others are told now.
    streams[4].wire.transport.producer.pauseProducing()
    alice.say("b", "all")
    alice.say("c.y", "some")
    streams[4].wire.transport.producer.resumeProducing()
    world.wait(0)
    for number, stream in enumerate(streams):
        if number % 4 == 0:
            ((_, id, data),) = stream.events
            records = [{"id": id, **data}]
        else:
            records = stream.lines
        assert pairs(records) == [("b", "all"), ("c.y", "some")][: 2 if number % 4 == 3 else 1]
        stream.at = records[-1]["id"]
        # Where each channel stood, and b behind the event.
        assert stands(stream) == {"a": 26 if number % 4 < 3 else 0, "b": 15}


# --- polls


class TestPolls:
    def test_begin_with_a_cursor(self, world, alice):
        status, headers, body = ask(world, f"{ABC}&wait=0")
        assert (status, body) == (204, b"")
        alice.say("b", 1)
        alice.say("a", 2)
        alice.say("b", 3)
        world.wait(0.002)
        alice.say("c.x", 4)
        answer = ask(world, f"{ABC}&after={headers['X-Radiod-Position']}")
        assert sorted(pairs(answer.json)) == [("a", 2), ("b", 1), ("b", 3), ("c.x", 4)]
        assert answer.json[0] == {"channel": answer.json[0]["channel"], **answer.json[0]}
        assert list(answer.json[0]) == ["channel", "position", "data"]
        assert answer.json[-1]["data"] == 4
        again = ask(world, f"{ABC}&wait=0&after={answer.headers['X-Radiod-Position']}")
        assert again.status == 204

    def test_tell_the_past_by_time(self, world, alice):
        cursor = ask(world, f"{ABC}&wait=0").headers["X-Radiod-Position"]
        said = []
        for n in range(30):
            topic = ("a", "b", "c.x")[n * n % 3]
            alice.say(topic, n)
            said.append((topic, n))
            world.wait(0.01)
        assert pairs(ask(world, f"{ABC}&after={cursor}").json) == said

    def test_tell_more_than_one_answer_holds_by_time_and_once(self, world, alice):
        cursor = ask(world, f"{ABC}&wait=0").headers["X-Radiod-Position"]
        for n in range(2500):
            alice.say("a", n)
        world.wait(0.01)
        alice.say("b", "late")
        heard = []
        while True:
            status, headers, body = ask(world, f"{ABC}&wait=0&after={cursor}")
            if status == 204:
                break
            heard += [record["data"] for record in json.loads(body)]
            cursor = headers["X-Radiod-Position"]
        assert heard == [*range(2500), "late"]

    def test_wait_for_the_first_event_of_any(self, world, alice):
        wire = world.ask(http.get("/listen?channel=a&channel=b&channel=d.*"))
        assert wire.received() == b""
        alice.say("d.new", 1)
        alice_again = ("b", 2)
        wire.settle()
        answer = Answer(wire.received())
        assert pairs(answer.json) == [("d.new", 1)]
        alice.say(*alice_again)
        cursor = answer.headers["X-Radiod-Position"]
        assert pairs(ask(world, f"/listen?channel=a&channel=b&after={cursor}").json) == [alice_again]

    def test_that_get_nothing_know_where_to_go_on(self, world, alice):
        wire = world.ask(http.get(f"{ABC}&wait=1"))
        world.wait(1.1)
        status, headers, _ = Answer(wire.received())
        assert status == 204
        alice.say("a", 1)
        assert pairs(ask(world, f"{ABC}&after={headers['X-Radiod-Position']}").json) == [("a", 1)]

    def test_tell_of_a_channel_that_ends(self, world, alice):
        keys = {name: made(alice.wire, name) for name in ("x", "y")}
        wires = [world.ask(http.get(path)) for path in ("/listen?channel=a&channel=x", "/listen?channel=y")]
        for name, key in keys.items():
            end(alice.wire, name, key)
        world.wait(0)
        for wire, name in zip(wires, keys, strict=True):
            answer = Answer(wire.received())
            assert answer.json == [{"channel": name, "closed": "radiod.error.channel_closed"}]
        assert len(world.realm.sessions) == 1

    def test_tell_what_was_lost(self, world, alice):
        cursor = ask(world, f"{ABC}&wait=0").headers["X-Radiod-Position"]
        unsayable(world, "a")
        alice.say("b", 1)
        answer = ask(world, f"{ABC}&after={cursor}")
        assert (answer.headers["X-Radiod-Lost"], answer.headers["X-Radiod-Recovered"]) == ("1", "false")
        lost = {"channel": "a", "position": position(world, "a"), "lost": 1}
        assert lost in answer.json
        assert len(answer.json) == 2
        wire = world.ask(http.get(f"{ABC}&after={answer.headers['X-Radiod-Position']}"))
        unsayable(world, "a")
        wire.settle()
        answer = Answer(wire.received())
        assert answer.json == [{"channel": "a", "position": position(world, "a"), "lost": 1}]
        assert answer.headers["X-Radiod-Lost"] == "1"
        assert ask(world, f"{ABC}&wait=0&after={answer.headers['X-Radiod-Position']}").status == 204


# --- cut off again and again


def test_a_client_that_is_cut_off_200_times_misses_and_repeats_nothing(world, alice):
    """Over every form in turn, at any byte."""
    chance = random.Random(11)
    client = Cut(world, ask(world, f"{ABC}&wait=0").headers["X-Radiod-Position"])
    said = {"a": 0, "b": 0, "c.x": 0}

    def say(most):
        for _ in range(chance.randint(0, most)):
            topic = chance.choice(list(said))
            said[topic] += 1
            alice.say(topic, said[topic])

    for cut in range(200):
        client.open(("lines", "events", "poll", "socket")[cut % 4])
        say(4)
        client.read(chance)
        say(3)
    client.open("lines")
    client.read(None)
    assert client.heard == {topic: list(range(1, count + 1)) for topic, count in said.items()}


class Cut:
    """Reads any part of what comes, then hangs up; what was read whole counts, and says where to go on."""

    def __init__(self, world, cursor):
        self.world = world
        self.cursor = cursor
        self.heard = {"a": [], "b": [], "c.x": []}

    def open(self, form):
        self.form = form
        path = f"{ABC}&after={self.cursor}"
        lines = {"lines": [LINES], "events": [SSE]}.get(form, [])
        if form == "socket":
            self.wire = self.world.connect()
            self.wire.send(upgrade(path))
        else:
            self.wire = self.world.ask(http.get(path, *lines))

    def read(self, chance):
        self.wire.settle()
        data = self.wire.received()
        self.wire.hang_up()
        data = data if chance is None else data[: chance.randint(0, len(data))]
        head, found, rest = data.partition(b"\r\n\r\n")
        if found:
            getattr(self, f"_{self.form}")(head, rest)

    def _take(self, record, cursor):
        if "data" in record:
            self.heard[record["channel"]].append(record["data"])
        assert not {"lost", "recovered"} & set(record)
        self.cursor = cursor or self.cursor

    def _lines(self, head, rest):
        for line in whole_chunks(rest).split("\n")[:-1]:
            if line:
                record = json.loads(line)
                self._take(record, record["id"])

    def _events(self, head, rest):
        for block in whole_chunks(rest).split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            assert fields.get("event") is None
            self._take(json.loads(fields.get("data", "{}")), fields.get("id"))

    def _poll(self, head, rest):
        answer = Answer(head + b"\r\n\r\n" + rest)
        if answer.status == 200 and len(rest) == int(answer.headers["Content-Length"]):
            for record in answer.json:
                self._take(record, None)
            self.cursor = answer.headers["X-Radiod-Position"]

    def _socket(self, head, rest):
        for _, payload in server_frames(rest)[0]:
            record = json.loads(payload)
            self._take(record, record["id"])


def whole_chunks(data):
    """The text of the chunks that came whole."""
    text = b""
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found or len(rest) < int(size, 16) + 2:
            return text.decode()
        text, data = text + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
