"""The books of access on fakes: a realm, a clock that a test turns, and a store that it can hold up."""

from __future__ import annotations

from typing import Any

from radiod.access.kinds import Kinds
from radiod.access.members import Members
from radiod.access.places import Place, Places
from radiod.access.procedures.accounts import AccountProcedures
from radiod.access.procedures.keys import KeyProcedures
from radiod.access.procedures.plans import PlanProcedures
from radiod.access.procedures.users import UserProcedures
from radiod.access.scrypt import Scrypt
from radiod.access.secrets import is_mistyped
from radiod.auth.keys import KeyRing
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.budgets.seats import Seats
from radiod.core.calendar import Calendar
from radiod.core.holders import Accounts
from radiod.core.promises import Promise
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.testing import ALLOW_ALL, ALLOW_NONE, FakeClock, RecordingOutbox, SequentialIds, make_realm
from support.realms import Caller, Client

__all__ = ["Books", "Keeper"]


ALONE = Kinds()


class Keeper(MemoryAccessStore):
    """Memory that writes at once, unless ``is_held``: then when ``write`` is called, the oldest first.

    ``is_broken``: it writes nothing any more. ``acts``: what it was told, in order, written or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_held = False
        self.is_broken = False
        self.acts: list[Any] = []
        self.noted: list[dict[bytes, float]] = []
        self._waiting: list[tuple[Any, Any, Promise[None]]] = []

    def change(self, changes: Any, act: Any) -> Promise[None]:
        self.acts.append(act)
        promise: Promise[None] = Promise()
        self._waiting.append((list(changes), act, promise))
        if not self.is_held:
            self.write()
        return promise

    def write(self, count: int = 1) -> None:
        """Write the oldest that wait."""
        for _ in range(count):
            changes, act, promise = self._waiting.pop(0)
            if self.is_broken:
                promise.settle(Refused(STORE_UNAVAILABLE, "the disk is full"))
            else:
                super().change(changes, act).then(promise.settle)

    def used(self, secrets: Any) -> None:
        self.noted.append(dict(secrets))
        super().used(secrets)


class Books:
    """All books, on realm ``radio`` with roles ``reader`` and ``writer``, and a private channel ``vault``."""

    def __init__(self, keeper: Any = None, most: int = 1000, clock: Any = None, kinds: Kinds = ALONE) -> None:
        self.clock = clock or FakeClock()
        self.outbox = RecordingOutbox()
        self.ids = SequentialIds()
        self.realm = make_realm(self.outbox, self.clock, ids=self.ids)
        self.keeper = keeper or Keeper()
        self.desk = kinds.desk(self.keeper)
        self.calendar = Calendar(self.clock, self.clock.timers)
        self.table = Accounts()
        self.ring = KeyRing(is_mistyped)
        self.members = {"radio": Members("radio", self.ring)}
        slices = self.realm.slices
        self.accounts = kinds.accounts(self.table, self.desk, self.clock, slices, most)
        self.plans = kinds.plans({}, self.desk, self.clock)
        self.accounts.check_plan = self.plans.check
        self.accounts.on_change = lambda account, record: self.plans.assign(account, record.plan)
        roles = {"reader": ALLOW_ALL, "writer": ALLOW_NONE}
        self.places = Places([Place(self.realm, roles, frozenset({"vault"}))])
        self.scrypt = Scrypt(self._work, Seats(4, {"logins": 0}, "logins", "tickets"))
        self.is_working = True
        self.work: list[Any] = []
        common: dict[str, Any] = {
            "accounts": self.accounts,
            "places": self.places,
            "desk": self.desk,
            "clock": self.clock,
            "calendar": self.calendar,
            "slices": slices,
        }
        self.keys = kinds.keys(ring=self.ring, ids=self.ids, max_keys=most, **common)
        self.calendar.on_set_back = self.keys.review
        self.users = kinds.users(members=self.members, scrypt=self.scrypt, max_users=most, **common)
        for family in (
            KeyProcedures(self.keys, "radio", slices),
            AccountProcedures(self.accounts, slices),
            UserProcedures(self.users, "radio", slices),
            PlanProcedures(self.plans),
        ):
            self.realm.procedures.table |= family.procedures
        self.boss = Caller(self.realm, self.outbox, "boss")

    def _work(self, work: Any) -> Promise[bytes]:
        promise: Promise[bytes] = Promise()
        if self.is_working:
            promise.settle(work())
        else:
            self.work.append((work, promise))
        return promise

    def ask(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """What ``radiod.admin.`` and this answers, or the error's URI."""
        return self.boss.call(f"radiod.admin.{procedure}", *args, **kwargs)

    def begin(self, procedure: str, *args: Any, **kwargs: Any) -> Client:
        """Ask, by a session of its own, what may be answered later. Returns: its client."""
        client = Client(self.realm, self.outbox, "boss")
        client.request(48, {}, f"radiod.admin.{procedure}", list(args), kwargs)
        return client

    def issue(self, **options: Any) -> dict[str, Any]:
        """A new key."""
        return self.ask("key.issue", **options)

    def join(self, key: dict[str, Any]) -> Client:
        """A session of the holder of a key that was issued."""
        principal = self.ring.get(key["key"]).principal
        return Client(
            self.realm,
            self.outbox,
            principal.authid,
            principal.authrole,
            permissions=principal.permissions,
            holder=principal.holder,
        )

    def restarted(self) -> Books:
        """The books of a server that begins with what this one has kept."""
        again = Books(self.keeper)
        again.clock.advance(self.clock.seconds() - again.clock.seconds())
        records = self.keeper.load()
        again.accounts.load(records.accounts)
        again.notes = again.keys.load(records.keys, records.secrets) + again.users.load(records.users)
        return again

    notes: list[str]
