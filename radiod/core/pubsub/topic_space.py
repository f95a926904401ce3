"""Where a topic's listeners and past are: in the realm's space for all, or in a private channel's own.

A private channel shares nothing with the rest of its realm: whoever has not joined it subscribes to,
publishes to and asks about another topic that happens to have the same name.
"""

from __future__ import annotations

from typing import NamedTuple

from radiod.core.history.histories import Histories
from radiod.core.ids import Ids
from radiod.core.limits import Limits
from radiod.core.pubsub.broker import Broker, Subscribing
from radiod.core.pubsub.publishing import Publishing
from radiod.core.pubsub.recovery import Recoveries, Recovery
from radiod.core.pubsub.tuning import Tuned, Tuning
from radiod.core.sessions.session import Session
from radiod.core.statistics import Statistics
from radiod.wire.options import SubscribeOptions

__all__ = ["TopicRef", "TopicSpace"]


class TopicSpace:
    """The broker of some topics, with their histories, their buffers and the ways to all of these."""

    __slots__ = ("broker", "histories", "publishing", "recovery", "tuning")

    def __init__(
        self,
        broker: Broker,
        histories: Histories,
        ids: Ids,
        limits: Limits,
        statistics: Statistics,
        tuned: Tuned | None = None,
        recoveries: Recoveries | None = None,
    ) -> None:
        self.broker = broker
        self.histories = histories
        self.publishing = Publishing(broker, histories, ids, statistics)
        self.recovery = Recovery(broker, histories, recoveries)
        self.tuning = Tuning(limits, Tuned(limits) if tuned is None else tuned)

    def at(self, topic: str) -> TopicRef:
        """One of its topics."""
        return TopicRef(self.broker, topic)

    def check(self, session: Session, topic: str, options: SubscribeOptions) -> None:
        """Find out what stands against ``subscribe`` by now, of a session that does not listen to that yet.

        Raises: Refused: as that.
        """
        self.recovery.behind(session, topic, options)
        self.tuning.settings(session, options.match, topic, options.buffer)
        self.broker.check_room(session)

    def subscribe(self, session: Session, topic: str, options: SubscribeOptions) -> Subscribing:
        """As ``Broker.subscribe``, with the buffer, the count and the past that the options ask for.

        Raises: Refused: as that, as ``Tuning.settings`` and as ``Recovery.behind``; nothing happened.
        """
        behind = self.recovery.behind(session, topic, options)
        settings = self.tuning.settings(session, options.match, topic, options.buffer)
        done = self.broker.subscribe(session, topic, options, settings)
        listener = done.subscription.listeners[session]
        if options.buffer is not None and not done.is_added:
            listener.tune(settings)
        if options.wants_position:
            self.histories.track(topic)
        if behind is not None:
            self.recovery.go_on(listener, topic, behind)
        return done


class TopicRef(NamedTuple):
    """One topic of one space: what a name alone does not tell apart."""

    broker: Broker
    topic: str
