"""What stands before a connection: the PROXY protocol, and who leaves it out."""

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import EventLoggingObserver, StringTransport
from twisted.logger import formatEvent, globalLogPublisher

from radiod.endpoints.wrapping import NeverNone, ProxiedEndpoint

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL = V2 + b"\x20\0\0\0"
PEER = IPv4Address("TCP", "127.0.0.1", 4711)


class Keeping(Protocol):
    def __init__(self):
        self.data = b""

    def dataReceived(self, data):
        self.data += data


class Endpoint:
    def listen(self, factory):
        self.factory = factory


@pytest.fixture
def lines():
    observer = EventLoggingObserver()
    globalLogPublisher.addObserver(observer)
    yield lambda: [formatEvent(event) for event in observer]
    globalLogPublisher.removeObserver(observer)


def connect(peer=PEER):
    """A connection through an endpoint for proxies. Returns: our protocol, its wrapper, its transport."""
    inner, endpoint = Keeping(), Endpoint()
    ProxiedEndpoint(endpoint).listen(NeverNone(Factory.forProtocol(lambda: inner)))
    wrapper = endpoint.factory.buildProtocol(peer)
    transport = StringTransport(peerAddress=peer)
    wrapper.makeConnection(transport)
    return inner, wrapper, transport


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"x", b"PROXY nonsense\r\n", V2 + b"\x31\0\0\0"])
def test_who_does_not_begin_with_it_is_one_line(lines, data):
    inner, wrapper, transport = connect()
    for _ in range(2):
        # What is still on its way is not told again.
        wrapper.dataReceived(data)
    assert transport.disconnecting
    assert inner.data == b""
    assert lines() == [
        "refused tcp:127.0.0.1:4711: no PROXY protocol in front: its endpoint is for proxies that speak it"
    ]


def test_over_a_unix_socket_too(lines):
    _, wrapper, _ = connect(UNIXAddress(None))
    wrapper.dataReceived(b"GET")
    (line,) = lines()
    assert line.startswith("refused UNIXAddress(")


@pytest.mark.parametrize("head", [V1, LOCAL])
def test_behind_it_everything_is_passed_on_without_a_word(lines, head):
    inner, wrapper, _ = connect()
    wrapper.dataReceived(head + b"a")
    wrapper.dataReceived(b"b")
    inner.transport.loseConnection()
    wrapper.dataReceived(b"c")
    assert inner.data == b"abc"
    assert lines() == []


def test_what_comes_in_pieces_is_waited_for(lines):
    inner, wrapper, transport = connect()
    for piece in (V1[:20], V1[20:], b"a"):
        wrapper.dataReceived(piece)
    assert not transport.disconnecting
    assert inner.data == b"a"
    assert lines() == []
