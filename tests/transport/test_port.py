"""The doorkeeper: who takes a connection over, and what is refused at the door."""

import pytest
from support.memory import HEALTHY, upgrade
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.testing import StringTransportWithDisconnection

from radiod.service.settings import door as door_of
from radiod.transport.entrance import Entrance

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_http_is_served_however_the_request_is_cut(world):
    for cut in range(1, len(REQUEST)):
        wire = world.connect()
        wire.send(REQUEST[:cut])
        wire.send(REQUEST[cut:])
        assert wire.received().endswith(HEALTHY)


def test_keep_alive_serves_a_second_request_on_the_same_connection(world):
    wire = world.connect()
    wire.send(REQUEST + REQUEST)
    assert wire.received().count(HEALTHY) == 2


def test_websocket_rawsocket_and_http_share_the_port(world):
    answers = []
    for first in (upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST):
        wire = world.connect()
        wire.send(first)
        answers.append(wire.received()[:12])
    assert answers == [b"HTTP/1.1 101", b"\x7f\xb1\x00\x00", b"HTTP/1.1 200"]


@pytest.mark.parametrize(
    "first", [b"\x16\x03\x01", b"{}", b"get / HTTP/1.1\r\n\r\n", b"\x00" * 8, b"\r\n\r\n"]
)
def test_what_is_no_protocol_of_ours_is_refused_at_its_first_byte(world, first):
    wire = world.connect()
    wire.send(first)
    assert wire.received().startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


@pytest.mark.parametrize("byte", [0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x00, 0x7F])
def test_bytes_that_some_parsers_take_for_line_ends_are_refused_in_an_upgrade(world, byte):
    wire = world.connect()
    smuggled = upgrade("/ws", "wamp.2.json", extra="X: a\vEvil: yes\r\n").replace(b"\v", bytes([byte]))
    wire.send(smuggled)
    assert wire.received().startswith(b"HTTP/1.1 400 ")
    assert wire.is_closed


def test_an_endless_request_head_is_refused(world):
    wire = world.connect()
    wire.send(b"GET / HTTP/1.1\r\n")
    for _ in range(17):
        wire.send(b"X: " + b"y" * 1000 + b"\r\n")
    assert wire.received().startswith(b"HTTP/1.1 431 ")
    assert wire.is_closed


def test_a_slow_request_head_is_cut_however_steadily_it_drips(world):
    wire = world.connect()
    for byte in REQUEST[:9]:
        wire.send(bytes([byte]))
        world.reactor.advance(1)
    assert not wire.is_closed
    world.reactor.advance(1.1)
    assert wire.is_closed
    assert wire.received() == b""


def test_a_slow_request_body_is_cut(world):
    wire = world.connect()
    wire.send(b"POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    for _ in range(29):
        wire.send(b"x")
        world.reactor.advance(1)
    assert not wire.is_closed
    world.reactor.advance(1.1)
    assert wire.is_closed


def test_connections_above_the_limit_are_not_taken(world):
    world.start(max_connections=2)
    first, second = world.connect(), world.connect()
    assert world.radio.port.buildProtocol(None) is None
    assert world.radio.statistics.refused["connections"] == 1
    first.hang_up()
    third = world.connect()
    third.send(REQUEST)
    assert b"200 OK" in third.received()
    second.hang_up()
    third.hang_up()
    assert world.radio.port.connections == 0


@pytest.mark.parametrize("first", [b"", b"G", upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST])
def test_a_lost_connection_is_counted_out_whoever_had_it(world, first):
    wire = world.connect()
    if first:
        wire.send(first)
    wire.hang_up()
    assert world.radio.port.connections == 0


def test_nothing_keeps_the_clock_busy_after_everybody_left(world):
    wires = [world.connect() for _ in range(4)]
    for wire, first in zip(
        wires, (b"G", upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST), strict=True
    ):
        wire.send(first)
    for wire in wires:
        wire.hang_up()
    # Who asks nothing is looked for by one timer for all, which does not begin again when there is nobody.
    world.reactor.advance(75)
    assert len(world.radio.clock.timers) == 0


DOOR = """
[[listen]]
endpoint = "tcp:1"
trusted_proxies = ["10.0.0.0/8", "unix"]
"""


class Crowded:
    """A door through which two connections of an address are taken."""

    def __init__(self, world, endpoint="tcp:1"):
        world.start(DOOR.replace("tcp:1", endpoint), max_connections_per_address=2)
        self.reactor = world.reactor
        self.entrance = Entrance(world.radio.port, door_of(world.radio._config.listen[0]))

    def knock(self, host="192.0.2.1", late=None):
        """A connection, None if it was not taken; ``late``: the address that the PROXY protocol tells."""
        address = None if host is None else IPv4Address("TCP", host, 4711)
        protocol = self.entrance.buildProtocol(address if host is not None else UNIXAddress("/x"))
        if protocol is None:
            return None
        if late is not None:
            address = IPv4Address("TCP", late, 4711)
        transport = StringTransportWithDisconnection(peerAddress=address or UNIXAddress("/x"))
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return transport

    def status(self, transport, request=REQUEST):
        transport.protocol.dataReceived(request)
        self.reactor.advance(0)
        return bytes(transport.value())[9:12]


def through(address, request=REQUEST):
    return request.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: %b\r\n\r\n" % address)


class TestConnectionsOfOneAddress:
    def test_are_taken_up_to_the_limit_and_again_when_one_has_left(self, world):
        crowd = Crowded(world)
        first, _ = crowd.knock(), crowd.knock()
        assert crowd.knock() is None
        assert crowd.knock("192.0.2.2") is not None
        assert world.radio.statistics.refused["connections_per_address"] == 1
        first.loseConnection()
        assert crowd.knock() is not None

    @pytest.mark.parametrize("first", [b"G", upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST])
    def test_are_counted_out_whoever_had_them(self, world, first):
        crowd = Crowded(world)
        for _ in range(5):
            transport = crowd.knock()
            transport.protocol.dataReceived(first)
            transport.loseConnection()
        assert world.radio.port.connections == 0
        assert len(world.radio.port._crowd) == 0

    def test_of_one_network_of_ipv6_count_together(self, world):
        crowd = Crowded(world)
        assert [
            crowd.entrance.buildProtocol(IPv6Address("TCP", f"2001:db8::{each}", 1)) is not None
            for each in range(3)
        ] == [True, True, False]

    def test_are_not_counted_at_unix_sockets(self, world):
        crowd = Crowded(world)
        assert all(crowd.status(crowd.knock(None)) == b"200" for _ in range(5))

    @pytest.mark.parametrize("proxy", ["10.1.2.3", None])
    def test_behind_a_trusted_proxy_are_those_of_the_address_that_it_tells(self, world, proxy):
        crowd = Crowded(world)
        kinds = [through(b"192.0.2.1"), through(b"192.0.2.1", upgrade("/ws", "wamp.2.json"))]
        assert [crowd.status(crowd.knock(proxy), kind) for kind in kinds] == [b"200", b"101"]
        refused = crowd.knock(proxy)
        assert crowd.status(refused, through(b"192.0.2.1")) == b"429"
        assert crowd.status(crowd.knock(proxy), through(b"192.0.2.2")) == b"200"
        assert crowd.status(crowd.knock(proxy)) == b"200"
        refused.loseConnection()
        assert world.radio.port.connections == 4

    def test_a_proxys_connection_becomes_a_websocket_of_who_asks_for_it(self, world):
        crowd = Crowded(world)
        web = upgrade("/ws", "wamp.2.json")
        for each in range(3):
            reused = crowd.knock("10.1.2.3")
            assert crowd.status(reused, through(b"192.0.2.7")) == b"200"
            reused.clear()
            assert crowd.status(reused, through(b"192.0.2.1", web)) == (b"101" if each < 2 else b"429")
        reused.loseConnection()
        assert crowd.status(crowd.knock("10.1.2.3"), through(b"192.0.2.7")) == b"200"

    @pytest.mark.parametrize("first", [upgrade("/ws", "wamp.2.json"), b"\x7f\xf1\x00\x00", REQUEST])
    def test_with_the_proxy_protocol_are_counted_once_it_has_told(self, world, first):
        crowd = Crowded(world, "haproxy:tcp:1")
        taken = [crowd.knock("10.1.2.3", late="192.0.2.1") for _ in range(3)]
        for transport in taken:
            crowd.status(transport, first)
        assert [transport.connected for transport in taken[:2]] == [True, True]
        assert taken[2].disconnecting or not taken[2].connected
        assert crowd.knock("10.1.2.3", late="192.0.2.2") is not None
