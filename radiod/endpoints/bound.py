"""Unix sockets that listen already, whoever has made them: their names are not ours to change or remove."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix

__all__ = ["BoundPort"]


class BoundPort(unix.Port):
    """A port on a socket that listens already; its name in the file system is somebody else's business.

    Twisted's own, given such a socket, would let everybody open it, and remove the name in its own way.
    """

    is_adopted = True
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
