"""What happens to a publication that is allowed: it is counted, written where that was promised, delivered, kept.

The order is always the same: the number, the journal (durable channels only), the listeners, the history. What
can be refused is refused before the journal; what is in the journal happens.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from radiod.core.broker import Broker
from radiod.core.channels import Channel
from radiod.core.history import Histories, History, Record
from radiod.core.later import Later
from radiod.core.ports import Ids
from radiod.core.sessions import Session
from radiod.errors import CHANNEL_CLOSED, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import PublishOptions

__all__ = ["Publication", "Publishing"]


class Publication:
    """What became of a publish: its id, and how many sessions listened to the topic."""

    __slots__ = ("id", "readers")

    def __init__(self, id: int, readers: int) -> None:
        self.id = id
        self.readers = readers


class Publishing:
    """Publishes for one realm."""

    def __init__(self, broker: Broker, histories: Histories, ids: Ids) -> None:
        self._broker = broker
        self._histories = histories
        self._ids = ids

    def publish(
        self,
        topic: str,
        channel: Channel | None,
        publisher: Session,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> Publication | Later[Publication]:
        """Publish; on a durable channel that takes until the event is on disk.

        Raises: Refused: ``quota``, ``unavailable``; nothing happened. What comes later may be ``unavailable``,
            or ``channel_closed``, as well.
        """
        histories = self._histories
        history = None if histories.is_idle else histories.find(topic)
        if history is None:
            id, readers = self._broker.publish(publisher, topic, payload, options, details)
            if channel is not None:
                channel.events += 1
            return Publication(id, readers)
        id = self._ids.next()
        event = _Event(
            history,
            histories.next(history, id, publisher.id, payload, options, details),
            channel,
            publisher,
            payload,
        )
        if history.keep.is_durable and histories.journal is not None:
            return self._write(event)
        return self._happen(event)

    def _write(self, event: _Event) -> Later[Publication]:
        """Have the event happen once it is on disk."""
        history, record, journal = event.history, event.record, self._histories.journal
        assert journal is not None
        if record.options.retain:
            self._broker.may_retain(history.topic, event.payload)
        answer: Later[Publication] = Later()
        journal.append(record, lambda error: answer.settle(self._written(event, error)))
        history.assigned = record.seq
        return answer

    def _written(self, event: _Event, error: Refused | None) -> Publication | Refused:
        if error is not None:
            return error
        if event.history.is_dropped:
            return Refused(CHANNEL_CLOSED, f"channel {event.history.topic} is closed")
        try:
            return self._happen(event)
        except Refused:
            # There was room for a retained event when it was written. It has happened all the same.
            event.record.options = structs.replace(event.record.options, retain=False)
            return self._happen(event)

    def _happen(self, event: _Event) -> Publication:
        """Deliver a counted event, and keep it. Raises: Refused: ``quota``; then it did not happen."""
        history, record = event.history, event.record
        details = record.told()
        id, readers = self._broker.publish(
            event.publisher, history.topic, event.payload, record.options, details, record.publication
        )
        self._histories.add(history, record)
        if event.channel is not None:
            event.channel.events += 1
        return Publication(id, readers)


class _Event:
    """A counted event on its way."""

    __slots__ = ("channel", "history", "payload", "publisher", "record")

    def __init__(
        self, history: History, record: Record, channel: Channel | None, publisher: Session, payload: Payload
    ) -> None:
        self.history = history
        self.record = record
        self.channel = channel
        self.publisher = publisher
        # As it came: what it is transcoded to is shared by all who listen now.
        self.payload = payload
