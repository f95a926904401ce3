"""The writers of one realm's topics, who learn of listeners on all nodes."""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.channels.channel import Channel
from radiod.core.channels.demand import Demand, Watch
from radiod.core.channels.writers import Writers, readers
from radiod.core.cluster.places import Places
from radiod.core.cluster.readers import Readers
from radiod.core.cluster.writer_slots import WriterSlots
from radiod.core.limits import Limits
from radiod.core.promises import Promise
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Subscription
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.rights import Actor
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import NOT_AUTHORIZED, Refused

__all__ = ["SharedDemand", "SharedWriters"]


class SharedDemand(Demand[TopicRef, Session]):
    """Has topics watched on all nodes that somebody here writes to.

    ``elsewhere``, ``place``: who watches, and what a topic is called there; ``held``: what is watched for a
    topic, which may have ended before nobody wants to know of it. All are set first.
    """

    elsewhere: Readers
    place: Callable[[TopicRef], str]
    held: dict[TopicRef, str]

    def _watch(self, topic: TopicRef) -> Watch[Session]:
        if topic not in self.held:
            place = self.held[topic] = self.place(topic)
            self.elsewhere.hold(place)
        return super()._watch(topic)

    def forget(self, topic: TopicRef) -> None:
        """As ``Demand.forget``, of one that is watched."""
        self.elsewhere.release(self.held.pop(topic))
        super().forget(topic)


class SharedWriters(Writers):
    """As ``Writers``; the slots of single-writer channels are those of all nodes.

    ``elsewhere``: listeners on other nodes; ``supersede``: closes a session whose slot somebody else has, on
    the channel of this name; set before the cluster starts.
    """

    supersede: Callable[[Session, str], None]

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        limits: Limits,
        announcer: Announcer,
        elsewhere: Readers,
        places: Places,
        slots: WriterSlots,
    ) -> None:
        self.elsewhere = elsewhere
        self.places = places
        self.slots = slots
        slots.writes, slots.lost = self._writes, self._lost
        super().__init__(clock, timers, limits, announcer)
        elsewhere.changed = self._changed_elsewhere

    def _make_demand(self, clock: Clock, timers: Timers, hold_s: float) -> SharedDemand:
        demand = SharedDemand(clock, timers, hold_s, readers, self._tell)
        demand.elsewhere, demand.place, demand.held = self.elsewhere, self._place, {}
        return demand

    def _changed_elsewhere(self, place: str) -> None:
        topic = self.places.at(place)
        if topic is not None:
            self._demand.update(topic)

    # --- slots

    def check(self, channel: Channel, actor: Actor) -> None:
        """As ``Writers.check``; who writes on another node counts."""
        if channel.settings.single_writer:
            holder = self.slots.holder(self._place(channel.topic))
            if holder is not None and holder != actor.id:
                raise Refused(NOT_AUTHORIZED, f"channel {channel.name} has a writer, and only one")
        super().check(channel, actor)

    def take(self, channel: Channel, session: Session, *, is_forced: bool) -> Promise[None] | None:
        """Have the slot of a channel, None: there is none. Comes to: as ``WriterSlots.take``."""
        if not channel.settings.single_writer:
            return None
        return self.slots.take(self._place(channel.topic), session, channel.name, is_forced=is_forced)

    def close(self, session: Session, topic: TopicRef) -> None:
        """As ``Writers.close``; its slot is free, as soon as that is agreed on."""
        super().close(session, topic)
        self.slots.closed(self._place(topic), session.id)

    def holds(self, session: Session, name: str) -> str | None:
        """The place of a channel of this name whose slot a session has; None: it has none."""
        places = (self._place(topic) for topic in self.opened(session) if topic.topic == name)
        return next((place for place in places if self.slots.holder(place) == session.id), None)

    def _place(self, topic: TopicRef) -> str:
        return self.places.of(topic.broker, topic.topic) or topic.topic

    def _writes(self, session: Session, place: str) -> bool:
        return any(self._place(topic) == place for topic in self.opened(session))

    def _lost(self, session: Session, place: str, is_forced: bool) -> None:
        topic = self.places.at(place)
        if topic is None:
            return  # the channel has ended
        if is_forced:
            self.close(session, topic)
        else:
            self.supersede(session, topic.topic)

    # --- listeners

    def listeners_changed(self, subscription: Subscription) -> None:
        """As ``Writers.listeners_changed``; other nodes are told where they want to know."""
        super().listeners_changed(subscription)
        broker = subscription.broker
        if subscription.match == "exact":
            place = self.places.of(broker, subscription.topic)
            if place is not None:
                self.elsewhere.note(place)
            return
        for place in list(self.elsewhere.watched):
            topic = self.places.at(place)
            if topic is not None and topic.broker is broker and subscription.takes(topic.topic):
                self.elsewhere.note(place)
