"""A realm's public topics, shared with other nodes: who listens, and what is published."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from radiod.core.cluster.readers import Readers
from radiod.core.cluster.relay import Relay
from radiod.core.cluster.retaining import RetainedRecords
from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.settings import DEFAULTS, BufferSettings
from radiod.core.history.histories import Histories
from radiod.core.ids import Ids
from radiod.core.promises import Promise
from radiod.core.pubsub.audience import is_hidden
from radiod.core.pubsub.broker import HALF_OF_IDS, Broker, Subscribing, Subscription
from radiod.core.pubsub.publishing import Event, Publishing
from radiod.core.pubsub.retention import Retained
from radiod.core.rights import Actor, Permissions
from radiod.core.sessions.session import Session
from radiod.core.statistics import Statistics, Traffic
from radiod.core.tracing import EventTrace
from radiod.core.uris import is_reserved
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, PublishOptions, SubscribeOptions

__all__ = ["SharedBroker", "SharedPublishing"]


class SharedBroker(Broker):
    """The broker of public topics, or of a private channel: others learn what is listened to here.

    ``hold``, ``end``: of ``Interest``, for each subscription; set before anybody subscribes, as are
    ``records``: of what is retained; and ``elsewhere``: who listens on other nodes. ``place``: what the only
    topic of a private channel is called between nodes; empty: topics are called by their names.
    """

    realm: str
    place: str = ""
    elsewhere: Readers
    records: RetainedRecords
    hold: Callable[[MatchPolicy, str], None]
    end: Callable[[MatchPolicy, str], None]

    def subscribe(
        self,
        session: Session,
        topic: str,
        options: SubscribeOptions,
        settings: BufferSettings = DEFAULTS,
    ) -> Subscribing:
        done = super().subscribe(session, topic, options, settings)
        if done.is_new and not is_reserved(topic):
            self.hold(options.match, self.place or topic)
        return done

    def unsubscribe(self, session: Session, subscription: Subscription) -> None:
        super().unsubscribe(session, subscription)
        if not subscription.listeners and not is_reserved(subscription.topic):
            self.end(subscription.match, self.place or subscription.topic)

    def readers(self, topic: str) -> int:
        """As ``Broker.readers``, on all nodes as far as is known."""
        return super().readers(topic) + self.elsewhere.elsewhere(self.place or topic)

    def own_readers(self, topic: str) -> int:
        """As ``Broker.readers``, on this node."""
        return super().readers(topic)

    def _new_id(self, match: MatchPolicy, topic: str) -> int:
        return self.id_of(match, topic)

    def id_of(self, match: MatchPolicy, topic: str) -> int:
        """The same on every node, so that who asks one of them means the same subscription as another."""
        if self.place:
            return super()._new_id(match, topic)
        name = f"{self.realm}\n{match}\n{topic}".encode("utf-8", "surrogatepass")
        return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") % (HALF_OF_IDS - 1) + 1

    def of_others(self, id: int, match: MatchPolicy, topic: str) -> Subscription:
        """One that only other nodes have: it has no listeners here, and is in no table."""
        return Subscription(id, match, topic, 0.0, self._flow, self)

    def _retain(self, topic: str, retained: Retained) -> None:
        super()._retain(topic, retained)
        self.records.saw(self.place or topic)

    def forget(self, topic: str) -> None:
        """Drop the topic's retained event, on all nodes."""
        super().forget(topic)
        self.records.forget(self.place or topic)

    def lose(self, topic: str, count: int) -> None:
        """Tell those who listen, with their next event, that so many on ``topic`` were lost.

        Nobody knows whom these were for: each that may have events of the topic is told of all.
        """
        hidden: dict[Permissions, bool] = {}
        for subscription in self.matching(topic):
            is_pattern = subscription.match != "exact"
            for session, listener in tuple(subscription.listeners.items()):
                if not (is_pattern and is_hidden(session, topic, hidden)):
                    listener.miss_unseen(count)


class SharedPublishing(Publishing):
    """Publishes on public topics, or in a private channel: at home as without other nodes, then to these.

    An event of a topic with a history takes another way: see ``Publishing``. ``place``: as ``SharedBroker``.
    """

    def __init__(
        self,
        broker: Broker,
        histories: Histories,
        ids: Ids,
        statistics: Statistics,
        relay: Relay,
        records: RetainedRecords,
        place: str = "",
    ) -> None:
        super().__init__(broker, histories, ids, statistics)
        self._place = place
        self._relay = relay
        self._records = records

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
        history = None if self._histories.is_idle else self._histories.find(topic)
        if history is not None and history.is_logged:
            return super().publish(topic, traffic, publisher, payload, options, details, is_end_mark, trace)
        if options.acknowledge or options.retain:
            self._broker.check(publisher, topic, payload, options, is_end_mark)
        id = self._ids.next()
        if traffic is not None:
            traffic.add(len(payload), self._statistics.round)
        if trace is not None:
            trace.fan_out()
        published = self.deliver(id, publisher, topic, payload, options, details, is_end_mark)
        narrowed = _abroad(options, publisher) if options.retain or options.narrows() else None
        sent = self._relay.send(self._place or topic, id, payload, details, narrowed, is_end_mark=is_end_mark)
        if options.retain:
            self._records.store(sent)
        return published

    def deliver(
        self,
        id: int,
        publisher: Actor | None,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        is_end_mark: bool,
    ) -> Publication | Promise[Publication]:
        """Give an event that is not logged to those who listen here; where it is counted, we do so."""
        histories = self._histories
        history = None if histories.is_idle else histories.find(topic)
        if history is None or history.is_logged:
            return self._broker.publish(id, publisher, topic, payload, options, details, is_end_mark)
        origin = 0 if publisher is None else publisher.id
        record = histories.number(history, id, origin, payload, options, details)
        return self.happen(Event(history, record, None, publisher, payload, is_end_mark, None))


def _abroad(options: PublishOptions, publisher: Actor) -> PublishOptions:
    """What of a publisher's options matters where it is not."""
    exclude = options.exclude
    if options.retain and options.exclude_me:
        # The event may be told to it when it comes back to another node.
        exclude = [*(exclude or ()), publisher.id]
    return PublishOptions(
        retain=options.retain,
        exclude=exclude,
        exclude_authid=options.exclude_authid,
        exclude_authrole=options.exclude_authrole,
        eligible=options.eligible,
        eligible_authid=options.eligible_authid,
        eligible_authrole=options.eligible_authrole,
    )
