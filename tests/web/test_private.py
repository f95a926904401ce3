"""Private channels, single writers and ending channels over HTTP and plain WebSockets."""

import json

import pytest
from support.memory import WebSocketWire, Wire, make_radio, server_frames, upgrade

CONFIG = """
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]

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

SSE = "Accept: text/event-stream\r\n"


@pytest.fixture
def radio():
    return make_radio(CONFIG)


@pytest.fixture
def client(radio):
    wire = WebSocketWire(*radio)
    wire.join()
    return wire


def call(client, procedure, *args, **kwargs):
    answer = client.ask([48, None, {}, procedure, args, kwargs])
    return answer[4] if answer[0] == 8 else answer[3][0]


def listen(radio, path, *headers):
    """A stream of events, and the status that it began with."""
    wire = Wire(*radio)
    head = "".join(f"{line}\r\n" for line in headers)
    wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{SSE}{head}\r\n".encode())
    return wire, int(wire.received().split()[1])


def publish(radio, body, *headers):
    """The status and the body that answer a publish, and how many listened."""
    wire = Wire(*radio)
    content = json.dumps(body)
    head = "".join(f"{line}\r\n" for line in headers)
    wire.send(
        f"POST /publish HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(content)}\r\n\r\n{content}".encode()
    )
    head, _, answer = wire.received().partition(b"\r\n\r\n")
    readers = [line.split()[1] for line in head.split(b"\r\n") if line.startswith(b"X-Radiod-Readers")]
    return int(head.split()[1]), json.loads(answer), int(readers[0]) if readers else None


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
    def test_is_heard_with_its_key_or_an_api_key_that_names_it(self, radio, path, headers):
        stream, status = listen(radio, path, *headers)
        assert status == 200
        assert publish(radio, SAMPLE, "API-KEY: member-key") == (200, {"message": "OK"}, 1)
        assert b'data: {"a": 1}' in stream.received()

    def test_is_not_heard_without_a_key(self, radio):
        stream, status = listen(radio, "/listen/secret.net", "API-KEY: anybody-key")
        assert status == 200
        assert publish(radio, SAMPLE, "API-KEY: member-key")[2] == 0
        assert b"data:" not in stream.received()
        assert publish(radio, SAMPLE, "API-KEY: anybody-key")[2] == 1
        assert b"data:" in stream.received()

    @pytest.mark.parametrize("name", ["secret.net", "unknown"])
    def test_is_refused_like_an_unknown_one(self, radio, name):
        answers = set()
        for key in ("wrong", "open%20sesame!", ""):
            wire = Wire(*radio)
            wire.send(f"GET /listen/{name}?key={key} HTTP/1.1\r\nHost: x\r\n{SSE}\r\n".encode())
            head, _, body = wire.received().partition(b"\r\n\r\n")
            answers.add((int(head.split()[1]), body.replace(name.encode(), b"")))
        assert answers == {(403, b'{"error":"no private channel  with this key"}')}

    def test_is_in_no_list(self, radio):
        wire = Wire(*radio)
        wire.send(b"GET /channels HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"secret" not in wire.received()
        wire.send(b"GET /channels/secret.net HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.received().startswith(b"HTTP/1.1 404 ")

    def test_takes_samples_with_its_key(self, radio):
        stream, _ = listen(radio, "/listen/secret.net", "Channel-Key: open sesame")
        key = "API-KEY: anybody-key"
        assert publish(radio, SAMPLE, key, "Channel-Key: open sesame")[2] == 1
        options = {"_radiod_key": "open sesame"}
        assert publish(radio, {"topic": "secret.net", "args": [2], "options": options}, key)[2] == 1
        assert stream.received().count(b"data:") == 2
        status, answer, _ = publish(radio, SAMPLE, key, "Channel-Key: wrong")
        assert (status, answer) == (403, {"error": "no private channel secret.net with this key"})
        assert publish(radio, {"topic": "x", "options": {"_radiod_key": "y"}}, key)[1]["error"].endswith(
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
    def test_is_on_plain_websockets_too(self, radio, path, extra, status):
        wire = Wire(*radio)
        wire.send(upgrade(path, extra=extra))
        assert wire.received().startswith(f"HTTP/1.1 {status} ".encode())
        readers = publish(radio, SAMPLE, "API-KEY: member-key")[2]
        assert readers == (status == 101)
        assert len(server_frames(wire.received())[0]) == (1 if status == 101 else 0)


class TestEnding:
    @pytest.mark.parametrize("key", [None, "secret"])
    def test_finishes_event_streams(self, radio, client, key):
        arguments = {} if key is None else {"public": False, "key": key}
        control = call(client, "radiod.channel.create", "a", **arguments)["control_key"]
        query = "" if key is None else f"?key={key}"
        stream, _ = listen(radio, f"/listen/a{query}")
        client.say([16, None, {}, "a", [1]])
        assert call(client, "radiod.channel.delete", "a", control) == {"name": "a"}
        stream.settle()
        text = stream.received()
        assert b"data: 1" in text
        assert text.endswith(b"0\r\n\r\n")
        assert listen(radio, f"/listen/a{query}")[1] == 410

    def test_closes_plain_websockets(self, radio, client):
        call(client, "radiod.channel.create", "a", lifetime=5)
        wire = Wire(*radio)
        wire.send(upgrade("/listen/a"))
        wire.received()
        radio[1].advance(5)
        wire.settle()
        (frame,) = server_frames(wire.received())[0]
        assert frame == (8, (1001).to_bytes(2, "big"))

    def test_spares_streams_that_hung_up_in_time(self, radio, client):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        stream, _ = listen(radio, "/listen/a")
        stream.hang_up()
        client.say([48, None, {}, "radiod.channel.delete", ["a", control]])
        assert client.heard()[0][0] == 50

    def test_spares_streams_that_hang_up_in_the_same_turn(self, radio, client):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        stream, _ = listen(radio, "/listen/a")
        client.transport.protocol.dataReceived(
            client.frame(json.dumps([48, 2, {}, "radiod.channel.delete", ["a", control]]).encode())
        )
        stream.hang_up()
        client.settle()
        assert client.heard()[-1][0] == 50

    def test_leaves_wamp_sessions_alone(self, client, radio):
        control = call(client, "radiod.channel.create", "a")["control_key"]
        client.ask([32, None, {}, "a"])
        call(client, "radiod.channel.delete", "a", control)
        client.settle()
        assert not client.is_closed
        assert call(client, "radiod.server.info")["name"] == "radiod"


def test_a_single_writer_keeps_http_keys_out(radio, client):
    sample = {"network": "solo", "data": {}}
    assert publish(radio, sample, "API-KEY: member-key")[0] == 200
    assert call(client, "radiod.channel.open_write", "solo")["active"] is False
    assert publish(radio, sample, "API-KEY: member-key")[0] == 403
    client.hang_up()
    assert publish(radio, sample, "API-KEY: member-key")[0] == 200


def test_plain_listeners_are_demand_and_presence(radio, client):
    call(client, "radiod.channel.create", "a", presence=True)
    client.ask([32, None, {}, "radiod.channel.on_demand"])
    listen(radio, "/listen/a", "API-KEY: anybody-key")
    (event,) = client.heard()
    assert event[4] == [{"name": "a", "readers": 1, "active": True}]
    assert call(client, "radiod.presence.get", "a")["users"] == {"anybody": 1}
