"""HTTP requests on one connection: heads, order, time, and upgrades, whatever came before."""

import json
import tempfile

import pytest
from support.memory import HEALTHY, DoorWire, upgrade

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
KEPT = """
[realms.radio.roles.open]
register = []
[realms.radio.keys.sample]
publish = ["*"]
[realms.radio.channels.kept]
history = { size = 1000 }
"""


@pytest.fixture
def world(world):
    return world.start(KEPT)


def body_of(data):
    return data.partition(b"\r\n\r\n")[2]


def status(wire):
    return wire.received().split(None, 2)[1].decode()


def publish(channel="kept", data='{"a":1}', extra="", path="/publish"):
    body = f'{{"network":"{channel}","data":{data}}}'.encode()
    fields = f"Host: x\r\nAPI-KEY: sample-key\r\n{extra}Content-Length: {len(body)}\r\n"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n".encode() + body


# --- what a path is


@pytest.mark.parametrize(
    "path",
    [
        "/publish/", "/publish/anything", "//publish", "/./publish", "/x/../publish", "/publish/.",
        "/publish%2f", "/%70ublish", "/PUBLISH", "/publish;x", "/api//publish", "/api/publish/", "/api",
        "/api/", "/publish%00",
    ],
)  # fmt: skip
def test_no_other_spelling_of_the_path_publishes(world, path):
    wire = world.connect()
    wire.send(publish(path=path))
    assert status(wire) == "404"


@pytest.mark.parametrize(
    "path",
    [
        "/healthz/", "/healthz/x", "/healthz%2f", "/Healthz", "/ws/", "/ws/x", "/channels/", "/static/",
        "/static", "/static/main.js/", "/static/main.js/x", "/static/%6dain.js", "/index.html", "//",
        "/listens", "/lp", "/lp/", "/static/../static/main.js", "/macro/sample",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(world, path):
    wire = world.connect()
    wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status(wire) in (("404", "405") if path.startswith("/lp") else ("404",))


@pytest.mark.parametrize(
    "path", ["/ws/", "/ws/x", "/%77s", "/WS", "//ws", "/listen", "/listen/", "/publish", "/"]
)
def test_no_other_spelling_of_the_path_upgrades(world, path):
    wire = world.connect()
    wire.send(upgrade(path, "wamp.2.json"))
    assert status(wire) == "404"


@pytest.mark.parametrize("path", ["/listen/%ff", "/listen/50%", "/channels/%ff", "/channels/%zz"])
def test_a_name_that_is_no_text_is_refused(world, path):
    wire = world.connect()
    wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert status(wire) == "400"


def test_the_same_names_are_listened_to_by_upgrade_and_by_stream(world):
    for name, topic in (
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("caf%C3%A9", "café"),
        ("a%2541b", "a%41b"),
        ("a;b", "a;b"),
    ):
        wire = world.connect()
        wire.send(upgrade(f"/listen/{name}"))
        assert status(wire) == "101"
        assert world.realm.space.broker.readers(topic) == 1
        wire.hang_up()


@pytest.mark.parametrize("authority", ["http://x", "http://elsewhere:81", "HTTPS://x", "ws://[::1]"])
def test_absolute_form_is_taken_on_every_route(world, authority):
    for request, answer in (
        (GET.replace(b"/healthz", authority.encode() + b"/healthz"), "200"),
        (publish(path=f"{authority}/publish"), "200"),
        (upgrade(f"{authority}/ws", "wamp.2.json"), "101"),
        (upgrade(f"{authority}/listen/kept?size=5"), "101"),
        (GET.replace(b"/healthz", authority.encode()), "200"),
        (GET.replace(b"/healthz", authority.encode() + b"/listen/kept?wait=0"), "204"),
    ):
        wire = world.connect()
        wire.send(request)
        assert status(wire) == answer


def test_options_of_the_whole_server(world):
    wire = world.connect()
    wire.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
    answers = wire.received()
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert answers.endswith(HEALTHY)


@pytest.mark.parametrize("first", [b"", GET])
@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\nY: b\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\rY: b\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x0bY: b\r\n\r\n", "400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n folded\r\n\r\n", "400"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "505"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "405"),
        (b"GET x:1 HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
        (b"POST /publish HTTP/1.1\r\nHost: x\r\nExpect: 200-ok\r\nContent-Length: 1\r\n\r\n", "417"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\n", "400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "414"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n", "431"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 17_000 + b"\r\n\r\n", "431"),
        (upgrade("/ws", "wamp.2.json", extra="X: a\x85b\r\n"), "400"),
    ],
)  # fmt: skip
def test_every_head_of_a_connection_is_checked_and_not_only_its_first(world, first, request_, wanted):
    wire = world.connect()
    if first:
        wire.send(first)
        wire.received()
    wire.send(request_ + GET)
    answer = wire.received()
    assert answer.split(None, 2)[1].decode() == wanted
    assert json.loads(body_of(answer))["error"]
    assert b"Connection: close\r\n" in answer
    assert answer.count(b"\r\n\r\n") == 1
    assert wire.is_closed


def test_the_old_version_needs_no_host(world):
    wire = world.connect()
    wire.send(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert status(wire) == "200"


def test_one_empty_line_before_a_request_is_nothing(world):
    for cut in (0, 1, 2, 3):
        wire = world.connect()
        data = b"\r\n" + GET + b"\r\n" + GET
        for part in (data[:cut], data[cut:]):
            if part:
                wire.send(part)
        assert wire.received().count(b"200 OK") == 2
        wire.send(b"\r\n\r\n" + GET)
        assert status(wire) == "400"


# --- upgrades


@pytest.mark.parametrize("before", [GET, GET * 3, publish(), b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"])
@pytest.mark.parametrize("cut", [0, 30])
def test_any_request_of_a_connection_may_upgrade(world, before, cut):
    wire = world.connect()
    data = before + upgrade("/ws", "wamp.2.json")
    wire.send(data[: len(before) + cut])
    wire.send(data[len(before) + cut :])
    assert wire.received().count(b"HTTP/1.1 101 ") == 1
    assert len(world.radio.http.connections) == 0
    assert world.radio.port.connections == 1
    wire.hang_up()
    assert world.radio.port.connections == 0
    world.reactor.advance(75)
    assert len(world.radio.clock.timers) == 0


def test_what_follows_a_later_upgrade_is_of_the_websocket(world):
    wire = world.connect()
    hello = b'[1,"radio",{"roles":{"subscriber":{}}}]'
    frame = bytes([0x81, 0x80 | len(hello)]) + bytes(4) + hello
    wire.send(GET + upgrade("/ws", "wamp.2.json") + frame)
    assert b"[2," in wire.received()


@pytest.mark.parametrize(
    ("offer", "wanted"), [("h2c, websocket", "101"), ("WebSocket", "101"), ("h2c", "426"), ("TLS/1.0", "426")]
)
def test_of_several_upgrades_a_websocket_is_taken_and_others_are_ignored(world, offer, wanted):
    wire = world.connect()
    wire.send(upgrade("/ws", "wamp.2.json").replace(b"Upgrade: websocket", b"Upgrade: " + offer.encode()))
    assert status(wire) == wanted


def test_a_refused_upgrade_says_why_and_nothing_else(world):
    wire = world.connect()
    wire.send(upgrade("/listen/a%0d%0aSet-Cookie:%20x=1%0d%0a%0d%0a%c3%85x%e2%80%a8"))
    head, _, body = wire.received().partition(b"\r\n\r\n")
    lines = head.decode("latin-1").splitlines()
    assert lines[0].startswith("HTTP/1.1 400 ")
    assert not [line for line in lines if line.lower().startswith("set-cookie")]
    assert [line.partition(":")[0] for line in lines[1:]] == ["Content-Type", "Content-Length", "Connection"]
    assert "Set-Cookie" in json.loads(body)["error"]


def test_no_version_is_told(world):
    wire = world.connect()
    wire.send(GET)
    assert b"\r\nServer: radiod\r\n" in wire.received()


# --- one at a time


def test_what_calls_itself_a_form_is_a_body_like_any_other(world):
    for kind in (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
    ):
        wire = world.connect()
        wire.send(publish(extra=f"Content-Type: {kind}\r\n"))
        assert status(wire) == "200"


def fill(world, size=20_000, count=20):
    wire = world.connect()
    for _ in range(count):
        wire.send(publish(data='{"a":"%s"}' % ("x" * size)))


POLL = b"GET /listen/kept?last=1000&wait=0 HTTP/1.1\r\nHost: x\r\n\r\n"


def test_nothing_is_parsed_while_an_answer_waits_to_be_read(world):
    fill(world)
    wire = world.connect()
    transport = wire.transport
    write = transport.write

    def overflow(data):
        # As a real transport does, whose buffer holds 64 KiB.
        write(data)
        if len(transport.value()) > 65_536 and transport.producer is not None:
            transport.producer.pauseProducing()

    transport.write = overflow
    wire.send(POLL * 100)
    one = len(wire.transport.value())
    assert wire.received().count(b"HTTP/1.1 200 OK") == 1
    for _ in range(99):
        transport.producer.resumeProducing()
        wire.settle()
        assert len(wire.transport.value()) == one
        wire.received()
    transport.producer.resumeProducing()
    wire.settle()
    assert wire.received() == b""


def test_a_crowd_of_requests_is_answered_in_turns(world):
    wire = world.connect()
    wire.transport.protocol.dataReceived(GET * 1000)
    world.radio.fan_out.flush()
    assert 1 <= wire.received().count(b"200 OK") < 1000
    for _ in range(10):
        wire.settle()
    wire.send(GET)
    assert wire.transport.value().endswith(HEALTHY)


def test_requests_behind_one_that_waits_are_answered_in_order(world):
    wire = world.connect()
    wire.send(b"GET /listen/kept?wait=5 HTTP/1.1\r\nHost: x\r\n\r\n" + GET + publish())
    assert wire.received() == b""
    other = world.connect()
    other.send(publish(data='{"b":2}'))
    answers = wire.received()
    assert answers.index(b'{"b":2}') < answers.index(HEALTHY) < answers.index(b'{"message":"OK"}')


def test_a_body_that_comes_in_pieces_is_followed_by_the_next_request(world):
    data = publish() + GET
    for cut in range(1, len(data)):
        wire = world.connect()
        wire.send(data[:cut])
        wire.send(data[cut:])
        answers = wire.received()
        assert answers.index(b'{"message":"OK"}') < answers.index(HEALTHY)


def test_chunks_are_followed_by_the_next_request(world):
    head = b"POST /publish HTTP/1.1\r\nHost: x\r\nAPI-KEY: sample-key\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + b'10\r\n{"network":"kept\r\n13\r\n","data":{"a":123}}\r\n0\r\n\r\n' + GET
    for cut in range(1, len(data)):
        wire = world.connect()
        wire.send(data[:cut])
        wire.send(data[cut:])
        answers = wire.received()
        assert answers.index(b'{"message":"OK"}') < answers.index(HEALTHY)


# --- time


def test_idle_time_does_not_count_against_the_next_upload(world):
    wire = world.connect()
    for _ in range(10):
        wire.send(publish())
        assert status(wire) == "200"
        world.reactor.advance(29)
        data = publish()
        # It takes its time, too: 30 s from the first byte.
        for part in (data[:1], data[1:40], data[40:-1]):
            wire.send(part)
            world.reactor.advance(9)
        wire.send(data[-1:])
        assert status(wire) == "200"
    assert not wire.is_closed


def test_an_idle_connection_is_closed_after_its_own_time(world):
    wire = world.connect()
    wire.send(GET)
    wire.received()
    world.reactor.advance(74.9)
    assert not wire.is_closed
    world.reactor.advance(0.2)
    assert wire.is_closed
    assert wire.received() == b""


def test_a_request_that_drips_is_told_that_it_took_too_long(world):
    wire = world.connect()
    wire.send(GET)
    wire.received()
    for byte in GET[:30]:
        wire.send(bytes([byte]))
        world.reactor.advance(1.001)
    assert status(wire) == "408"
    assert wire.is_closed


def test_bounds_of_time_are_configured(world):
    world.start(KEPT, http_idle_s=5, http_timeout_s=2)
    wire = world.connect()
    wire.send(GET)
    world.reactor.advance(4.9)
    wire.send(GET[:5])
    world.reactor.advance(1.9)
    assert not wire.is_closed
    world.reactor.advance(0.2)
    assert wire.is_closed


def test_heartbeats_are_configured(world):
    world.start(KEPT, heartbeat_s=2)
    wire = world.connect()
    wire.send(b"GET /listen/kept HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
    wire.received()
    world.reactor.advance(2.1)
    wire.settle()
    assert b":\n\n" in wire.received()


# --- who asks


def doored(world, rules, more=""):
    """Start a radiod whose door has these rules."""
    return world.start(f'{KEPT}\n{more}\n[[listen]]\nendpoint = "tcp:0"\n{rules}')


TRUSTED = 'trusted_proxies = ["127.0.0.1"]'
TOLD = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: radio.example.org\r\n"


@pytest.mark.parametrize(("rules", "peer"), [(TRUSTED, "tcp:203.0.113.7"), ("", "tcp:127.0.0.1:40000")])
@pytest.mark.parametrize("before", [b"", GET])
def test_the_log_names_the_real_peer_where_a_proxy_is_trusted(world, logged, rules, peer, before):
    doored(world, rules)
    wire = world.connect(DoorWire)
    wire.send(before + upgrade("/ws", "wamp.2.json", extra=TOLD))
    wire.send(_frame('[1,"radio",{"roles":{"subscriber":{}}}]'))
    wire = world.connect(DoorWire)
    body = b'{"protocols":["wamp.2.json"]}'
    head = f"POST /lp/open HTTP/1.1\r\nHost: x\r\n{TOLD}Content-Length: {len(body)}\r\n\r\n".encode()
    wire.send(before + head + body)
    name = json.loads(wire.received().rpartition(b"\r\n\r\n")[2])["transport"]
    hello = b'[1,"radio",{"roles":{"subscriber":{}}}]'
    wire.send(
        f"POST /lp/{name}/send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(hello)}\r\n\r\n".encode() + hello
    )
    joined = [line for line in logged if " joined: " in line]
    assert [line.rpartition(" from ")[2] for line in joined] == [peer, peer]


def _frame(text):
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text.encode()


@pytest.mark.parametrize(("rules", "is_secure"), [(TRUSTED, True), ("", False)])
def test_cookies_are_secure_where_the_browser_came_by_tls(world, rules, is_secure):
    doored(world, rules, "[realms.radio]\ncookie_lifetime_s = 60")
    wire = world.connect(DoorWire)
    wire.send(upgrade("/ws", "wamp.2.json", extra=TOLD))
    head = wire.received().decode()
    assert ("Set-Cookie: __Host-radiod=" in head) is is_secure
    assert ("; Secure" in head) is is_secure
    # The page's origin is that of the address which the browser knows.
    wire = world.connect(DoorWire)
    wire.send(upgrade("/ws", "wamp.2.json", extra=TOLD + "Origin: https://radio.example.org\r\n"))
    assert ("Set-Cookie" in wire.received().decode()) is is_secure


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_dns_rebinding_and_foreign_pages_are_refused_on_loopback(world, logged, before):
    doored(world, "")
    for request, wanted in (
        (GET.replace(b"Host: x", b"Host: evil.example"), "421"),
        (upgrade("/ws", "wamp.2.json").replace(b"Host: localhost", b"Host: evil.example"), "421"),
        (GET.replace(b"Host: x", b"Host: localhost\r\nOrigin: https://evil.example"), "403"),
        (upgrade("/ws", "wamp.2.json", extra="Origin: https://evil.example\r\n"), "403"),
        (upgrade("/listen/kept", extra="Origin: null\r\n"), "403"),
        (upgrade("/ws", "wamp.2.json", extra="Origin: http://localhost:3000\r\n"), "101"),
        (GET.replace(b"Host: x", b"Host: localhost:8080"), "200"),
    ):
        wire = world.connect(DoorWire, is_loopback=True)
        if before:
            wire.send(before)
            assert status(wire) == "200"
        wire.send(request)
        assert status(wire) == wanted


NAMED = 'origins = ["https://www.example.org"]'


def preflight(world, path, origin, extra=""):
    wire = world.connect(DoorWire)
    wire.send(f"OPTIONS {path} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{extra}\r\n".encode())
    head = wire.received().partition(b"\r\n\r\n")[0].decode()
    lines = head.split("\r\n")
    return lines[0].split()[1], dict(line.split(": ", 1) for line in lines[1:])


@pytest.mark.parametrize("path", ["/listen/kept", "/channels", "/lp/open", "/publish"])
def test_named_pages_may_use_everything_and_are_told_so(world, path):
    wish = "Access-Control-Request-Private-Network: true\r\n"
    got, headers = preflight(doored(world, NAMED), path, "https://www.example.org", wish)
    assert got == "200"
    assert headers["Access-Control-Allow-Origin"] == "https://www.example.org"
    assert headers["Vary"] == "Origin"
    assert headers["Access-Control-Allow-Private-Network"] == "true"
    allowed = headers["Access-Control-Allow-Headers"].lower().split(", ")
    sent = {"api-key", "authorization", "content-type", "channel-key", "last-event-id", "cache-control"}
    assert sent <= set(allowed)
    assert preflight(doored(world, NAMED), path, "https://other.example")[0] == "403"


def test_pages_of_any_site_may_read_and_no_more(world):
    doored(world, "")
    wish = "Access-Control-Request-Private-Network: true\r\n"
    for path in ("/listen/kept", "/channels", "/lp/open"):
        _, headers = preflight(world, path, "https://any.example", wish)
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Private-Network" not in headers
    _, headers = preflight(world, "/publish", "https://any.example")
    assert not [name for name in headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    "name", ["lastEventId", "lastEventID", "last-event-id", "Last-Event-ID", "evs_last_event_id"]
)
def test_polyfills_say_in_the_query_where_they_left_off(world, name):
    fill(world, size=1, count=3)
    wire = world.connect()
    wire.send(POLL)
    head = wire.received().partition(b"\r\n\r\n")[0].decode()
    epoch = json.loads(_poll(world, "last=1"))[0]["position"].split(":")[0]
    assert "200" in head
    assert [each["position"] for each in json.loads(_poll(world, f"{name}={epoch}:2"))] == [f"{epoch}:3"]
    # Newer than the address that the program was given.
    assert [each["position"] for each in json.loads(_poll(world, f"after={epoch}:0&{name}={epoch}:2"))] == [
        f"{epoch}:3"
    ]


def _poll(world, query):
    wire = world.connect()
    wire.send(f"GET /listen/kept?wait=0&{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return body_of(wire.received())


def test_a_long_body_needs_no_folder_for_temporary_files(world, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError):
        tempfile.mkstemp()
    wire = world.connect()
    data = publish(data=f'{{"a":"{"x" * 200_000}"}}')
    for start in range(0, len(data), 65_536):
        wire.send(data[start : start + 65_536])
    answer = wire.received()
    assert answer.startswith(b"HTTP/1.1 200 "), answer
