"""WAMP's meta events: what is told of sessions, subscriptions and registrations.

Event order: a subscription is created before its first session is added, and deleted after its last one was
removed; registrations likewise. Subscriptions to the meta events themselves cause none.

Source: WAMP specification, "Session Meta API", "Subscription Meta API", "Registration Meta API".
"""

from __future__ import annotations

from typing import Any

from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Broker, Subscription, describe_subscription
from radiod.core.rpc.registrations import Callee, Registration, describe_registration
from radiod.core.sessions.session import Session, describe_session
from radiod.core.sight import may_know_procedure
from radiod.core.uris import is_reserved

__all__ = ["MetaEvents", "is_told", "is_told_of"]


class MetaEvents:
    """Tells the meta events of one realm."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    def joined(self, session: Session) -> None:
        """Tell of a session that joined."""
        self._announcer.announce("wamp.session.on_join", describe_session(session))

    def left(self, session: Session) -> None:
        """Tell of a session that left."""
        principal = session.principal
        self._announcer.announce("wamp.session.on_leave", session.id, principal.authid, principal.authrole)

    def subscribed(self, session: Session, subscription: Subscription, is_new: bool) -> None:
        """Tell of a session that was added to a subscription, and of the subscription if it is new."""
        if is_told(subscription):
            if is_new:
                self._tell_of(
                    subscription, "wamp.subscription.on_create", session, describe_subscription(subscription)
                )
            self._tell_of(subscription, "wamp.subscription.on_subscribe", session, subscription.id)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """Tell of a session that was removed from a subscription, and of the subscription if that was all."""
        if is_told(subscription):
            self._tell_of_unsubscribing(session, subscription, is_last=not subscription.listeners)

    def _tell_of_unsubscribing(self, session: Session, subscription: Subscription, *, is_last: bool) -> None:
        self._tell_of(subscription, "wamp.subscription.on_unsubscribe", session, subscription.id)
        if is_last:
            self._tell_of(subscription, "wamp.subscription.on_delete", session, subscription.id)

    def registered(self, session: Session, registration: Registration, is_new: bool) -> None:
        """Tell of a callee that was added to a registration, and of the registration if it is new."""
        if is_new:
            self._tell_of(
                registration, "wamp.registration.on_create", session, describe_registration(registration)
            )
        self._tell_of(registration, "wamp.registration.on_register", session, registration.id)

    def unregistered(self, session: Session, registration: Registration) -> None:
        """Tell of a callee that was removed from a registration, and of the registration if that was all."""
        self._tell_of(registration, "wamp.registration.on_unregister", session, registration.id)
        if not registration.callees:
            self._tell_of(registration, "wamp.registration.on_delete", session, registration.id)

    def taken_over(self, callees: list[Callee]) -> None:
        """Tell of the end of a registration, and of all its callees before."""
        for callee in callees:
            registration = callee.registration
            self._tell_of(registration, "wamp.registration.on_unregister", callee.session, registration.id)
        for callee in callees[-1:]:
            registration = callee.registration
            self._tell_of(registration, "wamp.registration.on_delete", callee.session, registration.id)

    def _tell_of(self, what: Subscription | Registration, topic: str, session: Session, told: Any) -> None:
        """Tell those who may know of a subscription or registration."""
        if isinstance(what, Subscription):
            self._announcer.announce(topic, session.id, told, about=what.topic)
        else:
            self._announcer.announce(
                topic, session.id, told, about=what.procedure, may_know=may_know_procedure
            )


def is_told(subscription: Subscription) -> bool:
    """Whether anybody is told of a subscription: it is public, and to no topic of the router's own."""
    return is_told_of(subscription.broker, subscription.topic)


def is_told_of(broker: Broker, topic: str) -> bool:
    """The same of what a broker has, or might."""
    return not is_reserved(topic) and not broker.is_private
