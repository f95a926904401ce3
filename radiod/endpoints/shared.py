"""One TCP port for several processes: the system gives each new connection to one of them (``SO_REUSEPORT``).

A process that ends takes along the connections that waited for it to accept them; they are few, since every
turn accepts all that wait, and their clients try again.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from zope.interface import implementer

__all__ = ["SharedTcp"]


@implementer(IStreamServerEndpoint)
class SharedTcp:
    """A TCP port that other processes of the same user may listen on, too.

    Args:
        interface: an address of this machine; with a colon: IPv6. Empty: all of IPv4.
    """

    def __init__(self, reactor: Any, port: int, backlog: int, interface: str) -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog
        self._interface = interface

    def listen(self, protocolFactory: Any) -> Deferred[IListeningPort]:
        """Listen. Raises: OSError: that cannot be, as where somebody listens there who does not share."""
        family = socket.AF_INET6 if ":" in self._interface else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as listener:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((self._interface, self._port))
            listener.listen(self._backlog)
            # It has a descriptor of its own.
            return succeed(self._reactor.adoptStreamPort(listener.fileno(), family, protocolFactory))
