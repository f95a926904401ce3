"""Sockets for links, on any reactor. A plain socket is written to directly, TLS by its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from OpenSSL.SSL import Error as TlsError
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.internet.interfaces import IProtocol as TwistedProtocol
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as BaseProtocol
from twisted.python.failure import Failure

from radiod.engine.nats.link import Link
from radiod.engine.nats.options import Options
from radiod.engine.nats.outgoing import Pipe
from radiod.engine.nats.tls import Tls

__all__ = ["Dial", "dialler"]


class Attempt(Protocol):
    """A try that is under way."""

    def cancel(self) -> None:
        """Give it up."""


Dial = Callable[[Link, Callable[[Pipe], None]], Attempt]
"""Opens a socket for a link, which hears of all that happens to it; the other is told when there is room."""


def dialler(reactor: Any, options: Options) -> Dial:
    """Opens sockets by a reactor. What is heard by a link that is over is dropped."""
    tls = options.tls or Tls()

    def dial(link: Link, on_room: Callable[[Pipe], None]) -> Attempt:
        address = link.address
        endpoint: Any = HostnameEndpoint(reactor, address.host, address.port, timeout=options.attempt)
        if tls.is_first and address.is_tls:
            endpoint = wrapClientTLS(tls.creator(address.host), endpoint)
        trying: Deferred[TwistedProtocol] = endpoint.connect(_Sockets(link, tls, on_room))
        trying.addErrback(lambda failure: link.lost(_why(failure)))
        return trying

    return dial


class _Sockets(Factory):
    noisy = False

    def __init__(self, link: Link, tls: Tls, on_room: Callable[[Pipe], None]) -> None:
        self._link = link
        self._tls = tls
        self._on_room = on_room

    def buildProtocol(self, addr: IAddress | None) -> BaseProtocol:
        return Socket(self._link, self._tls, self._on_room)


class Socket(BaseProtocol):
    """A ``Pipe`` that is a Twisted protocol, and a producer for its transport.

    Until a write does not fit it goes to the socket itself: one system call, and no further turn.
    """

    def __init__(self, link: Link, tls: Tls, on_room: Callable[[Pipe], None]) -> None:
        self._link = link
        self._tls = tls
        self._on_room = on_room
        self._transport: Any = None
        self._send: Callable[[bytes], int] | None = None
        self._is_full = False
        self._is_registering = False
        self._is_lost = False

    # --- Pipe

    def write(self, data: bytes) -> bool:
        """Send. Returns: False: some of it waits."""
        if self._send is None:
            self._transport.write(data)
        else:
            sent = self._sent(data)
            if sent < len(data):
                self._leave(data[sent:])
        return not self._is_full

    def start_tls(self) -> None:
        """What comes and goes from now on is encrypted."""
        self._send = None
        self._transport.startTLS(self._tls.creator(self._link.address.host))
        self._transport.registerProducer(self, True)

    def close(self) -> None:
        """Close it when what was written has left."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def abort(self) -> None:
        """Close it now."""
        if not self._is_lost:
            self._transport.abortConnection()

    def _sent(self, data: bytes) -> int:
        # Bytes that Twisted holds must go first.
        if self._is_full or self._transport.dataBuffer or self._transport._tempDataBuffer:
            return 0
        try:
            assert self._send is not None
            return self._send(data)
        except OSError:
            # Full, or broken: Twisted finds out which, and reports a broken connection as lost.
            return 0

    def _leave(self, rest: bytes) -> None:
        """Leave ``rest`` to Twisted, as a pull producer: it is asked for more when all has left."""
        self._transport.write(rest)
        if not self._is_full:
            self._is_full = True
            # Registering asks at once, which is not yet the answer.
            self._is_registering = True
            self._transport.registerProducer(self, False)
            self._is_registering = False

    # --- of the transport: pull producers are only asked to resume

    def resumeProducing(self) -> None:
        """There is room."""
        if self._is_registering or not self._is_full:
            return
        self._is_full = False
        if self._send is not None:
            self._transport.unregisterProducer()
        self._on_room(self)

    def pauseProducing(self) -> None:
        """There is none."""
        self._is_full = True

    def stopProducing(self) -> None:
        """The connection is lost: ``connectionLost`` says so, too."""

    # --- of the protocol

    def connectionMade(self) -> None:
        """There is a connection."""
        transport: Any = self.transport
        self._transport = transport
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        if hasattr(transport, "socket") and not hasattr(transport, "wrappedProtocol"):
            self._send = transport.socket.send
        else:
            transport.registerProducer(self, True)
        self._link.made(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self._link.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is closed."""
        self._is_lost = True
        error = reason.value
        self._link.lost(
            _why(reason), is_refused=isinstance(error, VerificationError) or _is_unbelieved(error)
        )


def _why(failure: Failure) -> str:
    """What happened, in few words."""
    error: Any = failure.value
    if isinstance(error, TlsError):
        return f"TLS: {error.args[0][0][-1] if error.args and error.args[0] else 'the connection broke'}"
    if isinstance(error, VerificationError):
        return "TLS: its certificate is another server's"
    if isinstance(error, ConnectionDone | ConnectionLost):
        return "it closed the connection"
    return str(error).rstrip(".") or type(error).__name__


def _is_unbelieved(error: BaseException | None) -> bool:
    return isinstance(error, TlsError) and "certificate verify failed" in _why(Failure(error))
