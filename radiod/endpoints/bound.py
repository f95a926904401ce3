"""Unix sockets that listen already, whoever has made them: their names are not ours to change or remove."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamServerEndpoint
from zope.interface import implementer

__all__ = ["BoundEndpoint", "BoundPort"]


class BoundPort(unix.Port):
    """A port on a socket that listens already; its name in the file system is somebody else's business.

    Twisted's own, given such a socket, would let everybody open it, and remove the name in its own way.
    """

    # Else the listening would end for all who have the socket, whoever passed it on as well.
    _shouldShutdown = False

    def __init__(self, bound: socket.socket, factory: Any, reactor: Any) -> None:
        super().__init__(bound.getsockname(), factory, reactor=reactor)
        self._bound = bound
        self._connections = factory

    def startListening(self) -> None:
        """Accept connections."""
        self._connections.doStart()  # type: ignore[no-untyped-call]
        self.socket = self._bound
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.connected = True
        self.numberAccepts = 100
        self.startReading()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Any) -> None:
        """Close the socket."""
        tcp.Port.connectionLost(self, reason)  # type: ignore[no-untyped-call]


@implementer(IStreamServerEndpoint)
class BoundEndpoint:
    """A Unix socket that somebody passed on, by its descriptor."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        """Accept connections; once."""
        try:
            bound = socket.socket(fileno=self._descriptor)
            bound.setblocking(False)
            port = BoundPort(bound, protocolFactory, self._reactor)
            port.startListening()
        except OSError:
            return fail()
        return succeed(port)
