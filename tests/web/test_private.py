"""Private channels, single writers and ending channels over HTTP and plain WebSockets."""

import json

import pytest
from support import http
from support.http import Answer, get
from support.memory import server_frames, upgrade

PRIVATE = """
[realms.radio.roles.open]
register = []

[realms.radio.keys.member]
key = "member-key"
publish = ["secret.net", "solo"]
listen = ["secret.net"]

[realms.radio.keys.anybody]
key = "anybody-key"
publish = ["*"]
listen = ["*"]

[realms.radio.channels."secret.net"]
public = false
key = "open sesame"
aliases = ["/secret/"]

[realms.radio.channels.solo]
single_writer = true
"""

SSE = "Accept: text/event-stream"


@pytest.fixture
def world(world):
    return world.start(PRIVATE)


@pytest.fixture
def client(world):
    return world.join()


def call(client, procedure, *args, **kwargs):
    answer = client.ask([48, None, {}, procedure, args, kwargs])
    return answer[4] if answer[0] == 8 else answer[3][0]


def listen(world, path, *headers):
    """A stream of events, and the status that it began with."""
    wire = world.ask(get(path, SSE, *headers))
    return wire, Answer(wire.received()).status


def publish(world, body, *headers):
    """The status and the body that answer a publish, and how many listened."""
    answer = Answer(world.ask(http.post("/publish", body, *headers)).received())
    readers = answer.headers.get("X-Radiod-Readers")
    return answer.status, answer.json, int(readers) if readers else None


def poll(world, path, *headers):
    """The status and the samples that answer a poll."""
    answer = Answer(world.ask(get(path, *headers)).received())
    return answer.status, [one["data"] for one in answer.json] if answer.status == 200 else None


SAMPLE = {"network": "secret.net", "data": {"a": 1}}


class TestPrivate:
    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/listen/secret.net", ["Channel-Key: open sesame"]),
            ("/listen/secret.net?key=open%20sesame", []),
            ("/listen/secret.net", ["API-KEY: member-key"]),
            ("/secret/?key=open+sesame", []),
        ],
    )
    def test_is_heard_with_its_key_or_an_api_key_that_names_it(self, world, path, headers):
        stream, status = listen(world, path, *headers)
        assert status == 200
        assert publish(world, SAMPLE, "API-KEY: member-key") == (200, {"message": "OK"}, 1)
        assert b'data: {"a": 1}' in stream.received()

    def test_is_not_heard_without_a_key(self, world):
        stream, status = listen(world, "/listen/secret.net", "API-KEY: anybody-key")
        assert status == 200
        assert publish(world, SAMPLE, "API-KEY: member-key")[2] == 0
        assert b"data:" not in stream.received()
        assert publish(world, SAMPLE, "API-KEY: anybody-key")[2] == 1
        assert b"data:" in stream.received()

    @pytest.mark.parametrize("name", ["secret.net", "unknown"])
    def test_is_refused_like_an_unknown_one(self, world, name):
        answers = set()
        for key in ("wrong", "open%20sesame!", ""):
            answer = Answer(world.ask(get(f"/listen/{name}?key={key}", SSE)).received())
            answers.add((answer.status, answer.body.replace(name.encode(), b"")))
        assert answers == {(403, b'{"error":"no private channel  with this key"}')}

    def test_is_in_no_list(self, world):
        wire = world.ask(get("/channels"))
        assert b"secret" not in wire.received()
        wire.send(get("/channels/secret.net"))
        assert wire.received().startswith(b"HTTP/1.1 404 ")

    def test_takes_samples_with_its_key(self, world):
        stream, _ = listen(world, "/listen/secret.net", "Channel-Key: open sesame")
        key = "API-KEY: anybody-key"
        assert publish(world, SAMPLE, key, "Channel-Key: open sesame")[2] == 1
        options = {"_radiod_key": "open sesame"}
        assert publish(world, {"topic": "secret.net", "args": [2], "options": options}, key)[2] == 1
        item = {"topic": "secret.net", "args": [3]}
        assert publish(world, item, key, "Channel-Key: open sesame")[2] == 1
        assert stream.received().count(b"data:") == 3
        assert publish(world, item, key, "Channel-Key: wrong")[1]["error"].endswith("bad_key")
        # An item that names its own key is for that channel.
        assert publish(world, {**item, "options": options}, key, "Channel-Key: wrong")[2] == 1
        status, answer, _ = publish(world, SAMPLE, key, "Channel-Key: wrong")
        assert (status, answer) == (403, {"error": "no private channel secret.net with this key"})
        assert publish(world, {"topic": "x", "options": {"_radiod_key": "y"}}, key)[1]["error"].endswith(
            "bad_key"
        )

    @pytest.mark.parametrize(
        ("path", "extra", "status"),
        [
            ("/listen/secret.net?key=open%20sesame", "", 101),
            ("/listen/secret.net", "Channel-Key: open sesame\r\n", 101),
            ("/listen/secret.net", "Channel-Key: wrong\r\n", 403),
            ("/listen/secret.net?key=wrong", "", 403),
        ],
    )
    def test_is_on_plain_websockets_too(self, world, path, extra, status):
        wire = world.ask(upgrade(path, extra=extra))
        assert wire.received().startswith(f"HTTP/1.1 {status} ".encode())
        readers = publish(world, SAMPLE, "API-KEY: member-key")[2]
        assert readers == (status == 101)
        assert len(server_frames(wire.received())[0]) == (1 if status == 101 else 0)

    def test_is_polled_with_its_key(self, world, client):
        call(client, "radiod.channel.create", "a", public=False, key="k", history={"size": 5})
        client.say(*([16, None, {}, "a", [n]] for n in range(3)))
        assert poll(world, "/listen/a?last=2&key=k") == (200, [1, 2])
        assert poll(world, "/listen/a?last=2") == (204, None)
        assert poll(world, "/listen/a?last=2&key=wrong")[0] == 403
        assert poll(world, "/listen/a?last=1", "Channel-Key: k") == (200, [2])


class TestEnding:
    def test_answers_polls(self, world, client):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        wire = world.ask(get("/listen/a?wait=20"))
        assert wire.received() == b""
        call(client, "radiod.channel.delete", "a", control)
        for _ in range(3):
            wire.settle()
        assert wire.received().startswith(b"HTTP/1.1 410 ")

    @pytest.mark.parametrize("key", [None, "secret"])
    def test_finishes_event_streams(self, world, client, key):
        arguments = {} if key is None else {"public": False, "key": key}
        control = call(client, "radiod.channel.create", "a", **arguments)["control_key"]
        query = "" if key is None else f"?key={key}"
        stream, _ = listen(world, f"/listen/a{query}")
        client.say([16, None, {}, "a", [1]])
        assert call(client, "radiod.channel.delete", "a", control) == {"name": "a"}
        stream.settle()
        text = stream.received()
        assert b"data: 1" in text
        assert text.endswith(b"0\r\n\r\n")
        assert listen(world, f"/listen/a{query}")[1] == 410

    def test_closes_plain_websockets(self, world, client):
        call(client, "radiod.channel.create", "a", lifetime=5)
        wire = world.ask(upgrade("/listen/a"))
        wire.received()
        world.reactor.advance(5)
        wire.settle()
        (frame,) = server_frames(wire.received())[0]
        assert frame == (8, (1001).to_bytes(2, "big"))

    def test_spares_streams_that_hung_up_in_time(self, world, client):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        stream, _ = listen(world, "/listen/a")
        stream.hang_up()
        client.say([48, None, {}, "radiod.channel.delete", ["a", control]])
        assert client.heard()[0][0] == 50

    def test_spares_streams_that_hang_up_in_the_same_turn(self, world, client):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        stream, _ = listen(world, "/listen/a")
        client.transport.protocol.dataReceived(
            client.frame(json.dumps([48, 2, {}, "radiod.channel.delete", ["a", control]]).encode())
        )
        stream.hang_up()
        client.settle()
        assert client.heard()[-1][0] == 50

    def test_leaves_wamp_sessions_alone(self, client, world):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        client.ask([32, None, {}, "a"])
        call(client, "radiod.channel.delete", "a", control)
        client.settle()
        assert not client.is_closed
        assert call(client, "radiod.server.info")["name"] == "radiod"


def test_a_single_writer_keeps_http_keys_out(world, client):
    sample = {"network": "solo", "data": {}}
    assert publish(world, sample, "API-KEY: member-key")[0] == 200
    assert call(client, "radiod.channel.open_write", "solo")["active"] is False
    assert publish(world, sample, "API-KEY: member-key")[0] == 403
    client.hang_up()
    assert publish(world, sample, "API-KEY: member-key")[0] == 200


def test_plain_listeners_are_demand_and_presence(world, client):
    call(client, "radiod.channel.create", "a", presence=True)
    client.ask([32, None, {}, "radiod.channel.on_demand"])
    listen(world, "/listen/a", "API-KEY: anybody-key")
    (event,) = client.heard()
    assert event[4] == [{"name": "a", "readers": 1, "active": True}]
    assert call(client, "radiod.presence.get", "a")["users"] == {"anybody": 1}
