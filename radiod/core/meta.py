"""WAMP's meta API: procedures and events about sessions, subscriptions and registrations.

Event order: a subscription is created before its first session is added, and deleted after its last one was
removed; registrations likewise. Subscriptions to the meta events themselves cause none.

Source: WAMP specification, "Session Meta API", "Subscription Meta API", "Registration Meta API", "Testament",
"Event History"; ``remove_subscriber`` and ``remove_callee`` are Crossbar.io's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from radiod.core.arguments import (
    REQUIRED,
    Signature,
    a_list,
    dictionary,
    identifier,
    optional,
    struct,
    text,
)
from radiod.core.dates import date
from radiod.core.event_history import GET_EVENTS, EventHistory
from radiod.core.later import Later, after
from radiod.core.listeners import Subscription
from radiod.core.ports import Action, Disclose, Verdict
from radiod.core.registrations import Callee, Registration
from radiod.core.sessions import Session
from radiod.core.testaments import Scope, Testament, add_testament, flush_testaments
from radiod.core.uris import check_uri, is_reserved
from radiod.errors import (
    CLOSE_KILLED,
    DISCLOSE_ME,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SESSION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    Refused,
)
from radiod.wire.codecs import CBOR, Payload
from radiod.wire.messages import PublishOptions, RegisterOptions, SubscribeOptions

if TYPE_CHECKING:
    from radiod.core.realm import Realm

__all__ = ["MetaApi"]

WHY: Final[Signature] = {"reason": CLOSE_KILLED, "message": None}
Answer = Payload | Later[Payload]


class MetaApi:
    """The meta API of one realm.

    ``procedures``: name -> parameters and handler, which takes the calling session and the parameters.
    """

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.procedures: dict[str, tuple[Signature, Callable[..., Answer]]] = {
            "wamp.session.count": ({"filter_authroles": None}, self.count_sessions),
            "wamp.session.list": ({"filter_authroles": None}, self.list_sessions),
            "wamp.session.get": ({"session": REQUIRED}, self.get_session),
            "wamp.session.kill": ({"session": REQUIRED, **WHY}, self.kill),
            "wamp.session.kill_by_authid": ({"authid": REQUIRED, **WHY}, self.kill_by_authid),
            "wamp.session.kill_by_authrole": ({"authrole": REQUIRED, **WHY}, self.kill_by_authrole),
            "wamp.session.kill_all": (WHY, self.kill_all),
            "wamp.session.add_testament": (
                {
                    "topic": REQUIRED,
                    "args": REQUIRED,
                    "kwargs": REQUIRED,
                    "publish_options": None,
                    "scope": "destroyed",
                },
                self.add_testament,
            ),
            "wamp.session.flush_testaments": ({"scope": "destroyed"}, self.flush_testaments),
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
            "wamp.subscription.get_events": (GET_EVENTS, EventHistory(realm).get_events),
            "wamp.registration.list": ({}, self.list_registrations),
            "wamp.registration.lookup": ({"procedure": REQUIRED, "options": None}, self.lookup_registration),
            "wamp.registration.match": ({"procedure": REQUIRED}, self.match_registration),
            "wamp.registration.get": ({"registration": REQUIRED}, self.get_registration),
            "wamp.registration.list_callees": ({"registration": REQUIRED}, self.list_callees),
            "wamp.registration.count_callees": ({"registration": REQUIRED}, self.count_callees),
            "wamp.registration.remove_callee": (
                {"registration": REQUIRED, "session": REQUIRED, "reason": None},
                self.remove_callee,
            ),
        }

    # --- events

    def joined(self, session: Session) -> None:
        """Tell of a session that joined."""
        self._tell("wamp.session.on_join", describe_session(session))

    def left(self, session: Session) -> None:
        """Tell of a session that left."""
        principal = session.principal
        self._tell("wamp.session.on_leave", session.id, principal.authid, principal.authrole)

    def subscribed(self, session: Session, subscription: Subscription, is_new: bool) -> None:
        """Tell of a session that was added to a subscription, and of the subscription if it is new."""
        if _is_told(subscription):
            if is_new:
                self._tell("wamp.subscription.on_create", session.id, describe_subscription(subscription))
            self._tell("wamp.subscription.on_subscribe", session.id, subscription.id)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """Tell of a session that was removed from a subscription, and of the subscription if that was all."""
        if _is_told(subscription):
            self._tell("wamp.subscription.on_unsubscribe", session.id, subscription.id)
            if not subscription.listeners:
                self._tell("wamp.subscription.on_delete", session.id, subscription.id)

    def registered(self, session: Session, registration: Registration, is_new: bool) -> None:
        """Tell of a callee that was added to a registration, and of the registration if it is new."""
        if is_new:
            self._tell("wamp.registration.on_create", session.id, describe_registration(registration))
        self._tell("wamp.registration.on_register", session.id, registration.id)

    def unregistered(self, session: Session, registration: Registration) -> None:
        """Tell of a callee that was removed from a registration, and of the registration if that was all."""
        self._tell("wamp.registration.on_unregister", session.id, registration.id)
        if not registration.callees:
            self._tell("wamp.registration.on_delete", session.id, registration.id)

    def taken_over(self, callees: list[Callee]) -> None:
        """Tell of the end of a registration, and of all its callees before."""
        for callee in callees:
            self._tell("wamp.registration.on_unregister", callee.session.id, callee.registration.id)
        for callee in callees[-1:]:
            self._tell("wamp.registration.on_delete", callee.session.id, callee.registration.id)

    def _tell(self, topic: str, *args: Any) -> None:
        self._realm.announce(topic, *args)

    # --- sessions

    def _sessions(self, filter_authroles: Any) -> list[Session]:
        roles = optional(_texts, "filter_authroles", filter_authroles)
        return [
            session
            for session in self._realm.sessions.values()
            if roles is None or session.principal.authrole in roles
        ]

    def count_sessions(self, caller: Session, *, filter_authroles: Any) -> Payload:
        """→ how many sessions there are, of these roles if any are given."""
        return Payload.of(len(self._sessions(filter_authroles)))

    def list_sessions(self, caller: Session, *, filter_authroles: Any) -> Payload:
        """→ their ids."""
        return Payload.of([session.id for session in self._sessions(filter_authroles)])

    def _session(self, id: Any) -> Session:
        session = self._realm.sessions.get(identifier("session", id))
        if session is None:
            raise Refused(NO_SUCH_SESSION, f"no session {id}")
        return session

    def get_session(self, caller: Session, *, session: Any) -> Payload:
        """→ ``{session, authid, authrole, authmethod, authprovider}``."""
        return Payload.of(describe_session(self._session(session)))

    def kill(self, caller: Session, *, session: Any, reason: Any, message: Any) -> Payload:
        """Close another session → nothing."""
        victim = self._session(session)
        if victim is caller:
            raise Refused(NO_SUCH_SESSION, "there is no other session of this id")
        self._kill([victim], reason, message)
        return Payload.of()

    def kill_by_authid(self, caller: Session, *, authid: Any, reason: Any, message: Any) -> Payload:
        """Close all other sessions of one authid → their ids."""
        text("authid", authid)
        victims = [one for one in self._others(caller) if one.principal.authid == authid]
        return Payload.of([one.id for one in self._kill(victims, reason, message)])

    def kill_by_authrole(self, caller: Session, *, authrole: Any, reason: Any, message: Any) -> Payload:
        """Close all other sessions of one role → how many."""
        text("authrole", authrole)
        victims = [one for one in self._others(caller) if one.principal.authrole == authrole]
        return Payload.of(len(self._kill(victims, reason, message)))

    def kill_all(self, caller: Session, *, reason: Any, message: Any) -> Payload:
        """Close all other sessions → how many. Nobody is told of their leaving, as the specification asks."""
        return Payload.of(len(self._kill(self._others(caller), reason, message, is_everybody=True)))

    def _others(self, caller: Session) -> list[Session]:
        return [session for session in self._realm.sessions.values() if session is not caller]

    def _kill(
        self, victims: list[Session], reason: Any, message: Any, *, is_everybody: bool = False
    ) -> list[Session]:
        check_uri(text("reason", reason))
        details = {} if message is None else {"message": text("message", message)}
        for victim in victims:
            self._realm.kill(victim, reason, details, is_realm_closing=is_everybody)
        return victims

    def add_testament(
        self, caller: Session, *, topic: Any, args: Any, kwargs: Any, publish_options: Any, scope: Any
    ) -> Answer:
        """Have an event published when the session has gone → nothing."""
        check_uri(text("topic", topic))
        if is_reserved(topic):
            raise Refused(INVALID_URI, f"{topic} belongs to the router")
        payload = _payload(
            a_list("args", [] if args is None else args),
            dictionary("kwargs", {} if kwargs is None else kwargs),
        )
        options = struct("publish_options", publish_options, PublishOptions)
        known = _scope(scope)

        def add(verdict: Verdict) -> Payload:
            if not verdict.is_allowed:
                raise Refused(NOT_AUTHORIZED, f"a testament needs the right to publish on {topic}")
            if options.disclose_me and verdict.disclose is Disclose.NEVER:
                raise Refused(DISCLOSE_ME, "this session may not disclose itself, in a testament neither")
            testament = Testament(known, topic, payload, options, verdict)
            add_testament(caller, testament, self._realm.limits.max_testaments)
            return Payload.of()

        permissions = caller.principal.permissions
        return after(permissions.decide(caller, Action.PUBLISH, topic, options), add)

    def flush_testaments(self, caller: Session, *, scope: Any) -> Payload:
        """Forget the session's testaments of one scope → nothing."""
        flush_testaments(caller, _scope(scope))
        return Payload.of()

    # --- subscriptions

    def list_subscriptions(self, caller: Session) -> Payload:
        """→ ``{exact, prefix, wildcard}``: ids."""
        of_policy = self._realm.broker.subscriptions
        return Payload.of(_ids_by_policy(of_policy("exact"), of_policy("prefix"), of_policy("wildcard")))

    def lookup_subscription(self, caller: Session, *, topic: Any, options: Any) -> Payload:
        """→ the id of the subscription made for this topic and match policy, or null."""
        match = struct("options", options, SubscribeOptions).match
        return Payload.of(_id(self._realm.broker.lookup(match, text("topic", topic))))

    def match_subscriptions(self, caller: Session, *, topic: Any) -> Payload:
        """→ ids of the subscriptions that an event on the topic goes to, or null."""
        found = self._realm.broker.matching(text("topic", topic))
        return Payload.of([subscription.id for subscription in found] or None)

    def _subscription(self, id: Any) -> Subscription:
        return self._realm.broker.find(identifier("subscription", id))

    def get_subscription(self, caller: Session, *, subscription: Any) -> Payload:
        """→ ``{id, created, uri, match}``."""
        return Payload.of(describe_subscription(self._subscription(subscription)))

    def list_subscribers(self, caller: Session, *, subscription: Any) -> Payload:
        """→ ids of the sessions in a subscription."""
        return Payload.of([session.id for session in self._subscription(subscription).listeners])

    def count_subscribers(self, caller: Session, *, subscription: Any) -> Payload:
        """→ how many these are."""
        return Payload.of(len(self._subscription(subscription).listeners))

    def remove_subscriber(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Payload:
        """Take a subscription away from a session → nothing."""
        found, subscriber = self._subscription(subscription), self._session(session)
        if found.id not in subscriber.subscriptions:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"session {session} does not have it")
        self._realm.revoke_subscription(subscriber, found, optional(text, "reason", reason))
        return Payload.of()

    # --- registrations

    def list_registrations(self, caller: Session) -> Payload:
        """→ ``{exact, prefix, wildcard}``: ids."""
        of_policy = self._realm.dealer.registrations.of_policy
        return Payload.of(_ids_by_policy(of_policy("exact"), of_policy("prefix"), of_policy("wildcard")))

    def lookup_registration(self, caller: Session, *, procedure: Any, options: Any) -> Payload:
        """→ the id of the registration made for this procedure and match policy, or null."""
        match = struct("options", options, RegisterOptions).match
        return Payload.of(_id(self._realm.dealer.registrations.lookup(match, text("procedure", procedure))))

    def match_registration(self, caller: Session, *, procedure: Any) -> Payload:
        """→ the id of the registration that would answer a call, or null."""
        if is_reserved(text("procedure", procedure)):
            # The router answers, whatever pattern this falls under.
            return Payload.of(None)
        try:
            return Payload.of(self._realm.dealer.registrations.best(procedure).id)
        except Refused:
            return Payload.of(None)

    def _registration(self, id: Any) -> Registration:
        return self._realm.dealer.registrations.find(identifier("registration", id))

    def get_registration(self, caller: Session, *, registration: Any) -> Payload:
        """→ ``{id, created, uri, match, invoke}``."""
        return Payload.of(describe_registration(self._registration(registration)))

    def list_callees(self, caller: Session, *, registration: Any) -> Payload:
        """→ ids of the sessions in a registration."""
        return Payload.of([callee.session.id for callee in self._registration(registration).callees])

    def count_callees(self, caller: Session, *, registration: Any) -> Payload:
        """→ how many these are."""
        return Payload.of(len(self._registration(registration).callees))

    def remove_callee(self, caller: Session, *, registration: Any, session: Any, reason: Any) -> Payload:
        """Take a registration away from a session → nothing."""
        found, callee = self._registration(registration), self._session(session)
        if found.id not in callee.registrations:
            raise Refused(NO_SUCH_REGISTRATION, f"session {session} does not have it")
        self._realm.revoke_registration(callee, found, optional(text, "reason", reason))
        return Payload.of()


def describe_session(session: Session) -> dict[str, Any]:
    """What the meta API tells of a session; nothing about where it comes from."""
    principal = session.principal
    return {
        "session": session.id,
        "authid": principal.authid,
        "authrole": principal.authrole,
        "authmethod": principal.authmethod,
        "authprovider": principal.authprovider,
    }


def describe_subscription(subscription: Subscription) -> dict[str, Any]:
    """What the meta API tells of a subscription."""
    return {
        "id": subscription.id,
        "created": date(subscription.created),
        "uri": subscription.topic,
        "match": subscription.match,
    }


def describe_registration(registration: Registration) -> dict[str, Any]:
    """What the meta API tells of a registration."""
    return {
        "id": registration.id,
        "created": date(registration.created),
        "uri": registration.procedure,
        "match": registration.match,
        "invoke": registration.invoke,
    }


def _is_told(subscription: Subscription) -> bool:
    return not is_reserved(subscription.topic) and not subscription.broker.is_private


def _id(found: Subscription | Registration | None) -> int | None:
    return None if found is None else found.id


def _ids_by_policy(
    exact: Iterable[Subscription | Registration],
    prefix: Iterable[Subscription | Registration],
    wildcard: Iterable[Subscription | Registration],
) -> dict[str, list[int]]:
    return {
        "exact": [one.id for one in exact],
        "prefix": [one.id for one in prefix],
        "wildcard": [one.id for one in wildcard],
    }


def _texts(name: str, value: Any) -> frozenset[str]:
    return frozenset(text(name, item) for item in a_list(name, value))


def _payload(args: list[Any], kwargs: dict[str, Any]) -> Payload:
    """In the serializer that says everything the others can."""
    return Payload(CBOR, CBOR.dump(args), CBOR.dump(kwargs) if kwargs else b"")


def _scope(value: Any) -> Scope:
    if value == "detached" or value == "destroyed":
        return value  # type: ignore[no-any-return] # narrowed by the comparison
    raise Refused(INVALID_ARGUMENT, "scope must be 'detached' or 'destroyed'")
