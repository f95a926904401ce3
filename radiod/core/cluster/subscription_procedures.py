"""``wamp.subscription.*`` over all nodes: they are asked when somebody asks.

A subscription has the same id on all nodes. Others tell what they have with the topics, so that whoever asks
learns of none that it may not know of.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, TypeVar, cast

from radiod.core.arguments import REQUIRED, Signature, identifier, struct, text
from radiod.core.channels.authority import Authority
from radiod.core.cluster.census import Census, Found
from radiod.core.cluster.census_letters import Described, Named
from radiod.core.procedures.family import Payloads
from radiod.core.procedures.wamp_sessions import find_session
from radiod.core.procedures.wamp_subscriptions import SubscriptionProcedures
from radiod.core.promises import Promise, after, chain
from radiod.core.pubsub.broker import Broker, Subscription, describe_subscription
from radiod.core.sessions.session import Session
from radiod.core.sight import may_know
from radiod.core.slices import Slices, in_steps
from radiod.errors import NO_SUCH_SESSION, NO_SUCH_SUBSCRIPTION, QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, SubscribeOptions

__all__ = ["MAX_LISTED", "SharedSubscriptionProcedures"]

T = TypeVar("T")

MAX_LISTED: Final = 100_000
"""Subscriptions of one node that others are told of with their topics."""

POLICIES: Final[tuple[MatchPolicy, ...]] = ("exact", "prefix", "wildcard")

LIST: Final = "subscriptions"
MATCH: Final = "wamp.subscription.match"
GET: Final = "wamp.subscription.get"
LIST_SUBSCRIBERS: Final = "wamp.subscription.list_subscribers"
COUNT_SUBSCRIBERS: Final = "wamp.subscription.count_subscribers"
REMOVE: Final = "wamp.subscription.remove_subscriber"

OF_TOPIC: Final[Signature] = {"topic": REQUIRED}
OF_ONE: Final[Signature] = {"subscription": REQUIRED}
OF_SESSION: Final[Signature] = {"subscription": REQUIRED, "session": REQUIRED, "reason": REQUIRED}


class SharedSubscriptionProcedures(SubscriptionProcedures):
    """As ``SubscriptionProcedures``, of all nodes.

    ``id_of``: what a subscription is called on all nodes: set before the first call.
    """

    id_of: Callable[[MatchPolicy, str], int]

    def __init__(
        self,
        sessions: Mapping[int, Session],
        broker: Broker,
        authority: Authority,
        slices: Slices,
        census: Census,
    ) -> None:
        super().__init__(sessions, broker, authority, slices)
        self._census = census
        census.offer(
            {
                LIST: ({}, self._list_named),
                MATCH: (OF_TOPIC, self._match_named),
                GET: (OF_ONE, self._get_own),
                LIST_SUBSCRIBERS: (OF_ONE, self._list_own),
                COUNT_SUBSCRIBERS: (OF_ONE, self._count_own),
                REMOVE: (OF_SESSION, self._remove_own),
            }
        )

    # --- asked by other nodes

    def _list_named(self, caller: Session) -> Payloads:
        if len(self._broker) > MAX_LISTED:
            raise Refused(QUOTA, f"this node has more than {MAX_LISTED} subscriptions")

        def find() -> Generator[None, None, Payload]:
            found: dict[str, Named] = {}
            for match in POLICIES:
                of_policy: Named = []
                yield from in_steps(self._broker.subscriptions(match), _namer(of_policy))
                found[match] = of_policy
            return Payload.of(found)

        return self._slices.run(find())

    def _match_named(self, caller: Session, *, topic: Any) -> Payload:
        return Payload.of([(one.id, one.topic) for one in self._broker.matching(text("topic", topic))])

    def _get_own(self, caller: Session, *, subscription: Any) -> Payload:
        return super().get_subscription(caller, subscription=subscription)

    def _list_own(self, caller: Session, *, subscription: Any) -> Payloads:
        return super().list_subscribers(caller, subscription=subscription)

    def _count_own(self, caller: Session, *, subscription: Any) -> Payload:
        return super().count_subscribers(caller, subscription=subscription)

    def _remove_own(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Payload:
        # Of all nodes one has the session: what that says counts.
        find_session(self._sessions, session)
        return super().remove_subscriber(caller, subscription=subscription, session=session, reason=reason)

    # --- asking

    def list_subscriptions(self, caller: Session) -> Payloads:
        """As there; of nodes with more than ``MAX_LISTED`` only this node's own are all told."""

        def tell(own: Payload) -> Payload | Promise[Payload]:
            def came(found: Found[dict[MatchPolicy, Named]]) -> Payload:
                values, _ = own.values()
                ids = {match: dict.fromkeys(values[0][match]) for match in POLICIES}
                for value in found.values:
                    for match in POLICIES:
                        ids[match].update(dict.fromkeys(_visible(caller, value.get(match, []))))
                return found.told({match: list(ids[match]) for match in POLICIES})

            return chain(self._census.ask_all(LIST, dict[MatchPolicy, Named]), came)

        return chain(super().list_subscriptions(caller), tell)

    def lookup_subscription(self, caller: Session, *, topic: Any, options: Any) -> Any:
        """As there."""
        own = super().lookup_subscription(caller, topic=topic, options=options)
        match = struct("options", options, SubscribeOptions).match
        if own.values()[0] != [None] or not may_know(caller.principal.permissions, topic):
            return own
        id = self.id_of(match, topic)

        def tell(found: Found[Described]) -> Payload:
            return found.told(id if found.values else None)

        return chain(self._census.ask_all(GET, Described, subscription=id), tell)

    def match_subscriptions(self, caller: Session, *, topic: Any) -> Any:
        """As there."""
        own = super().match_subscriptions(caller, topic=topic)
        if not may_know(caller.principal.permissions, text("topic", topic)):
            return own

        def came(found: Found[Named]) -> Payload:
            ids = dict.fromkeys(own.values()[0][0] or ())
            for value in found.values:
                ids.update(dict.fromkeys(_visible(caller, value)))
            return found.told(list(ids) or None)

        return chain(self._census.ask_all(MATCH, Named, topic=topic), came)

    def find(self, caller: Session, subscription: Any) -> Promise[tuple[Described, Found[Described]]]:
        """What is told of a subscription that some node has. Comes to ``no_such_subscription``."""
        id = identifier("subscription", subscription)

        def came(found: Found[Described]) -> tuple[Described, Found[Described]]:
            described = list(found.values)
            own = self._own(id)
            if own is not None:
                described.append(cast("Described", describe_subscription(own)))
            described = [one for one in described if may_know(caller.principal.permissions, one["uri"])]
            if not described:
                raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {id}{found.unsure}")
            return min(described, key=lambda one: one["created"]), found

        return after(self._census.ask_all(GET, Described, subscription=id), came)

    def _own(self, id: int) -> Subscription | None:
        try:
            return self._broker.find(id)
        except Refused:
            return None

    def get_subscription(self, caller: Session, *, subscription: Any) -> Any:
        """As there; created when the first node has it since."""

        def tell(found: tuple[Described, Found[Described]]) -> Payload:
            return found[1].told(found[0])

        return chain(self.find(caller, subscription), tell)

    def list_subscribers(self, caller: Session, *, subscription: Any) -> Any:
        """As there."""

        def tell(found: Found[list[int]]) -> Payload:
            own = self._own(subscription)
            ids = [] if own is None else [one.id for one in own.listeners]
            return found.told([*ids, *[id for value in found.values for id in value]])

        return self._of_all(caller, LIST_SUBSCRIBERS, list[int], subscription, tell)

    def count_subscribers(self, caller: Session, *, subscription: Any) -> Any:
        """As there."""

        def tell(found: Found[int]) -> Payload:
            own = self._own(subscription)
            return found.told((0 if own is None else len(own.listeners)) + sum(found.values))

        return self._of_all(caller, COUNT_SUBSCRIBERS, int, subscription, tell)

    def _of_all(
        self,
        caller: Session,
        name: str,
        kind: type[T],
        subscription: Any,
        tell: Callable[[Found[T]], Payload],
    ) -> Payloads:
        def ask(_: Any) -> Payload | Promise[Payload]:
            return chain(self._census.ask_all(name, kind, subscription=subscription), tell)

        return chain(self.find(caller, subscription), ask)

    def remove_subscriber(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Any:
        """As there, on whatever node the session is."""
        if identifier("session", session) in self._sessions:
            return self._remove_own(caller, subscription=subscription, session=session, reason=reason)

        def done(found: Found[bool]) -> Payload:
            if found.values:
                return Payload.of()
            if any(one.error == NO_SUCH_SUBSCRIPTION for one in found.refusals):
                raise Refused(NO_SUCH_SUBSCRIPTION, f"session {session} does not have it")
            raise Refused(NO_SUCH_SESSION, f"no session {session}{found.unsure}")

        def ask(_: Any) -> Payload | Promise[Payload]:
            arguments = {"subscription": subscription, "session": session, "reason": reason}
            return chain(self._census.ask_all(REMOVE, bool, **arguments), done)

        return chain(self.find(caller, subscription), ask)


def _namer(into: Named) -> Callable[[list[Subscription]], object]:
    return lambda some: into.extend((one.id, one.topic) for one in some)


def _visible(caller: Session, named: Named) -> list[int]:
    """The ids of those that somebody may know of."""
    permissions = caller.principal.permissions
    return [one[0] for one in named if may_know(permissions, one[1])]
