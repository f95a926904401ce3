"""Outlets over Twisted's transports: a plain socket is written to directly, anything else by its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.transport.formats import Format
from radiod.transport.outlets import Outlet, Source

__all__ = ["SocketOutlet", "StreamOutlet", "outlet_over"]


class SocketOutlet(Outlet):
    """An outlet that sends straight into a plain socket, and lets Twisted wait when the socket is full."""

    __slots__ = ("_is_registering", "_send")

    def start(self) -> None:
        """Take the socket. Call once, before the first write."""
        self._send = self._transport.socket.send
        self._is_registering = False

    def _write(self, data: bytes) -> None:
        transport = self._transport
        # Bytes that Twisted holds (a handshake's end) must go first.
        if transport.dataBuffer or transport._tempDataBuffer:
            sent = 0
        else:
            try:
                sent = self._send(data)
            except OSError:
                # Full, or broken: Twisted finds out which, and reports a broken connection as lost.
                sent = 0
        if sent < len(data):
            self._block(data[sent:] if sent else data)

    def _block(self, rest: bytes) -> None:
        """Leave ``rest`` to Twisted and ask to be told when it has gone.

        As a pull producer, which Twisted asks for more exactly when its buffer has run empty; registering
        one asks at once, which is not yet the answer.
        """
        self.blocked = True
        self._transport.write(rest)
        self._is_registering = True
        self._transport.registerProducer(self, False)
        self._is_registering = False

    def resumeProducing(self) -> None:
        """Twisted has sent what it held."""
        if not self._is_registering:
            self._transport.unregisterProducer()
            super().resumeProducing()

    def _pause_reads(self, is_paused: bool) -> None:
        if is_paused:
            self._transport.pauseProducing()
        else:
            self._transport.resumeProducing()


class StreamOutlet(Outlet):
    """An outlet over any Twisted consumer (TLS) that tells when its buffer is full."""

    __slots__ = ()

    def start(self) -> None:
        """Ask the transport to tell when it is full. Call once, before the first write."""
        self._transport.registerProducer(self, True)

    def let_go(self) -> None:
        """TLS does not close while somebody is registered who might write."""
        if not self.blocked:
            self._transport.unregisterProducer()

    def _write(self, data: bytes) -> None:
        self._transport.write(data)

    def _pause_reads(self, is_paused: bool) -> None:
        # It is a producer too, where it reads from a peer at all.
        method = getattr(self._transport, "pauseProducing" if is_paused else "resumeProducing", None)
        if method is not None:
            method()


def outlet_over(
    fan_out: Source,
    transport: Any,
    format: Format,
    *,
    max_bytes: int = 1 << 62,
    on_cut: Callable[[], None],
    on_finished: Callable[[], None],
) -> Outlet:
    """The outlet that suits a transport, ready to be written to."""
    is_plain = hasattr(transport, "socket") and not hasattr(transport, "wrappedProtocol")
    kind = SocketOutlet if is_plain else StreamOutlet
    outlet = kind(
        fan_out, format, max_bytes=max_bytes, on_cut=on_cut, on_finished=on_finished, transport=transport
    )
    outlet.start()
    return outlet
