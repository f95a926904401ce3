"""Access: accounts, keys and users, of the configuration and of the store, and what changes them.

Made in three steps: the tables that everybody looks into; then, when realms and roles are there, the books;
then, when the store is open, what was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from twisted.logger import Logger

from radiod import config
from radiod.access.kinds import Kinds
from radiod.access.members import Members
from radiod.access.places import Place, Places
from radiod.access.procedures.accounts import AccountProcedures
from radiod.access.procedures.audit import AuditProcedures
from radiod.access.procedures.backup import BackupProcedures
from radiod.access.procedures.keys import KeyProcedures
from radiod.access.procedures.plans import PlanProcedures
from radiod.access.procedures.users import UserProcedures
from radiod.access.scrypt import Scrypt
from radiod.access.secrets import is_mistyped
from radiod.auth.directory import Credentials
from radiod.auth.keys import KeyRing
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.port import AccessStore
from radiod.core.access.records import AccountRecord, KeyRecord, UserRecord
from radiod.core.budgets.seats import Seats
from radiod.core.calendar import Calendar
from radiod.core.holders import ANONYMOUS, Accounts, Holder
from radiod.core.ids import Ids, digest
from radiod.core.procedures.family import Family
from radiod.core.slices import Slices
from radiod.core.timers import Deadline
from radiod.transport.clock import ReactorClock
from radiod.transport.threads import Threads

__all__ = ["CONFIGURATION", "Access"]

CONFIGURATION: Final = "configuration"
"""Who created what the configuration names, as keys tell it."""

ALONE: Final = Kinds()
"""The books of a server that is no node of a cluster."""

MAX_THREADS: Final = 4
MAX_TICKETS: Final = 256
"""Tickets that wait to be checked, or made: 50 ms each, and so many at a time as there are threads."""

USED_S: Final = 60.0
"""Seconds between two looks at which secrets were used."""


class Access:
    """Everything about access on one server.

    ``accounts``, ``ring``, ``members``: the tables; ``keys``, ``users``, ``book``, ``plans``: the books, of
    keys, users, accounts and plans; ``anonymous``: whoever does not say who that is; ``on_rights``: told each
    holder who has other rights now.
    """

    log = Logger()

    def __init__(
        self,
        configuration: config.Config,
        clock: ReactorClock,
        ids: Ids,
        refused: dict[str, int],
        threads: Threads,
        kinds: Kinds = ALONE,
    ) -> None:
        self._config = configuration
        self._kinds = kinds
        self._clock = clock
        self._ids = ids
        self._threads = threads
        self._is_loaded = False
        self.on_rights: Callable[[Holder], object] = lambda holder: None
        self._round: Deadline | None = None
        self.calendar = Calendar(clock, clock.timers)
        self.calendar.on_set_back = self._set_back
        self.desk = kinds.desk(MemoryAccessStore())
        self.accounts = Accounts()
        self.anonymous = Holder(ANONYMOUS, self.accounts.keep(ANONYMOUS))
        self.ring = KeyRing(is_mistyped)
        self.members = {realm: Members(realm, self.ring) for realm in configuration.realms}
        self.ring.on_realm = lambda realm: self.members[realm].on_change()
        seats = Seats(MAX_TICKETS, refused, "logins", "tickets to be checked")
        self.scrypt = Scrypt(threads.run, seats)
        self.slices = Slices(clock, clock.timers)
        most = configuration.limits.max_accounts
        self.book = kinds.accounts(self.accounts, self.desk, clock, self.slices, most)
        self.plans = kinds.plans(configuration.plans, self.desk, clock)
        self.book.check_plan = self.plans.check
        self.book.on_change = lambda account, record: self.plans.assign(account, record.plan)
        for id, settings in configuration.accounts.items():
            self.book.fix(self._account(id, settings))

    # --- of the configuration

    def holder(self, authid: str, user: config.User) -> Holder:
        """Who a user of the configuration is, as holder."""
        return Holder(authid, self.accounts.keep(user.account or authid))

    def passing(self, authid: str) -> Holder:
        """Who a user is whom somebody else knows."""
        return Holder(authid, self.accounts.of(authid))

    def open_books(self, places: Iterable[Place], users: Mapping[str, Iterable[Credentials]]) -> None:
        """Make the books, with what the configuration has. Raises: ConfigError: a key was mistyped.

        Args:
            users: realm -> those of the configuration.
        """
        all_of_them = list(places)
        limits = self._config.limits
        known = Places(all_of_them)
        self.keys = self._kinds.keys(
            ring=self.ring,
            accounts=self.book,
            places=known,
            desk=self.desk,
            clock=self._clock,
            calendar=self.calendar,
            slices=self.slices,
            ids=self._ids,
            max_keys=limits.max_keys,
        )
        self.users = self._kinds.users(
            members=self.members,
            accounts=self.book,
            places=known,
            scrypt=self.scrypt,
            desk=self.desk,
            clock=self._clock,
            calendar=self.calendar,
            slices=self.slices,
            max_users=limits.max_users,
        )
        self.keys.on_rights = self.users.on_rights = lambda holder: self.on_rights(holder)
        for realm, settings in self._config.realms.items():
            self._fix(realm, settings, users[realm])
        for place in all_of_them:
            for family in self._families(place):
                place.realm.procedures.table |= family.procedures

    @staticmethod
    def check_secret(realm: str, name: str, key: config.Key) -> None:
        """Raises: ConfigError: the key was mistyped."""
        if is_mistyped(key.key.reveal()):
            what = "begins as the keys that radiod issues, and its last digits do not fit: mistyped?"
            raise config.ConfigError(("realms", realm, "keys", name, "key"), what)

    def _fix(self, realm: str, settings: config.Realm, users: Iterable[Credentials]) -> None:
        for name, key in settings.keys.items():
            self.check_secret(realm, name, key)
            self.set_key(realm, name, key, is_new=True)
        for user in users:
            self.users.fix(self._user(realm, user), user)

    # Each with what another configuration says.

    def set_account(self, id: str, settings: config.Account | None) -> None:
        """The configuration's table of this account; None: there is none any more."""
        if settings is None:
            self.book.unfix(id)
        else:
            self.book.fix(self._account(id, settings))

    def set_key(self, realm: str, name: str, key: config.Key | None, *, is_new: bool) -> None:
        """A key; None: there is none any more."""
        if key is None:
            self.keys.unfix(realm, name)
            return
        fix = self.keys.fix if is_new else self.keys.refix
        fix(self._key(realm, name, key), digest(key.key.reveal()), key.signing)

    def set_user(self, realm: str, user: Credentials, *, is_new: bool) -> None:
        """A user."""
        (self.users.fix if is_new else self.users.refix)(self._user(realm, user), user)

    def _account(self, id: str, settings: config.Account) -> AccountRecord:
        return AccountRecord(id=id, label=settings.label, plan=settings.plan, created=self._clock.time())

    def _key(self, realm: str, name: str, key: config.Key) -> KeyRecord:
        return KeyRecord(
            id=name,
            account=key.account or name,
            realm=realm,
            label=key.label,
            publish=key.publish,
            listen=key.listen,
            call=key.call,
            register=key.register,
            origins=key.origins,
            addresses=key.addresses,
            valid_from=key.valid_from,
            valid_until=key.valid_until,
            created=self._clock.time(),
            created_by=CONFIGURATION,
        )

    def _user(self, realm: str, user: Credentials) -> UserRecord:
        assert user.holder is not None
        account, now = user.holder.account.id, self._clock.time()
        return UserRecord(realm=realm, authid=user.authid, role=user.role, account=account, created=now)

    def _families(self, place: Place) -> list[Family]:
        """What a realm's sessions may ask: plans and usage belong here, too."""
        realm = place.realm
        return [
            KeyProcedures(self.keys, realm.name, realm.slices),
            AccountProcedures(self.book, realm.slices),
            PlanProcedures(self.plans),
            UserProcedures(self.users, realm.name, realm.slices),
            AuditProcedures(self.desk),
            BackupProcedures(self.desk, self._clock),
        ]

    # --- of the store

    def remember(self, store: AccessStore) -> list[str]:
        """Go on where the store says that it was, and write to it from now on. Returns: notes for the log.

        A second time, with the same store, only the latter: twistd detaches in between.
        Raises: StoreError: it cannot be read.
        """
        self.desk.store = store
        if self._is_loaded:
            return []
        self._is_loaded = True
        records = store.load()
        notes = self.plans.load(records.plans)
        self.book.load(records.accounts)
        notes += self.keys.load(records.keys, records.secrets)
        return notes + self.users.load(records.users)

    # --- time

    def start(self) -> None:
        """Write down from time to time which secrets were used."""
        for note in self.plans.missing():
            self.log.warn("{note}", note=note, event="configuration")
        self._threads.start()
        self._plan_round()

    def stop(self) -> None:
        """The server stops: write down what is to be written."""
        if self._round is not None:
            self._round.cancel()
            self._round = None
        self.keys.tell_used()
        self.calendar.stop()
        self._threads.stop()

    def _plan_round(self) -> None:
        self._round = self._clock.timers.at(self._clock.seconds() + USED_S, self._go_round)

    def _go_round(self) -> None:
        self._plan_round()
        self.keys.tell_used()

    def _set_back(self) -> None:
        self.log.warn("the clock was set back: dates of keys are looked at again", event="configuration")
        self.keys.review()
