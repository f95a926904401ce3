"""What all HTTP connections of one server share: limits, routes, and the clock of those that ask nothing."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from typing import Any, Protocol

from radiod.core.timers import Deadline
from radiod.transport.clock import ReactorClock
from radiod.transport.http.routes import Route
from radiod.transport.limits import TransportLimits
from radiod.transport.outbox import FanOut
from radiod.wire.doors import Caller, Visit
from radiod.wire.heads import Head

__all__ = ["HttpServer", "Upgrade"]

Upgrade = Callable[[Any, Caller, Visit, Head, bytes, Callable[[], None], object], None]
"""Hands a transport over to a WebSocket: transport, who asks, its request's head, all bytes from that head
on, what to call when the connection is lost, and its place."""


class Connection(Protocol):
    """``connection.HttpConnection`` is one, and documents it."""

    def wind_up(self) -> None: ...

    def tire(self) -> None: ...

    def cut(self) -> None: ...


class HttpServer:
    """The HTTP side of the port.

    ``route`` finds what a path leads to; ``upgrade`` makes a WebSocket of a connection; ``timeout`` and
    ``idle`` are seconds, for a request and between two.
    """

    upgrade: Upgrade

    def __init__(
        self,
        fan_out: FanOut,
        clock: ReactorClock,
        route: Callable[[str], Route],
        limits: TransportLimits,
    ) -> None:
        self.fan_out = fan_out
        self.clock = clock
        self.route = route
        self.timeout = limits.http_timeout
        self.max_body_bytes = limits.max_message_bytes
        self.unfinished = fan_out.unfinished
        self.census = fan_out.census
        self.connections: set[Connection] = set()
        self.is_winding_up = False
        self._idle = limits.http_idle
        # Since when each that asks nothing does so, in that order.
        self._resting: dict[Connection, float] = {}
        self._deadline: Deadline | None = None
        self._second = 0
        self._shared_lines = b""

    def shared_lines(self) -> bytes:
        """Header lines of every answer. No version: who looks for old ones gets no list."""
        second = int(self.clock.time())
        if second != self._second:
            self._second = second
            self._shared_lines = b"Server: radiod\r\nDate: %b\r\n" % formatdate(second, usegmt=True).encode()
        return self._shared_lines

    def rest(self, connection: Connection) -> None:
        """Nothing is asked for on this connection, from now on."""
        now = self._resting[connection] = self.clock.seconds()
        if self._deadline is None:
            self._deadline = self.clock.timers.at(now + self._idle, self._look)

    def rouse(self, connection: Connection) -> None:
        """Something is asked for, or the connection is closed."""
        self._resting.pop(connection, None)

    def _look(self) -> None:
        """Close those that have asked nothing for too long: the first ones, since all have the same time."""
        now = self.clock.seconds()
        self._deadline = None
        while self._resting:
            connection, since = next(iter(self._resting.items()))
            if since + self._idle > now:
                self._deadline = self.clock.timers.at(since + self._idle, self._look)
                return
            del self._resting[connection]
            connection.tire()

    def wind_up(self) -> None:
        """Close every connection that waits for a request; the others when they have been answered."""
        self.is_winding_up = True
        for connection in list(self.connections):
            connection.wind_up()

    def cut(self) -> None:
        """Cut every connection, whatever it asks: nobody is answered any more."""
        for connection in list(self.connections):
            connection.cut()
