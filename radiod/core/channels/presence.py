"""Which topics tell who listens to them, and how they tell it.

``Headcount`` counts persons; here it learns who comes and goes, and its changes become events of the topic
``radiod.presence.<channel>``, beside the listeners it is about: those of a private channel are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from radiod.core.channels.headcount import PAGE, Headcount
from radiod.core.channels.lookup import Lookup, check_may_watch
from radiod.core.ids import Ids
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Subscription
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.sessions.session import Session
from radiod.core.uris import PRESENCE, PatternSet, watched
from radiod.errors import NO_SUCH_CHANNEL, Refused
from radiod.wire.codecs import Payload

__all__ = ["Presence"]


class Presence:
    """Who listens to the topics of one realm that tell it.

    ``headcount``: who does, by topic.

    Args:
        is_channel: whether there is a public channel of that name: it speaks for itself.
    """

    def __init__(
        self, announcer: Announcer, ids: Ids, lookup: Lookup, is_channel: Callable[[str], bool]
    ) -> None:
        self._lookup = lookup
        self._announcer = announcer
        self._ids = ids
        self._is_channel = is_channel
        self.headcount: Headcount[TopicRef] = Headcount(self._tell)
        # The channels that tell who listens, and patterns of topics that do so without being channels.
        self._showing: set[TopicRef] = set()
        self._patterns = PatternSet(())

    def show(self, topic: TopicRef) -> None:
        """Have a channel tell who listens, until it is forgotten."""
        self._showing.add(topic)

    def show_matching(self, patterns: tuple[str, ...]) -> None:
        """Have topics that match one of the patterns, and are no channels, tell who listens."""
        self._patterns = PatternSet(patterns)

    def covers(self, name: str) -> bool:
        """Whether a pattern says that topics of this name tell who listens."""
        return name in self._patterns

    def is_shown(self, topic: TopicRef) -> bool:
        """Whether a topic tells who listens."""
        if topic in self._showing:
            return True
        is_free = not topic.broker.is_private and not self._is_channel(topic.topic)
        return is_free and self.covers(topic.topic)

    def count(self, topic: TopicRef) -> None:
        """Begin to count: all who listen by now, also those who did before the channel was opened."""
        subscription = topic.broker.lookup("exact", topic.topic)
        if subscription is not None:
            for session in subscription.listeners:
                self._add(topic, session.principal.authid)

    def _add(self, topic: TopicRef, authid: str) -> None:
        """One more session listens."""
        self.headcount.add(topic, authid)

    def _remove(self, topic: TopicRef, authid: str) -> None:
        """One less, if it was counted."""
        self.headcount.remove(topic, authid)

    def _is_counted(self, topic: TopicRef) -> bool:
        """Whether those who listen are counted, and there are any."""
        return topic in self.headcount

    def get(self, session: Session, name: str, limit: int = PAGE, after: str | None = None) -> dict[str, Any]:
        """Who listens to a channel → ``{name, users: {authid: sessions}, count, total, next}``.

        Raises: Refused: ``not_authorized``, ``no_such_channel`` (or it does not tell), ``channel_closed``.
        """
        check_may_watch(session.principal.permissions, name)
        topic = self._lookup.topic(session, name)
        if not self.is_shown(topic):
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name} that tells who listens")
        return {"name": name, **self.headcount.snapshot(topic, limit, after)}

    def forget(self, topic: TopicRef) -> None:
        """The channel has ended: nobody is told."""
        self.headcount.forget(topic)
        self._showing.discard(topic)

    def listener_added(self, session: Session, subscription: Subscription) -> None:
        """A session was added to a subscription."""
        topic = TopicRef(subscription.broker, subscription.topic)
        if subscription.match != "exact" or not self.is_shown(topic):
            return
        if self._is_counted(topic):
            self._add(topic, session.principal.authid)
        else:
            self.count(topic)

    def listener_removed(self, session: Session, subscription: Subscription) -> None:
        """A session was removed from a subscription."""
        if subscription.match == "exact":
            topic = TopicRef(subscription.broker, subscription.topic)
            self._remove(topic, session.principal.authid)

    def send_late(self, session: Session, subscription: Subscription) -> Generator[None, None, None]:
        """Send who is there to a late listener, if it is that what its subscription tells."""
        broker, listener = subscription.broker, subscription.listeners[session]
        if subscription.match == "exact":
            name = watched(subscription.topic)
            topics = [] if name is None else [TopicRef(broker, name)]
        else:
            topics = [
                topic
                for topic in self.headcount
                if topic.broker is broker and subscription.takes(PRESENCE + topic.topic)
            ]
        for topic in topics:
            if session not in subscription.listeners:
                return
            state = Payload.of({"name": topic.topic, **self.headcount.snapshot(topic)})
            broker.send_late(listener, PRESENCE + topic.topic, self._ids.next(), state, {})
            yield

    def _tell(self, topic: TopicRef, change: dict[str, Any]) -> None:
        self._announcer.announce(PRESENCE + topic.topic, {"name": topic.topic, **change}, broker=topic.broker)
