"""WAMP's batched subprotocols: between what one connection's peer sends at once and its driver.

What comes in may be many messages. What goes out are batches of one, which listeners share, and which the
outlet bundles.
"""

from __future__ import annotations

from collections.abc import Callable

from radiod.errors import PeerError
from radiod.transport.driver import WampDriver
from radiod.transport.formats import Format, PollFormat, poll_format, websocket_format
from radiod.transport.outlets import Outlet
from radiod.wire.batches import RECORD_SEPARATOR, SEPARATED, sized, split_separated, split_sized
from radiod.wire.codecs import CODECS, Codec

__all__ = ["Unbatcher", "batched_format", "batched_poll_format"]


def batched_format(name: str, separator: int = RECORD_SEPARATOR) -> Format:
    """The format of one batched subprotocol; ``separator`` is what stands behind JSON messages.

    Compressed or not, a message is a plain frame: what leaves together is bundled first (``wire.bundles``).
    """
    return websocket_format(name, batch=_batch(name, separator))


def batched_poll_format(name: str, separator: int = RECORD_SEPARATOR) -> PollFormat:
    """The same over long-poll."""
    return poll_format(name, _batch(name, separator))


def _batch(name: str, separator: int) -> Callable[[bytes], bytes]:
    return sized if CODECS[name].is_binary else SEPARATED[separator]


class Unbatcher:
    """Splits one connection's batches.

    Args:
        format: the outlet's format for a separator, chosen again when the first batch is there.
    """

    __slots__ = ("_driver", "_format", "_is_binary", "_outlet")

    def __init__(
        self, driver: WampDriver, outlet: Outlet, codec: Codec, format: Callable[[int], Format]
    ) -> None:
        self._driver = driver
        self._outlet = outlet
        self._is_binary = codec.is_binary
        # None: it has been chosen.
        self._format: Callable[[int], Format] | None = format

    def messages(self, batch: bytes) -> list[bytes]:
        """The messages of one batch; a malformed one has none, and ends the session."""
        if self._driver.is_over:
            return []
        try:
            return self.split(batch)
        except PeerError as error:
            self._driver.abort(error)
            return []

    def split(self, batch: bytes) -> list[bytes]:
        """The messages of one batch. Raises: PeerError: it is malformed."""
        if self._is_binary:
            return split_sized(batch)
        messages, separator = split_separated(batch)
        if self._format is not None:
            self._outlet.format = self._format(separator)
            self._format = None
        return messages
