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
from radiod.core.realm.management import Management
from radiod.core.sessions.session import Session
from radiod.wire.codecs import Payload

__all__ = ["SharedManagement"]

LISTENERS: Final = "listeners"
DISCONNECT: Final = "disconnect"
UNSUBSCRIBE: Final = "unsubscribe"

OF_PLACE: Final[Signature] = {"place": REQUIRED}
OF_PERSON: Final[Signature] = {"authid": REQUIRED, "message": REQUIRED, "only": REQUIRED, "but": REQUIRED}
OF_BOTH: Final[Signature] = {"place": REQUIRED, "authid": REQUIRED, "only": REQUIRED}


class SharedManagement(Management):
    """As ``Management``. ``attach`` comes before the first request."""

    def attach(self, census: Census, places: Places, presence: SharedPresence) -> None:
        """Have the other nodes."""
        self._census = census
        self._places = places
        self._everywhere = presence
        census.offer(
            {
                LISTENERS: (OF_PLACE, self._listeners_here),
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


def _told(count: int) -> Payload:
    return Payload.of(count)
