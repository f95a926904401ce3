"""What an event, or a message, looks like on each kind of connection.

One object for each, shared by all connections of the kind: the outbox uses it as the key under which an
event's bytes are made once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from radiod.core.broker import Broadcast
from radiod.wire.codecs import CODECS, JSON, Codec, Payload
from radiod.wire.frames import (
    BINARY,
    TEXT,
    binary_batch,
    in_binary_batch,
    in_text_batch,
    rawsocket_frame,
    text_batch,
    websocket_frame,
)
from radiod.wire.messages import Event, Message

__all__ = ["LONGPOLL", "PLAIN", "RAWSOCKET", "SSE", "WEBSOCKET", "Format", "PollFormat"]


class Format(Protocol):
    """One kind of connection."""

    def message(self, message: Message, payload: Payload | None) -> bytes:
        """A message's bytes, framed; empty where the kind has no such messages. Raises: Undecodable."""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        """An event's bytes, framed; ``lost`` events were dropped for the receiver before it.

        Raises: Undecodable: the payload cannot be said in this format.
        """


class _Wamp:
    """WAMP over any framing."""

    def __init__(self, codec: Codec, frame: Callable[[bytes], bytes]) -> None:
        self.codec = codec
        self._frame = frame

    def message(self, message: Message, payload: Payload | None) -> bytes:
        return self._frame(self.codec.encode(message, payload))

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        details = {**broadcast.details, "_lost": lost} if lost else broadcast.details
        event = Event(broadcast.subscription, broadcast.publication, details)
        return self._frame(self.codec.encode(event, broadcast.payload))


class PollFormat(_Wamp):
    """WAMP in HTTP bodies: one message in each, or batches.

    ``protocol`` is its name in long-poll's ``open``; ``split`` gives the messages of one body, and raises
    ``PeerError`` when it is no batch.
    """

    def __init__(self, codec: Codec, is_batched: bool) -> None:
        self.is_batched = is_batched
        self.protocol = f"wamp.2.{codec.name}.batched" if is_batched else f"wamp.2.{codec.name}"
        self.content_type = "application/json" if codec.name == "json" else "application/octet-stream"
        self.split: Callable[[bytes], list[bytes]]
        if not is_batched:
            super().__init__(codec, lambda data: data)
            self.split = lambda data: [data]
        elif codec.is_binary:
            super().__init__(codec, in_binary_batch)
            self.split = binary_batch
        else:
            super().__init__(codec, in_text_batch)
            self.split = text_batch


_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def _data(payload: Payload) -> bytes:
    """The sample alone, as JSON: ``args[0]`` if that is all there is, else ``{args, kwargs}``."""
    args, kwargs = payload.parts(JSON)
    elements = _ELEMENTS.decode(args) if args else []
    if len(elements) == 1 and not kwargs:
        return bytes(elements[0])
    return b'{"args":%b,"kwargs":%b}' % (args or b"[]", kwargs or b"{}")


class _Plain:
    """Text frames that hold only the data."""

    def message(self, message: Message, payload: Payload | None) -> bytes:
        return b""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        return websocket_frame(_data(broadcast.payload), TEXT)


class _ServerSentEvents:
    """Server-Sent Events (WHATWG HTML, "Server-sent events"): a loss is told as an event of type ``lost``."""

    def message(self, message: Message, payload: Payload | None) -> bytes:
        return b""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        # A sender's JSON may be spread over lines; each is a data line of its own.
        lines = _data(broadcast.payload).replace(b"\r", b"").replace(b"\n", b"\ndata: ")
        told = b"event: lost\ndata: %d\n\n" % lost if lost else b""
        return b"%bdata: %b\n\n" % (told, lines)


def _websocket(codec: Codec) -> Format:
    first_byte = BINARY if codec.is_binary else TEXT
    return _Wamp(codec, lambda data: websocket_frame(data, first_byte))


WEBSOCKET: Final[dict[str, Format]] = {name: _websocket(codec) for name, codec in CODECS.items()}
RAWSOCKET: Final[dict[str, Format]] = {name: _Wamp(codec, rawsocket_frame) for name, codec in CODECS.items()}
LONGPOLL: Final[dict[str, PollFormat]] = {
    format.protocol: format
    for codec in CODECS.values()
    for format in (PollFormat(codec, False), PollFormat(codec, True))
}
PLAIN: Final[Format] = _Plain()
SSE: Final[Format] = _ServerSentEvents()
