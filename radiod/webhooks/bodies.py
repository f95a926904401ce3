"""What a webhook is told: ``{"type", "timestamp", "data"}``, as JSON."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from radiod.core.dates import date
from radiod.core.delivery.broadcast import Broadcast
from radiod.core.timers import Clock
from radiod.wire.codecs import Payload
from radiod.wire.messages import Message
from radiod.wire.samples import sample_of

__all__ = ["CHANNEL_EVENT", "META_TOPICS", "EventFormat", "Told", "told"]

CHANNEL_EVENT: Final = "channel.event"
META_TOPICS: Final = {
    "channel.created": "radiod.channel.on_create",
    "channel.deleted": "radiod.channel.on_delete",
    "channel.demand": "radiod.channel.on_demand",
}
"""Type of event -> the topic on which WAMP's subscribers hear of it."""

TYPES: Final = {topic: type for type, topic in META_TOPICS.items()}


class Told(bytes):
    """A body. ``publication``: of the event in it; 0: it is none of a topic."""

    publication: int

    def __new__(cls, body: bytes, publication: int = 0) -> Told:
        made = super().__new__(cls, body)
        made.publication = publication
        return made


def told(type: str, seconds: float, data: bytes, publication: int = 0) -> Told:
    """A body of one type; ``seconds`` since 1970; ``data`` is JSON."""
    body = b'{"type":"%b","timestamp":"%b","data":%b}' % (type.encode(), date(seconds).encode(), data)
    return Told(body, publication)


class EventFormat:
    """What events look like to the webhooks of one realm: made once for all of them."""

    is_shared = True

    def __init__(self, realm: str, clock: Clock) -> None:
        self._realm = msgspec.json.encode(realm)
        self._clock = clock

    def message(self, message: Message, payload: Payload | None) -> bytes:
        """There are none."""
        return b""

    def event(self, broadcast: Broadcast, lost: int) -> bytes:
        """The body. Raises: Undecodable: JSON cannot say the payload."""
        sample = sample_of(broadcast.payload)
        type = TYPES.get(broadcast.topic)
        if type is None:
            type, sample = CHANNEL_EVENT, self._data(broadcast, sample)
        return told(type, self._clock.time(), sample, broadcast.publication)

    def _data(self, broadcast: Broadcast, sample: bytes) -> bytes:
        details: dict[str, Any] = broadcast.details
        position = f"{details['_epoch']}:{details['_seq']}" if "_epoch" in details else None
        channel, at = msgspec.json.encode(broadcast.topic), msgspec.json.encode(position)
        return b'{"realm":%b,"channel":%b,"position":%b,"data":%b}' % (self._realm, channel, at, sample)

    def last_words(self, retry_ms: int) -> bytes:
        """None."""
        return b""

    def ending(self, reason: str) -> bytes:
        """None: the access of the configuration does not end."""
        return b""
