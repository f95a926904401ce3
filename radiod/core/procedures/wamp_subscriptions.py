"""``wamp.subscription.*``: who listens to what. ``remove_subscriber`` is Crossbar.io's.

Source: WAMP specification, "Subscription Meta API".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radiod.core.arguments import REQUIRED, identifier, optional, struct, text
from radiod.core.channels.authority import Authority
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.procedures.ids import ids_by_policy, ids_of
from radiod.core.procedures.visible import find_subscription, sees_subscription
from radiod.core.procedures.wamp_sessions import find_session
from radiod.core.pubsub.broker import Broker, Subscription, describe_subscription
from radiod.core.sessions.session import Session
from radiod.core.sight import may_know
from radiod.core.slices import Slices
from radiod.errors import NO_SUCH_SUBSCRIPTION, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import SubscribeOptions

__all__ = ["SubscriptionProcedures"]


class SubscriptionProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(
        self, sessions: Mapping[int, Session], broker: Broker, authority: Authority, slices: Slices
    ) -> None:
        self._sessions = sessions
        self._broker = broker
        self._authority = authority
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "wamp.subscription.list": ({}, self.list_subscriptions),
            "wamp.subscription.lookup": ({"topic": REQUIRED, "options": None}, self.lookup_subscription),
            "wamp.subscription.match": ({"topic": REQUIRED}, self.match_subscriptions),
            "wamp.subscription.get": ({"subscription": REQUIRED}, self.get_subscription),
            "wamp.subscription.list_subscribers": ({"subscription": REQUIRED}, self.list_subscribers),
            "wamp.subscription.count_subscribers": ({"subscription": REQUIRED}, self.count_subscribers),
            "wamp.subscription.remove_subscriber": (
                {"subscription": REQUIRED, "session": REQUIRED, "reason": None},
                self.remove_subscriber,
            ),
        }

    def list_subscriptions(self, caller: Session) -> Payloads:
        """→ ``{exact, prefix, wildcard}``: ids."""
        return self._slices.run(ids_by_policy(self._broker.subscriptions, sees_subscription(caller)))

    def lookup_subscription(self, caller: Session, *, topic: Any, options: Any) -> Payload:
        """→ the id of the subscription made for this topic and match policy, or null."""
        match = struct("options", options, SubscribeOptions).match
        found = self._broker.lookup(match, text("topic", topic))
        return Payload.of(found.id if found and sees_subscription(caller)(found) else None)

    def match_subscriptions(self, caller: Session, *, topic: Any) -> Payload:
        """→ ids of the subscriptions that an event on the topic goes to, or null."""
        found = self._broker.matching(text("topic", topic))
        sees = sees_subscription(caller)
        shown = found if may_know(caller.principal.permissions, topic) else []
        return Payload.of([one.id for one in shown if sees(one)] or None)

    def _subscription(self, caller: Session, id: Any) -> Subscription:
        return find_subscription(self._broker, caller, identifier("subscription", id))

    def get_subscription(self, caller: Session, *, subscription: Any) -> Payload:
        """→ ``{id, created, uri, match}``."""
        return Payload.of(describe_subscription(self._subscription(caller, subscription)))

    def list_subscribers(self, caller: Session, *, subscription: Any) -> Payloads:
        """→ ids of the sessions in a subscription."""
        return self._slices.run(ids_of(self._subscription(caller, subscription).listeners))

    def count_subscribers(self, caller: Session, *, subscription: Any) -> Payload:
        """→ how many these are."""
        return Payload.of(len(self._subscription(caller, subscription).listeners))

    def remove_subscriber(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Payload:
        """Take a subscription away from a session → nothing."""
        found, subscriber = self._subscription(caller, subscription), find_session(self._sessions, session)
        if subscriber not in found.listeners:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"session {session} does not have it")
        self._authority.revoke_subscription(subscriber, found, optional(text, "reason", reason))
        return Payload.of()
