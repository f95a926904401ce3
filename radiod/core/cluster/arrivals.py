"""Those who are about to listen: others know of them before they are told that they listen.

What is told of listeners goes other ways than events do: who is in which subscription, and who is present.
If it were told only when somebody listens, a node that tells its own listeners of it could hear first of one
who went later, on another node: a subscription would end, and a person leave, that was there all the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from radiod.core.cluster.shared_events import SharedEvents
from radiod.core.cluster.shared_presence import SharedPresence
from radiod.core.promises import Promise, gather
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.realm.meta_events import is_told_of
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.wire.options import MatchPolicy

__all__ = ["Arrival", "Arrivals"]


class Arrival(NamedTuple):
    """A session that is about to listen."""

    session: Session
    broker: Broker
    match: MatchPolicy
    topic: str


class Arrivals:
    """Those of one realm."""

    def __init__(self, events: SharedEvents, presence: SharedPresence, clock: Clock) -> None:
        self._events = events
        self._presence = presence
        self._clock = clock
        # Of one session as many as may wait at once (``MAX_AHEAD``).
        self._expected: dict[Session, set[Arrival]] = {}

    def begin(self, arrival: Arrival) -> Promise[None] | None:
        """Tell others of a listener that is to come; ``come`` must follow.

        Returns: kept when they know, or take too long; None: nobody wants to.
        """
        session, broker, match, topic = arrival
        self._expected.setdefault(session, set()).add(arrival)
        subscribed = present = None
        if is_told_of(broker, topic):
            subscribed = self._events.expect(session, match, topic, self._clock.time())
        if match == "exact":
            present = self._presence.expect(session, TopicRef(broker, topic))
        return gather([subscribed, present])

    def come(self, arrival: Arrival, act: Callable[[], object]) -> None:
        """Have it listen by ``act``, or not: if it does not, others are told."""
        expected = self._expected.get(arrival.session)
        if expected is None or arrival not in expected:
            # It has left meanwhile, or asked twice.
            act()
            return
        expected.remove(arrival)
        if not expected:
            del self._expected[arrival.session]
        session, broker, match, topic = arrival
        at = TopicRef(broker, topic)
        before = self._presence.arrive(session, at)
        try:
            act()
        finally:
            self._presence.check(session, at, before)
            self._events.arrived(session, match, topic)

    def leave(self, session: Session) -> None:
        """A session leaves: it comes nowhere any more."""
        for arrival in list(self._expected.get(session, ())):
            self.come(arrival, _nothing)


def _nothing() -> None:
    """It does not listen."""
