"""The admin socket: WAMP over RawSocket, for whoever may open its file.

The kernel tells who that is. Its connections are no strangers' and have places of their own: a server that
is full of listeners can still be told to end some.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.logger import Logger

from radiod.core.realm.handshake import Gate
from radiod.transport.handover import put_in_place
from radiod.transport.port import PortFactory
from radiod.transport.rawsocket import RawSocketFactory

__all__ = ["AdminFactory", "uid_of"]

MAX_CONNECTIONS: Final = 64

CREDENTIALS: Final = struct.Struct("3i")
"""Of Linux's ``struct ucred``: process, user, group."""

PEER: Final = "unix"


def uid_of(transport: Any) -> int:
    """The user behind a connection; where the system does not tell, our own: who else may open the file?"""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return os.geteuid()
    _, uid, _ = CREDENTIALS.unpack(transport.socket.getsockopt(socket.SOL_SOCKET, option, CREDENTIALS.size))
    return int(uid)


class _Doorkeeper(Protocol):
    """Asks the kernel who has come, and hands the connection over."""

    factory: AdminFactory
    transport: Any

    def connectionMade(self) -> None:
        """Have RawSocket take over, with gates that are open."""
        self.factory.open(self.transport)


class AdminFactory(ServerFactory):
    """Takes the connections of the admin socket.

    Args:
        port: counts them with all others.
        gates: for a user's number, the ways into all realms.
        uid: of a transport's peer.
    """

    noisy = False
    log = Logger()

    def __init__(
        self,
        port: PortFactory,
        rawsocket: RawSocketFactory,
        gates: Callable[[int], Mapping[str, Gate]],
        uid: Callable[[Any], int] = uid_of,
    ) -> None:
        self._port = port
        self._rawsocket = rawsocket
        self._gates = gates
        self._uid = uid
        self.connections = 0

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Take one more connection; None, which closes it, when there are too many."""
        if self.connections >= MAX_CONNECTIONS:
            self.log.warn(
                "admin socket: refused: {limit} connections are open", limit=MAX_CONNECTIONS, event="overload"
            )
            return None
        self.connections += 1
        self._port.connection_made()
        doorkeeper = _Doorkeeper()
        doorkeeper.factory = self
        return doorkeeper

    def open(self, transport: Any) -> None:
        """Let whoever is at the other end speak RawSocket."""
        inner: Any = self._rawsocket.through(self._gates(self._uid(transport))).buildProtocol(None)
        inner.on_lost = self._connection_lost
        put_in_place(transport, inner)
        inner.makeConnection(transport)
        # Autobahn has looked it up in its own way.
        inner.peer = PEER

    def _connection_lost(self) -> None:
        self.connections -= 1
        self._port.connection_lost()
