"""Peers that vanish without a packet, where none can be asked for a sign of life.

WebSockets are pinged (``transport.pings``). What cannot be, or must not (docs/adr/0014), is watched
here: TCP probes silent connections, in whole seconds from one on, and the kernel knows when the peer's kernel
last acknowledged anything. A peer that is there, but reads nothing, acknowledges. A Unix socket's cannot
vanish.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from twisted.logger import Logger

from radiod.transport.clock import ReactorClock
from radiod.transport.pings import NOTHING_ASKED, Pinger

__all__ = ["Watch"]

TCP_INFO: Final = struct.Struct("2xBB52xI")
"""Of Linux's ``struct tcp_info`` (linux/tcp.h): ``tcpi_retransmits`` and ``tcpi_probes``, both since the last
acknowledgement, and ``tcpi_last_ack_recv``, how long ago that was, in ms."""

UNANSWERED: Final = 2
"""What was sent so often without an answer is not just under way. Probes of a peer that reads nothing come up
to two minutes apart, so that the time since the last answer says nothing alone."""

TCP_RXT_CONNDROPTIME: Final = 0x80
"""Darwin's way to bound retransmissions, in seconds; the standard library does not name it."""

IS_TOLD: Final = sys.platform == "linux"


class Watch:
    """Finds out who has vanished: gone within ``interval + timeout`` seconds."""

    def __init__(self, clock: ReactorClock, interval: float, timeout: float) -> None:
        # Three probes have time to be answered before anybody is given up; the system counts whole seconds.
        between = max(1, int(timeout / 3))
        self.longest_silence = max(timeout, 3.0 * between)
        self.pinger = Pinger(clock, interval, timeout)
        self.on_vanished: Callable[[], object] = lambda: None
        options = [
            ("TCP_KEEPIDLE", between),
            # Darwin's name for the same.
            ("TCP_KEEPALIVE", between),
            ("TCP_KEEPINTVL", between),
            ("TCP_KEEPCNT", max(1, int((interval + timeout) / between) - 1)),
        ]
        self._options = [(getattr(socket, name), value) for name, value in options if hasattr(socket, name)]
        if sys.platform == "darwin":
            self._options.append((TCP_RXT_CONNDROPTIME, max(1, int(timeout))))

    def begin(self, transport: Any, peer: str, on_lost: Callable[[], None]) -> Callable[[], None]:
        """Watch the peer of a transport, whatever it is wrapped in, if it is a TCP socket.

        Returns: what must be called in place of ``on_lost``.
        """
        connection = getattr(transport, "socket", None)
        if connection is None:
            return on_lost
        try:
            for option, value in self._options:
                connection.setsockopt(socket.IPPROTO_TCP, option, value)
        except OSError:
            # It is no TCP socket, or closed already, or the system knows an option by name only.
            return on_lost
        return _Watched(self, transport, connection, peer, on_lost).lost if IS_TOLD else on_lost


class _Watched:
    """One connection. The pinger asks nothing, since the kernel does; it only says when to look."""

    __slots__ = ("_connection", "_on_lost", "_peer", "_transport", "_watch", "asked_at", "turn")

    log = Logger()

    def __init__(
        self, watch: Watch, transport: Any, connection: socket.socket, peer: str, on_lost: Callable[[], None]
    ) -> None:
        self._watch = watch
        self._transport = transport
        self._connection = connection
        self._peer = peer
        self._on_lost = on_lost
        self.asked_at = NOTHING_ASKED
        self.turn = 0
        watch.pinger.add(self)

    def ping(self) -> None:
        """The kernel's probes are under way."""

    def give_up(self) -> None:
        """It is time to look: cut the connection if nothing has been acknowledged for long."""
        self.asked_at = NOTHING_ASKED
        if self._has_vanished():
            self.log.info("cut {peer}: it has vanished", peer=self._peer)
            self._watch.on_vanished()
            self._transport.abortConnection()

    def _has_vanished(self) -> bool:
        try:
            told = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size)
            retransmits, probes, milliseconds = TCP_INFO.unpack(told)
        except (OSError, struct.error):
            # Closed already, or the kernel tells less.
            return False
        is_unanswered = retransmits >= UNANSWERED or probes >= UNANSWERED
        return bool(is_unanswered and milliseconds >= 1000 * self._watch.longest_silence)

    def lost(self) -> None:
        """The connection is gone."""
        self._watch.pinger.remove(self)
        self._on_lost()
