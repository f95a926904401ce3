"""What an endpoint listens with: its door, and how many are accepted in a turn."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.internet.protocol import Protocol, ServerFactory
from zope.interface import implementer

from radiod.transport.newcomers import Newcomers
from radiod.transport.port import PortFactory
from radiod.wire.doors import Door, is_loopback_name

__all__ = ["Entrance"]

ACCEPTED: Final = 16
"""Connections that one endpoint accepts in a turn. Twisted's own accepts 100, and 20 more each time."""


@implementer(IProtocolNegotiationFactory)
class Entrance(ServerFactory):
    """What one endpoint listens with: a port's connections, through a door of its own.

    For plugins' endpoints that end in TLS it says what ALPN may choose; radiod's own ask nobody.
    """

    noisy = False

    def __init__(self, port: PortFactory, door: Door) -> None:
        self._port = port
        self._paced: set[int] = set()
        self.door = door

    @property
    def newcomers(self) -> Newcomers:
        """The line of those who come in, for endpoints that have work of their own with them."""
        return self._port.newcomers

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Take one more connection; None, which closes it, when there are too many."""
        return self._port.admit(self.door, addr)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS clients may choose by ALPN."""
        return [b"http/1.1"]

    def listening(self, port: Any) -> Any:
        """Know the address that ``port`` listens on, and accept there at a pace. Returns: ``port``."""
        host = getattr(port.getHost(), "host", None)
        self.door.is_loopback = host is not None and is_loopback_name(f"[{host}]" if ":" in host else host)
        # Of Twisted's kind: others accept as they like.
        if hasattr(port, "numberAccepts") and id(port) not in self._paced:
            self._paced.add(id(port))
            port.doRead = _Pace(port, self.newcomers).accept
        return port


class _Pace:
    """Accepts a few connections on a port in each turn, and none while newcomers wait in line."""

    def __init__(self, port: Any, newcomers: Newcomers) -> None:
        self._port = port
        self._newcomers = newcomers
        self._accept = port.doRead

    def accept(self) -> None:
        """Somebody wants to connect."""
        if self._newcomers.may_accept():
            # Twisted changes it each time.
            self._port.numberAccepts = ACCEPTED
            self._accept()
        else:
            self._port.stopReading()
            self._newcomers.when_in(self._go_on)

    def _go_on(self) -> None:
        if self._port.connected and not self._port.disconnecting:
            self._port.startReading()
