"""Server-Sent Events, the list of channels, and the page's files."""

import json
import re

import pytest
from support.memory import WebSocketWire, Wire, make_radio, upgrade

SSE = "Accept: text/event-stream\r\n"


@pytest.fixture
def radio():
    return make_radio()


def get(radio, path, extra=""):
    wire = Wire(*radio)
    wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode())
    return wire


def answer(radio, path, extra=""):
    head, _, body = get(radio, path, extra).received().partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode(), body


def events(data):
    """The chunks of an HTTP response body, joined."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
    return body.decode()


def publisher(radio):
    wire = WebSocketWire(*radio)
    wire.join()
    return wire


@pytest.mark.parametrize("path", ["/listen/sample_net", "/macro/sample/"])
def test_a_channel_is_served_as_server_sent_events(radio, path):
    stream = get(radio, path, SSE)
    head, _, body = stream.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: text/event-stream" in head
    assert events(body) == ":\n\n"
    publisher(radio).say([16, 1, {}, "sample_net", [{"a": 1}]], [16, 2, {}, "sample_net", [1], {"b": 2}])
    assert events(stream.received()) == 'data: {"a":1}\n\ndata: {"args":[1],"kwargs":{"b":2}}\n\n'


def test_a_sample_that_spreads_over_lines_stays_one_event(radio):
    stream = get(radio, "/listen/sample_net", SSE)
    stream.received()
    wire = publisher(radio)
    wire.send(wire.frame(b'[16,1,{},"sample_net",[{\r\n"a":\n1}]]'))
    assert events(stream.received()) == 'data: {\ndata: "a":\ndata: 1}\n\n'


def test_a_silent_channel_has_a_heartbeat(radio):
    stream = get(radio, "/listen/sample_net", SSE)
    stream.received()
    radio[1].advance(15.1)
    stream.settle()
    assert events(stream.received()) == ":\n\n"


def test_a_listener_that_does_not_read_is_told_what_it_lost(radio):
    stream = get(radio, "/listen/sample_net", SSE)
    stream.received()
    stream.transport.producer.pauseProducing()
    publisher(radio).say(*([16, i + 1, {}, "sample_net", [i]] for i in range(110)))
    stream.transport.producer.resumeProducing()
    text = events(stream.received())
    assert text.startswith("event: lost\ndata: 10\n\ndata: 10\n\ndata: 11\n\n")
    assert text.endswith("data: 109\n\n")


def test_a_listener_that_hangs_up_leaves_nothing_behind(radio):
    stream = get(radio, "/listen/sample_net", SSE)
    realm = radio[0].realms["radio"]
    assert realm.space.broker.readers("sample_net") == 1
    stream.hang_up()
    assert (realm.space.broker.readers("sample_net"), realm.sessions, len(radio[0].clock.timers)) == (
        0,
        {},
        0,
    )


def test_a_stream_ends_when_the_realm_closes(radio):
    stream = get(radio, "/listen/sample_net", SSE)
    stream.received()
    radio[0].realms["radio"].close()
    stream.settle()
    assert stream.received().endswith(b"0\r\n\r\n")


def test_event_sources_are_told_when_to_come_back_and_not_all_at_once(radio):
    streams = [get(radio, "/listen/sample_net", SSE) for _ in range(20)]
    for stream in streams:
        stream.received()
    radio[0].realms["radio"].close()
    delays = set()
    for stream in streams:
        stream.settle()
        last_words = re.fullmatch(rb".*retry: (\d+)\n\n\r\n0\r\n\r\n", stream.received(), re.DOTALL)
        delays.add(int(last_words[1]))
    assert len(delays) > 10
    assert all(1000 <= delay <= 3000 for delay in delays)


@pytest.mark.parametrize(
    ("path", "extra", "status"),
    [
        ("/listen/forbidden", SSE, 403),
        ("/listen/sample_net", SSE + "API-KEY: wrong\r\n", 403),
        ("/listen/wamp.x", SSE, 400),
        ("/listen/a%20b", SSE, 400),
        ("/listen/", SSE, 400),
        ("/nowhere", "", 404),
        ("/api", "", 404),
        ("/api/nowhere", "", 404),
        ("/static/../service.py", "", 404),
        ("/static/%2e%2e/site.py", "", 404),
        ("/static/", "", 404),
        ("/channels/nothing", "", 404),
        ("/channels?limit=0", "", 400),
        ("/channels?limit=1001", "", 400),
        ("/channels?limit=-1", "", 400),
        ("/channels?limit=x", "", 400),
        ("/channels?limit=" + "9" * 5000, "", 400),
    ],
)
def test_what_is_not_to_be_had_says_why(radio, path, extra, status):
    got, _, body = answer(radio, path, extra)
    assert got == status
    assert json.loads(body)["error"]


def test_the_list_of_channels_tells_readers_and_events(radio):
    get(radio, "/listen/sample_net", SSE)
    publisher(radio).say([16, 1, {}, "sample_net"])
    channel = {
        "name": "sample_net",
        "public": True,
        "events": 1,
        "expires": None,
        "readers": 1,
        "writers": 0,
        "position": None,
    }
    assert json.loads(answer(radio, "/channels")[2]) == {"channels": [channel], "next": None}
    assert json.loads(answer(radio, "/channels/sample_net")[2]) == channel


def test_the_list_of_channels_comes_in_pages(radio):
    owner = publisher(radio)
    for name in ("b", "a", "c.x", "c.y"):
        owner.ask([48, None, {}, "radiod.channel.create", [name]])
    page = json.loads(answer(radio, "/channels?limit=2")[2])
    assert ([channel["name"] for channel in page["channels"]], page["next"]) == (["a", "b"], "b")
    page = json.loads(answer(radio, "/channels?limit=2&after=b&prefix=c.")[2])
    assert ([channel["name"] for channel in page["channels"]], page["next"]) == (["c.x", "c.y"], None)


def test_the_page_is_served_with_a_policy_against_foreign_scripts(radio):
    status, head, body = answer(radio, "/")
    assert status == 200
    assert b"<html" in body
    assert "Content-Security-Policy: default-src 'self'" in head
    assert "X-Content-Type-Options: nosniff" in head


def test_pages_of_other_sites_may_listen(radio):
    assert "Access-Control-Allow-Origin: *" in answer(radio, "/channels")[1]
    assert b"Access-Control-Allow-Origin: *" in get(radio, "/listen/sample_net", SSE).received()


@pytest.mark.parametrize(("path", "topic"), [("caf%C3%A9", "café"), ("50%25", "50%"), ("a%2541b", "a%41b")])
def test_names_are_utf8_and_percent_encoded_once(radio, path, topic):
    stream, wire = get(radio, f"/listen/{path}", SSE), publisher(radio)
    stream.received()
    wire.ask([48, 1, {}, "radiod.channel.create", [topic]])
    wire.say([16, None, {}, topic, [1]])
    assert events(stream.received()) == "data: 1\n\n"
    assert json.loads(answer(radio, f"/channels/{path}")[2])["readers"] == 1


def test_head_tells_the_length_and_nothing_else(radio):
    wire = Wire(*radio)
    wire.send(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = wire.received().partition(b"\r\n\r\n")
    length = len(answer(radio, "/healthz")[2])
    assert b"Content-Length: %d" % length in head
    assert body == b""


def test_the_servers_health_is_told(radio):
    assert answer(radio, "/healthz")[0] == 200


@pytest.mark.parametrize("header", [b"API-KEY: \xe9", b"Authorization: Bearer \xff\xfe", b"Accept: \xff"])
@pytest.mark.parametrize("start", [b"GET /listen/sample_net?wait=0", b"POST /publish"])
def test_a_header_that_is_no_text_is_refused_like_any_wrong_one(radio, start, header):
    wire = Wire(*radio)
    wire.send(b"%b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n%b\r\n\r\n" % (start, header))
    assert wire.received().split()[1] in (b"204", b"400", b"403")


@pytest.mark.parametrize(
    ("accept", "type"),
    [
        ("*/*", b"application/json"),
        ("text/event-stream", b"text/event-stream; charset=utf-8"),
        ("application/x-ndjson", b"application/x-ndjson; charset=utf-8"),
    ],
)
def test_head_of_a_stream_tells_what_it_would_be_and_opens_none(radio, accept, type):
    wire = Wire(*radio)
    wire.send(f"HEAD /listen/sample_net HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nContent-Type: " + type in head
    assert body == b""
    assert radio[0].realms["radio"].space.broker.readers("sample_net") == 0


@pytest.mark.parametrize("path", ["/publish", "/nowhere"])
def test_head_where_there_is_nothing_to_get_has_no_body(radio, path):
    wire = Wire(*radio)
    wire.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.split()[1] in (b"404", b"405")
    assert body == b""


def test_a_key_need_not_be_ascii():
    radio = make_radio('[realms.radio]\n[realms.radio.keys.k]\nkey = "schlüssel"\nlisten = ["*"]')
    key = "API-KEY: schlüssel\r\n".encode()
    stream = Wire(*radio)
    stream.send(b"GET /listen/a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n%b\r\n" % key)
    assert stream.received().startswith(b"HTTP/1.1 200 ")
    socket = Wire(*radio)
    socket.send(upgrade("/listen/a", extra=key.decode("latin-1")))
    assert socket.received().startswith(b"HTTP/1.1 101 ")


def test_pages_of_other_sites_may_send_keys(radio):
    wire = Wire(*radio)
    wire.send(b"OPTIONS /listen/sample_net HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n")
    head = wire.received().decode()
    assert "Access-Control-Allow-Origin: *" in head
    assert "Access-Control-Allow-Headers: API-KEY, Authorization, Channel-Key, Last-Event-ID" in head
    wire.send(b"OPTIONS /publish HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n")
    assert "Access-Control" not in wire.received().decode()


@pytest.mark.parametrize("path", ["/listen", "/listen/"])
def test_a_path_without_a_channel_says_what_is_missing(radio, path):
    status, _, body = answer(radio, path)
    assert (status, json.loads(body)) == (400, {"error": "the path lacks a channel: /listen/<channel>"})


def test_the_path_of_wamp_says_so_to_those_who_want_no_websocket(radio):
    status, head, body = answer(radio, "/ws")
    assert status == 426
    assert "Upgrade: websocket" in head
    assert "WebSocket" in json.loads(body)["error"]


def test_a_buffer_setting_that_cannot_be_read_is_told_what_it_must_be(radio):
    status, _, body = answer(radio, "/listen/sample_net?size=many")
    assert (status, json.loads(body)) == (400, {"error": "size must be an integer from 0 to 100000"})


HIDDEN = """
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
call = ["*"]
deny = ["secret.*"]

[realms.radio.channels."secret.plan"]
[realms.radio.channels.news]
"""


def test_what_anonymous_sessions_may_not_know_of_is_in_no_answer():
    radio = make_radio(HIDDEN)
    assert [channel["name"] for channel in json.loads(answer(radio, "/channels")[2])["channels"]] == ["news"]
    told = [answer(radio, f"/channels/secret.{name}") for name in ("plan", "none")]
    assert [status for status, _, _ in told] == [404, 404]
    assert told[0][2].replace(b"plan", b"none") == told[1][2]
