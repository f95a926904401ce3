"""One listening port for WebSocket, RawSocket and HTTP, told apart by the first bytes.

A connection starts as ``Doorkeeper``: it reads the first byte, or a whole HTTP request head, within bounds of
time and size, and hands the connection over to the protocol that it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet.interfaces import IAddress, INegotiated, ITCPTransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from radiod.core.budgets.addresses import Crowd, network_of
from radiod.core.budgets.unfinished import Unfinished
from radiod.core.timers import Deadline
from radiod.transport.census import OTHER, Census
from radiod.transport.clock import ReactorClock
from radiod.transport.handover import put_in_place
from radiod.transport.handshakes import what_failed
from radiod.transport.limits import TransportLimits
from radiod.transport.lingering import LINGER_SECONDS, can_linger
from radiod.transport.liveness import Watch
from radiod.transport.newcomers import Newcomers
from radiod.transport.strangers import Strangers
from radiod.wire.doors import Caller, Door, Visit
from radiod.wire.heads import END_OF_HEAD, MAX_HEAD_BYTES, PHRASES, BadHead, Head, read_head
from radiod.wire.peers import peer_at, without_mapping
from radiod.wire.replies import error_reply

__all__ = ["Doorkeeper", "PortFactory"]

RAWSOCKET_MAGIC: Final = 0x7F


class Doorkeeper(TwistedProtocol):
    """Reads the beginning of one connection."""

    log = Logger()
    factory: PortFactory
    door: Door
    transport: Any
    leave: Callable[[], None] | None = None
    """Gives back the place among the connections of one address; None: it has none."""

    def connectionMade(self) -> None:
        """Start the clock."""
        self._received = b""
        self._is_refused = False
        # Whether it is in the line of newcomers.
        self._is_in_line = False
        self._deadline: Deadline = self.factory.head_deadline(self._expire)
        self.factory.strangers.add(self)
        if ITCPTransport.providedBy(self.transport):
            # A sample must not wait for the acknowledgement of the last; a peer that died must be noticed.
            self.transport.setTcpNoDelay(True)
            self.transport.setTcpKeepAlive(True)

    def dataReceived(self, data: bytes) -> None:
        """Collect until it is clear who takes over."""
        if self._is_refused:
            # Under TLS bytes come until the peer has closed its end.
            return
        if not self._received:
            self.factory.newcomers.spoke()
        received = self._received = self._received + data
        if self._is_in_line:
            return
        # One empty line before a request is nothing (RFC 9112, 2.2).
        request = received.removeprefix(b"\r\n")
        if received[0] == RAWSOCKET_MAGIC:
            self._enter_by(self._be_rawsocket)
        elif received in (b"\r", b"\r\n"):
            return
        elif not 0x41 <= request[0] <= 0x5A:
            # No HTTP method begins like this.
            self._refuse(BadHead(400))
        elif END_OF_HEAD in request:
            self._enter_by(self._take_request)
        elif len(request) > MAX_HEAD_BYTES:
            self._refuse(BadHead(431))
        else:
            self.factory.unfinished.hold(self, len(received), is_timed=False)

    def _enter_by(self, what: Callable[[], None]) -> None:
        """Let it in, when it is its turn."""
        newcomers = self.factory.newcomers
        if not newcomers.take(what):
            self._is_in_line = True
            self.transport.pauseProducing()
            newcomers.wait(partial(self._take_turn, what))

    def _take_turn(self, what: Callable[[], None]) -> None:
        if not self._is_refused:
            # First: whoever takes over may have it paused.
            self.transport.resumeProducing()
            self._is_in_line = False
            what()

    def _take_request(self) -> None:
        request = self._received.removeprefix(b"\r\n")
        end = request.index(END_OF_HEAD) + len(END_OF_HEAD)
        self._take_head(request[:end], request[end:])

    def is_read(self) -> bool:
        """The head has a clock of its own."""
        return True

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """All unfinished heads and messages are too long."""
        self.log.info("cut {peer}: {reason}", peer=self._peer(), reason=reason, event="connection_cut")
        self._received = b""
        self._is_refused = True
        self.transport.abortConnection()

    def _caller(self) -> Caller:
        """Who this is; not before there is something to read, or the PROXY protocol has not told yet."""
        transport = self.transport
        host, port = _host_and_port(transport.getPeer())
        peer = peer_at(host, port) if host is not None and port is not None else "unix"
        is_tls = INegotiated.providedBy(transport)
        return Caller(self.door, peer, host, is_tls, self.door.proxies.trust(host))

    def _take_head(self, data: bytes, rest: bytes) -> None:
        caller = self._caller()
        try:
            head = read_head(data)
            visit = caller.visit(head)
            if head.is_websocket and not self.door.upgrades(head.target.path):
                raise BadHead(404, "no such path")
            if self.leave is None and not (caller.is_proxy and visit.address == caller.address):
                # Of a proxy's connections one does not know whose they are before they say so.
                self._enter(visit.address, visit.peer)
        except BadHead as bad:
            self._refuse(bad)
            return
        self._forget()
        if head.is_websocket:
            received = data + rest
            self.factory.upgrade(self.transport, caller, visit, head, received, self._on_lost())
        else:
            self._be_http(caller, head, visit, rest)

    def _be_rawsocket(self) -> None:
        caller = self._caller()
        try:
            if not self.door.serves_radio:
                raise BadHead(404)
            if self.door.tells_peer_late:
                self._enter(caller.address, caller.peer)
        except BadHead:
            self._is_refused = True
            self.transport.abortConnection()
            return
        self._forget()
        transport = self.transport
        inner: Any = self.factory.rawsocket.buildProtocol(transport.getPeer())
        inner.on_lost = self.factory.watch.begin(transport, caller.peer, self._on_lost())
        put_in_place(transport, inner)
        inner.makeConnection(transport)
        # Autobahn has looked it up in its own way.
        inner.peer = caller.peer
        inner.dataReceived(self._received)

    def _enter(self, address: str | None, peer: str) -> None:
        """Count the connection as one of that address. Raises: BadHead: it has enough."""
        network = network_of(address)
        if network is not None and self.leave is None:
            self.leave = self.factory.enter(network, peer)
            if self.leave is None:
                raise BadHead(429, "too many connections from this address")

    def _on_lost(self) -> Callable[[], None]:
        """What the protocol that takes over calls when the connection is lost."""
        leave = self.leave
        return self.factory.connection_lost if leave is None else _Place(self.factory, leave)

    def _be_http(self, caller: Caller, head: Head, visit: Visit, rest: bytes) -> None:
        transport, place = self.transport, self._on_lost()
        on_lost = self.factory.watch.begin(transport, self._peer(), place)
        connection = self.factory.http(transport, caller, on_lost, place)
        put_in_place(transport, connection)
        connection.serve(head, visit, rest)

    def _refuse(self, bad: BadHead) -> None:
        self._is_refused = True
        phrase = PHRASES[bad.status]
        self.factory.census.answered(OTHER, bad.status)
        self.log.info(
            "refused {peer}: {phrase}", peer=self._peer(), phrase=phrase, event="connection_refused"
        )
        self.transport.write(error_reply(bad.status, str(bad), reason=phrase))
        if can_linger(self.transport):
            self._deadline.cancel()
            self._deadline = self.factory.after(LINGER_SECONDS, self._hang_up)
            self.transport.loseWriteConnection()
        else:
            self.transport.loseConnection()

    def _hang_up(self) -> None:
        self._deadline = self.factory.head_deadline(self._expire)
        self.transport.loseConnection()

    def _peer(self) -> str:
        """Where the connection comes from, as the other protocols log it."""
        return self._caller().peer

    def _expire(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            what = what_failed(self.transport, None) or "no request in time"
            self.log.info("refused {peer}: {what}", peer=self._peer(), what=what, event="connection_refused")
            self.factory.census.cuts["request_timeout"] += 1
        self.transport.abortConnection()

    def dismiss(self) -> None:
        """The server stops before the peer said anything useful."""
        self._is_refused = True
        self.transport.loseConnection()

    def _forget(self) -> None:
        self._deadline.cancel()
        self.factory.unfinished.release(self)
        self.factory.strangers.discard(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The peer left before it said anything useful, perhaps since there was no TLS to say it in."""
        if not self._received:
            self.factory.newcomers.spoke()
        self._forget()
        if not self._is_refused and INegotiated.providedBy(self.transport):
            what = what_failed(self.transport, reason)
            if what is not None:
                self.log.info(
                    "refused {peer}: {what}", peer=self._peer(), what=what, event="connection_refused"
                )
        # It may be in the line of newcomers yet.
        self._is_refused = True
        self._on_lost()()


def _peer_name(address: Any) -> str:
    return peer_at(address.host, address.port) if hasattr(address, "port") else str(address)


class _Place:
    """A connection that counts as one of an address; to be called when it is lost."""

    __slots__ = ("_leave", "_port")

    def __init__(self, port: PortFactory, leave: Callable[[], None]) -> None:
        self._port = port
        self._leave = leave

    def __call__(self) -> None:
        self._leave()
        self._port.connection_lost()

    def move(self, network: str, peer: str) -> bool:
        """Count it as one of another address from now on. Returns: False: that has enough."""
        # This one's own place may be the last.
        self._leave()
        leave = self._port.enter(network, peer)
        self._leave = leave or _nothing
        return leave is not None


def _nothing() -> None:
    """It counts as nobody's."""


class PortFactory(ServerFactory):
    """Accepts connections, up to the limit, for all listening endpoints together.

    ``websocket`` and ``rawsocket`` build protocols that take over; each calls its ``on_lost`` when its
    connection is lost. ``http`` makes one of a transport, whoever asks, its ``on_lost`` and its place.
    """

    noisy = False
    log = Logger()

    def __init__(
        self,
        clock: ReactorClock,
        settings: TransportLimits,
        strangers: Strangers,
        refused: dict[str, int],
        unfinished: Unfinished,
        *,
        websocket: Any,
        rawsocket: Any,
        http: Any,
        census: Census | None = None,
        newcomers: Newcomers | None = None,
    ) -> None:
        self.census = Census() if census is None else census
        self.newcomers = Newcomers(clock) if newcomers is None else newcomers
        self._clock = clock
        self._settings = settings
        self.strangers = strangers
        self.unfinished = unfinished
        self.websocket = websocket
        self.rawsocket = rawsocket
        self.http = http
        self.watch = Watch(clock, settings.ping_interval, settings.ping_timeout)
        self.watch.on_vanished = self._count_vanished
        self.connections = 0
        # As Statistics.refused.
        self._refused = refused
        self._crowd = Crowd(settings.max_connections_per_address)
        self._open_door = Door()
        self._on_empty: Callable[[], object] = lambda: None

    def buildProtocol(self, addr: IAddress | None) -> TwistedProtocol | None:
        """Take one more connection through a door without rules."""
        return self.admit(self._open_door, addr)

    def admit(self, door: Door, addr: IAddress | None) -> TwistedProtocol | None:
        """Take one more connection, from that address; None, which closes it, when there are too many."""
        if self.connections >= self._settings.max_connections:
            self._refused["connections"] += 1
            limit = self._settings.max_connections
            self.log.warn(
                "refused {peer}: {limit} connections are open",
                peer=_peer_name(addr),
                limit=limit,
                event="overload",
            )
            return None
        leave = None
        host, _ = _host_and_port(addr)
        if host is not None and not door.tells_peer_late and not door.proxies.trust(host):
            leave = self.enter(network_of(host) or host, _peer_name(addr))
            if leave is None:
                return None
        self.connections += 1
        self.newcomers.accepted()
        doorkeeper = Doorkeeper()
        doorkeeper.leave = leave
        doorkeeper.factory = self
        doorkeeper.door = door
        return doorkeeper

    def upgrade(
        self,
        transport: Any,
        caller: Caller,
        visit: Visit,
        head: Head,
        received: bytes,
        on_lost: Callable[[], None],
    ) -> None:
        """Make a WebSocket of a connection whose next request asks for one.

        Args:
            received: everything from that request's first byte on.
            on_lost: is called when the connection is lost.
        """
        inner: Any = self.websocket.buildProtocol(transport.getPeer())
        inner.on_lost = on_lost
        inner.visit, inner.target = visit, head.target
        put_in_place(transport, inner)
        inner.makeConnection(transport)
        inner.dataReceived(received)

    def upgrade_later(
        self,
        transport: Any,
        caller: Caller,
        visit: Visit,
        head: Head,
        received: bytes,
        on_lost: Callable[[], None],
        place: object,
    ) -> None:
        """As ``upgrade``, on a connection that has served requests: of others, perhaps, if a proxy's.

        ``place``: what it was given as its place.
        """
        network = network_of(visit.address)
        if not caller.door.upgrades(head.target.path):
            self._refuse_upgrade(transport, 404, "no such path")
            return
        if caller.is_proxy and network is not None and isinstance(place, _Place):
            is_full = not place.move(network, visit.peer)
            if is_full:
                self._refuse_upgrade(transport, 429, "too many connections from this address")
                return
        self.upgrade(transport, caller, visit, head, received, on_lost)

    def _refuse_upgrade(self, transport: Any, status: int, text: str) -> None:
        self.census.answered(OTHER, status)
        transport.write(error_reply(status, text, reason=PHRASES[status]))
        transport.loseConnection()
        self.head_deadline(transport.abortConnection)

    def _count_vanished(self) -> None:
        self.census.cuts["silent"] += 1

    def enter(self, network: str, peer: str) -> Callable[[], None] | None:
        """One more connection of that network. Returns: what gives its place back; None: it has enough."""
        leave = self._crowd.enter(network)
        if leave is None:
            self._refused["connections_per_address"] += 1
            limit = self._settings.max_connections_per_address
            self.log.warn(
                "refused {peer}: {limit} connections from its address are open",
                peer=peer,
                limit=limit,
                event="overload",
            )
        return leave

    def connection_made(self) -> None:
        """One connection more, which no limit refuses."""
        self.connections += 1

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
        return self.after(self._settings.handshake_seconds, what)

    def after(self, seconds: float, what: Any) -> Deadline:
        """Call ``what`` when so much time has passed."""
        return self._clock.timers.at(self._clock.seconds() + seconds, what)


def _host_and_port(address: Any) -> tuple[str | None, int | None]:
    """Of an address of Twisted's; None: it has none, as unix sockets."""
    host = getattr(address, "host", None)
    return host and without_mapping(host), getattr(address, "port", None)
