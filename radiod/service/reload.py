"""Another configuration for a server that runs: all of it, or nothing.

First everything is looked at that could stand against it; then what takes an address or reads a file is
done, which can be taken back; then the rest, in which nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator
from functools import partial
from typing import Any, Final, Protocol

from twisted.logger import Logger

from radiod import config
from radiod.config.changes import Change, Effect, Kind, changes
from radiod.config.reading import ConfigError
from radiod.core.realm.realm import Realm
from radiod.core.rights import Permissions
from radiod.core.sessions.session import Session
from radiod.core.uris import is_pattern
from radiod.errors import RELOAD_REFUSED, Refused
from radiod.process import StartError
from radiod.service.listening import Endpoints
from radiod.service.radio import Radio
from radiod.service.realms import channel_settings

__all__ = ["PROCEDURE", "Reloading"]

PROCEDURE: Final = "radiod.admin.reload"

MAX_NAMED: Final = 20
"""Keys that a line of the log names."""

MAX_STATUS: Final = 200
"""Characters of a reason in the status that systemd shows."""

ONLY_RESTART: Final = "only a restart changes this; nothing of the file was applied"


class Teller(Protocol):
    """Tells systemd; ``Supervision`` does."""

    def reloading(self) -> None: ...

    def ready(self) -> None: ...

    def tell(self, word: str) -> None: ...


class Reloading:
    """Takes the configuration anew.

    What became of the last time is in ``Metrics.reload``. ``tell``: what systemd is told by, None: it is
    not.

    Args:
        load: reads the configuration; None: there is nothing to read.
    """

    log = Logger()

    def __init__(
        self,
        configuration: config.Config,
        radio: Radio,
        endpoints: Endpoints,
        load: Callable[[], config.Config] | None,
    ) -> None:
        self.config = configuration
        self.tell: Teller | None = None
        self._radio = radio
        self._endpoints = endpoints
        self._load = load
        self._is_stopped = False
        for realm in radio.realms.values():
            realm.procedures.table[PROCEDURE] = ({}, self.asked)

    def stop(self) -> None:
        """The server stops: nothing is changed any more."""
        self._is_stopped = True

    def asked(self, session: Session) -> dict[str, Any]:
        """As ``reload``."""
        return self.reload()

    def reload(self) -> dict[str, Any]:
        """Read the configuration, and act by it → ``{live, new_connections}``: names of keys that differ.

        Raises: Refused: ``reload_refused``: nothing has changed; the text names the key.
        """
        if self.tell is not None:
            self.tell.reloading()
        try:
            done = self._reload()
        except (ConfigError, StartError) as error:
            self._end(is_done=False, status=f"reload refused: {error}"[:MAX_STATUS])
            self.log.error("reload refused: {why}", why=str(error), event="reload_refused")
            raise Refused(RELOAD_REFUSED, str(error)) from None
        except BaseException:
            # A mistake of ours; nobody shall wait for an end that does not come.
            self._end(is_done=False, status="reload failed, perhaps in part: restart")
            raise
        self._end(is_done=True, status="")
        named = [str(one) for one in done]
        more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
        self.log.info(
            "reload: {what}{more}",
            what=", ".join(named[:MAX_NAMED]) or "nothing new",
            more=more,
            event="reload",
        )
        return {
            "live": [str(one) for one in done if one.effect is Effect.LIVE],
            "new_connections": [str(one) for one in done if one.effect is Effect.NEW],
        }

    def _end(self, *, is_done: bool, status: str) -> None:
        metrics = self._radio.metrics
        metrics.reload = is_done, self._radio.clock.time() if is_done else metrics.reload[1]
        if self.tell is not None:
            self.tell.ready()
            if status:
                self.tell.tell(" ".join(f"{status}; on the air".split()))

    def _reload(self) -> list[Change]:
        """Raises: ConfigError, StartError."""
        if self._load is None:
            raise StartError("there is no configuration file to read: radiod was started without --config")
        if self._is_stopped:
            raise StartError("the server stops")
        before, after = self.config, self._load()
        after.check_durable()
        found = changes(before, after)
        refused = [str(one) for one in found if one.effect is Effect.RESTART]
        if refused:
            raise StartError(f"{', '.join(refused)}: {ONLY_RESTART}")
        changing = _Changing(self._radio, before, after, found)
        changing.check()
        commit = self._endpoints.prepare(after.listen)
        commit()
        changing.apply()
        self.config = after
        return found


class _Changing:
    """One change of everything but the endpoints."""

    def __init__(
        self, radio: Radio, before: config.Config, after: config.Config, found: Collection[Change]
    ) -> None:
        self._radio = radio
        self._before = before
        self._after = after
        self._found = found

    def _entries(self, *tables: str) -> Iterator[tuple[tuple[str, ...], Kind]]:
        """Entries of the tables at this path, ``*`` for any name, with what became of each, once each."""
        size = len(tables) + 1
        told: dict[tuple[str, ...], Kind] = {}
        for change in self._found:
            path = change.path
            if len(path) >= size and all(a in ("*", b) for a, b in zip(tables, path, strict=False)):
                told.setdefault(path[:size], change.kind if len(path) == size else Kind.CHANGED)
        yield from told.items()

    # --- what could stand against it

    def check(self) -> None:
        """Raises: ConfigError."""
        access = self._radio.access
        for path, kind in self._entries("plans"):
            _check(path, kind is Kind.ADDED, partial(access.plans.check_fixed, path[-1]))
            if kind is Kind.REMOVED:
                _check_unused(path, access.book.with_plan(path[-1]), "have this plan")
        for path, kind in self._entries("accounts"):
            _check(path, kind is Kind.ADDED, partial(access.book.check_fixed, path[-1]))
        for path, kind in self._entries("realms", "*", "keys"):
            self._check_key(path, kind)
        for path, kind in self._entries("realms", "*", "users"):
            _check(path, kind is Kind.ADDED, partial(access.users.check_fixed, path[1], path[-1]))
        for path, kind in self._entries("realms", "*", "roles"):
            self._check_role(path, kind)
        for path, kind in self._entries("realms", "*", "channels"):
            self._check_channel(path, kind)

    def _check_key(self, path: tuple[str, ...], kind: Kind) -> None:
        _, realm, _, name = path
        keys = self._radio.access.keys
        _check(path, kind is Kind.ADDED, partial(keys.check_fixed, realm, name))
        if kind is not Kind.REMOVED:
            self._radio.access.check_secret(realm, name, self._after.realms[realm].keys[name])

    def _check_role(self, path: tuple[str, ...], kind: Kind) -> None:
        _, realm, _, name = path
        if kind is Kind.ADDED:
            return
        was, now = (one.realms[realm].roles.get(name) for one in (self._before, self._after))
        if now is None:
            _check_unused(path, self._radio.access.users.of_role(realm, name), "have this role")
        # What decides is one object for all that have the role, of one kind or of the other.
        if (was and was.authorizer is None) is not (now is None or now.authorizer is None):
            raise ConfigError((*path, "authorizer"), ONLY_RESTART)

    def _check_channel(self, path: tuple[str, ...], kind: Kind) -> None:
        _, realm, _, name = path
        rules = self._after.realms[realm].channels[name]
        if rules.durable and (kind is Kind.ADDED or self._changes_history(path)):
            # What is on disk would have to follow.
            raise ConfigError((*path, "durable"), ONLY_RESTART)
        if kind is not Kind.ADDED:
            return
        for key, is_used in (
            ("public", not rules.public),
            ("aliases", bool(rules.aliases)),
            ("presence", rules.presence and is_pattern(name)),
        ):
            if is_used:
                raise ConfigError((*path, key), ONLY_RESTART)
        if not is_pattern(name):
            try:
                self._radio.realms[realm].lifecycle.check_free(name)
            except Refused as refusal:
                raise ConfigError(path, refusal.text) from None

    def _changes_history(self, path: tuple[str, ...]) -> bool:
        return any(one.path[: len(path) + 1] == (*path, "history") for one in self._found)

    # --- doing it

    def apply(self) -> None:
        """All of it, behind ``check``: nothing fails. What may take long goes on in slices."""
        access, after = self._radio.access, self._after
        for path, kind in self._entries("plans"):
            self._set_plan(path[-1], kind)
        for path, kind in self._entries("accounts"):
            access.set_account(path[-1], None if kind is Kind.REMOVED else after.accounts[path[-1]])
        for name, settings in after.realms.items():
            if any(self._entries("realms", name, "roles")):
                self._set_roles(name, settings)
        for path, kind in self._entries("realms", "*", "channels"):
            self._set_channel(self._radio.realms[path[1]], path[-1], path[1], kind)
        for path, kind in self._entries("realms", "*", "keys"):
            key = None if kind is Kind.REMOVED else after.realms[path[1]].keys[path[-1]]
            access.set_key(path[1], path[-1], key, is_new=kind is Kind.ADDED)
        self._radio.let_watch(after.realms)
        for name in after.realms:
            self._set_users(name)

    def _set_plan(self, name: str, kind: Kind) -> None:
        plans = self._radio.access.plans
        if kind is Kind.REMOVED:
            plans.unfix(name)
        else:
            plans.fix(name, self._after.plans[name])

    def _set_roles(self, name: str, settings: config.Realm) -> None:
        admission, realm = self._radio.admissions[name], self._radio.realms[name]
        before = dict(admission.roles)
        admission.set_roles(settings)
        changed = {path[-1] for path, _ in self._entries("realms", name, "roles")}
        others = {id(before[role]) for role in changed if role in before}
        realm.slices.run(_revise(realm, others))

    def _set_channel(self, realm: Realm, name: str, of: str, kind: Kind) -> None:
        rules = self._after.realms[of].channels[name]
        settings = channel_settings(rules)
        if not is_pattern(name):
            if kind is Kind.ADDED:
                realm.lifecycle.add(name, settings)
            else:
                realm.lifecycle.change(name, settings, is_private=not rules.public)
            return
        space = realm.space
        space.tuning.forget(name)
        if settings.buffer:
            space.tuning.declare(name, settings.buffer)
        if settings.history is not None:
            (space.histories.keep if kind is Kind.ADDED else space.histories.resize)(name, settings.history)

    def _set_users(self, name: str) -> None:
        entries = {path[-1]: what for path, what in self._entries("realms", name, "users")}
        if not entries:
            return
        access, admission = self._radio.access, self._radio.admissions[name]
        settings = self._after.realms[name].users
        users = {user.authid: user for user in admission.users}
        for authid, what in entries.items():
            if what is Kind.REMOVED:
                del users[authid]
                continue
            known = None if what is Kind.ADDED else access.users.fixed(name, authid)
            users[authid] = admission.user(authid, settings[authid], known)
        # Nobody comes in by what is over while those who have are seen to.
        admission.set_users(users.values())
        for authid, what in entries.items():
            if what is Kind.REMOVED:
                access.users.unfix(name, authid)
            else:
                access.set_user(name, users[authid], is_new=what is Kind.ADDED)


def _check(path: tuple[str, ...], is_meant: bool, check: Callable[[], None]) -> None:
    """Raises: ConfigError."""
    if is_meant:
        try:
            check()
        except ValueError as error:
            raise ConfigError(path, f"{error}: delete that first, or give this another name") from None


def _check_unused(path: tuple[str, ...], users: list[str], what: str) -> None:
    """Raises: ConfigError."""
    if users:
        some = ", ".join(sorted(users)[:3])
        raise ConfigError(path, f"{len(users)} of those added at run time {what} ({some}): change them first")


def _revise(realm: Realm, others: Collection[int]) -> Generator[None, None, None]:
    """Take from open sessions what these permissions do not allow any more."""
    for session in list(realm.sessions.values()):
        permissions: Permissions = session.principal.permissions
        if id(permissions) in others and session.is_open:
            realm.revision.revise(session, permissions)
            yield
