"""What listeners of the router's own topics need to know of other nodes, while they listen.

So much is mirrored, and no more: sessions for ``wamp.session.on_…``, who listens to what for
``wamp.subscription.on_…``, and who is at a place for its presence. Who subscribes is answered when that is
known: what happens from then on anywhere is told.
"""

from __future__ import annotations

from typing import Final

from radiod.core.cluster.interest import Interest
from radiod.core.cluster.shared_events import SESSIONS, SUBSCRIBERS, SharedEvents
from radiod.core.cluster.shared_presence import SharedPresence
from radiod.core.cluster.table_mirrors import TableMirrors
from radiod.core.promises import Promise, gather
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.uris import is_reserved, selects, watched
from radiod.wire.options import MatchPolicy

__all__ = ["RouterTopics"]

TOLD_BY: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (SESSIONS, ("wamp.session.on_join", "wamp.session.on_leave")),
    (
        SUBSCRIBERS,
        (
            "wamp.subscription.on_create",
            "wamp.subscription.on_subscribe",
            "wamp.subscription.on_unsubscribe",
            "wamp.subscription.on_delete",
        ),
    ),
)
"""Tables, and the topics that tell what changes in them."""

Wanted = tuple[Broker, MatchPolicy, str]


class _Need:
    """What one topic, or pattern, needs. ``places``: whose presence; ``is_wide``: perhaps of many."""

    __slots__ = ("holders", "is_wide", "places", "tables")

    def __init__(self, tables: list[str], places: list[str], *, is_wide: bool) -> None:
        self.tables = tables
        self.places = places
        self.is_wide = is_wide
        self.holders = 0


class RouterTopics:
    """Has mirrored what the listeners of one realm's router topics are told of.

    Args:
        interest: in topics that are not the router's; public: the broker of public topics.
    """

    def __init__(
        self,
        interest: Interest,
        mirrors: TableMirrors,
        events: SharedEvents,
        presence: SharedPresence,
        public: Broker,
    ) -> None:
        self._interest = interest
        self._mirrors = mirrors
        self._events = events
        self._presence = presence
        self._public = public
        self._needs: dict[Wanted, _Need] = {}

    # --- topics of the router, or not

    def begin(
        self, broker: Broker, match: MatchPolicy, topic: str, place: str | None
    ) -> Promise[None] | None:
        """As ``Interest.begin``; of the router's own: kept when what is told there is known.

        ``place``: of the topic (``Places.of``).
        """
        if place is None or is_reserved(topic):
            return self.hold(broker, match, topic)
        return self._interest.begin(match, place)

    def end(self, broker: Broker, match: MatchPolicy, topic: str, place: str | None) -> None:
        """Hold it no more."""
        if place is None or is_reserved(topic):
            self.release(broker, match, topic)
        else:
            self._interest.end(match, place)

    # --- the router's

    def hold(self, broker: Broker, match: MatchPolicy, topic: str) -> Promise[None] | None:
        """Have mirrored what a topic of the router's own needs; ``release`` must follow."""
        wanted = broker, match, topic
        need = self._needs.get(wanted)
        if need is None:
            need = self._needs[wanted] = self._find(broker, match, topic)
        need.holders += 1
        mirrors, presence = self._mirrors, self._presence
        waits = [mirrors.hold(table, self._events) for table in need.tables]
        waits += [presence.hold(place) for place in need.places]
        if need.is_wide:
            waits += presence.hold_pattern(match, topic)
        return gather([known for known in waits if known is not None])

    def release(self, broker: Broker, match: MatchPolicy, topic: str) -> None:
        """Nobody needs it for this any more."""
        wanted = broker, match, topic
        need = self._needs[wanted]
        need.holders -= 1
        if not need.holders:
            del self._needs[wanted]
        for table in need.tables:
            self._mirrors.release(table)
        for place in need.places:
            self._presence.release(place)
        if need.is_wide:
            self._presence.release_pattern(match, topic)

    def _find(self, broker: Broker, match: MatchPolicy, topic: str) -> _Need:
        is_public = broker is self._public
        tables = [
            table
            for table, topics in TOLD_BY
            if is_public and any(selects(match, topic, told) for told in topics)
        ]
        if match != "exact":
            return _Need(tables, [], is_wide=is_public and _may_tell_of_presence(match, topic))
        name = watched(topic)
        place = None if name is None else self._presence.place(TopicRef(broker, name))
        return _Need(tables, [] if place is None else [place], is_wide=False)


def _may_tell_of_presence(match: MatchPolicy, topic: str) -> bool:
    """Whether a pattern may take the presence of anything."""
    if match == "prefix":
        return topic.startswith("radiod.presence.") or "radiod.presence.".startswith(topic)
    first, _, rest = topic.partition(".")
    return first == "radiod" and rest.partition(".")[0] in ("", "presence")
