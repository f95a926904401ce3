"""What a server program may ask of a realm, and do there, on all nodes.

Rights are asked on the node that it came to, and the others do as that one says. Of a node that does not
answer nothing is told, and nothing is ended there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from radiod.core.arguments import REQUIRED, Signature, a_list, identifier, optional, text
from radiod.core.cluster.census import Census, Found
from radiod.core.cluster.places import Places
from radiod.core.cluster.shared_presence import SharedPresence
from radiod.core.procedures.family import Payloads
from radiod.core.promises import Promise, chain, when
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.realm.management import Load, Management
from radiod.core.sessions.session import Session
from radiod.wire.codecs import Payload

__all__ = ["SharedManagement"]

LISTENERS: Final = "listeners"
LISTENED: Final = "listened"
COUNTS: Final = "counts"
LOAD: Final = "load"
DISCONNECT: Final = "disconnect"
UNSUBSCRIBE: Final = "unsubscribe"

OF_PLACE: Final[Signature] = {"place": REQUIRED}
OF_PLACES: Final[Signature] = {"places": REQUIRED}
OF_PATTERN: Final[Signature] = {"pattern": REQUIRED}
OF_PERSON: Final[Signature] = {"authid": REQUIRED, "message": REQUIRED, "only": REQUIRED, "but": REQUIRED}
OF_BOTH: Final[Signature] = {"place": REQUIRED, "authid": REQUIRED, "only": REQUIRED}


class SharedManagement(Management):
    """As ``Management``. ``attach`` comes before the first request."""

    def attach(self, census: Census, places: Places, presence: SharedPresence, node: str) -> None:
        """Have the other nodes. ``node``: what this one is called."""
        self._census = census
        self._node = node
        self._places = places
        self._everywhere = presence
        census.offer(
            {
                LISTENERS: (OF_PLACE, self._listeners_here),
                LISTENED: (OF_PATTERN, self._listened_here),
                COUNTS: (OF_PLACES, self._counts_here),
                LOAD: ({}, self._load_here),
                DISCONNECT: (OF_PERSON, self._disconnect_here),
                UNSUBSCRIBE: (OF_BOTH, self._unsubscribe_here),
            }
        )

    # --- asked by other nodes

    def _listeners_here(self, caller: Session, *, place: Any) -> Payloads:
        topic = self._places.at(text("place", place))
        if topic is None:
            return Payload.of([])
        return chain(super()._listeners(topic), lambda found: Payload.of(list(found.items())))

    def _listened_here(self, caller: Session, *, pattern: Any) -> Payloads:
        return chain(super()._listened(text("pattern", pattern)), Payload.of)

    def _counts_here(self, caller: Session, *, places: Any) -> Payloads:
        found: dict[str, int] = {}
        for place in a_list("places", places):
            topic = self._places.at(text("places", place))
            subscription = None if topic is None else topic.broker.lookup("exact", topic.topic)
            if subscription is not None:
                found[place] = len(subscription.listeners)
        return Payload.of(found)

    def _load_here(self, caller: Session) -> Payloads:
        return chain(self._load(), lambda load: Payload.of(list(load)))

    def _disconnect_here(
        self, caller: Session, *, authid: Any, message: Any, only: Any, but: Any
    ) -> Payloads:
        spared = [identifier("but", one) for one in a_list("but", but)]
        said, chosen = optional(text, "message", message), optional(identifier, "only", only)
        return chain(super()._disconnect(text("authid", authid), said, chosen, spared), _told)

    def _unsubscribe_here(self, caller: Session, *, place: Any, authid: Any, only: Any) -> Payloads:
        topic = self._places.at(text("place", place))
        if topic is None:
            return Payload.of(0)
        chosen = optional(identifier, "only", only)
        return chain(super()._unsubscribe(topic, text("authid", authid), chosen), _told)

    # --- on all nodes

    def _listeners(self, topic: TopicRef) -> dict[int, str] | Promise[dict[int, str]]:
        place = self._places.of(topic.broker, topic.topic)
        own = super()._listeners(topic)
        if place is None:
            return own

        def ask(here: dict[int, str]) -> dict[int, str] | Promise[dict[int, str]]:
            def came(found: Found[list[tuple[int, str]]]) -> dict[int, str]:
                return here | {id: authid for given in found.values for id, authid in given}

            return chain(self._census.ask_all(LISTENERS, list[tuple[int, str]], place=place), came)

        return chain(own, ask)

    def _listened(self, pattern: str) -> dict[str, int] | Promise[dict[str, int]]:
        def ask(here: dict[str, int]) -> dict[str, int] | Promise[dict[str, int]]:
            def came(found: Found[dict[str, int]]) -> dict[str, int]:
                return _added([here, *found.values])

            return chain(self._census.ask_all(LISTENED, dict[str, int], pattern=pattern), came)

        return chain(super()._listened(pattern), ask)

    def _counts(self, topics: list[TopicRef]) -> dict[str, int] | Promise[dict[str, int]]:
        own = super()._counts(topics)
        names = {
            place: one.topic
            for one in topics
            if (place := self._places.of(one.broker, one.topic)) is not None
        }
        if not names:
            return own

        def ask(here: dict[str, int]) -> dict[str, int] | Promise[dict[str, int]]:
            def came(found: Found[dict[str, int]]) -> dict[str, int]:
                there = [
                    {names[place]: count for place, count in given.items() if place in names}
                    for given in found.values
                ]
                return _added([here, *there])

            return chain(self._census.ask_all(COUNTS, dict[str, int], places=list(names)), came)

        return chain(own, ask)

    def loads(self) -> list[Load] | Promise[list[Load]]:
        """As ``Management.loads``."""

        def ask(own: Load) -> list[Load] | Promise[list[Load]]:
            def came(found: Found[Load]) -> list[Load]:
                return [own, *found.values]

            return chain(self._census.ask_all(LOAD, Load), came)

        return chain(self._load(), ask)

    def _load(self) -> Load | Promise[Load]:
        return chain(super()._load(), lambda load: load._replace(node=self._node))

    def _headcount(self, topic: TopicRef) -> tuple[int, int] | Promise[tuple[int, int]]:
        place = self._places.of(topic.broker, topic.topic)
        known = None if place is None else self._everywhere.known(place)
        return when(known, lambda: Management._headcount(self, topic))

    def _disconnect(
        self, authid: str, message: str | None, only: int | None, but: Collection[int]
    ) -> int | Promise[int]:
        # 0: what was no session's id.
        spared = [one for one in but if one]
        arguments = {"authid": authid, "message": message, "only": only, "but": spared}
        return self._with_others(super()._disconnect(authid, message, only, but), DISCONNECT, arguments)

    def _unsubscribe(self, topic: TopicRef, authid: str, only: int | None) -> int | Promise[int]:
        place = self._places.of(topic.broker, topic.topic)
        own = super()._unsubscribe(topic, authid, only)
        if place is None:
            return own
        return self._with_others(own, UNSUBSCRIBE, {"place": place, "authid": authid, "only": only})

    def _with_others(
        self, own: int | Promise[int], procedure: str, arguments: dict[str, Any]
    ) -> int | Promise[int]:
        """How many it is here, and how many there."""

        def ask(here: int) -> int | Promise[int]:
            def came(found: Found[int]) -> int:
                return here + sum(found.values)

            return chain(self._census.ask_all(procedure, int, **arguments), came)

        return chain(own, ask)


def _added(given: list[dict[str, int]]) -> dict[str, int]:
    """Numbers of the same name together."""
    total: dict[str, int] = {}
    for counts in given:
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return total


def _told(count: int) -> Payload:
    return Payload.of(count)
