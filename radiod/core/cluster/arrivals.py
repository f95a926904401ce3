"""Those who are about to listen: others know of them before they are told that they listen.

What is told of listeners goes other ways than events do: who is in which subscription, and who is present.
If it were told only when somebody listens, a node that tells its own listeners of it could hear first of one
who went later, on another node: a subscription would end, and a person leave, that was there all the time.
"""

from __future__ import annotations

from typing import NamedTuple

from radiod.core.cluster.shared_events import SharedEvents
from radiod.core.cluster.shared_presence import SharedPresence
from radiod.core.promises import Promise, gather
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.core.uris import is_reserved
from radiod.wire.options import MatchPolicy

__all__ = ["Arrival", "Arrivals"]


class Arrival(NamedTuple):
    """A session that is about to listen."""

    session: Session
    broker: Broker
    match: MatchPolicy
    topic: str


class Arrivals:
    """Those of one realm. Args: public: the broker of public topics."""

    def __init__(self, events: SharedEvents, presence: SharedPresence, public: Broker, clock: Clock) -> None:
        self._events = events
        self._presence = presence
        self._public = public
        self._clock = clock

    def begin(self, arrival: Arrival) -> Promise[None] | None:
        """Tell others of a listener that is to come; ``arrive`` and ``check`` must follow.

        Returns: kept when they know, or take too long; None: nobody wants to.
        """
        session, broker, match, topic = arrival
        subscribed = present = None
        if self._is_told(arrival):
            subscribed = self._events.expect(session, match, topic, self._clock.time())
        if match == "exact":
            present = self._presence.expect(session, TopicRef(broker, topic))
        return gather([subscribed, present])

    def arrive(self, arrival: Arrival) -> None:
        """It listens now, or never will."""
        session, broker, match, topic = arrival
        if self._is_told(arrival):
            self._events.arrive(session, match, topic)
        if match == "exact":
            self._presence.arrive(session, TopicRef(broker, topic))

    def check(self, arrival: Arrival) -> None:
        """Tell others of no listener that has not come."""
        session, broker, match, topic = arrival
        held = broker.lookup(match, topic)
        if held is not None and session in held.listeners:
            return
        if self._is_told(arrival):
            self._events.stay_away(session, match, topic)
        if match == "exact":
            self._presence.stay_away(session, TopicRef(broker, topic))

    def _is_told(self, arrival: Arrival) -> bool:
        """Whether it is told who is in that subscription."""
        return arrival.broker is self._public and not is_reserved(arrival.topic)
