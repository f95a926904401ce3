"""Connections that are refused or ended for what they sent: one line in the log, and nothing behind it."""

import pytest
from support.memory import RawSocketWire, WebSocketWire, Wire, client_frame, upgrade

PEER = "tcp:127.0.0.1:40000"


class LingeringWire(Wire):
    """As TLS: after the server has hung up bytes still come, until the peer closes its end too."""

    has_hung_up = False

    def __init__(self, *args):
        super().__init__(*args)
        self.transport.abortConnection = self.transport.loseConnection
        self.transport.loseConnection = self._linger

    def _linger(self):
        self.has_hung_up = self.transport.disconnecting = True


BAD_UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"

REFUSED = {
    "no protocol": (b"\x01\x02", "Bad Request"),
    "a control byte": (b"GET / HTTP/1.1\r\nHost: \x01\r\n\r\n", "Bad Request"),
    "an endless head": (b"GET / HTTP/1.1\r\nx: " + b"x" * 20_000, "Request Header Fields Too Large"),
    "no RawSocket serializer": (b"\x7f\xf0\x00\x00", "RawSocket handshake 7f100000"),
    "RawSocket's reserved bits": (b"\x7f\xf1\x00\x01", "RawSocket handshake 7f300000"),
    "half an upgrade": (BAD_UPGRADE, "HTTP Connection header missing"),
    "no subprotocol": (upgrade("/ws", "x" * 300), "offer one of the subprotocols"),
    "a long complaint": (
        upgrade("/ws", extra="Origin: " + "x" * 5000 + "\r\n"),
        "HTTP Origin header invalid",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_one_line_that_says_whom_and_why(world, logged, data, reason):
    wire = world.connect()
    wire.send(data)
    world.reactor.advance(60)
    assert wire.is_closed
    (line,) = logged
    assert line.startswith("refused tcp")
    assert f"127.0.0.1:40000: {reason}" in line
    assert len(line) < 300


@pytest.mark.parametrize("data", [data for data, _ in REFUSED.values()], ids=REFUSED)
def test_what_comes_behind_a_refusal_is_ignored_and_who_lingers_is_cut(world, logged, data):
    wire = world.connect(LingeringWire)
    wire.send(data)
    assert wire.has_hung_up
    assert wire.received() != b""
    for again in (data, b"\x7f\xf1\x00\x00", upgrade("/ws", "wamp.2.json"), BAD_UPGRADE):
        wire.send(again)
    assert wire.received() == b""
    world.reactor.advance(10.1)
    assert not wire.transport.connected
    assert len(logged) == 1
    assert (world.radio.port.connections, len(world.radio.clock.timers)) == (0, 0)


@pytest.mark.parametrize("start", [b"", b"G", b"GET / HTTP/1.1\r\n", b"\x7f", b"\x7f\xf1\x00"])
def test_a_handshake_that_stops_is_one_line(world, logged, start):
    wire = world.connect()
    if start:
        wire.send(start)
    world.reactor.advance(10.1)
    assert not wire.transport.connected
    (line,) = logged
    assert line.startswith("refused tcp")
    assert line.endswith("in time")


@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
def test_a_wamp_handshake_that_stops_is_one_line(world, logged, kind):
    wire = world.connect(kind)
    wire.send(wire.frame(b'[1,"radio"')[:-1])
    for _ in range(12):
        world.reactor.advance(1)
    assert not wire.transport.connected
    assert [line.partition(": ")[2] for line in logged] == ["wamp.error.timeout: the handshake took too long"]


@pytest.mark.parametrize(
    ("first", "phrase"),
    [
        (b"FOO\r\n\r\n", "Bad Request"),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", "HTTP Version Not Supported"),
    ],
)
def test_bad_requests_are_answered_once(world, logged, first, phrase):
    wire = world.connect(LingeringWire)
    wire.send(first)
    for more in (b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", first):
        wire.send(more)
    answer = wire.received().decode()
    assert answer.count("HTTP/1.1 ") == 1
    assert answer.splitlines()[0].endswith(f" {phrase}")
    assert answer.endswith(f'{{"error":"{phrase}"}}')
    assert logged == [f"refused tcp:127.0.0.1:40000: {phrase}"]


VIOLATIONS = {
    "not masked": b"\x81\x02hi",
    "too big": b"\x81\xff" + (2**62).to_bytes(8, "big") + bytes(4),
    "of the wrong kind": client_frame(0x82, b"x"),
    "not UTF-8": client_frame(0x81, b'["\xff"]'),
    "no message": client_frame(0x81, b"[]"),
}


@pytest.mark.parametrize(
    ("data", "code"), list(zip(VIOLATIONS.values(), (1002, 1009, 1003, 1007, 1002), strict=True))
)
def test_a_violation_is_one_line_and_a_close_code(world, logged, data, code):
    wire = world.connect(WebSocketWire)
    wire.send(data + data)
    *_, (opcode, payload) = wire.frames()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, code)
    world.reactor.advance(60)
    assert not wire.transport.connected
    assert len(logged) == 1
    assert "127.0.0.1:40000" in logged[0]


def test_a_rawsocket_peer_that_lingers_after_an_abort_is_cut(world, logged):
    wire = world.connect(LingeringWire)
    wire.send(b"\x7f\xf1\x00\x00" + b"\x00\x00\x00\x02[]")
    assert wire.has_hung_up
    wire.received()
    wire.send(b"\x00\x00\x00\x02[]" + b"\xff\xff\xff\xff")
    assert wire.received() == b""
    world.reactor.advance(1.6)
    assert not wire.transport.connected
    assert len(logged) == 1
