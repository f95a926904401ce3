"""One listening port for WebSocket, RawSocket and HTTP, told apart by the first bytes.

A connection starts as ``Doorkeeper``: it reads the first byte, or a whole HTTP request head, within bounds of
time and size, and hands the connection over to the protocol that it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IAddress, INegotiated, IProtocolNegotiationFactory, ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from radiod.core.timers import Deadline
from radiod.transport.clock import ReactorClock
from radiod.transport.handover import put_in_place
from radiod.transport.handshakes import what_failed
from radiod.transport.liveness import Watch
from radiod.transport.settings import Settings

__all__ = ["Doorkeeper", "PortFactory"]

RAWSOCKET_MAGIC: Final = 0x7F
MAX_HEAD_BYTES: Final = 16_384
END_OF_HEAD: Final = b"\r\n\r\n"
IS_UPGRADE: Final = re.compile(rb"\r\nupgrade:[ \t]*websocket[ \t]*\r\n", re.IGNORECASE)

# No place in a request head. Some HTTP parsers take the later ones, and 0x85, for line ends, and so see
# headers that others do not (CVE-2026-44546 of Daphne).
CONTROL_BYTES: Final = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])
LINE_END_IN_LATIN_1: Final = b"\x85"


class Doorkeeper(TwistedProtocol):
    """Reads the beginning of one connection."""

    log = Logger()
    factory: PortFactory
    transport: Any

    def connectionMade(self) -> None:
        """Start the clock."""
        self._received = b""
        self._is_refused = False
        self._deadline: Deadline = self.factory.head_deadline(self._expire)
        if ITCPTransport.providedBy(self.transport):
            # A sample must not wait for the acknowledgement of the last; a peer that died must be noticed.
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)

    def dataReceived(self, data: bytes) -> None:
        """Collect until it is clear who takes over."""
        if self._is_refused:
            # Under TLS bytes come until the peer has closed its end.
            return
        received = self._received = self._received + data
        if received[0] == RAWSOCKET_MAGIC:
            self._hand_over(self.factory.rawsocket)
        elif not 0x41 <= received[0] <= 0x5A:
            # No HTTP method begins like this.
            self._refuse(400, "Bad Request")
        elif END_OF_HEAD in received:
            self._take_head(received[: received.index(END_OF_HEAD) + len(END_OF_HEAD)])
        elif len(received) > MAX_HEAD_BYTES:
            self._refuse(431, "Request Header Fields Too Large")

    def _take_head(self, head: bytes) -> None:
        is_upgrade = IS_UPGRADE.search(head) is not None
        forbidden = CONTROL_BYTES + LINE_END_IN_LATIN_1 if is_upgrade else CONTROL_BYTES
        if len(head) > MAX_HEAD_BYTES:
            self._refuse(431, "Request Header Fields Too Large")
        elif len(head.translate(None, forbidden)) != len(head):
            self._refuse(400, "Bad Request")
        else:
            self._hand_over(self.factory.websocket if is_upgrade else self.factory.http)

    def _hand_over(self, factory: Any) -> None:
        """Put the right protocol into this one's place; nothing of this one remains behind it."""
        self._deadline.cancel()
        transport = self.transport
        inner: Any = factory.buildProtocol(transport.getPeer())
        inner.on_lost = self.factory.connection_lost
        if factory is not self.factory.websocket:
            inner.on_lost = self.factory.watch.begin(transport, self._peer(), inner.on_lost)
        put_in_place(transport, inner)
        inner.makeConnection(transport)
        inner.dataReceived(self._received)

    def _refuse(self, status: int, phrase: str) -> None:
        self._is_refused = True
        self.log.info("refused {peer}: {phrase}", peer=self._peer(), phrase=phrase)
        answer = f"HTTP/1.1 {status} {phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.transport.write(answer.encode())
        self.transport.loseConnection()

    def _peer(self) -> str:
        """Where the connection comes from, as the other protocols log it."""
        address = self.transport.getPeer()
        return f"tcp:{address.host}:{address.port}" if hasattr(address, "port") else str(address)

    def _expire(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            what = what_failed(self.transport, None) or "no request in time"
            self.log.info("refused {peer}: {what}", peer=self._peer(), what=what)
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The peer left before it said anything useful, perhaps since there was no TLS to say it in."""
        self._deadline.cancel()
        if not self._is_refused and INegotiated.providedBy(self.transport):
            what = what_failed(self.transport, reason)
            if what is not None:
                self.log.info("refused {peer}: {what}", peer=self._peer(), what=what)
        self.factory.connection_lost()


@implementer(IProtocolNegotiationFactory)
class PortFactory(ServerFactory):
    """Accepts connections, up to the limit, for all listening endpoints together.

    For plugins' endpoints that end in TLS it says what ALPN may choose; radiod's own ask nobody.
    ``websocket``, ``rawsocket`` and ``http`` build the protocols that take over; each of those calls its
    ``on_lost`` when its connection is lost.
    """

    noisy = False
    log = Logger()

    def __init__(
        self,
        clock: ReactorClock,
        settings: Settings,
        *,
        websocket: Any,
        rawsocket: Any,
        http: Any,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self.websocket = websocket
        self.rawsocket = rawsocket
        self.http = http
        self.watch = Watch(clock, settings.ping_interval, settings.ping_timeout)
        self.connections = 0
        self.refused = 0
        self._on_empty: Callable[[], object] = lambda: None

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS clients may choose by ALPN."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol | None:
        """Take one more connection; None, which closes it, when there are too many."""
        if self.connections >= self._settings.max_connections:
            self.refused += 1
            self.log.warn("refused a connection: {limit} are open", limit=self._settings.max_connections)
            return None
        self.connections += 1
        doorkeeper = Doorkeeper()
        doorkeeper.factory = self
        return doorkeeper

    def connection_lost(self) -> None:
        """One connection less."""
        self.connections -= 1
        if not self.connections:
            self._on_empty()

    def when_empty(self, what: Callable[[], object]) -> None:
        """Call ``what`` when no connection is left, which may be now."""
        self._on_empty = what
        if not self.connections:
            what()

    def head_deadline(self, what: Any) -> Deadline:
        """Call ``what`` when a connection has had all the time it gets for its first request head."""
        return self._clock.timers.at(self._clock.seconds() + self._settings.handshake_seconds, what)
