"""Which topics tell who listens to them, and how they tell it.

``Presence`` counts persons; here it learns who comes and goes, and its changes become events of the topic
``radiod.presence.<channel>``, beside the listeners it is about: those of a private channel are its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from radiod.core.channels.headcount import PRESENCE, Presence, watched
from radiod.core.ports import Ids
from radiod.core.pubsub.topic_space import Place
from radiod.core.uris import PatternSet
from radiod.wire.codecs import Payload

if TYPE_CHECKING:
    from radiod.core.delivery.listeners import Subscription
    from radiod.core.realm.realm import Realm
    from radiod.core.sessions.session import Session

__all__ = ["Attendance"]


class Attendance:
    """Who listens to the topics of one realm that tell it.

    ``presence``: who does, by topic.

    Args:
        is_channel: whether there is a public channel of that name: it speaks for itself.
    """

    def __init__(self, realm: Realm, ids: Ids, is_channel: Callable[[str], bool]) -> None:
        self._realm = realm
        self._ids = ids
        self._is_channel = is_channel
        self.presence: Presence[Place] = Presence(self._tell)
        # The channels that tell who listens, and patterns of topics that do so without being channels.
        self._showing: set[Place] = set()
        self._patterns = PatternSet(())

    def show(self, place: Place) -> None:
        """Have a channel tell who listens, until it is forgotten."""
        self._showing.add(place)

    def show_matching(self, patterns: tuple[str, ...]) -> None:
        """Have topics that match one of the patterns, and are no channels, tell who listens."""
        self._patterns = PatternSet(patterns)

    def covers(self, name: str) -> bool:
        """Whether a pattern says that topics of this name tell who listens."""
        return name in self._patterns

    def is_shown(self, place: Place) -> bool:
        """Whether a topic tells who listens."""
        if place in self._showing:
            return True
        is_free = not place.broker.is_private and not self._is_channel(place.topic)
        return is_free and self.covers(place.topic)

    def count(self, place: Place) -> None:
        """Begin to count: all who listen by now, also those who did before the channel was opened."""
        subscription = place.broker.lookup("exact", place.topic)
        if subscription is not None:
            for session in subscription.listeners:
                self.presence.add(place, session.principal.authid)

    def forget(self, place: Place) -> None:
        """The channel has ended: nobody is told."""
        self.presence.forget(place)
        self._showing.discard(place)

    def came(self, session: Session, subscription: Subscription) -> None:
        """A session was added to a subscription."""
        place = Place(subscription.broker, subscription.topic)
        if subscription.match != "exact" or not self.is_shown(place):
            return
        if place in self.presence:
            self.presence.add(place, session.principal.authid)
        else:
            self.count(place)

    def went(self, session: Session, subscription: Subscription) -> None:
        """A session was removed from a subscription."""
        if subscription.match == "exact":
            place = Place(subscription.broker, subscription.topic)
            self.presence.remove(place, session.principal.authid)

    def send_late(self, session: Session, subscription: Subscription) -> Generator[None, None, None]:
        """Send who is there to a late listener, if it is that what its subscription tells."""
        broker, listener = subscription.broker, session.subscriptions[subscription.id]
        if subscription.match == "exact":
            name = watched(subscription.topic)
            places = [] if name is None else [Place(broker, name)]
        else:
            places = [
                place
                for place in self.presence
                if place.broker is broker and subscription.takes(PRESENCE + place.topic)
            ]
        for place in places:
            if subscription.id not in session.subscriptions:
                return
            state = Payload.of({"name": place.topic, **self.presence.snapshot(place)})
            broker.send_late(listener, PRESENCE + place.topic, self._ids.next(), state, {})
            yield

    def _tell(self, place: Place, change: dict[str, Any]) -> None:
        self._realm.announce(PRESENCE + place.topic, {"name": place.topic, **change}, broker=place.broker)
