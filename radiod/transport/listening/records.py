"""What events of several channels look like on one connection: records that name their channel.

A record is ``{"channel", "position", "data"}``, which is made once for each event and all connections. What
comes before it is the connection's own: the cursor that leads on behind this record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.history.positions import Position
from radiod.transport.formats import data_line
from radiod.transport.listening.course import Course
from radiod.wire.answers import chunk, end_event, end_line, retry_event, retry_line
from radiod.wire.codecs import Payload
from radiod.wire.deflate import deflated_frame
from radiod.wire.frames import TEXT, websocket_frame
from radiod.wire.messages import Message

__all__ = [
    "ELEMENTS",
    "EVENTS",
    "LINES",
    "TEXTS",
    "Records",
    "Shape",
    "chunked",
    "deflated",
    "framed",
    "whole",
]

_BODY: Final = "records"
"""The key of what all connections share of an event: no format is a string."""


MOST_MADE: Final = 16
"""Cursors for which the bytes of the last event are remembered: what comes again is in a few of them."""


class Shape(Protocol):
    """One way to write records. ``beat``: what is written when there are none.

    ``tells_losses_at_once``: as ``StreamFormat``. An ``id`` is the cursor, empty where there is nothing to go
    on from.
    """

    beat: bytes
    tells_losses_at_once: bool

    def beginning(self, id: bytes) -> bytes:
        """What tells a listener where it began, before there is a record."""

    def record(self, id: bytes, body: bytes, channel: str, lost: int, *, is_gone: bool) -> bytes:
        """One event. ``is_gone``: its channel could not go on where it was asked to."""

    def loss(self, id: bytes, channel: str, position: Position | None, lost: int) -> bytes:
        """So many events were lost, and none has come since to tell it with."""

    def closed(self, channel: str, reason: str, lost: int) -> bytes:
        """A channel comes no more, and so many events of it that were not told of."""

    def last_words(self, retry_ms: int) -> bytes:
        """As ``Format``."""

    def ending(self, reason: str) -> bytes:
        """As ``Format``."""


class _Objects:
    """JSON, one object after the other."""

    tells_losses_at_once = False

    def __init__(
        self, end: bytes, beat: bytes = b"", *, has_id: bool = True, is_stream: bool = False
    ) -> None:
        self._end = end
        self._has_id = has_id
        self._is_stream = is_stream
        self.beat = beat

    def beginning(self, id: bytes) -> bytes:
        return b""

    def record(self, id: bytes, body: bytes, channel: str, lost: int, *, is_gone: bool) -> bytes:
        gone = b',"recovered":false' if is_gone else b""
        told = b',"lost":%d' % lost if lost else b""
        return b"{%b%b%b%b}%b" % (self._id(id), body, gone, told, self._end)

    def loss(self, id: bytes, channel: str, position: Position | None, lost: int) -> bytes:
        body = b'"channel":%b,"position":%b,"lost":%d' % (_json(channel), _position(position), lost)
        return b"{%b%b}%b" % (self._id(id), body, self._end)

    def closed(self, channel: str, reason: str, lost: int) -> bytes:
        return b"%b%b" % (_closed(channel, reason, lost), self._end)

    def last_words(self, retry_ms: int) -> bytes:
        return retry_line(retry_ms) if self._is_stream else b""

    def ending(self, reason: str) -> bytes:
        return end_line(reason) if self._is_stream else b""

    def _id(self, id: bytes) -> bytes:
        return b'"id":"%b",' % id if id and self._has_id else b""


class _Events:
    """Server-Sent Events; what is no record is an event of its own type."""

    beat = b":\n\n"
    tells_losses_at_once = True

    def beginning(self, id: bytes) -> bytes:
        # Without data it is no event, and yet where an EventSource comes back to.
        return b"id: %b\n\n" % id if id else b""

    def record(self, id: bytes, body: bytes, channel: str, lost: int, *, is_gone: bool) -> bytes:
        if not lost and not is_gone:
            return b"%bdata: {%b}\n\n" % (_id_line(id), body)
        name = _json(channel)
        gone = b'event: recovered\ndata: {"channel":%b,"recovered":false}\n\n' % name if is_gone else b""
        told = b'event: lost\ndata: {"channel":%b,"lost":%d}\n\n' % (name, lost) if lost else b""
        return b"%b%b%bdata: {%b}\n\n" % (gone, told, _id_line(id), body)

    def loss(self, id: bytes, channel: str, position: Position | None, lost: int) -> bytes:
        data = b'{"channel":%b,"position":%b,"lost":%d}' % (_json(channel), _position(position), lost)
        return b"%bevent: lost\ndata: %b\n\n" % (_id_line(id), data)

    def closed(self, channel: str, reason: str, lost: int) -> bytes:
        return b"event: closed\ndata: %b\n\n" % _closed(channel, reason, lost)

    def last_words(self, retry_ms: int) -> bytes:
        return retry_event(retry_ms)

    def ending(self, reason: str) -> bytes:
        return end_event(reason)


EVENTS: Final[Shape] = _Events()
LINES: Final[Shape] = _Objects(b"\n\n", b"\n", is_stream=True)
TEXTS: Final[Shape] = _Objects(b"")
ELEMENTS: Final[Shape] = _Objects(b",", has_id=False)
"""Of a poll's answer, which has the cursor in its head."""


class Kind:
    """All connections that have records of one shape, framed by ``wrap``.

    Most of those that listen to the same channels keep step: they stand at the same cursor before an event,
    and at the same one behind it. What is written to them is made once.
    """

    def __init__(self, shape: Shape, wrap: Callable[[bytes], bytes]) -> None:
        self.shape = shape
        self.wrap = wrap
        # The last event, and what was made of it: cursor before -> (bytes, cursor behind).
        self._last: Broadcast | None = None
        self._made: dict[bytes, tuple[bytes, bytes]] = {}

    def of(self, broadcast: Broadcast) -> dict[bytes, tuple[bytes, bytes]]:
        """What was made of an event."""
        if self._last is not broadcast:
            self._last = broadcast
            self._made = {}
        return self._made


class Records:
    """A ``StreamFormat`` of one connection, which moves its ``course``."""

    is_shared = False

    def __init__(self, kind: Kind, course: Course) -> None:
        self._kind = kind
        self._course = course
        self.beat = kind.wrap(kind.shape.beat)
        self.tells_losses_at_once = kind.shape.tells_losses_at_once

    def message(self, message: Message, payload: Payload | None) -> bytes:
        """No messages of WAMP."""
        return b""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        """One record; nothing, if another of the names brings the event."""
        course, details = self._course, broadcast.details
        if "topic" in details and course.repeats(broadcast):
            return self.loss(course.pattern(broadcast.subscription), None, lost) if lost else b""
        if lost or "_recovered" in details:
            return self._make(broadcast, lost)
        made = self._kind.of(broadcast)
        known = made.get(course.id)
        if known is not None:
            frame, course.id = known
            return frame
        before = course.id
        frame = self._make(broadcast, 0)
        if len(made) < MOST_MADE:
            made[before] = frame, course.id
        return frame

    def _make(self, broadcast: Broadcast, lost: int) -> bytes:
        course, details = self._course, broadcast.details
        # First: nothing moves with an event that cannot be said; the loss says where to go on.
        body = broadcast.frames.get(_BODY) or _body(broadcast)
        if "topic" in details:
            name = course.pattern(broadcast.subscription)
        else:
            name = broadcast.topic
            if "_epoch" in details:
                course.move(name, Position(details["_epoch"], details["_seq"]))
        kind, is_gone = self._kind, "_recovered" in details
        return kind.wrap(kind.shape.record(course.id, body, name, lost, is_gone=is_gone))

    def beginning(self) -> bytes:
        """As ``Shape``."""
        return self._kind.wrap(self._kind.shape.beginning(self._course.id))

    def loss(self, channel: str, position: Position | None, lost: int) -> bytes:
        """As ``StreamFormat``."""
        if position is not None:
            self._course.move(channel, position)
        return self._kind.wrap(self._kind.shape.loss(self._course.id, channel, position, lost))

    def closed(self, channel: str, reason: str, lost: int) -> bytes:
        """As ``Shape``."""
        return self._kind.wrap(self._kind.shape.closed(channel, reason, lost))

    def last_words(self, retry_ms: int) -> bytes:
        """As ``Format``."""
        return self._kind.wrap(self._kind.shape.last_words(retry_ms))

    def ending(self, reason: str) -> bytes:
        """As ``Format``."""
        return self._kind.wrap(self._kind.shape.ending(reason))


def whole(data: bytes) -> bytes:
    """As it is."""
    return data


chunked: Final = chunk


def framed(data: bytes) -> bytes:
    """A text frame; nothing for nothing."""
    return websocket_frame(data, TEXT) if data else b""


def deflated(data: bytes) -> bytes:
    """A text frame, compressed if that makes it shorter; nothing for nothing."""
    return deflated_frame(data, TEXT) if data else b""


def body(topic: str, position: Position | None, payload: Payload) -> bytes:
    """A record without its braces. Raises: Undecodable: JSON cannot say the payload."""
    said = _json(topic), _position(position), data_line(payload)
    return b'"channel":%b,"position":%b,"data":%b' % said


def _body(broadcast: Broadcast) -> bytes:
    details = broadcast.details
    position = Position(details["_epoch"], details["_seq"]) if "_epoch" in details else None
    made = broadcast.frames[_BODY] = body(broadcast.topic, position, broadcast.payload)
    return made


def _id_line(id: bytes) -> bytes:
    return b"id: %b\n" % id if id else b""


def _closed(channel: str, reason: str, lost: int) -> bytes:
    told = b',"lost":%d' % lost if lost else b""
    return b'{"channel":%b,"closed":%b%b}' % (_json(channel), _json(reason), told)


def _position(position: Position | None) -> bytes:
    return b"null" if position is None else b'"%b"' % str(position).encode()


def _json(text: str) -> bytes:
    return msgspec.json.encode(text)
