"""Listening sockets that somebody else has opened and passes on, as systemd does (``sd_listen_fds(3)``).

They are found by their names, of which systemd gives every socket of a unit the same one. Twisted knows their
descriptors, since it has taken them out of the environment, and leaves the names there.

Whose sockets they are they stay: the file of a Unix socket is neither changed nor removed. Twisted's own
endpoint would make it everybody's (0666), which fails where it is root's, and remove it when it stops, so
that nobody could connect any more.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.plugins.twisted_core import systemdEndpointParser
from zope.interface import implementer

from radiod.endpoints.bound import BoundPort
from radiod.endpoints.descriptions import EndpointError

__all__ = ["BACKLOG", "DOMAINS", "PassedOn"]

BACKLOG: Final = 4096
"""Connections that may wait to be accepted: with Twisted's 50, most of 500 that come at once try again a
second later. Linux itself allows no more, unless told to (``net.core.somaxconn``)."""

DOMAINS: Final = ("INET", "INET6", "UNIX")

taken: Final[set[int]] = set()
"""The places, among those that were passed on, of sockets that are in use: their descriptors belong to others
by now. One list for the process, as its descriptors are."""


@implementer(IStreamServerEndpoint)
class PassedOn:
    """A socket by its name, or by its place among all.

    Args:
        domain: which it must be of; None: any.
    """

    def __init__(self, reactor: Any, domain: str | None, which: str | int) -> None:
        self._reactor = reactor
        self._domain = domain
        self._which = which

    def listen(self, protocolFactory: Any) -> Deferred[IListeningPort]:
        """Take the first one that fits and is not in use. Raises: EndpointError: there is none."""
        others = []
        for place, descriptor in self._candidates():
            domain = _domain_of(descriptor)
            if self._domain in (None, domain):
                taken.add(place)
                return succeed(_adopt(self._reactor, descriptor, protocolFactory))
            others.append(domain)
        which = f"named {self._which[:40]!r}" if isinstance(self._which, str) else f"of index {self._which}"
        if others:
            raise EndpointError(f"the socket {which} is of domain {others[0]}, not {self._domain}")
        raise EndpointError(f"no socket {which} was passed on; is the socket unit active?")

    def _candidates(self) -> Iterator[tuple[int, int]]:
        """Place and descriptor of each that is called so, and is not in use."""
        names = os.environ.get("LISTEN_FDNAMES", "").split(":")
        places = [self._which] if isinstance(self._which, int) else range(len(names))
        for place in places:
            if place in taken or (isinstance(self._which, str) and names[place] != self._which):
                continue
            try:
                # Not by looking for plugins: where nobody may write their cache, that takes a tenth
                # of a second.
                endpoint: Any = systemdEndpointParser.parseStreamServer(  # type: ignore[no-untyped-call]
                    self._reactor, domain="INET", index=str(place)
                )
            except IndexError:
                # Names without sockets are left over from another process.
                continue
            yield place, endpoint.fileno


def _domain_of(descriptor: int) -> str:
    """Raises: EndpointError: it is no socket that listens for connections."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as found:
            listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            domain = found.family.name.removeprefix("AF_")
            if found.type != socket.SOCK_STREAM or not listens or domain not in DOMAINS:
                raise EndpointError(
                    "the socket that was passed on does not listen for connections (Accept=no)"
                )
    except OSError as error:
        raise EndpointError(str(error.strerror)) from None
    return domain


def _adopt(reactor: Any, descriptor: int, factory: Any) -> Any:
    os.set_blocking(descriptor, False)
    os.set_inheritable(descriptor, False)
    listener = socket.socket(fileno=descriptor)
    if listener.family == socket.AF_UNIX:
        port = BoundPort(listener, factory, reactor)
        port.startListening()
        return port
    with listener:
        # It has a descriptor of its own.
        return reactor.adoptStreamPort(descriptor, listener.family, factory)
