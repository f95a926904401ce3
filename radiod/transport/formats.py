"""What an event, or a message, looks like on each kind of connection.

One object for each, shared by all connections of the kind: the outbox uses it as the key under which an
event's bytes are made once.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.history.positions import Position
from radiod.wire.answers import chunk, end_event, end_line, retry_event, retry_line
from radiod.wire.codecs import CODECS, Codec, Payload
from radiod.wire.deflate import deflated_frame
from radiod.wire.frames import BINARY, MESSAGE, TEXT, rawsocket_frame, websocket_frame
from radiod.wire.messages import Event, Message
from radiod.wire.samples import sample_of

__all__ = [
    "ND_JSON",
    "ND_JSON_CHUNKED",
    "NOTHING",
    "PLAIN",
    "PLAIN_DEFLATED",
    "POLLED",
    "RAWSOCKET",
    "SSE",
    "SSE_CHUNKED",
    "SUBPROTOCOLS",
    "Format",
    "PollFormat",
    "StreamFormat",
    "data_line",
    "poll_format",
    "polled",
    "some_retry",
    "websocket_format",
]

SOONEST_S: Final = 1.0
LATEST_S: Final = 3.0
"""Seconds after which a client is to come back if nobody knows better: each at another time, or they would
keep each other waiting. Chromium's own are 3."""

BATCHED: Final = ".batched"
SUBPROTOCOLS: Final = {
    f"wamp.2.{name}{ending}": (codec, ending == BATCHED)
    for ending in ("", BATCHED)
    for name, codec in CODECS.items()
}
"""The subprotocols of WAMP: serializer, and whether messages come in batches."""


class Format(Protocol):
    """One kind of connection. ``is_shared``: an event has the same bytes on all connections of the kind."""

    is_shared: bool

    def message(self, message: Message, payload: Payload | None) -> bytes:
        """A message's bytes, framed; empty where the kind has no such messages. Raises: Undecodable."""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        """An event's bytes, framed; ``lost`` events were dropped for the receiver before it.

        Raises: Undecodable: the payload cannot be said in this format.
        """

    def last_words(self, retry_ms: int) -> bytes:
        """What is sent before the server ends the connection because it stops.

        Args:
            retry_ms: milliseconds after which the client is to come back.
        """

    def ending(self, reason: str) -> bytes:
        """What is sent before it ends because access does; empty where the connection's end tells that."""


class _Shared:
    """Made once for all connections of the kind; on most of them there are no messages of WAMP."""

    is_shared = True

    def message(self, message: Message, payload: Payload | None) -> bytes:
        return b""

    def last_words(self, retry_ms: int) -> bytes:
        return b""

    def ending(self, reason: str) -> bytes:
        return b""


class _Wamp(_Shared):
    """WAMP over any framing. ``frame`` gets bytes, and ``kind``: of which kind its frames are."""

    def __init__(self, codec: Codec, frame: Callable[[bytes, int], bytes], kind: int) -> None:
        self.codec = codec
        self._frame = frame
        self._kind = kind

    def message(self, message: Message, payload: Payload | None) -> bytes:
        return self._frame(self.codec.encode(message, payload), self._kind)

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        details = {**broadcast.details, "_lost": lost} if lost else broadcast.details
        event = Event(broadcast.subscription, broadcast.publication, details)
        return self._frame(self.codec.encode(event, broadcast.payload), self._kind)


class PollFormat(_Wamp):
    """WAMP in HTTP bodies: one message in each, or batches."""

    def __init__(self, codec: Codec, batch: Callable[[bytes], bytes] | None) -> None:
        super().__init__(codec, lambda data, _: data if batch is None else batch(data), MESSAGE)
        self.is_batched = batch is not None
        # Several messages with separators behind them are no JSON, though each is.
        is_json = batch is None and not codec.is_binary
        self.content_type = "application/json" if is_json else "application/octet-stream"


class _Plain(_Shared):
    """Text frames that hold only the data."""

    def __init__(self, frame: Callable[[bytes, int], bytes]) -> None:
        self._frame = frame

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        return self._frame(sample_of(broadcast.payload), TEXT)


class StreamFormat(Format, Protocol):
    """One kind of stream over HTTP. ``beat`` is what is written when there are no events."""

    beat: bytes
    tells_losses_at_once: bool
    """Whether a loss is an event of its own; otherwise it belongs to a record, if one comes before long."""

    def loss(self, channel: str, position: Position | None, lost: int) -> bytes:
        """The news that ``lost`` events of a channel were dropped; it goes on behind ``position``."""


class _ServerSentEvents(_Shared):
    """Server-Sent Events (WHATWG HTML, "Server-sent events"), whose ids are positions.

    A loss is told as an event of type ``lost``, a position that is gone as one of type ``recovered``.
    """

    beat = b":\n\n"
    tells_losses_at_once = True

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        details = broadcast.details
        # A sender's JSON may be spread over lines; each is a data line of its own.
        lines = sample_of(broadcast.payload).replace(b"\r", b"").replace(b"\n", b"\ndata: ")
        gone = b"event: recovered\ndata: false\n\n" if "_recovered" in details else b""
        told = b"event: lost\ndata: %d\n\n" % lost if lost else b""
        id = b"id: %b\n" % _position(details) if "_epoch" in details else b""
        return b"%b%b%bdata: %b\n\n" % (gone, told, id, lines)

    def loss(self, channel: str, position: Position | None, lost: int) -> bytes:
        id = b"" if position is None else b"id: %b\n" % str(position).encode()
        return b"%bevent: lost\ndata: %d\n\n" % (id, lost)

    def last_words(self, retry_ms: int) -> bytes:
        return retry_event(retry_ms)

    def ending(self, reason: str) -> bytes:
        return end_event(reason)


class _NdJson(_Shared):
    """Lines of JSON, each ``{"position", "data"}`` and followed by an empty one.

    ``"lost": n`` and ``"recovered": false`` stand in the line they apply to.
    """

    beat = b"\n"
    tells_losses_at_once = False

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        details = broadcast.details
        gone = b',"recovered":false' if "_recovered" in details else b""
        position = _position(details) if "_epoch" in details else None
        return sample(position, broadcast.payload, gone + _lost(lost)) + b"\n\n"

    def loss(self, channel: str, position: Position | None, lost: int) -> bytes:
        at = None if position is None else str(position).encode()
        return b'{"position":%b%b}\n\n' % (_quoted(at), _lost(lost))

    def last_words(self, retry_ms: int) -> bytes:
        return retry_line(retry_ms)

    def ending(self, reason: str) -> bytes:
        return end_line(reason)


class _Chunked(_Shared):
    """A stream in chunks: made once for all listeners, like every other format."""

    def __init__(self, format: StreamFormat) -> None:
        self._format = format
        self.beat = chunk(format.beat)
        self.tells_losses_at_once = format.tells_losses_at_once

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        return chunk(self._format.event(broadcast, lost))

    def loss(self, channel: str, position: Position | None, lost: int) -> bytes:
        return chunk(self._format.loss(channel, position, lost))

    def last_words(self, retry_ms: int) -> bytes:
        return chunk(self._format.last_words(retry_ms))

    def ending(self, reason: str) -> bytes:
        return chunk(self._format.ending(reason))


class _Nothing(_Shared):
    """Connections on which no session is."""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        return b""


class _Polled(_Shared):
    """Elements of a JSON array, each with a comma behind it."""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        details = broadcast.details
        position = _position(details) if "_epoch" in details else None
        return polled(position, broadcast.payload, lost)


def polled(position: bytes | None, payload: Payload, lost: int) -> bytes:
    """One element of a poll's answer, and a comma. Raises: Undecodable: as ``sample``."""
    return sample(position, payload, _lost(lost)) + b","


def _lost(count: int) -> bytes:
    return b',"lost":%d' % count if count else b""


def _position(details: dict[str, Any]) -> bytes:
    return b"%b:%d" % (details["_epoch"].encode(), details["_seq"])


def sample(position: bytes | None, payload: Payload, more: bytes) -> bytes:
    """``{"position", "data"}`` on one line. Raises: Undecodable: JSON cannot say the payload."""
    return b'{"position":%b,"data":%b%b}' % (_quoted(position), data_line(payload), more)


def data_line(payload: Payload) -> bytes:
    """The data on one line. Raises: Undecodable: JSON cannot say the payload."""
    # Only white space between tokens can be a line's end here: inside of strings JSON escapes it.
    return sample_of(payload).replace(b"\r", b"").replace(b"\n", b"")


def some_retry() -> float:
    """Seconds after which a client is to come back, if nobody knows better."""
    return random.uniform(SOONEST_S, LATEST_S)


def _quoted(position: bytes | None) -> bytes:
    return b"null" if position is None else b'"%b"' % position


@cache
def websocket_format(
    name: str, is_deflated: bool = False, batch: Callable[[bytes], bytes] | None = None
) -> Format:
    """WAMP over WebSocket; the same object for the same arguments.

    Args:
        name: the serializer's.
        is_deflated: the connections have negotiated compression.
        batch: makes a batch of one message, in a batched subprotocol; its frame is for ``wire.bundles``.
    """
    codec = CODECS[name]
    first_byte = BINARY if codec.is_binary else TEXT
    if batch is not None:
        return _Wamp(codec, lambda data, kind: websocket_frame(batch(data), kind), first_byte)
    frame = deflated_frame if is_deflated else websocket_frame
    return _Wamp(codec, frame, first_byte)


@cache
def poll_format(name: str, batch: Callable[[bytes], bytes] | None = None) -> PollFormat:
    """WAMP over long-poll; arguments as for ``websocket_format``."""
    return PollFormat(CODECS[name], batch)


RAWSOCKET: Final[dict[str, Format]] = {
    name: _Wamp(codec, rawsocket_frame, MESSAGE) for name, codec in CODECS.items()
}
PLAIN: Final[Format] = _Plain(websocket_frame)
PLAIN_DEFLATED: Final[Format] = _Plain(deflated_frame)
SSE: Final[StreamFormat] = _ServerSentEvents()
ND_JSON: Final[StreamFormat] = _NdJson()
SSE_CHUNKED: Final[StreamFormat] = _Chunked(SSE)
ND_JSON_CHUNKED: Final[StreamFormat] = _Chunked(ND_JSON)
POLLED: Final[Format] = _Polled()
NOTHING: Final[Format] = _Nothing()
