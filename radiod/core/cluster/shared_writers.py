"""The writers of one realm's topics, who learn of listeners on all nodes."""

from __future__ import annotations

from radiod.core.channels.demand import Demand, Watch
from radiod.core.channels.writers import Writers, readers
from radiod.core.cluster.places import Places
from radiod.core.cluster.readers import Readers
from radiod.core.limits import Limits
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Subscription
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers

__all__ = ["SharedDemand", "SharedWriters"]


class SharedDemand(Demand[TopicRef, Session]):
    """Has topics watched on all nodes that somebody here writes to; ``elsewhere``, ``places``: set first."""

    elsewhere: Readers
    places: Places

    def _watch(self, topic: TopicRef) -> Watch[Session]:
        if topic not in self._watches:
            place = self.places.of(topic.broker, topic.topic)
            if place is not None:
                self.elsewhere.hold(place)
        return super()._watch(topic)

    def forget(self, topic: TopicRef) -> None:
        """As ``Demand.forget``, of one that is watched."""
        place = self.places.of(topic.broker, topic.topic)
        if place is not None:
            self.elsewhere.release(place)
        super().forget(topic)


class SharedWriters(Writers):
    """As ``Writers``; ``readers``: those on other nodes."""

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        limits: Limits,
        announcer: Announcer,
        elsewhere: Readers,
        places: Places,
    ) -> None:
        self.elsewhere = elsewhere
        self.places = places
        super().__init__(clock, timers, limits, announcer)
        elsewhere.changed = self._changed_elsewhere

    def _make_demand(self, clock: Clock, timers: Timers, hold_s: float) -> SharedDemand:
        demand = SharedDemand(clock, timers, hold_s, readers, self._tell)
        demand.elsewhere, demand.places = self.elsewhere, self.places
        return demand

    def _changed_elsewhere(self, place: str) -> None:
        topic = self.places.at(place)
        if topic is not None:
            self._demand.update(topic)

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
