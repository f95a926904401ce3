"""Server-Sent Events, the list of channels, and the page's files."""

import json
import re

import pytest
from support.http import Answer, dechunked, request
from support.memory import upgrade

SSE = "Accept: text/event-stream"


def get(world, path, *lines):
    return world.ask(request("GET", path, *lines))


def answer(world, path, *lines):
    return Answer(get(world, path, *lines).received())


@pytest.mark.parametrize("path", ["/listen/sample_net", "/macro/sample/"])
def test_a_channel_is_served_as_server_sent_events(world, path):
    stream = get(world, path, SSE)
    head, _, body = stream.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"Content-Type: text/event-stream" in head
    assert dechunked(body) == ":\n\n"
    world.join().say([16, 1, {}, "sample_net", [{"a": 1}]], [16, 2, {}, "sample_net", [1], {"b": 2}])
    assert dechunked(stream.received()) == 'data: {"a":1}\n\ndata: {"args":[1],"kwargs":{"b":2}}\n\n'


def test_a_sample_that_spreads_over_lines_stays_one_event(world):
    stream = get(world, "/listen/sample_net", SSE)
    stream.received()
    wire = world.join()
    wire.send(wire.frame(b'[16,1,{},"sample_net",[{\r\n"a":\n1}]]'))
    assert dechunked(stream.received()) == 'data: {\ndata: "a":\ndata: 1}\n\n'


def test_a_silent_channel_has_a_heartbeat(world):
    stream = get(world, "/listen/sample_net", SSE)
    stream.received()
    world.reactor.advance(15.1)
    stream.settle()
    assert dechunked(stream.received()) == ":\n\n"


def test_a_listener_that_does_not_read_is_told_what_it_lost(world):
    stream = get(world, "/listen/sample_net", SSE)
    stream.received()
    stream.transport.producer.pauseProducing()
    world.join().say(*([16, i + 1, {}, "sample_net", [i]] for i in range(110)))
    stream.transport.producer.resumeProducing()
    text = dechunked(stream.received())
    assert text.startswith("event: lost\ndata: 10\n\ndata: 10\n\ndata: 11\n\n")
    assert text.endswith("data: 109\n\n")


def test_a_listener_that_hangs_up_leaves_nothing_behind(world):
    stream = get(world, "/listen/sample_net", SSE)
    realm = world.realm
    assert realm.space.broker.readers("sample_net") == 1
    stream.hang_up()
    assert (realm.space.broker.readers("sample_net"), realm.sessions, len(world.radio.clock.timers)) == (
        0,
        {},
        0,
    )


def test_a_stream_ends_when_the_realm_closes(world):
    stream = get(world, "/listen/sample_net", SSE)
    stream.received()
    world.realm.close()
    stream.settle()
    assert stream.received().endswith(b"0\r\n\r\n")


def test_event_sources_are_told_when_to_come_back_and_not_all_at_once(world):
    streams = [get(world, "/listen/sample_net", SSE) for _ in range(20)]
    for stream in streams:
        stream.received()
    world.realm.close()
    delays = set()
    for stream in streams:
        stream.settle()
        last_words = re.fullmatch(rb".*retry: (\d+)\n\n\r\n0\r\n\r\n", stream.received(), re.DOTALL)
        delays.add(int(last_words[1]))
    assert len(delays) > 10
    assert all(1000 <= delay <= 3000 for delay in delays)


@pytest.mark.parametrize(
    ("path", "lines", "status"),
    [
        ("/listen/forbidden", [SSE], 403),
        ("/listen/sample_net", [SSE, "API-KEY: wrong"], 403),
        ("/listen/wamp.x", [SSE], 400),
        ("/listen/a%20b", [SSE], 400),
        ("/listen/", [SSE], 400),
        ("/nowhere", [], 404),
        ("/api", [], 404),
        ("/apis/nowhere", [], 404),
        ("/static/../service.py", [], 404),
        ("/static/%2e%2e/site.py", [], 404),
        ("/static/", [], 404),
        ("/channels/nothing", [], 404),
        ("/channels?limit=0", [], 400),
        ("/channels?limit=1001", [], 400),
        ("/channels?limit=-1", [], 400),
        ("/channels?limit=x", [], 400),
        ("/channels?limit=" + "9" * 5000, [], 400),
    ],
)
def test_what_is_not_to_be_had_says_why(world, path, lines, status):
    got, _, body = answer(world, path, *lines)
    assert got == status
    assert json.loads(body)["error"]


def test_the_list_of_channels_tells_readers_and_events(world):
    get(world, "/listen/sample_net", SSE)
    world.join().say([16, 1, {}, "sample_net"])
    channel = {
        "name": "sample_net",
        "public": True,
        "events": 1,
        "expires": None,
        "readers": 1,
        "writers": 0,
        "position": None,
    }
    assert answer(world, "/channels").json == {"channels": [channel], "next": None}
    assert answer(world, "/channels/sample_net").json == channel


def test_the_list_of_channels_comes_in_pages(world):
    owner = world.join()
    for name in ("b", "a", "c.x", "c.y"):
        owner.ask([48, None, {}, "radiod.channel.create", [name]])
    page = answer(world, "/channels?limit=2").json
    assert ([channel["name"] for channel in page["channels"]], page["next"]) == (["a", "b"], "b")
    page = answer(world, "/channels?limit=2&after=b&prefix=c.").json
    assert ([channel["name"] for channel in page["channels"]], page["next"]) == (["c.x", "c.y"], None)


def test_the_page_is_served_with_a_policy_against_foreign_scripts(world):
    page = answer(world, "/")
    assert page.status == 200
    assert b"<html" in page.body
    assert "Content-Security-Policy: default-src 'self'" in page.head
    assert "X-Content-Type-Options: nosniff" in page.head


def test_pages_of_other_sites_may_listen(world):
    assert "Access-Control-Allow-Origin: *" in answer(world, "/channels").head
    assert b"Access-Control-Allow-Origin: *" in get(world, "/listen/sample_net", SSE).received()


@pytest.mark.parametrize(("path", "topic"), [("caf%C3%A9", "café"), ("50%25", "50%"), ("a%2541b", "a%41b")])
def test_names_are_utf8_and_percent_encoded_once(world, path, topic):
    stream, wire = get(world, f"/listen/{path}", SSE), world.join()
    stream.received()
    wire.ask([48, 1, {}, "radiod.channel.create", [topic]])
    wire.say([16, None, {}, topic, [1]])
    assert dechunked(stream.received()) == "data: 1\n\n"
    assert answer(world, f"/channels/{path}").json["readers"] == 1


def test_head_tells_the_length_and_nothing_else(world):
    told = Answer(world.ask(request("HEAD", "/healthz")).received())
    assert told.headers["Content-Length"] == str(len(answer(world, "/healthz").body))
    assert told.body == b""


def test_the_servers_health_is_told(world):
    assert answer(world, "/healthz").status == 200


@pytest.mark.parametrize("header", [b"API-KEY: \xe9", b"Authorization: Bearer \xff\xfe", b"Accept: \xff"])
@pytest.mark.parametrize("start", [b"GET /listen/sample_net?wait=0", b"POST /publish"])
def test_a_header_that_is_no_text_is_refused_like_any_wrong_one(world, start, header):
    wire = world.ask(b"%b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n%b\r\n\r\n" % (start, header))
    assert Answer(wire.received()).status in (204, 400, 403)


@pytest.mark.parametrize(
    ("accept", "type"),
    [
        ("*/*", b"application/json"),
        ("text/event-stream", b"text/event-stream; charset=utf-8"),
        ("application/x-ndjson", b"application/x-ndjson; charset=utf-8"),
    ],
)
def test_head_of_a_stream_tells_what_it_would_be_and_opens_none(world, accept, type):
    wire = world.connect()
    wire.send(f"HEAD /listen/sample_net HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nContent-Type: " + type in head
    assert body == b""
    assert world.realm.space.broker.readers("sample_net") == 0


@pytest.mark.parametrize("path", ["/publish", "/nowhere"])
def test_head_where_there_is_nothing_to_get_has_no_body(world, path):
    wire = world.connect()
    wire.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.split()[1] in (b"404", b"405")
    assert body == b""


def test_a_key_need_not_be_ascii(world):
    world.start('[realms.radio.keys.k]\nkey = "schlüssel"\nlisten = ["*"]', base="")
    key = "API-KEY: schlüssel\r\n".encode()
    stream = world.ask(b"GET /listen/a HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n%b\r\n" % key)
    assert stream.received().startswith(b"HTTP/1.1 200 ")
    socket = world.ask(upgrade("/listen/a", extra=key.decode("latin-1")))
    assert socket.received().startswith(b"HTTP/1.1 101 ")


def test_pages_of_other_sites_may_send_keys(world):
    wire = world.ask(request("OPTIONS", "/listen/sample_net", "Origin: http://y"))
    head = wire.received().decode()
    assert "Access-Control-Allow-Origin: *" in head
    assert "Access-Control-Allow-Headers: API-KEY, Authorization, Channel-Key, Idempotency-Key, " in head
    wire.send(request("OPTIONS", "/publish", "Origin: http://y"))
    assert "Access-Control" not in wire.received().decode()


@pytest.mark.parametrize("path", ["/listen", "/listen/"])
def test_a_path_without_a_channel_says_what_is_missing(world, path):
    status, _, body = answer(world, path)
    assert status == 400
    assert json.loads(body)["error"].startswith("the path lacks a channel: /listen/<channel>, or several: ")


def test_the_path_of_wamp_says_so_to_those_who_want_no_websocket(world):
    refusal = answer(world, "/ws")
    assert refusal.status == 426
    assert "Upgrade: websocket" in refusal.head
    assert "WebSocket" in refusal.json["error"]


def test_a_buffer_setting_that_cannot_be_read_is_told_what_it_must_be(world):
    status, _, body = answer(world, "/listen/sample_net?size=many")
    assert (status, json.loads(body)) == (400, {"error": "size must be an integer from 0 to 100000"})


HIDDEN = """
[realms.radio.roles.open]
publish = []
register = []
deny = ["secret.*"]

[realms.radio.channels."secret.plan"]
[realms.radio.channels.news]
"""


def test_what_anonymous_sessions_may_not_know_of_is_in_no_answer(world):
    world.start(HIDDEN)
    channels = answer(world, "/channels").json["channels"]
    assert [channel["name"] for channel in channels] == ["news", "sample_net"]
    told = [answer(world, f"/channels/secret.{name}") for name in ("plan", "none")]
    assert [status for status, _, _ in told] == [404, 404]
    assert told[0].body.replace(b"plan", b"none") == told[1].body
