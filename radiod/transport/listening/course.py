"""What one listener has asked for, name by name, and how far it has come on all of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.listeners import Listener
from radiod.core.history.cursors import cursor, moved
from radiod.core.history.positions import Position
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.uris import selects
from radiod.wire.options import MatchPolicy

__all__ = ["Course", "Wanted"]


class Wanted:
    """One channel, or pattern of channels, that a listener asked for and may have.

    ``name``: as it was asked for; ``topic``: what SUBSCRIBE says for it under ``match``; ``after``: the
    position to go on behind; ``listener``: its part in the subscription, while there is one.
    """

    __slots__ = ("after", "key", "listener", "match", "name", "space", "topic")

    def __init__(
        self, name: str, match: MatchPolicy, topic: str, space: TopicSpace, key: str | None = None
    ) -> None:
        self.name = name
        self.match: MatchPolicy = match
        self.topic = topic
        self.space = space
        self.key = key
        self.after: Position | None = None
        self.listener: Listener | None = None

    @property
    def is_single(self) -> bool:
        """Whether it is one channel: only those have positions."""
        return self.match == "exact"

    @property
    def subscription(self) -> int:
        """The id of its subscription; 0: there is none."""
        return 0 if self.listener is None else self.listener.subscription.id

    @property
    def position(self) -> Position | None:
        """How far the channel has come; None: it has no positions."""
        history = self.space.histories.find(self.topic) if self.is_single else None
        return None if history is None else history.position


class Course:
    """How far a listener has come on several channels. ``id``: its cursor, empty without positions."""

    __slots__ = ("_patterns", "_singles", "id")

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        self._singles = {one.topic for one in wanted if one.is_single}
        self._patterns = [one for one in wanted if not one.is_single]
        self.id = b""

    def begin(self, at: Mapping[str, Position]) -> None:
        """The listener begins where these channels stand; those not named have no positions, so far."""
        self.id = cursor(at).encode() if at else b""

    def move(self, channel: str, at: Position) -> None:
        """The last event of a channel is this one now."""
        self.id = moved(self.id.decode(), channel, at).encode()

    def pattern(self, subscription: int) -> str:
        """The pattern that a subscription is of."""
        names = (one.name for one in self._patterns if one.subscription == subscription)
        return next(names, "")

    def repeats(self, broadcast: Broadcast) -> bool:
        """Whether an event that comes by a pattern comes by another name as well.

        Whoever asks for ``a.b`` and ``a.*`` gets each event once: by ``a.b``, which has positions; of
        patterns, by the first.
        """
        topic = broadcast.topic
        if topic in self._singles:
            return True
        for one in self._patterns:
            if one.subscription == broadcast.subscription:
                break
            if selects(one.match, one.topic, topic):
                return True
        return False

    def leave(self, wanted: Wanted) -> None:
        """It has ended: from now on, other names may bring its events."""
        if wanted.is_single:
            self._singles.discard(wanted.topic)
        else:
            self._patterns.remove(wanted)
