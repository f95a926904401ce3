"""The HTTP server's own limits: time for a whole request, bytes for its body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource

__all__ = ["RadioSite"]

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RadioChannel(http.HTTPChannel):  # type: ignore[misc] # twisted.web is not fully typed
    """One HTTP connection.

    Twisted's timeout starts anew with every byte, so a client that sends one byte a minute would stay for
    ever. Here it runs from the end of one request to the end of the next, body included.
    """

    factory: RadioSite
    on_lost: Callable[[], None]
    max_body_bytes = 0
    _is_closing = False

    def dataReceived(self, data: bytes) -> None:
        """Parse, without granting more time; ignore what comes when the connection is being closed."""
        if not self._is_closing:
            LineReceiver.dataReceived(self, data)

    def loseConnection(self) -> None:
        """Close. Under TLS bytes come until the peer has closed its end."""
        self._is_closing = True
        super().loseConnection()

    def allHeadersReceived(self) -> None:
        """Refuse a body that is announced too large before asking for it (100-continue)."""
        if self.length is not None and self.length > self.max_body_bytes:
            self.refuse_body()
        else:
            super().allHeadersReceived()

    def refuse_body(self) -> None:
        """Answer 413 and close."""
        transport = self.transport
        assert transport is not None
        transport.write(TOO_LARGE)
        self.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the port."""
        super().connectionLost(reason)
        self.factory.channels.discard(self)
        self.on_lost()

    def wind_up(self) -> None:
        """Close as soon as the request that is being answered, if any, has its answer."""
        self.persistent = False
        if not self.requests:
            self.loseConnection()


class RadioRequest(server.Request):  # type: ignore[misc] # twisted.web is not fully typed
    """One HTTP request, whose body is bounded even when its length was not announced."""

    channel: RadioChannel
    _body_bytes = 0

    def handleContentChunk(self, data: bytes) -> None:
        """Count what arrives."""
        self._body_bytes += len(data)
        if self._body_bytes > self.channel.max_body_bytes:
            self.channel.refuse_body()
        else:
            super().handleContentChunk(data)


class RadioSite(server.Site):  # type: ignore[misc] # twisted.web is not fully typed
    """The HTTP side of the port."""

    protocol = RadioChannel  # type: ignore[assignment] # no HTTP/2, so no choosing between channels
    requestFactory = RadioRequest
    noisy = False
    displayTracebacks = False

    def __init__(self, root: IResource, reactor: Any, *, timeout: float, max_body_bytes: int) -> None:
        super().__init__(root, timeout=timeout, reactor=reactor)
        self._max_body_bytes = max_body_bytes
        self.channels: set[RadioChannel] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """One channel, with this site's limit."""
        channel = super().buildProtocol(addr)
        channel.max_body_bytes = self._max_body_bytes
        self.channels.add(channel)
        return channel

    def wind_up(self) -> None:
        """Close every connection that waits for a request; the others when they have been answered."""
        for channel in list(self.channels):
            channel.wind_up()

    def log(self, request: Any) -> None:
        """No access log: a line for each sample would drown everything else."""
