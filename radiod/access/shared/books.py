"""The books of a node of several: what other nodes have changed is taken over into memory, as it is.

Nothing is checked against limits: it was, where it was asked for. What the configuration of this node has
stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from radiod.access.accounts import AccountBook
from radiod.access.changes import Row
from radiod.access.key_entry import signing_of
from radiod.access.keys import KeyBook
from radiod.access.plans import PlanBook
from radiod.access.standing import ACTIVE, REVOKED, SUSPENDED
from radiod.access.users import UserBook
from radiod.core.access.records import AccountRecord, KeyRecord, PlanRecord, SecretRecord, UserRecord
from radiod.core.arguments import struct
from radiod.core.plans import NOTHING, Plan
from radiod.errors import Refused

__all__ = ["SharedAccounts", "SharedKeys", "SharedPlans", "SharedUsers"]


def _nobody(*args: str) -> None:
    """Nobody minds."""


class SharedAccounts(AccountBook):
    """``own_records``: those that are not the configuration's; ``on_unfix``: that has one no more."""

    on_unfix: Callable[[str], object] = staticmethod(_nobody)

    @property
    def own_records(self) -> list[AccountRecord]:
        return [row.record for id, row in self._rows.items() if id not in self._blank]

    def unfix(self, id: str) -> None:
        """As ``AccountBook.unfix``."""
        super().unfix(id)
        self.on_unfix(id)

    def known(self, id: str) -> AccountRecord | None:
        """The record of an account that was set up while a server ran."""
        row = self._rows.get(id)
        return None if row is None or id in self._blank else row.record

    def is_fixed(self, id: str) -> bool:
        """Whether the configuration has it."""
        return id in self._fixed

    def take(self, record: AccountRecord) -> None:
        """It is this one now; if it is suspended, what its holders have open ends."""
        row = self._rows.setdefault(record.id, Row(record))
        _take(row, record)
        self._keep(row)
        if record.state == SUSPENDED:
            self._slices.run(self.find(record.id).ending(SUSPENDED))


class SharedPlans(PlanBook):
    """``own_records``: those that are not the configuration's; ``on_unfix``: that has one no more."""

    on_unfix: Callable[[str], object] = staticmethod(_nobody)

    def unfix(self, name: str) -> None:
        """As ``PlanBook.unfix``."""
        super().unfix(name)
        self.on_unfix(name)

    @property
    def own_records(self) -> list[PlanRecord]:
        return list(self._records.values())

    def known(self, name: str) -> PlanRecord | None:
        """The record of a plan that was made while a server ran."""
        return self._records.get(name)

    def is_fixed(self, name: str) -> bool:
        """Whether the configuration has it."""
        return name in self._configured

    def take(self, record: PlanRecord) -> str:
        """It is this one now, at once for all who have it. Returns: a note for the log, or nothing."""
        note = ""
        try:
            plan = struct(f"plan {record.name}", record.limits, Plan)
        except Refused as refusal:
            note, plan = f"{refusal.text}: its accounts have nothing here", NOTHING
        self._enter(record, plan)
        self._applied(record.name, plan)
        return note

    def lose(self, name: str) -> None:
        """It is no more; whoever has it still has nothing."""
        self._records.pop(name, None)
        self._plans.pop(name, None)
        # Another node may have given it to somebody when it was deleted.
        self._applied(name, NOTHING)

    def _applied(self, name: str, plan: Plan) -> None:
        for account in list(self._accounts.get(name, ())):
            self._apply(account, plan)


class SharedKeys(KeyBook):
    """``own_records``: those that are not the configuration's; ``on_unfix``: that has one no more."""

    _is_taking = False
    on_unfix: Callable[[str], object] = staticmethod(_nobody)

    def unfix(self, realm: str, id: str) -> None:
        """As ``KeyBook.unfix``."""
        super().unfix(realm, id)
        self.on_unfix(id)

    @property
    def own_records(self) -> list[KeyRecord]:
        return [entry.record for entry in self._entries.values() if not entry.is_fixed]

    def known(self, id: str) -> KeyRecord | None:
        """The record of a key that was issued."""
        entry = self._entries.get(id)
        return None if entry is None or entry.is_fixed else entry.record

    def is_fixed(self, id: str) -> bool:
        """Whether the configuration has it."""
        entry = self._entries.get(id)
        return entry is not None and entry.is_fixed

    def described(self, id: str, realm: str) -> dict[str, Any] | None:
        """A key of a realm, the configuration's too, as this node tells it; None: it does not know it."""
        for name in (id, f"{id} {realm}"):
            entry = self._entries.get(name)
            if entry is not None and entry.record.realm == realm:
                self.tell_used()
                return self.describe(entry)
        return None

    def secrets(self, id: str) -> tuple[SecretRecord, ...]:
        """Those of a key that was issued."""
        return tuple(self._entries[id].secrets.records.values())

    def take(self, record: KeyRecord, secrets: Iterable[SecretRecord]) -> None:
        """It is this one now, with these secrets; if it has ended, so does what it has open."""
        entry = self._entries.get(record.id)
        self._is_taking = True
        try:
            if entry is None:
                entry = self._entries[record.id] = self._enter(record, signing_of(record))
                entry.standing.on_end = lambda reason: self._ended(record.id, reason)
            else:
                _take(entry.row, record)
                entry.standing.on_end = lambda reason: self._ended(record.id, reason)
                self._apply(entry)
        finally:
            self._is_taking = False
        kept = {one.digest: one for one in secrets}
        for each in [each for each in entry.secrets.records if each not in kept]:
            entry.secrets.forget(each)
        for one in kept.values():
            before = entry.secrets.records.get(one.digest)
            if before is None or before.expires != one.expires:
                entry.secrets.open(replace(one, last_used=None if before is None else before.last_used))
                if one.expires is not None:
                    self._stay_awake()

    def _ended(self, id: str, reason: str) -> None:
        # The node where it was revoked has told whoever is to know.
        if not self._is_taking:
            self.on_end(self._entries[id].record, reason)


class SharedUsers(UserBook):
    """``own_records``: those that are not the configuration's; ``on_unfix``: that has one no more."""

    on_unfix: Callable[[str, str], object] = staticmethod(_nobody)

    def unfix(self, realm: str, authid: str) -> None:
        """As ``UserBook.unfix``."""
        super().unfix(realm, authid)
        self.on_unfix(realm, authid)

    @property
    def own_records(self) -> list[UserRecord]:
        return [one.record for one in self._entries.values() if not one.is_fixed and not one.is_gone]

    def known(self, realm: str, authid: str) -> UserRecord | None:
        """The record of a user that was added while a server ran."""
        entry = self._entries.get((realm, authid))
        return None if entry is None or entry.is_fixed or entry.is_gone else entry.record

    def is_fixed(self, realm: str, authid: str) -> bool:
        """Whether the configuration has it."""
        entry = self._entries.get((realm, authid))
        return entry is not None and entry.is_fixed

    def take(self, record: UserRecord) -> str:
        """It is this one now. Returns: a note for the log, or nothing."""
        who, place = (record.realm, record.authid), self._places.find(record.realm)
        entry = self._entries.get(who)
        if entry is None:
            entry = self._entries[who] = self._enter(record)
        else:
            entry.is_gone = False
            _take(entry.row, record)
        if place is not None and record.role in place.roles:
            self._apply(entry)
            return ""
        if place is not None:
            self._members[record.realm].remove(record.authid)
        entry.standing.set(record.state)
        return f"user {record.authid} is let in nowhere: no role {record.role} in {record.realm}"

    def lose(self, realm: str, authid: str) -> None:
        """It is no more; what it has open ends."""
        entry = self._entries.pop((realm, authid), None)
        if entry is None:
            return
        if realm in self._members:
            self._members[realm].remove(authid)
        entry.standing.set(REVOKED)
        self.on_rights(entry.holder)


def _take(
    row: Row[AccountRecord] | Row[KeyRecord] | Row[UserRecord], record: AccountRecord | KeyRecord | UserRecord
) -> None:
    if record.state != ACTIVE and row.record.state != record.state:
        # What was asked for before that must not take it back.
        row.restrictions += 1
    row.record = record
