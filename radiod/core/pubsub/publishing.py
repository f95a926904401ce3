"""What happens to a publication that is allowed: it is counted, written if so promised, delivered, kept.

The order is always the same: the number, the log (where the topic is logged), the listeners, the history.
What can be refused is refused before the log. What is logged happens when the log says so, and only then.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from radiod.core.delivery.broadcast import Publication
from radiod.core.history.events import KeptEvent
from radiod.core.history.histories import Histories
from radiod.core.history.topic_history import History
from radiod.core.ids import Ids
from radiod.core.promises import Promise
from radiod.core.pubsub.broker import Broker
from radiod.core.rights import Actor
from radiod.core.statistics import Statistics, Traffic
from radiod.core.tracing import EventTrace
from radiod.errors import CHANNEL_CLOSED, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["Event", "Publishing"]

P = TypeVar("P")


class Publishing:
    """Publishes in one topic space."""

    def __init__(self, broker: Broker, histories: Histories, ids: Ids, statistics: Statistics) -> None:
        self._broker = broker
        self._histories = histories
        self._ids = ids
        self._statistics = statistics

    def publish(
        self,
        topic: str,
        traffic: Traffic | None,
        publisher: Actor,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        is_end_mark: bool = False,
        trace: EventTrace | None = None,
    ) -> Publication | Promise[Publication]:
        """Publish; on a logged topic that takes until the log has the event.

        ``traffic``: where else it is counted; ``is_end_mark``: it marks the end of something, and passes
        rates and full buffers; ``trace``: of who follows it.
        Raises: Refused: ``quota``, ``overrun``, ``unavailable``; nothing happened. What comes later may be
            one of these, or ``channel_closed``, as well.
        """
        if options.acknowledge or options.retain:
            # Nothing stands against any other.
            self._broker.check(publisher, topic, payload, options, is_end_mark)
        id = self._ids.next()
        histories = self._histories
        history = None if histories.is_idle else histories.find(topic)
        if history is None:
            if traffic is not None:
                traffic.add(len(payload), self._statistics.round)
            if trace is not None:
                trace.fan_out()
            return self._broker.publish(id, publisher, topic, payload, options, details, is_end_mark)
        record = histories.number(history, id, publisher.id, payload, options, details)
        event = Event(history, record, traffic, publisher, payload, is_end_mark, trace)
        log = histories.log
        if log is None or not history.is_logged:
            return self.happen(event)
        answer: Promise[Publication] = Promise()
        record.role, record.is_end_mark = publisher.principal.authrole, is_end_mark
        histories.reserve(history, record, record.role)
        try:
            log.append(record, lambda error: self._logged(event, error, answer))
        except Refused:
            histories.settle(history, record)
            raise
        history.assigned = record.seq
        return answer

    def _logged(self, event: Event, error: Refused | None, answer: Promise[Publication]) -> None:
        """Have the event happen now that the log has it."""
        self._histories.settle(event.history, event.record)
        if error is not None:
            answer.settle(error)
        elif event.history.is_dropped:
            answer.settle(Refused(CHANNEL_CLOSED, f"channel {event.history.topic} is closed"))
        else:
            happened = self.happen(event)
            if isinstance(happened, Promise):
                happened.then(answer.settle)
            else:
                answer.settle(happened)

    def happen(self, event: Event) -> Publication | Promise[Publication]:
        """Deliver a counted event, and keep it."""
        history, record = event.history, event.record
        if event.trace is not None:
            event.trace.fan_out()
        published = self._broker.publish(
            record.publication,
            event.publisher,
            history.topic,
            event.payload,
            record.options,
            record.told(),
            event.is_end_mark,
        )
        self._histories.add(history, record)
        if event.traffic is not None:
            event.traffic.add(len(event.payload), self._statistics.round)
        if type(published) is Publication:
            published.epoch = record.epoch
            published.seq = record.seq
            return published
        later: Promise[Publication] = Promise()
        cast("Promise[Publication]", published).then(lambda late: later.settle(_placed(late, record)))
        return later


def _placed(published: P, record: KeptEvent) -> P:
    """What became of an event, with its place; what it is not to be has none."""
    if isinstance(published, Publication):
        published.epoch = record.epoch
        published.seq = record.seq
    return published


class Event:
    """A counted event on its way. ``publisher``: None where it is not of this server."""

    __slots__ = ("history", "is_end_mark", "payload", "publisher", "record", "trace", "traffic")

    def __init__(
        self,
        history: History,
        record: KeptEvent,
        traffic: Traffic | None,
        publisher: Actor | None,
        payload: Payload,
        is_end_mark: bool,
        trace: EventTrace | None,
    ) -> None:
        self.history = history
        self.record = record
        self.traffic = traffic
        self.publisher = publisher
        # As it came: what it is transcoded to is shared by all who listen now.
        self.payload = payload
        self.is_end_mark = is_end_mark
        self.trace = trace
