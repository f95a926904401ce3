"""One port for several: each connection goes to one of those who listen."""

import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.protocol import Factory, Protocol

from radiod.endpoints import EndpointError, listen


class Greeting(Factory):
    """Says who it is to whoever connects."""

    def __init__(self, name):
        self.name = name

    def buildProtocol(self, addr):
        protocol = Protocol()
        protocol.connectionMade = lambda: (
            protocol.transport.write(self.name.encode()),
            protocol.transport.loseConnection(),
        )
        return protocol


def refused(why):
    raise AssertionError(why)


@pytest.fixture
def open_port():
    ports = []

    def open_one(description, name="nobody"):
        listen(reactor, description, Greeting(name), ports.append, refused)
        return ports[-1]

    yield open_one
    # A port closes in a turn of its own, and says so: not into the log of the next test.
    pytest_twisted.blockon(gatherResults([maybeDeferred(port.stopListening) for port in ports]))


@pytest.mark.parametrize("kind", ["tcp:{}:interface=127.0.0.1:shared=1", r"tcp6:{}:interface=\:\:1:shared=1"])
def test_two_who_share_have_the_same_port(open_port, kind):
    port = open_port(kind.format(0)).getHost().port
    assert open_port(kind.format(port)).getHost().port == port


def test_who_does_not_share_has_it_alone(open_port):
    port = open_port("tcp:0:interface=127.0.0.1:shared=1").getHost().port
    with pytest.raises(EndpointError, match="Address already in use"):
        open_port(f"tcp:{port}:interface=127.0.0.1")
    other = open_port("tcp:0:interface=127.0.0.1").getHost().port
    with pytest.raises(EndpointError, match="Address already in use"):
        open_port(f"tcp:{other}:interface=127.0.0.1:shared=1")


def test_shared_or_not_is_said_by_one_digit(open_port):
    assert open_port("tcp:0:interface=127.0.0.1:shared=0").getHost().port
    with pytest.raises(EndpointError, match="shared: 'yes' is none of 0, 1"):
        open_port("tcp:0:shared=yes")


def test_a_port_is_not_inherited_by_programs_that_are_started(open_port):
    port = open_port("tcp:0:interface=127.0.0.1:shared=1")
    assert port.socket.type == socket.SOCK_STREAM
    assert not port.socket.get_inheritable()
