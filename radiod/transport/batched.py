"""WAMP's batched subprotocols: between one connection's WebSocket messages and its driver.

What comes in may be many messages. What goes out are batches of one: listeners share their frames.
"""

from __future__ import annotations

from radiod.errors import PeerError
from radiod.transport.driver import WampDriver
from radiod.transport.formats import Format, websocket_format
from radiod.transport.outbox import Outlet
from radiod.wire.batches import RECORD_SEPARATOR, SEPARATED, sized, split_separated, split_sized
from radiod.wire.codecs import CODECS, Codec

__all__ = ["Unbatcher", "batched_format"]


def batched_format(name: str, is_deflated: bool, separator: int = RECORD_SEPARATOR) -> Format:
    """The format of one batched subprotocol; ``separator`` is what stands behind JSON messages."""
    return websocket_format(name, is_deflated, sized if CODECS[name].is_binary else SEPARATED[separator])


class Unbatcher:
    """Splits one connection's batches; its outlet's format is chosen again when the first one is there."""

    __slots__ = ("_codec", "_driver", "_is_deflated", "_is_first", "_outlet")

    def __init__(self, driver: WampDriver, outlet: Outlet, codec: Codec, is_deflated: bool) -> None:
        self._driver = driver
        self._outlet = outlet
        self._codec = codec
        self._is_deflated = is_deflated
        self._is_first = True

    def receive(self, batch: bytes) -> None:
        """Take one WebSocket message; a malformed one ends the session."""
        if self._driver.is_over:
            return
        try:
            messages = self._split(batch)
        except PeerError as error:
            self._driver.abort(error)
            return
        for message in messages:
            self._driver.receive(message)

    def _split(self, batch: bytes) -> list[bytes]:
        if self._codec.is_binary:
            return split_sized(batch)
        messages, separator = split_separated(batch)
        if self._is_first:
            self._is_first = False
            self._outlet.format = batched_format(self._codec.name, self._is_deflated, separator)
        return messages
