"""The doorkeeper: who takes a connection over, and what is refused at the door."""

import pytest
from support.memory import Wire, make_radio, upgrade

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def door():
    radio, reactor = make_radio()
    return lambda: Wire(radio, reactor), radio, reactor


def test_http_is_served_however_the_request_is_cut(door):
    knock, _, _ = door
    for cut in range(1, len(REQUEST)):
        wire = knock()
        wire.send(REQUEST[:cut])
        wire.send(REQUEST[cut:])
        assert wire.received().endswith(b'{"status":"ok"}')


def test_keep_alive_serves_a_second_request_on_the_same_connection(door):
    knock, _, _ = door
    wire = knock()
    wire.send(REQUEST + REQUEST)
    assert wire.received().count(b'{"status":"ok"}') == 2


def test_websocket_rawsocket_and_http_share_the_port(door):
    knock, _, _ = door
    answers = []
    for first in (upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST):
        wire = knock()
        wire.send(first)
        answers.append(wire.received()[:12])
    assert answers == [b"HTTP/1.1 101", b"\x7f\xb1\x00\x00", b"HTTP/1.1 200"]


@pytest.mark.parametrize(
    "first", [b"\x16\x03\x01", b"{}", b"get / HTTP/1.1\r\n\r\n", b"\x00" * 8, b"\r\n\r\n"]
)
def test_what_is_no_protocol_of_ours_is_refused_at_its_first_byte(door, first):
    knock, _, _ = door
    wire = knock()
    wire.send(first)
    assert wire.received().startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


@pytest.mark.parametrize("byte", [0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x00, 0x7F])
def test_bytes_that_some_parsers_take_for_line_ends_are_refused_in_an_upgrade(door, byte):
    knock, _, _ = door
    wire = knock()
    smuggled = upgrade("/ws", "wamp.2.json", extra="X: a\vEvil: yes\r\n").replace(b"\v", bytes([byte]))
    wire.send(smuggled)
    assert wire.received().startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


def test_an_endless_request_head_is_refused(door):
    knock, _, _ = door
    wire = knock()
    wire.send(b"GET / HTTP/1.1\r\n")
    for _ in range(17):
        wire.send(b"X: " + b"y" * 1000 + b"\r\n")
    assert wire.received().startswith(b"HTTP/1.1 431 ")
    assert wire.is_closed


def test_a_slow_request_head_is_cut_however_steadily_it_drips(door):
    knock, _, reactor = door
    wire = knock()
    for byte in REQUEST[:9]:
        wire.send(bytes([byte]))
        reactor.advance(1)
    assert not wire.is_closed
    reactor.advance(1.1)
    assert wire.is_closed
    assert wire.received() == b""


def test_a_slow_request_body_is_cut(door):
    knock, _, reactor = door
    wire = knock()
    wire.send(b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    for _ in range(29):
        wire.send(b"x")
        reactor.advance(1)
    assert not wire.is_closed
    reactor.advance(1.1)
    assert wire.is_closed


def test_connections_above_the_limit_are_not_taken():
    radio, reactor = make_radio('[limits]\nmax_connections = 2\n[realms.radio]\nanonymous = "listener"')
    first, second = Wire(radio, reactor), Wire(radio, reactor)
    assert radio.port.buildProtocol(None) is None
    assert radio.port.refused == 1
    first.hang_up()
    third = Wire(radio, reactor)
    third.send(REQUEST)
    assert b"200 OK" in third.received()
    second.hang_up()
    third.hang_up()
    assert radio.port.connections == 0


@pytest.mark.parametrize("first", [b"", b"G", upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST])
def test_a_lost_connection_is_counted_out_whoever_had_it(door, first):
    knock, radio, _ = door
    wire = knock()
    if first:
        wire.send(first)
    wire.hang_up()
    assert radio.port.connections == 0


def test_nothing_keeps_the_clock_busy_after_everybody_left(door):
    knock, radio, _ = door
    wires = [knock() for _ in range(4)]
    for wire, first in zip(
        wires, (b"G", upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST), strict=True
    ):
        wire.send(first)
    for wire in wires:
        wire.hang_up()
    assert len(radio.clock.timers) == 0
