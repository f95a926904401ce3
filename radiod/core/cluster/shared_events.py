"""WAMP's meta events of sessions and subscriptions, where other nodes have some, too.

What happens on a node is told there, and, by its tables, to the nodes where somebody listens to these
events, which tell their own listeners. A subscription has the same id on all nodes: it is created with the
first listener on any of them, and deleted with the last.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from radiod.core.cluster.table_letters import Key, is_session, is_subscriber
from radiod.core.cluster.table_mirrors import Change
from radiod.core.cluster.tables import Tables
from radiod.core.dates import date
from radiod.core.promises import Promise
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Broker, Subscription, describe_subscription
from radiod.core.realm.meta_events import MetaEvents, is_told
from radiod.core.sessions.session import Session, describe_session
from radiod.core.uris import is_reserved
from radiod.errors import Refused
from radiod.wire.options import MatchPolicy

__all__ = ["SESSIONS", "SUBSCRIBERS", "SharedEvents"]

SESSIONS: Final = "sessions"
"""The table of sessions: id -> what is told of it."""

SUBSCRIBERS: Final = "subscribers"
"""The table of who is in which subscription: (subscription, session) -> what is told of the subscription."""

Arriving = tuple[int, MatchPolicy, str]
"""A session, and what it listens to."""

POLICIES: Final[tuple[MatchPolicy, ...]] = ("exact", "prefix", "wildcard")


class RouterNeeds(Protocol):
    """What is mirrored for those who listen to the router's own topics."""

    def hold(self, broker: Broker, match: MatchPolicy, topic: str) -> object:
        """Somebody listens; ``release`` must follow."""

    def release(self, broker: Broker, match: MatchPolicy, topic: str) -> None:
        """Not any more."""


class SharedEvents(MetaEvents):
    """Tells the meta events of one realm to this node's listeners, and to others by ``tables``.

    A ``TableSource``, and a ``MirrorUser``. ``topics``, and ``id_of``, which tells the id that a subscription
    has or would have: set before anybody subscribes; ``pairs``: id of a subscription -> how many listeners of
    it are known, here and where that is mirrored.

    Args:
        sessions: id -> those of this node; broker: of public topics.
    """

    topics: RouterNeeds
    id_of: Callable[[MatchPolicy, str], int]

    def __init__(
        self, announcer: Announcer, tables: Tables, sessions: dict[int, Session], broker: Broker
    ) -> None:
        super().__init__(announcer)
        self._tables = tables
        self._sessions = sessions
        self._broker = broker
        self.pairs: dict[int, int] = {}
        # Who others are told of already, though it does not listen yet -> since when.
        self._expected: dict[Arriving, float] = {}
        # The same by their keys, as of when the keys were asked for last: others may have come, or gone.
        self._expected_as: dict[tuple[int, int], Arriving] = {}
        tables.news.offer(SESSIONS, self)
        tables.news.offer(SUBSCRIBERS, self)
        tables.mirrors.last = SESSIONS

    # --- this node's

    def joined(self, session: Session) -> None:
        super().joined(session)
        self._tables.news.put(SESSIONS, session.id, describe_session(session))

    def left(self, session: Session) -> None:
        super().left(session)
        self._tables.news.drop(SESSIONS, session.id)

    def vanished(self, session: Session) -> None:
        """A session has left, and nobody is to be told."""
        self._tables.news.drop(SESSIONS, session.id, is_quiet=True)

    def subscribed(self, session: Session, subscription: Subscription, is_new: bool) -> None:
        if is_reserved(subscription.topic):
            self.topics.hold(subscription.broker, subscription.match, subscription.topic)
        if is_told(subscription):
            since = self._expected.get((session.id, subscription.match, subscription.topic))
            if is_new and since is not None:
                # As others were told.
                subscription.created = since
            super().subscribed(session, subscription, self._add(subscription.id))
            self._tables.news.put(
                SUBSCRIBERS, (subscription.id, session.id), describe_subscription(subscription)
            )

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        if is_reserved(subscription.topic):
            self.topics.release(subscription.broker, subscription.match, subscription.topic)
        if is_told(subscription):
            self._tell_of_unsubscribing(session, subscription, is_last=self._remove(subscription.id))
            self._tables.news.drop(SUBSCRIBERS, (subscription.id, session.id))

    # --- who is about to listen

    def expect(self, session: Session, match: MatchPolicy, topic: str, now: float) -> Promise[None] | None:
        """Tell others of a listener that is to come; ``arrived`` must follow. As ``TableNews.put_surely``."""
        coming = session.id, match, topic
        self._expected[coming] = now
        news = self._tables.news
        if not news.is_mirrored(SUBSCRIBERS):
            return None
        key = self.id_of(match, topic), session.id
        return news.put_surely(SUBSCRIBERS, key, self._describe(coming))

    def arrived(self, session: Session, match: MatchPolicy, topic: str) -> None:
        """It has come, or never will: then others are told so."""
        if self._expected.pop((session.id, match, topic), None) is None:
            return
        held = self._broker.lookup(match, topic)
        if held is None or session not in held.listeners:
            self._tables.news.drop(SUBSCRIBERS, (self.id_of(match, topic), session.id))

    def _describe(self, coming: Arriving) -> dict[str, Any]:
        _, match, topic = coming
        held = self._broker.lookup(match, topic)
        if held is not None:
            return describe_subscription(held)
        created = date(self._expected[coming])
        return {"id": self.id_of(match, topic), "created": created, "uri": topic, "match": match}

    # --- counting

    def _add(self, subscription: int) -> bool:
        """One more listener. Returns: whether it is the first."""
        before = self.pairs.get(subscription, 0)
        self.pairs[subscription] = before + 1
        return not before

    def _remove(self, subscription: int) -> bool:
        """One less. Returns: whether it was the last."""
        left = self.pairs[subscription] = self.pairs[subscription] - 1
        if left:
            return False
        del self.pairs[subscription]
        return True

    # --- TableSource

    def keys(self, table: str) -> list[Key]:
        if table == SESSIONS:
            return list(self._sessions)
        self._expected_as = {
            (self.id_of(match, topic), session): (session, match, topic)
            for session, match, topic in self._expected
        }
        return list(dict.fromkeys([*self.listeners(), *self._expected_as]))

    def listeners(self) -> list[tuple[int, int]]:
        """(subscription, session) of all who listen here."""
        return [
            (subscription.id, session.id)
            for match in POLICIES
            for subscription in self._broker.subscriptions(match)
            if is_told(subscription)
            for session in subscription.listeners
        ]

    def value(self, table: str, key: Any) -> Any:
        if table == SESSIONS:
            session = self._sessions.get(key)
            return None if session is None else describe_session(session)
        subscription = self._listened_to(*key)
        if subscription is not None:
            return describe_subscription(subscription)
        coming = self._expected_as.get(key)
        return self._describe(coming) if coming in self._expected else None

    def _listened_to(self, id: int, listener: int) -> Subscription | None:
        try:
            subscription = self._broker.find(id)
        except Refused:
            return None
        return subscription if self._sessions.get(listener) in subscription.listeners else None

    # --- MirrorUser

    def fits(self, table: str, key: Any, value: Any) -> bool:
        """As ``MirrorUser.fits``."""
        return is_subscriber(key, value) if table == SUBSCRIBERS else is_session(key, value)

    def changed(self, change: Change) -> None:
        """Something is so on another node."""
        if change.before is not None and change.value is not None:
            return
        if change.table == SUBSCRIBERS:
            self._change_subscribers(change)
        elif change.is_news and change.value is not None:
            self._announcer.announce("wamp.session.on_join", change.value)
        elif change.is_news:
            told = change.before
            self._announcer.announce("wamp.session.on_leave", change.key, told["authid"], told["authrole"])

    def _change_subscribers(self, change: Change) -> None:
        subscription, session = change.key
        if change.value is not None:
            is_first = self._add(subscription)
            if change.is_news and is_first:
                self._tell(change.value, "on_create", session, change.value)
            if change.is_news:
                self._tell(change.value, "on_subscribe", session, subscription)
        else:
            is_last = self._remove(subscription)
            if change.is_news:
                self._tell(change.before, "on_unsubscribe", session, subscription)
            if change.is_news and is_last:
                self._tell(change.before, "on_delete", session, subscription)

    def _tell(self, subscription: dict[str, Any], event: str, session: int, told: Any) -> None:
        self._announcer.announce(f"wamp.subscription.{event}", session, told, about=subscription["uri"])
