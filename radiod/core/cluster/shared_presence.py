"""Presence where other nodes have listeners, too: a person is there while any of its sessions is, anywhere.

Each node counts its own listeners, in one table for each place (``Places``). Where somebody listens to a
place's presence, or asks for it, the others' tables are mirrored, and what is told is of all. A table of
places where anybody is serves those who listen to the presence of many by a pattern.
"""

from __future__ import annotations

from typing import Any, Final

from radiod.core.channels.headcount import PAGE
from radiod.core.channels.presence import Presence
from radiod.core.cluster.looks import Looks
from radiod.core.cluster.places import Places
from radiod.core.cluster.table_letters import Key
from radiod.core.cluster.table_mirrors import Change
from radiod.core.cluster.tables import Tables
from radiod.core.promises import Promise, gather, when
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.core.uris import PRESENCE, selects
from radiod.wire.options import MatchPolicy

__all__ = ["PLACES", "PRESENT", "SharedPresence"]

PRESENT: Final = "present"
"""The kind of tables of who is at one place, which is the rest of their names: authid -> sessions."""

NOT_EXPECTED: Final = -1

PLACES: Final = "places"
"""The table of places where anybody is: place -> True."""


class SharedPresence(Presence):
    """Who listens, on all nodes; a ``TableSource``, and a ``MirrorUser``.

    ``tables``, ``places``, ``looks``: set before anybody listens.
    """

    tables: Tables
    places: Places
    looks: Looks

    def attach(self, tables: Tables, places: Places, clock: Clock, timers: Timers) -> None:
        """Have the other nodes, before anybody listens."""
        self.tables, self.places = tables, places
        # topic -> authid -> sessions: of this node, and of the others as far as they are mirrored
        self._own: dict[TopicRef, dict[str, int]] = {}
        self._abroad: dict[TopicRef, dict[str, int]] = {}
        # topic -> authid -> sessions that others are told of already, though they are not there yet
        self._expected: dict[TopicRef, dict[str, set[int]]] = {}
        # Patterns that somebody listens to -> how many do.
        self._by_pattern: dict[tuple[MatchPolicy, str], int] = {}
        # Places where anybody is, elsewhere -> on how many nodes; and those of them that a pattern takes.
        self._crowds: dict[str, int] = {}
        self._taken: set[str] = set()
        self.looks = Looks(clock, timers, self.hold, self.release)
        tables.news.offer(PRESENT, self)
        tables.news.offer(PLACES, self)

    # --- this node's listeners

    def _add(self, topic: TopicRef, authid: str) -> None:
        own = self._own.setdefault(topic, {})
        own[authid] = own.get(authid, 0) + 1
        self.headcount.add(topic, authid)
        self._tell_others(topic, authid)

    def _remove(self, topic: TopicRef, authid: str) -> None:
        own = self._own.get(topic, {})
        if authid not in own:
            return
        own[authid] -= 1
        if not own[authid]:
            del own[authid]
        if not own:
            del self._own[topic]
        self.headcount.remove(topic, authid)
        self._tell_others(topic, authid)

    def _is_counted(self, topic: TopicRef) -> bool:
        return topic in self._own

    def _tell_others(self, topic: TopicRef, authid: str) -> None:
        place = self.place(topic)
        if place is None:
            return
        news, table, sessions = self.tables.news, f"{PRESENT} {place}", self._sessions(topic, authid)
        if not sessions:
            news.drop(table, authid)
            if topic not in self._own and topic not in self._expected:
                news.drop(PLACES, place)
            return
        if self._is_first(topic, sessions):
            news.put(PLACES, place, True)
        news.put(table, authid, sessions)

    def _is_first(self, topic: TopicRef, sessions: int) -> bool:
        """Whether somebody who has so many sessions here has the only one here."""
        return sessions == 1 and len(self._own.get(topic, ())) + len(self._expected.get(topic, ())) == 1

    def _sessions(self, topic: TopicRef, authid: str) -> int:
        """How many somebody has here, as others are told."""
        own, expected = self._own.get(topic, {}), self._expected.get(topic, {})
        return own.get(authid, 0) + len(expected.get(authid, ()))

    def _authids(self, topic: TopicRef) -> list[str]:
        """Those whom others are told of."""
        return list(dict.fromkeys([*self._own.get(topic, ()), *self._expected.get(topic, ())]))

    def forget(self, topic: TopicRef) -> None:
        """As ``Presence.forget``; each node forgets its own."""
        super().forget(topic)
        self._abroad.pop(topic, None)
        told, place = self._authids(topic), self.place(topic)
        self._own.pop(topic, None)
        self._expected.pop(topic, None)
        if place is not None and told:
            for authid in told:
                self.tables.news.drop(f"{PRESENT} {place}", authid, is_quiet=True)
            self.tables.news.drop(PLACES, place, is_quiet=True)

    def place(self, topic: TopicRef) -> str | None:
        """What a topic is called between nodes; None: it is of this node alone."""
        return self.places.of(topic.broker, topic.topic)

    # --- who is about to listen

    def expect(self, session: Session, topic: TopicRef) -> Promise[None] | None:
        """Tell others of a listener that is to come; ``arrive`` must follow. As ``TableNews.put_surely``."""
        place, authid = self.place(topic), session.principal.authid
        if place is None or not self.is_shown(topic):
            return None
        self._expected.setdefault(topic, {}).setdefault(authid, set()).add(session.id)
        news, sessions, known = self.tables.news, self._sessions(topic, authid), None
        if self._is_first(topic, sessions):
            # Who listens to many places asks who is there when it has heard of the place.
            known = news.put_surely(PLACES, place, True)
        return gather([known, news.put_surely(f"{PRESENT} {place}", authid, sessions)])

    def arrive(self, session: Session, topic: TopicRef) -> int:
        """It comes now, or never; ``check`` must follow. Returns: what that is to be given."""
        expected, authid = self._expected.get(topic, {}), session.principal.authid
        coming = expected.get(authid, set())
        if session.id not in coming:
            return NOT_EXPECTED
        coming.remove(session.id)
        if not coming:
            del expected[authid]
        if not expected:
            del self._expected[topic]
        return self._own.get(topic, {}).get(authid, 0)

    def check(self, session: Session, topic: TopicRef, before: int) -> None:
        """Tell others what is so if it was expected, and has not come, or is not counted."""
        authid = session.principal.authid
        if self._own.get(topic, {}).get(authid, 0) == before:
            self._tell_others(topic, authid)

    # --- TableSource

    def keys(self, table: str) -> list[Key]:
        if table == PLACES:
            topics = dict.fromkeys([*self._own, *self._expected])
            return [place for place in map(self.place, topics) if place is not None]
        topic = self._topic(table)
        return [] if topic is None else list(self._authids(topic))

    def value(self, table: str, key: Any) -> Any:
        topic = self.places.at(key) if table == PLACES else self._topic(table)
        if topic is None:
            return None
        if table == PLACES:
            return True if topic in self._own or topic in self._expected else None
        return self._sessions(topic, key) or None

    def _topic(self, table: str) -> TopicRef | None:
        """Whose table it is."""
        return self.places.at(table.removeprefix(f"{PRESENT} "))

    # --- what is wanted of others

    def hold(self, place: str, *, is_news: bool = False) -> Promise[None] | None:
        """Mirror who is at a place; as ``TableMirrors.hold``."""
        return self.tables.mirrors.hold(f"{PRESENT} {place}", self, is_news=is_news)

    def release(self, place: str, *, is_news: bool = False) -> None:
        """Mirror it no more, unless somebody else wants it; as ``TableMirrors.release``."""
        self.tables.mirrors.release(f"{PRESENT} {place}", is_news=is_news)

    def hold_pattern(self, match: MatchPolicy, topic: str) -> list[Promise[None]]:
        """Mirror who is wherever a pattern takes the presence of; ``release_pattern`` must follow.

        Returns: what is kept when that is known.
        """
        wanted = match, topic
        self._by_pattern[wanted] = self._by_pattern.get(wanted, 0) + 1
        known = self.tables.mirrors.hold(PLACES, self)
        if known is None:
            return self._take_places(is_news=False)
        whole: Promise[None] = Promise()

        def places_known(outcome: Any) -> None:
            kept = gather(self._take_places(is_news=False))
            if kept is None:
                whole.settle(None)
            else:
                kept.then(whole.settle)

        known.then(places_known)
        return [whole]

    def release_pattern(self, match: MatchPolicy, topic: str) -> None:
        """Mirror it no more, unless somebody else wants it."""
        wanted = match, topic
        self._by_pattern[wanted] -= 1
        if not self._by_pattern[wanted]:
            del self._by_pattern[wanted]
        self.tables.mirrors.release(PLACES)
        self._take_places(is_news=False)

    def _take_places(self, *, is_news: bool) -> list[Promise[None]]:
        """Mirror those places where somebody is that a pattern takes, and no others."""
        wanted = {place for place in self._crowds if self._is_taken(place)}
        for place in self._taken - wanted:
            self._taken.discard(place)
            self.release(place)
        waits = []
        for place in wanted - self._taken:
            self._taken.add(place)
            waits.append(self.hold(place, is_news=is_news))
        return [known for known in waits if known is not None]

    def _is_taken(self, place: str) -> bool:
        return any(selects(match, topic, PRESENCE + place) for match, topic in self._by_pattern)

    # --- MirrorUser

    def fits(self, table: str, key: Any, value: Any) -> bool:
        """As ``MirrorUser.fits``."""
        if table == PLACES:
            return isinstance(key, str) and value is True
        return isinstance(key, str) and type(value) is int and value > 0

    def changed(self, change: Change) -> None:
        """Somebody came or went on another node."""
        if change.table == PLACES:
            self._change_places(change)
            return
        topic = self._topic(change.table)
        if topic is None:
            return  # a private channel that has ended
        crowd = self._abroad.setdefault(topic, {})
        before = crowd.get(change.key, 0)
        # What was forgotten with its channel is not taken away once more.
        by = max(-before, (change.value or 0) - (change.before or 0))
        crowd[change.key] = before + by
        if not crowd[change.key]:
            del crowd[change.key]
        if not crowd:
            del self._abroad[topic]
        self.headcount.change(topic, change.key, by, is_told=change.is_news)

    def _change_places(self, change: Change) -> None:
        place, nodes = change.key, self._crowds.get(change.key, 0)
        if change.value is not None:
            self._crowds[place] = nodes + 1
            if not nodes and change.is_news and self._is_taken(place) and place not in self._taken:
                self._taken.add(place)
                self.hold(place, is_news=True)
            return
        self._crowds[place] = nodes - 1
        if nodes == 1:
            del self._crowds[place]
            if place in self._taken:
                self._taken.discard(place)
                # Who left may not have been told of: letters may have been lost.
                self.release(place, is_news=change.is_news)

    # --- asking

    def get_everywhere(
        self, session: Session, name: str, limit: int = PAGE, after: str | None = None
    ) -> tuple[dict[str, Any], tuple[str, ...]] | Promise[tuple[dict[str, Any], tuple[str, ...]]]:
        """As ``get``, of all nodes, perhaps later; and the names of those that did not answer."""
        first = self.get(session, name, limit, after)
        place = self.place(self._lookup.topic(session, name))
        if place is None:
            return first, ()

        def tell() -> tuple[dict[str, Any], tuple[str, ...]]:
            return self.get(session, name, limit, after), self.tables.mirrors.unanswered(f"{PRESENT} {place}")

        return when(self.known(place), tell)

    def known(self, place: str) -> Promise[None] | None:
        """Have who is at a place for a while. Returns: kept when it is known; None: it is."""
        self.looks.look(place)
        known = self.hold(place)
        self.release(place)
        return known
