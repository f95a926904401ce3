"""Who has opened channels for writing, and the signals that tell them whether anybody listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from radiod.core.channels.channel import Channel
from radiod.core.channels.demand import Demand
from radiod.core.limits import Limits
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Subscription
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.rights import Actor
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.core.uris import PatternSet
from radiod.errors import NOT_AUTHORIZED, QUOTA, Refused
from radiod.wire.options import PublishOptions

__all__ = ["Writers", "readers"]

ON_DEMAND: Final = "radiod.channel.on_demand"


class Writers:
    """The writers of one realm's topics."""

    def __init__(self, clock: Clock, timers: Timers, limits: Limits, announcer: Announcer) -> None:
        self._limit = limits.max_memberships
        self._announcer = announcer
        self._demand = self._make_demand(clock, timers, limits.demand_hold_s)
        # session -> what it has opened, in order
        self._by_session: dict[Session, dict[TopicRef, None]] = {}
        # session -> the public channels whose writers' signals it gets, and those that it watches by itself
        self._observers: dict[Session, tuple[PatternSet, list[TopicRef]]] = {}

    def _make_demand(self, clock: Clock, timers: Timers, hold_s: float) -> Demand[TopicRef, Session]:
        return Demand(clock, timers, hold_s, readers, self._tell)

    def __len__(self) -> int:
        """Topics that have writers."""
        return len(self._demand)

    def of(self, topic: TopicRef) -> list[Session]:
        """Who writes to a topic, in order of opening."""
        return self._demand.writers(topic)

    def check(self, channel: Channel, actor: Actor) -> None:
        """Raises: Refused: ``not_authorized``: it has a single writer, and that is somebody else."""
        if channel.settings.single_writer:
            writers = self._demand.writers(channel.topic)
            if writers and actor not in writers:
                raise Refused(NOT_AUTHORIZED, f"channel {channel.name} has a writer, and only one")

    def feeds(self, session: Session, channel: Channel) -> bool:
        """True when the session owns the channel, or writes to it."""
        return session.id == channel.owner or session in self._demand.writers(channel.topic)

    def check_room(self, session: Session) -> None:
        """Whether a session may write to one more. Raises: Refused: ``quota``."""
        if len(self._by_session.get(session, ())) >= self._limit:
            raise Refused(QUOTA, f"a session may write to {self._limit} channels")

    def admit(self, session: Session, topic: TopicRef) -> bool:
        """Add a writer. Returns: whether anybody listens. Raises: Refused: as ``check_room``."""
        held = self._by_session.get(session, {})
        if topic not in held:
            self.check_room(session)
            held[topic] = None
            self._by_session[session] = held
        return self._demand.add(topic, session)

    def close(self, session: Session, topic: TopicRef) -> None:
        """Remove a writer; one that is none is left alone."""
        held = self._by_session.get(session)
        if held is not None:
            held.pop(topic, None)
            if not held:
                del self._by_session[session]
        self._demand.remove(topic, session)

    def opened(self, session: Session) -> list[TopicRef]:
        """What a session writes to, in order of opening."""
        return list(self._by_session.get(session, ()))

    def close_named(self, session: Session, name: str) -> None:
        """Remove a writer from all topics of this name that it writes to."""
        for topic in self.opened(session):
            if topic.topic == name:
                self.close(session, topic)

    def close_all(self, topic: TopicRef) -> None:
        """Remove all writers of a topic."""
        for writer in self._demand.writers(topic):
            self.close(writer, topic)

    def leave(self, session: Session) -> None:
        """The session has left: it writes no more."""
        for topic in self.opened(session):
            self.close(session, topic)
        _, watched = self._observers.pop(session, (None, ()))
        for topic in watched:
            self._demand.overlook(topic, session)

    def observe(self, session: Session, patterns: PatternSet, topics: Iterable[TopicRef]) -> None:
        """Give a session the signals of writers, until it leaves: of public channels under ``patterns``.

        Args:
            topics: of these also while nobody writes to them; private ones only so.
        """
        self._observers[session] = patterns, list(topics)
        for topic in self._observers[session][1]:
            self._demand.observe(topic, session)

    def listeners_changed(self, subscription: Subscription) -> None:
        """A session was added to a subscription, or removed."""
        if subscription.match == "exact":
            self._demand.update(TopicRef(subscription.broker, subscription.topic))
            return
        for topic in self._demand:
            if topic.broker is subscription.broker and subscription.takes(topic.topic):
                self._demand.update(topic)

    def _tell(self, topic: TopicRef, writers: list[Session], is_active: bool) -> None:
        event = {"name": topic.topic, "readers": readers(topic), "active": is_active}
        told = [session.id for session in writers]
        if not topic.broker.is_private:
            told += [one.id for one, (patterns, _) in self._observers.items() if topic.topic in patterns]
        options = PublishOptions(eligible=told)
        self._announcer.announce(ON_DEMAND, event, options=options)


def readers(topic: TopicRef) -> int:
    """How many sessions listen to a topic; one that does so in two ways counts twice."""
    return topic.broker.readers(topic.topic)
