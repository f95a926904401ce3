"""An HTTP server of one route in memory: what a connection does, whatever answers."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransportWithDisconnection

from radiod.transport.http.connection import HttpConnection
from radiod.transport.http.server import HttpServer
from radiod.transport.limits import TransportLimits
from radiod.wire.answer import Answer
from radiod.wire.doors import Caller, Door

__all__ = ["Client", "Echo", "Served", "statuses"]


class Echo:
    """A route that answers with what was asked: ``requests`` are all so far. Subclasses do otherwise."""

    label = "/echo"
    is_for_watchers = False
    is_for_operators = False

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def taker(self, request: Any) -> Any:
        """The body is wanted whole."""
        return None

    def handle(self, request: Any) -> None:
        """Answer, at once."""
        self.requests.append(request)
        request.answer(Answer(200, self.said(request), b"text/plain"))

    def said(self, request: Any) -> bytes:
        """Method, path and body."""
        return b"%b %b %b" % (request.head.method, request.target.path.encode(), request.body)


class Served:
    """The server, on the clock and the outbox of a radiod in memory."""

    def __init__(self, world: Any, route: Any, **limits: Any) -> None:
        self.world = world
        self.route = route
        radio = world.radio
        self.server = HttpServer(radio.fan_out, radio.clock, lambda _: route, TransportLimits(**limits))
        self.upgraded: list[tuple[Any, bytes]] = []
        self.server.upgrade = self._upgrade

    def _upgrade(self, transport: Any, caller: Any, visit: Any, head: Any, data: bytes, *_: Any) -> None:
        self.upgraded.append((head, data))

    def connect(self, transport: Any = None) -> Client:
        """One more connection."""
        return Client(self, transport)


class _Transport(StringTransportWithDisconnection):
    """With room for so many bytes; ``is_half_closed``: only the way to the peer."""

    room = 1 << 62
    is_half_closed = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.value()) > self.room and self.producer is not None:
            self.producer.pauseProducing()

    def loseWriteConnection(self) -> None:
        self.is_half_closed = True

    def abortConnection(self) -> None:
        self.loseConnection()


class Client:
    """One connection."""

    def __init__(self, served: Served, transport: Any = None) -> None:
        self._served = served
        self.transport = transport or _Transport(peerAddress=IPv4Address("TCP", "127.0.0.1", 40_000))
        self.lost = 0
        caller = Caller(Door(), "tcp:127.0.0.1:40000", "127.0.0.1")
        self.connection = HttpConnection(served.server, self.transport, caller, self._on_lost, None)
        self.transport.protocol = self.connection

    def _on_lost(self) -> None:
        self.lost += 1

    def send(self, data: bytes) -> None:
        """Have it received, and the turn end."""
        self.connection.dataReceived(data)
        self.settle()

    def settle(self) -> None:
        """End the turn."""
        self._served.world.reactor.advance(0)

    def received(self) -> bytes:
        """What came since the last call."""
        data = bytes(self.transport.value())
        self.transport.clear()
        return data

    def read(self) -> bytes:
        """The same, of one that has kept the server waiting."""
        data = self.received()
        if self.transport.producer is not None:
            self.transport.producer.resumeProducing()
        self.settle()
        return data

    def ask(self, data: bytes) -> bytes:
        """Send, and return what comes at once."""
        self.send(data)
        return self.received()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        transport = self.transport
        return bool(transport.is_half_closed or transport.disconnecting or not transport.connected)

    def hang_up(self) -> None:
        """Close from the client's side."""
        if self.transport.connected:
            self.transport.loseConnection()


def statuses(data: bytes) -> list[int]:
    """Of all answers in there."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]
