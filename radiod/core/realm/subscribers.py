"""Who begins and ceases to listen in one realm, and all who learn of it: meta events, writers, presence."""

from __future__ import annotations

from collections.abc import Generator

from radiod.core.channels.lookup import Lookup
from radiod.core.channels.presence import Presence
from radiod.core.channels.writers import Writers
from radiod.core.pubsub.broker import Subscribing, Subscription
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.sessions.session import Session
from radiod.core.uris import PatternSet, is_pattern
from radiod.wire.options import SubscribeOptions

__all__ = ["Subscribers"]


class Subscribers:
    """Adds and removes the subscribers of one realm."""

    def __init__(self, lookup: Lookup, events: MetaEvents, writers: Writers, presence: Presence) -> None:
        self._lookup = lookup
        self._events = events
        self._writers = writers
        self._presence = presence

    def subscribe(self, session: Session, topic: str, options: SubscribeOptions) -> Subscribing:
        """Let a session, which may, listen to a topic; ``added`` must follow once it has its answer.

        Raises: Refused: as ``Lookup.space_for`` and ``TopicSpace.subscribe``; nothing happened.
        """
        return self._lookup.space_for(session, topic, options).subscribe(session, topic, options)

    def added(self, session: Session, done: Subscribing) -> None:
        """Tell of a subscriber, if it is new."""
        if done.is_added:
            self._events.subscribed(session, done.subscription, done.is_new)
            self._writers.listeners_changed(done.subscription)
            self._presence.listener_added(session, done.subscription)

    def removed(self, session: Session, subscription: Subscription) -> None:
        """Tell of one who does not listen any more."""
        self._events.unsubscribed(session, subscription)
        self._writers.listeners_changed(subscription)
        self._presence.listener_removed(session, subscription)

    def observe_demand(self, session: Session, names: tuple[str, ...]) -> None:
        """As ``Gateway.observe_demand``."""
        whole = (name for name in names if not is_pattern(name))
        topics = [self._lookup.space_known_to(session, name).at(name) for name in whole]
        self._writers.observe(session, PatternSet(names), topics)

    def send_late(self, session: Session, subscription: Subscription) -> Generator[None, None, None]:
        """Send what a late listener missed: retained events, and who is present."""
        yield from subscription.broker.send_retained(session, subscription)
        yield from self._presence.send_late(session, subscription)
