"""WAMP's meta API: procedures and events about sessions, subscriptions and registrations.

Event order: a subscription is created before its first session is added, and deleted after its last one was
removed; registrations likewise. Subscriptions to the meta events themselves cause none.

Source: WAMP specification, "Session Meta API", "Subscription Meta API", "Registration Meta API", "Testament",
"Event History"; ``remove_subscriber`` and ``remove_callee`` are Crossbar.io's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Final

from radiod.core import sight
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
from radiod.core.delivery.listeners import Subscription
from radiod.core.ports import Action, Disclose, Verdict
from radiod.core.procedures.wamp_event_history import GET_EVENTS, EventHistory
from radiod.core.promises import Later, after
from radiod.core.rpc.registrations import Callee, Registration
from radiod.core.sessions.session import Session
from radiod.core.sessions.testaments import Scope, Testament, add_testament, flush_testaments
from radiod.core.slices import in_steps
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
from radiod.wire.messages import MatchPolicy, PublishOptions, RegisterOptions, SubscribeOptions

if TYPE_CHECKING:
    from radiod.core.realm.realm import Realm

__all__ = ["MetaApi"]

WHY: Final[Signature] = {"reason": CLOSE_KILLED, "message": None}
Answer = Payload | Later[Payload]

PASSED_IN_A_STEP: Final = 500
"""Sessions that are left alone without a pause."""


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
                self._tell_of(
                    subscription, "wamp.subscription.on_create", session, describe_subscription(subscription)
                )
            self._tell_of(subscription, "wamp.subscription.on_subscribe", session, subscription.id)

    def unsubscribed(self, session: Session, subscription: Subscription) -> None:
        """Tell of a session that was removed from a subscription, and of the subscription if that was all."""
        if _is_told(subscription):
            self._tell_of(subscription, "wamp.subscription.on_unsubscribe", session, subscription.id)
            if not subscription.listeners:
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

    def _tell(self, topic: str, *args: Any) -> None:
        self._realm.announce(topic, *args)

    def _tell_of(self, what: Subscription | Registration, topic: str, session: Session, told: Any) -> None:
        """Tell those who may know of a subscription or registration."""
        if isinstance(what, Subscription):
            self._realm.announce(topic, session.id, told, about=what.topic)
        else:
            self._realm.announce(
                topic, session.id, told, about=what.procedure, may_know=sight.may_know_procedure
            )

    # --- sessions

    def _sessions(self, filter_authroles: Any, tell: Callable[[list[int]], Any]) -> Answer:
        """What ``tell`` makes of the ids of all sessions, or of those of these roles."""
        roles = optional(_texts, "filter_authroles", filter_authroles)

        def find() -> Generator[None, None, Payload]:
            ids = yield from _ids(
                self._realm.sessions.values(), lambda one: roles is None or one.principal.authrole in roles
            )
            return Payload.of(tell(ids))

        return self._realm.in_slices(find())

    def count_sessions(self, caller: Session, *, filter_authroles: Any) -> Answer:
        """→ how many sessions there are, of these roles if any are given."""
        return self._sessions(filter_authroles, len)

    def list_sessions(self, caller: Session, *, filter_authroles: Any) -> Answer:
        """→ their ids."""
        return self._sessions(filter_authroles, lambda ids: ids)

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
        reason, details = _farewell(reason, message)
        self._realm.kill(victim, reason, details)
        return Payload.of()

    def kill_by_authid(self, caller: Session, *, authid: Any, reason: Any, message: Any) -> Answer:
        """Close all other sessions of one authid → their ids."""
        text("authid", authid)
        return self._kill(caller, lambda one: one.principal.authid == authid, reason, message, list)

    def kill_by_authrole(self, caller: Session, *, authrole: Any, reason: Any, message: Any) -> Answer:
        """Close all other sessions of one role → how many."""
        text("authrole", authrole)
        return self._kill(caller, lambda one: one.principal.authrole == authrole, reason, message, len)

    def kill_all(self, caller: Session, *, reason: Any, message: Any) -> Answer:
        """Close all other sessions → how many. Nobody is told of their leaving, as the specification asks."""
        return self._kill(caller, lambda _: True, reason, message, len, is_everybody=True)

    def _kill(
        self,
        caller: Session,
        is_meant: Callable[[Session], bool],
        reason: Any,
        message: Any,
        tell: Callable[[list[int]], Any],
        *,
        is_everybody: bool = False,
    ) -> Answer:
        """Close all other sessions that are meant, as of now → what ``tell`` makes of their ids."""
        reason, details = _farewell(reason, message)

        def kill() -> Generator[None, None, Payload]:
            victims: list[int] = []
            for count, one in enumerate(list(self._realm.sessions.values()), 1):
                if one is not caller and one.is_open and is_meant(one):
                    victims.append(one.id)
                    self._realm.kill(one, reason, details, is_realm_closing=is_everybody)
                    yield
                elif count % PASSED_IN_A_STEP == 0:
                    yield
            return Payload.of(tell(victims))

        return self._realm.in_slices(kill())

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

    def list_subscriptions(self, caller: Session) -> Answer:
        """→ ``{exact, prefix, wildcard}``: ids."""
        return self._realm.in_slices(
            _ids_by_policy(self._realm.broker.subscriptions, sight.sees_subscription(caller))
        )

    def lookup_subscription(self, caller: Session, *, topic: Any, options: Any) -> Payload:
        """→ the id of the subscription made for this topic and match policy, or null."""
        match = struct("options", options, SubscribeOptions).match
        found = self._realm.broker.lookup(match, text("topic", topic))
        return Payload.of(found.id if found and sight.sees_subscription(caller)(found) else None)

    def match_subscriptions(self, caller: Session, *, topic: Any) -> Payload:
        """→ ids of the subscriptions that an event on the topic goes to, or null."""
        found = self._realm.broker.matching(text("topic", topic))
        sees = sight.sees_subscription(caller)
        shown = found if sight.may_know(caller.principal.permissions, topic) else []
        return Payload.of([one.id for one in shown if sees(one)] or None)

    def _subscription(self, caller: Session, id: Any) -> Subscription:
        return sight.find_subscription(self._realm.broker, caller, identifier("subscription", id))

    def get_subscription(self, caller: Session, *, subscription: Any) -> Payload:
        """→ ``{id, created, uri, match}``."""
        return Payload.of(describe_subscription(self._subscription(caller, subscription)))

    def list_subscribers(self, caller: Session, *, subscription: Any) -> Answer:
        """→ ids of the sessions in a subscription."""
        return self._realm.in_slices(_ids_of(self._subscription(caller, subscription).listeners))

    def count_subscribers(self, caller: Session, *, subscription: Any) -> Payload:
        """→ how many these are."""
        return Payload.of(len(self._subscription(caller, subscription).listeners))

    def remove_subscriber(self, caller: Session, *, subscription: Any, session: Any, reason: Any) -> Payload:
        """Take a subscription away from a session → nothing."""
        found, subscriber = self._subscription(caller, subscription), self._session(session)
        if found.id not in subscriber.subscriptions:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"session {session} does not have it")
        self._realm.revoke_subscription(subscriber, found, optional(text, "reason", reason))
        return Payload.of()

    # --- registrations

    def list_registrations(self, caller: Session) -> Answer:
        """→ ``{exact, prefix, wildcard}``: ids."""
        of_policy = self._realm.dealer.registrations.of_policy
        return self._realm.in_slices(_ids_by_policy(of_policy, sight.sees_registration(caller)))

    def lookup_registration(self, caller: Session, *, procedure: Any, options: Any) -> Payload:
        """→ the id of the registration made for this procedure and match policy, or null."""
        match = struct("options", options, RegisterOptions).match
        found = self._realm.dealer.registrations.lookup(match, text("procedure", procedure))
        return Payload.of(found.id if found and sight.sees_registration(caller)(found) else None)

    def match_registration(self, caller: Session, *, procedure: Any) -> Payload:
        """→ the id of the registration that would answer a call, or null."""
        permissions = caller.principal.permissions
        if is_reserved(text("procedure", procedure)) or permissions.hides_procedure(procedure):
            # The router answers, whatever pattern this falls under; or the caller may not know.
            return Payload.of(None)
        try:
            return Payload.of(self._realm.dealer.registrations.best(procedure).id)
        except Refused:
            return Payload.of(None)

    def _registration(self, caller: Session, id: Any) -> Registration:
        found = self._realm.dealer.registrations.find(identifier("registration", id))
        if caller.principal.permissions.hides_procedure(found.procedure):
            raise Refused(NO_SUCH_REGISTRATION, f"no registration {id}")
        return found

    def get_registration(self, caller: Session, *, registration: Any) -> Payload:
        """→ ``{id, created, uri, match, invoke}``."""
        return Payload.of(describe_registration(self._registration(caller, registration)))

    def list_callees(self, caller: Session, *, registration: Any) -> Answer:
        """→ ids of the sessions in a registration."""
        callees = self._registration(caller, registration).callees
        return self._realm.in_slices(_ids_of(callee.session for callee in callees))

    def count_callees(self, caller: Session, *, registration: Any) -> Payload:
        """→ how many these are."""
        return Payload.of(len(self._registration(caller, registration).callees))

    def remove_callee(self, caller: Session, *, registration: Any, session: Any, reason: Any) -> Payload:
        """Take a registration away from a session → nothing."""
        found, callee = self._registration(caller, registration), self._session(session)
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


Numbered = Session | Subscription | Registration


def _ids(
    things: Iterable[Numbered], holds: Callable[[Any], bool] = lambda _: True
) -> Generator[None, None, list[int]]:
    ids: list[int] = []
    yield from in_steps(things, lambda some: ids.extend(one.id for one in some if holds(one)))
    return ids


def _ids_of(sessions: Iterable[Session]) -> Generator[None, None, Payload]:
    return Payload.of((yield from _ids(sessions)))


def _ids_by_policy(
    of_policy: Callable[[MatchPolicy], Iterable[Subscription | Registration]],
    holds: Callable[[Any], bool],
) -> Generator[None, None, Payload]:
    return Payload.of(
        {
            "exact": (yield from _ids(of_policy("exact"), holds)),
            "prefix": (yield from _ids(of_policy("prefix"), holds)),
            "wildcard": (yield from _ids(of_policy("wildcard"), holds)),
        }
    )


def _farewell(reason: Any, message: Any) -> tuple[str, dict[str, Any]]:
    """Reason and details of a GOODBYE."""
    check_uri(text("reason", reason))
    return reason, {} if message is None else {"message": text("message", message)}


def _texts(name: str, value: Any) -> frozenset[str]:
    return frozenset(text(name, item) for item in a_list(name, value))


def _payload(args: list[Any], kwargs: dict[str, Any]) -> Payload:
    """In the serializer that says everything the others can."""
    return Payload(CBOR, CBOR.dump(args), CBOR.dump(kwargs) if kwargs else b"")


def _scope(value: Any) -> Scope:
    if value == "detached" or value == "destroyed":
        return value  # type: ignore[no-any-return] # narrowed by the comparison
    raise Refused(INVALID_ARGUMENT, "scope must be 'detached' or 'destroyed'")
