"""``wamp.subscription.*`` over all nodes: they are asked when somebody asks.

A subscription has the same id on all nodes. Others tell what they have with the topics, so that whoever asks
learns of none that it may not know of.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from radiod.core.arguments import identifier, struct, text
from radiod.core.channels.authority import Authority
from radiod.core.cluster.census import Census
from radiod.core.cluster.census_letters import read_finding
from radiod.core.cluster.peers import Answers
from radiod.core.procedures.family import Payloads
from radiod.core.procedures.wamp_subscriptions import SubscriptionProcedures
from radiod.core.promises import Promise, chain
from radiod.core.pubsub.broker import Broker, Subscription, describe_subscription
from radiod.core.sessions.session import Session
from radiod.core.sight import may_know
from radiod.core.slices import Slices, in_steps
from radiod.errors import NO_SUCH_SESSION, NO_SUCH_SUBSCRIPTION, QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, SubscribeOptions

__all__ = ["MAX_LISTED", "SharedSubscriptionProcedures"]

MAX_LISTED: Final = 5000
"""Subscriptions of one node that others are told of with their topics, in one answer."""

POLICIES: Final[tuple[MatchPolicy, ...]] = ("exact", "prefix", "wildcard")

LIST: Final = "subscriptions"
MATCH: Final = "wamp.subscription.match"
GET: Final = "wamp.subscription.get"
LIST_SUBSCRIBERS: Final = "wamp.subscription.list_subscribers"
COUNT_SUBSCRIBERS: Final = "wamp.subscription.count_subscribers"
REMOVE: Final = "wamp.subscription.remove_subscriber"

Named = list[tuple[int, str]]
"""Ids and topics, or patterns, of subscriptions."""


class Found:
    """What several nodes have answered. ``unanswered``: names of those that have not, or had too much."""

    def __init__(self, values: list[Any], unanswered: tuple[str, ...]) -> None:
        self.values = values
        self.unanswered = unanswered

    def told(self, value: Any) -> Payload:
        """An answer, and who has not told."""
        return Payload.of(value, unanswered=list(self.unanswered)) if self.unanswered else Payload.of(value)

    @property
    def unsure(self) -> str:
        """What makes a refusal uncertain."""
        return f"; {', '.join(self.unanswered)} did not answer" if self.unanswered else ""


class SharedSubscriptionProcedures(SubscriptionProcedures):
    """As ``SubscriptionProcedures``, of all nodes.

    ``id_of``: what a subscription is called on all nodes; ``name``: what nodes are: set before the first
    call.
    """

    id_of: Callable[[MatchPolicy, str], int]
    name: Callable[[int], str]

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
                LIST: self._list_named,
                MATCH: self._match_named,
                GET: self._get_own,
                LIST_SUBSCRIBERS: self._list_own,
                COUNT_SUBSCRIBERS: self._count_own,
                REMOVE: self._remove_own,
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

    def _match_named(self, caller: Session, *, topic: str) -> Payload:
        return Payload.of([(one.id, one.topic) for one in self._broker.matching(topic)])

    def _get_own(self, caller: Session, *, subscription: Any) -> Payload:
        return super().get_subscription(caller, subscription=subscription)

    def _list_own(self, caller: Session, *, subscription: Any) -> Payloads:
        return super().list_subscribers(caller, subscription=subscription)

    def _count_own(self, caller: Session, *, subscription: Any) -> Payload:
        return super().count_subscribers(caller, subscription=subscription)

    def _remove_own(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Payload:
        return super().remove_subscriber(caller, subscription=subscription, session=session, reason=reason)

    # --- asking

    def _ask(self, name: str, **arguments: Any) -> Promise[Found]:
        def came(answers: Answers) -> Found:
            values: list[Any] = []
            failed: list[str] = []
            for node, data in answers.given.items():
                finding = read_finding(data)
                if not finding.error:
                    values.append(finding.value)
                elif finding.error == QUOTA:
                    failed.append(self.name(node))
            return Found(values, (*answers.unanswered, *failed))

        found = chain(self._census.ask_all(name, **arguments), came)
        assert isinstance(found, Promise)
        return found

    def list_subscriptions(self, caller: Session) -> Payloads:
        """As there; of nodes with more than ``MAX_LISTED`` only this node's own are all told."""

        def tell(own: Payload) -> Payload | Promise[Payload]:
            def came(found: Found) -> Payload:
                values, _ = own.values()
                ids = {match: dict.fromkeys(values[0][match]) for match in POLICIES}
                for value in found.values:
                    for match in POLICIES:
                        ids[match].update(dict.fromkeys(_visible(caller, value[match])))
                return found.told({match: list(ids[match]) for match in POLICIES})

            return chain(self._ask(LIST), came)

        return chain(super().list_subscriptions(caller), tell)

    def lookup_subscription(self, caller: Session, *, topic: Any, options: Any) -> Any:
        """As there."""
        own = super().lookup_subscription(caller, topic=topic, options=options)
        match = struct("options", options, SubscribeOptions).match
        if own.values()[0] != [None] or not may_know(caller.principal.permissions, topic):
            return own
        id = self.id_of(match, topic)

        def tell(found: Found) -> Payload:
            return found.told(id if found.values else None)

        return chain(self._ask(GET, subscription=id), tell)

    def match_subscriptions(self, caller: Session, *, topic: Any) -> Any:
        """As there."""
        own = super().match_subscriptions(caller, topic=topic)
        if not may_know(caller.principal.permissions, text("topic", topic)):
            return own

        def came(found: Found) -> Payload:
            ids = dict.fromkeys(own.values()[0][0] or ())
            for value in found.values:
                ids.update(dict.fromkeys(_visible(caller, value)))
            return found.told(list(ids) or None)

        return chain(self._ask(MATCH, topic=topic), came)

    def _find(self, caller: Session, subscription: Any) -> Promise[tuple[dict[str, Any], Found]]:
        """What is told of a subscription that some node has. Comes to ``no_such_subscription``."""
        id = identifier("subscription", subscription)

        def came(found: Found) -> tuple[dict[str, Any], Found]:
            described = list(found.values)
            own = self._own(id)
            if own is not None:
                described.append(describe_subscription(own))
            described = [one for one in described if may_know(caller.principal.permissions, one["uri"])]
            if not described:
                raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {id}{found.unsure}")
            return min(described, key=lambda one: str(one["created"])), found

        found = chain(self._ask(GET, subscription=id), came)
        assert isinstance(found, Promise)
        return found

    def _own(self, id: int) -> Subscription | None:
        try:
            return self._broker.find(id)
        except Refused:
            return None

    def get_subscription(self, caller: Session, *, subscription: Any) -> Any:
        """As there; created when the first node has it since."""

        def tell(found: tuple[dict[str, Any], Found]) -> Payload:
            return found[1].told(found[0])

        return chain(self._find(caller, subscription), tell)

    def list_subscribers(self, caller: Session, *, subscription: Any) -> Any:
        """As there."""

        def tell(found: Found) -> Payload:
            own = self._own(subscription)
            ids = [] if own is None else [one.id for one in own.listeners]
            return found.told([*ids, *[id for value in found.values for id in value]])

        return self._of_all(caller, LIST_SUBSCRIBERS, subscription, tell)

    def count_subscribers(self, caller: Session, *, subscription: Any) -> Any:
        """As there."""

        def tell(found: Found) -> Payload:
            own = self._own(subscription)
            return found.told((0 if own is None else len(own.listeners)) + sum(found.values))

        return self._of_all(caller, COUNT_SUBSCRIBERS, subscription, tell)

    def _of_all(
        self, caller: Session, name: str, subscription: Any, tell: Callable[[Found], Payload]
    ) -> Payloads:
        def ask(_: Any) -> Payload | Promise[Payload]:
            return chain(self._ask(name, subscription=subscription), tell)

        return chain(self._find(caller, subscription), ask)

    def remove_subscriber(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Any:
        """As there, on whatever node the session is."""
        if identifier("session", session) in self._sessions:
            return self._remove_own(caller, subscription=subscription, session=session, reason=reason)

        def done(found: Found) -> Payload:
            if not found.values:
                raise Refused(NO_SUCH_SESSION, f"no session {session} has it{found.unsure}")
            return Payload.of()

        def ask(_: Any) -> Payload | Promise[Payload]:
            arguments = {"subscription": subscription, "session": session, "reason": reason}
            return chain(self._ask(REMOVE, **arguments), done)

        return chain(self._find(caller, subscription), ask)


def _namer(into: Named) -> Callable[[list[Subscription]], object]:
    return lambda some: into.extend((one.id, one.topic) for one in some)


def _visible(caller: Session, named: list[Any]) -> list[int]:
    """The ids of those that somebody may know of; ``named``: as ``Named``, in lists where a letter had it."""
    permissions = caller.principal.permissions
    return [one[0] for one in named if may_know(permissions, one[1])]
