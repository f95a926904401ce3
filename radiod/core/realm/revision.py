"""Rights that change while a session is open: whatever it may not have any more is taken away."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from radiod.core.channels.authority import Authority
from radiod.core.channels.writers import Writers
from radiod.core.promises import chain
from radiod.core.pubsub.broker import SessionSubscriptions, Subscription
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.realm.inbox import Inbox
from radiod.core.rights import Action, Permissions, Verdict
from radiod.core.rpc.registrations import Registration, Registrations
from radiod.core.sessions.session import Session
from radiod.errors import NOT_AUTHORIZED
from radiod.wire.options import Options, PublishOptions, RegisterOptions, SubscribeOptions

__all__ = ["Revision"]


class Revision:
    """Revises the rights of one realm's open sessions."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        authority: Authority,
        subscriptions: SessionSubscriptions,
        registrations: Registrations,
        writers: Writers,
    ) -> None:
        self._inbox = inbox
        self._authority = authority
        self._subscriptions = subscriptions
        self._registrations = registrations
        self._writers = writers

    def revise(self, session: Session, permissions: Permissions) -> None:
        """Give an open session other rights, from its next message on.

        What it has subscribed to, registered or opened for writing, and may not any more, ends: at once, or
        when somebody who is asked has decided so. A decision that was asked for before still counts for the
        message that waits for it.
        """
        session.principal = structs.replace(session.principal, permissions=permissions)
        self._inbox.admit(session)
        for subscription in list(self._subscriptions.of(session).values()):
            subscribing = SubscribeOptions(match=subscription.match)
            revoke = self._revoke_subscription(session, subscription)
            self._unless_allowed(session, Action.SUBSCRIBE, subscription.topic, subscribing, revoke)
        for callee in list(self._registrations.of(session).values()):
            registration = callee.registration
            registering = RegisterOptions(match=registration.match)
            revoke = self._revoke_registration(session, registration)
            self._unless_allowed(session, Action.REGISTER, registration.procedure, registering, revoke)
        for topic in self._writers.opened(session):

            def close(topic: TopicRef = topic) -> None:
                self._writers.close(session, topic)

            self._unless_allowed(session, Action.PUBLISH, topic.topic, PublishOptions(), close)

    def _unless_allowed(
        self, session: Session, action: Action, uri: str, options: Options, end: Callable[[], None]
    ) -> None:
        permissions = session.principal.permissions

        def conclude(verdict: Verdict) -> None:
            # They may have changed again since, which has been seen to.
            if not verdict.is_allowed and session.is_open and session.principal.permissions is permissions:
                end()

        chain(permissions.decide(session, action, uri, options), conclude)

    def _revoke_subscription(self, session: Session, subscription: Subscription) -> Callable[[], None]:
        def revoke() -> None:
            if session in subscription.listeners:
                self._authority.revoke_subscription(session, subscription, NOT_AUTHORIZED)

        return revoke

    def _revoke_registration(self, session: Session, registration: Registration) -> Callable[[], None]:
        def revoke() -> None:
            if registration.id in self._registrations.of(session):
                self._authority.revoke_registration(session, registration, NOT_AUTHORIZED)

        return revoke
