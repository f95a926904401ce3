"""Who may come in, and what they may do: a realm's configuration becomes permissions and a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.structs import replace
from treq.client import HTTPClient
from twisted.logger import Logger
from twisted.web.client import Agent

from radiod import config
from radiod.auth.anonymous import Anonymous
from radiod.auth.authorizer import Authorizer
from radiod.auth.cookie import CookieJar
from radiod.auth.cryptosign import Cryptosign
from radiod.auth.directory import (
    PROOFS,
    Credentials,
    Directory,
    DynamicDirectory,
    OrderedDirectory,
    ScramVerifier,
    StaticDirectory,
    WampcraSecret,
)
from radiod.auth.dynamic import CallDirectory
from radiod.auth.hook import MAX_PENDING, HttpHook
from radiod.auth.roles import StaticPermissions
from radiod.auth.router_only import RouterOnly
from radiod.auth.scram import AUTOBAHN, SPECIFIED, Scram
from radiod.auth.ticket import Ticket
from radiod.auth.unknown_users import UnknownUsers
from radiod.auth.wampcra import WampCra
from radiod.core.budgets.seats import Seats
from radiod.core.draining import Draining
from radiod.core.holders import Holder
from radiod.core.ids import Ids
from radiod.core.promises import Promise
from radiod.core.rates import RateLimit
from radiod.core.realm.handshake import Gate
from radiod.core.realm.realm import Realm
from radiod.core.rights import Action, Actor, Disclose, Permissions, Principal
from radiod.core.sessions.authentication import Authenticator
from radiod.service.access import MAX_TICKETS, Access
from radiod.transport.clock import ReactorClock

__all__ = ["Admission"]

Ask = Callable[[dict[str, Any]], Promise[Any]]

MakeJar = Callable[[str, float, int, Callable[[str, str, str, str], "Principal | None"]], CookieJar]
"""Makes a jar for cookies that others know, too: realm, lifetime, most cookies, ``Admission.returning``."""

MAX_DECISIONS: Final = 10_000
"""Decisions of an authorizer that are remembered, for each role."""

MAX_COOKIES: Final = 10_000
"""Logins of one realm that are remembered by their cookies."""


class Admission:
    """Everything about one realm that decides on rights.

    ``roles``: permissions by name; ``anonymous``: who lets anybody in, None: nobody does; ``users``: those of
    the configuration; ``cookies``: who may come back by one, None: nobody; ``gate``: all the ways in.
    """

    log = Logger()

    def __init__(
        self,
        realm: Realm,
        settings: config.Realm,
        clock: ReactorClock,
        ids: Ids,
        reactor: Any,
        refused: dict[str, int],
        max_questions: int,
        access: Access,
        draining: Draining,
        make_jar: MakeJar | None = None,
    ) -> None:
        self._realm = realm
        realm.bounds.tell = self._bound_met
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._reactor = reactor
        self._access = access
        self._members = access.members[realm.name]
        self._authorizations = Seats(max_questions, refused, "authorizations", "questions to authorizers")
        self.roles: Final = {name: self._permissions(name, role) for name, role in settings.roles.items()}
        role = settings.anonymous
        self.anonymous: Final = (
            None if role is None else Anonymous(role, self.roles[role], ids, access.anonymous)
        )
        self.users: Final = [self._user(authid, user) for authid, user in settings.users.items()]
        self._static: Final = StaticDirectory({user.authid: user for user in self.users})
        lifetime_s = settings.cookie_lifetime_s
        self.cookies: Final = None if lifetime_s is None else self._jar(lifetime_s, make_jar)
        self._ways: dict[str, Authenticator] = {}
        self._methods = self._all_methods()
        self._members.on_change = self._offer
        self._offer()
        logins = self._logins(refused, max_questions)
        self.gate: Final = Gate(realm, self._ways, self.cookies, logins, draining=draining)

    def _jar(self, lifetime_s: float, make_jar: MakeJar | None) -> CookieJar:
        if make_jar is None:
            return CookieJar(self._clock, self._ids, lifetime_s, MAX_COOKIES)
        return make_jar(self._realm.name, lifetime_s, MAX_COOKIES, self.returning)

    def _complain(self, text: str) -> None:
        self.log.warn("realm {realm}: {text}", realm=self._realm.name, text=text, event="overload")

    def _bound_met(self, limit: str, times: int, session: Actor | None) -> None:
        """Say so; the core sees to it that this is not too often."""
        principal = session.principal if session is not None else None
        self.log.warn(
            "realm {realm}: {limit} reached, {times} times{by}",
            realm=self._realm.name,
            limit=limit,
            times=times,
            by=f", last by {principal.authid} (role {principal.authrole})" if principal else "",
            event="overload",
            # The log's limit goes by these.
            uri=limit,
            authid=principal.authid if principal else None,
            authmethod=principal.authmethod if principal else None,
            peer=session.outlet.peer if session is not None and session.outlet is not None else "",
        )

    def _logins(self, refused: dict[str, int], max_questions: int) -> Seats:
        """For logins that wait: for somebody else who is asked, or for a ticket to be checked."""
        dynamic = self._settings.dynamic
        if dynamic is None:
            return Seats(MAX_TICKETS, refused, "logins", "logins that wait")
        size = max_questions if dynamic.hook is None else MAX_PENDING
        return Seats(size, refused, "logins", "logins that wait")

    # --- another configuration

    def set_roles(self, settings: config.Realm) -> None:
        """These are the roles from now on: whoever has one has its rights.

        One that is gone allows nothing; whoever is logged in with it stays.
        """
        before = self._settings
        for name, permissions in list(self.roles.items()):
            if name not in settings.roles:
                _become(permissions, self._permissions(name, config.Role()))
                del self.roles[name]
        self._settings = settings
        for name, role in settings.roles.items():
            is_same = before.roles.get(name) == role and self._holds_same(before, settings, name)
            if name not in self.roles:
                self.roles[name] = self._permissions(name, role)
            elif not is_same:
                _become(self.roles[name], self._permissions(name, role))

    @staticmethod
    def _holds_same(before: config.Realm, after: config.Realm, name: str) -> bool:
        return before.may_hold_publishers(name) == after.may_hold_publishers(name)

    def user(self, authid: str, user: config.User, holder: Holder | None = None) -> Credentials:
        """A user of another configuration; ``holder``: who it is already."""
        known = self._user(authid, user)
        return known if holder is None else replace(known, holder=holder)

    def set_users(self, users: Iterable[Credentials]) -> None:
        """These are the configuration's users from now on."""
        self.users[:] = users
        self._static.know({user.authid: user for user in self.users})
        for user in self.users:
            self._members.on_user(user)
        self._offer()

    def returning(self, authid: str, role: str, method: str, provider: str) -> Principal | None:
        """Somebody who logged in when another process ran, with the rights of now; None: nobody any more.

        Whom somebody else knows is not asked for again, as while one process runs.
        """
        if method not in PROOFS:
            return None
        user = self._known.find(method, authid, {})
        if user is None and authid not in self._known and method in self._elsewhere and role in self.roles:
            user = Credentials(
                authid=authid,
                role=role,
                permissions=self.roles[role],
                provider=provider,
                holder=self._access.passing(authid),
            )
        return None if user is None or user.role != role else user.principal(method)

    # --- rights

    def _permissions(self, name: str, role: config.Role) -> Permissions:
        may_hold = self._settings.may_hold_publishers(name)
        permissions: Permissions
        if role.authorizer is None:
            permissions = _static(role, may_hold, _rate_limit(role))
        else:
            permissions = self._authorizer(role, role.authorizer, may_hold)
        dynamic = self._settings.dynamic
        if dynamic is None or dynamic.procedure is None:
            return permissions
        return RouterOnly(permissions, dynamic.procedure)

    def _authorizer(self, role: config.Role, procedure: str, may_hold_publishers: bool) -> Authorizer:
        timeout_s = role.authorizer_timeout_s

        def ask(*question: Any) -> Promise[Any]:
            return self._realm.ask(procedure, *question, timeout_s=timeout_s)

        return Authorizer(
            ask,
            self._clock,
            cache_s=role.authorizer_cache_s,
            max_cache=MAX_DECISIONS,
            complain=self._complain,
            seats=self._authorizations,
            may_hold_publishers=may_hold_publishers,
            rate_limit=_rate_limit(role),
        )

    # --- ways in

    def _offer(self) -> None:
        """Have clients choose among the methods by which somebody can log in now."""
        ways = self._ways
        ways.clear()
        if self.anonymous is not None:
            ways["anonymous"] = self.anonymous
        for authenticator in self._methods:
            method = authenticator.method
            is_known = any(getattr(user, PROOFS[method]) for user in self.users)
            if method in self._elsewhere or is_known or self._members.can_use(method):
                ways[method] = authenticator

    @property
    def _elsewhere(self) -> frozenset[str]:
        """Methods for which somebody else is asked."""
        dynamic = self._settings.dynamic
        return frozenset(method.value for method in dynamic.methods) if dynamic else frozenset()

    def _all_methods(self) -> tuple[Authenticator, ...]:
        """Methods that know users, whether there are any or not."""
        decoys = UnknownUsers(self.users, self._ids.secret(), elsewhere=self._elsewhere)
        known = self._known = OrderedDirectory(self._static, self._members)
        self._members.on_user = decoys.resemble
        directory: Directory = known
        if self._settings.dynamic is not None:
            others = self._others(self._settings.dynamic)
            directory = DynamicDirectory(
                known, others, self._elsewhere, decoys.learn, holder_of=self._access.passing
            )
        return (
            Ticket(directory, self._spend),
            WampCra(directory, decoys, self._clock, self._ids),
            Scram(directory, decoys, self._ids, SPECIFIED),
            Scram(directory, decoys, self._ids, AUTOBAHN),
            Cryptosign(directory, self._ids),
        )

    def _spend(self, ticket: str) -> Promise[bool] | None:
        """The time that a ticket of some users takes, for those of others."""
        return self._access.scrypt.spend(ticket) if self._members.has_tickets else None

    def _user(self, authid: str, user: config.User) -> Credentials:
        return replace(
            _credentials(authid, user, self.roles[user.role]), holder=self._access.holder(authid, user)
        )

    def _others(self, dynamic: config.Dynamic) -> CallDirectory:
        """Users whom somebody else knows."""
        return CallDirectory(
            self._hook(dynamic, dynamic.hook) if dynamic.hook is not None else self._procedure(dynamic),
            self._realm.name,
            self.roles,
            self._clock,
            self._clock.timers,
            timeout_s=dynamic.timeout_s,
            cache_s=dynamic.cache_s,
            max_cache=dynamic.max_cache,
            complain=self._complain,
        )

    def _procedure(self, dynamic: config.Dynamic) -> Ask:
        procedure, timeout_s = dynamic.procedure, dynamic.timeout_s
        assert procedure is not None
        return lambda question: self._realm.ask(procedure, question, timeout_s=timeout_s)

    def _hook(self, dynamic: config.Dynamic, url: str) -> Ask:
        token = dynamic.hook_token
        return HttpHook(
            HTTPClient(Agent(self._reactor)),
            url,
            self._clock,
            self._clock.timers,
            headers={"Authorization": f"Bearer {token.reveal()}"} if token is not None else {},
            timeout_s=dynamic.timeout_s,
        ).ask


def _become(permissions: Any, other: Any) -> None:
    """A role's rights are these: all that have it share one object."""
    permissions.become(other)


def _rate_limit(role: config.Role) -> RateLimit | None:
    if role.rate is None:
        return None
    return RateLimit(role.rate, role.burst or max(1, int(role.rate)))


def _static(role: config.Role, may_hold_publishers: bool, rate_limit: RateLimit | None) -> StaticPermissions:
    allowed = {
        Action.SUBSCRIBE: role.subscribe,
        Action.PUBLISH: role.publish,
        Action.CALL: role.call,
        Action.REGISTER: role.register,
    }
    return StaticPermissions(
        allowed,
        role.deny,
        disclose=Disclose(role.disclose.value),
        disclosed=role.disclosed,
        trustlevel=role.trustlevel,
        may_hold_publishers=may_hold_publishers,
        rate_limit=rate_limit,
    )


def _credentials(authid: str, user: config.User, permissions: Permissions) -> Credentials:
    return Credentials(
        authid=authid,
        role=user.role,
        permissions=permissions,
        ticket=user.ticket.matches if user.ticket is not None else None,
        wampcra=_wampcra(user.wampcra) if user.wampcra is not None else None,
        scram=_scram(user.scram) if user.scram is not None else None,
        cryptosign=tuple(bytes.fromhex(key) for key in user.cryptosign),
    )


def _wampcra(settings: config.Wampcra) -> WampcraSecret:
    return WampcraSecret(
        secret=settings.secret.reveal(),
        salt=settings.salt,
        iterations=settings.iterations,
        keylen=settings.keylen,
    )


def _scram(settings: config.Scram) -> ScramVerifier:
    return ScramVerifier(
        kdf=settings.kdf.value,
        salt=bytes.fromhex(settings.salt),
        iterations=settings.iterations,
        memory=settings.memory,
        stored_key=bytes.fromhex(settings.stored_key.reveal()),
        server_key=bytes.fromhex(settings.server_key.reveal()),
    )
