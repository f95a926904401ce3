"""The outlet that suits a transport: a plain socket is written to directly, anything else by its methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from radiod.transport.formats import Format
from radiod.transport.outlets import Outlet, SocketOutlet, Source

__all__ = ["Consumer", "StreamOutlet", "outlet_over"]


class Consumer(Protocol):
    """The part of Twisted's transports that outlets use."""

    def write(self, data: bytes) -> object: ...

    def registerProducer(self, producer: object, streaming: bool) -> object: ...

    def unregisterProducer(self) -> object: ...


class StreamOutlet(Outlet):
    """An outlet over any Twisted consumer (TLS) that tells when its buffer is full."""

    __slots__ = ("_consumer",)

    def __init__(
        self,
        fan_out: Source,
        consumer: Consumer,
        format: Format,
        *,
        max_bytes: int,
        on_cut: Callable[[], None],
        on_finished: Callable[[], None],
    ) -> None:
        super().__init__(fan_out, format, max_bytes=max_bytes, on_cut=on_cut, on_finished=on_finished)
        self._consumer = consumer

    def start(self) -> None:
        """Ask the consumer to tell when it is full. Call once, before the first write."""
        self._consumer.registerProducer(self, True)

    def let_go(self) -> None:
        """TLS does not close while somebody is registered who might write."""
        if not self.blocked:
            self._consumer.unregisterProducer()

    def _write(self, data: bytes) -> None:
        self._consumer.write(data)

    def _pause_reads(self, is_paused: bool) -> None:
        # The consumer is a producer too, where it reads from a peer at all.
        method = getattr(self._consumer, "pauseProducing" if is_paused else "resumeProducing", None)
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
    if hasattr(transport, "socket") and not hasattr(transport, "wrappedProtocol"):
        return SocketOutlet(
            fan_out, transport, format, max_bytes=max_bytes, on_cut=on_cut, on_finished=on_finished
        )
    outlet = StreamOutlet(
        fan_out, transport, format, max_bytes=max_bytes, on_cut=on_cut, on_finished=on_finished
    )
    outlet.start()
    return outlet
