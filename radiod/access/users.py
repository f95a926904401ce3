"""The users of one server: the configuration's, and those who are added while it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from radiod.access.accounts import AccountBook
from radiod.access.by import By
from radiod.access.changes import Desk, Row, then
from radiod.access.members import Members
from radiod.access.places import Places
from radiod.access.scrypt import Scrypt
from radiod.access.secrets import is_key_id
from radiod.access.standing import ACTIVE, REVOKED, SUSPENDED, Standing
from radiod.auth.directory import MANAGED, PROOFS, Credentials
from radiod.auth.dynamic import ScramAnswer
from radiod.core.access.records import AccountRecord, Dropped, UserRecord
from radiod.core.calendar import Calendar
from radiod.core.holders import Holder
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.core.timers import Clock
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_USER, QUOTA, Refused

__all__ = ["UserBook", "UserEntry"]

SOCKET: Final = "socket:"
"""Beginning of how the audit names who came by the admin socket."""

Who = tuple[str, str]
"""Realm and authid."""


class UserEntry:
    """One user of the book. ``is_gone``: deleted, which is being written; ``methods``: to log in by."""

    __slots__ = ("is_fixed", "is_gone", "methods", "row", "standing")

    def __init__(self, record: UserRecord, standing: Standing, *, is_fixed: bool = False) -> None:
        self.row = Row(record)
        self.standing = standing
        self.is_fixed = is_fixed
        self.is_gone = False
        self.methods: tuple[str, ...] = ()

    @property
    def record(self) -> UserRecord:
        """As it is now."""
        return self.row.record

    @property
    def holder(self) -> Holder:
        """Who that is."""
        return self.standing.holder


class UserBook:
    """All users but those whom somebody else knows.

    Args:
        members: realm -> who may log in there.
    ``on_rights``: told each holder whose rights are others now.
    """

    def __init__(
        self,
        *,
        members: Mapping[str, Members],
        accounts: AccountBook,
        places: Places,
        scrypt: Scrypt,
        desk: Desk,
        clock: Clock,
        calendar: Calendar,
        slices: Slices,
        max_users: int,
    ) -> None:
        self._members = members
        self._accounts = accounts
        self._places = places
        self._scrypt = scrypt
        self._desk = desk
        self._clock = clock
        self._calendar = calendar
        self._slices = slices
        self._max = max_users
        self._entries: dict[Who, UserEntry] = {}
        self.on_rights: Callable[[Holder], object] = lambda holder: None

    def __len__(self) -> int:
        """How many there are."""
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[str, UserEntry]]:
        """What they are listed by, and they."""
        entries = list(self._entries.values())
        return ((_place_in_list(one.record), one) for one in entries if not one.is_gone)

    # --- what there is from the start

    def fix(self, record: UserRecord, user: Credentials) -> None:
        """The configuration has this user."""
        assert user.holder is not None
        standing = Standing(user.holder, self._clock, self._calendar, self._slices)
        entry = self._entries[record.realm, record.authid] = UserEntry(record, standing, is_fixed=True)
        entry.methods = _methods(user)

    def check_fixed(self, realm: str, authid: str) -> None:
        """Whether the configuration may get a user of this name. Raises: ValueError: it may not."""
        entry = self._entries.get((realm, authid))
        if entry is not None and not entry.is_fixed:
            raise ValueError("a user of this name was added while the server ran")

    def of_role(self, realm: str, role: str) -> list[str]:
        """Those added at run time that have this role."""
        return [
            authid
            for (of, authid), entry in self._entries.items()
            if of == realm and not entry.is_fixed and entry.record.role == role
        ]

    def fixed(self, realm: str, authid: str) -> Holder:
        """Who a user of the configuration is."""
        return self._entries[realm, authid].holder

    def refix(self, record: UserRecord, user: Credentials) -> None:
        """The configuration's user is this one now; who is logged in has other rights, and stays."""
        entry = self._entries[record.realm, record.authid]
        entry.row = Row(msgspec.structs.replace(record, created=entry.record.created))
        entry.methods = _methods(user)
        self._accounts.table.move(entry.holder, record.account)
        for thing in entry.holder.things:
            if isinstance(thing, Session) and thing.principal.permissions is not user.permissions:
                self._places.get(record.realm).realm.revision.revise(thing, user.permissions)
        self.on_rights(entry.holder)

    def unfix(self, realm: str, authid: str) -> None:
        """The configuration has this user no more: what it has open ends."""
        entry = self._entries.pop((realm, authid))
        entry.standing.set(REVOKED)
        self.on_rights(entry.holder)

    def load(self, records: Iterable[UserRecord]) -> list[str]:
        """What was kept. Returns: notes for the log."""
        notes = []
        for record in records:
            who, place = (record.realm, record.authid), self._places.find(record.realm)
            if who in self._entries:
                notes.append(f"user {record.authid} is the configuration's: that of the store is nobody")
                continue
            entry = self._entries[who] = self._enter(record)
            if place is None or record.role not in place.roles:
                notes.append(
                    f"user {record.authid} is let in nowhere: no role {record.role} in {record.realm}"
                )
            else:
                self._apply(entry)
        return notes

    # --- what is asked

    def find(self, realm: str, authid: str) -> UserEntry:
        """The user of this name. Raises: Refused: ``no_such_user``."""
        found = self._entries.get((realm, authid))
        if found is None or found.is_gone:
            raise Refused(NO_SUCH_USER, f"no user {authid[:64]!r} in realm {realm[:64]}")
        return found

    def describe(self, entry: UserEntry) -> dict[str, Any]:
        """``{realm, authid, role, account, methods, state, created, sessions}``."""
        told = asdict(entry.record)
        for proof in ("ticket", "scram", "cryptosign"):
            del told[proof]
        return {**told, "methods": list(entry.methods), "sessions": entry.holder.connections}

    def set(
        self, by: By, realm: str, authid: str, fields: Mapping[str, Any], ticket: str | None
    ) -> Promise[dict[str, Any]]:
        """Add a user, or give one another role, account or proof → its description.

        Args:
            fields: ``role``; ``account``, None for its own; ``scram``, ``cryptosign`` as ``UserRecord`` has
                them, where they are to change.
            ticket: to log in with, empty: none; None: as it was.
        Raises, or settles with: Refused: ``no_such_account``, ``quota``, ``unavailable``;
            ``invalid_argument``: no such realm or role, somebody else's name or public key, no way to log
            in, or the configuration's.
        """
        self._places.role(realm, fields["role"])
        self._check_name(realm, authid)
        self._check_pubkeys(realm, authid, fields.get("cryptosign"))
        if not ticket:
            proof = {} if ticket is None else {"ticket": None}
            return self._set(by, realm, authid, {**fields, **proof})

        def proceed(kept: bytes) -> Promise[dict[str, Any]]:
            return self._set(by, realm, authid, {**fields, "ticket": kept})

        told: Any = chain(self._scrypt.make(ticket), proceed)
        promise: Promise[dict[str, Any]] = told
        return promise

    def _set(self, by: By, realm: str, authid: str, fields: dict[str, Any]) -> Promise[dict[str, Any]]:
        own = self._own_account(authid, fields["account"])
        changed = {**fields, "account": fields["account"] or authid}
        entry = self._entries.get((realm, authid)) or self._new(realm, authid, changed)
        record = msgspec.structs.replace(entry.record, **changed)
        if not (record.ticket or record.scram or record.cryptosign):
            raise Refused(INVALID_ARGUMENT, "a user needs a ticket, scram or cryptosign to log in")
        if entry.is_gone:
            changed["state"] = ACTIVE

        def done() -> None:
            for account in own:
                self._accounts.opened(account)
            entry.is_gone = False
            self._entries[realm, authid] = entry
            self._apply(entry)

        methods = sorted(set(fields) & {"ticket", "scram", "cryptosign"})
        act = by.act(
            self._clock,
            "user.set",
            authid,
            realm=realm,
            role=changed["role"],
            account=changed["account"],
            proofs=methods,
        )
        written = self._desk.grant(entry.row, act, done, lambda: own, **changed)
        return then(written, lambda: self.describe(entry))

    def suspend(self, by: By, realm: str, authid: str, reason: str) -> Promise[dict[str, Any]]:
        """Let a user in no more, and end what it has open → ``{authid, realm, state, ended}``.

        Raises, or settles with: Refused: ``no_such_user``, ``unavailable``; ``invalid_argument``: the
            configuration's.
        """
        entry = self._changeable(realm, authid)
        act = by.act(self._clock, "user.suspend", authid, realm=realm, reason=reason)
        written = self._desk.restrict(entry.row, act, state=SUSPENDED)
        ended = entry.standing.set(SUSPENDED)

        def answer(count: int) -> dict[str, Any]:
            return {"authid": authid, "realm": realm, "state": entry.record.state, "ended": count}

        return then(written, lambda: chain(ended, answer))

    def resume(self, by: By, realm: str, authid: str) -> Promise[dict[str, Any]]:
        """Let it in again → its description. Raises, or settles with: Refused: as ``suspend``."""
        entry = self._changeable(realm, authid)
        self._places.role(realm, entry.record.role)
        act = by.act(self._clock, "user.resume", authid, realm=realm)
        written = self._desk.grant(entry.row, act, partial(self._apply, entry), state=ACTIVE)
        return then(written, lambda: self.describe(entry))

    def delete(self, by: By, realm: str, authid: str) -> Promise[dict[str, Any]]:
        """Forget a user, and end what it has open → ``{authid, realm, ended}``.

        Raises, or settles with: Refused: as ``suspend``.
        """
        entry = self._changeable(realm, authid)
        entry.is_gone = True
        if realm in self._members:
            self._members[realm].remove(authid)
        act = by.act(self._clock, "user.delete", authid, realm=realm)
        written = self._desk.remove(entry.row, Dropped("user", (realm, authid)), act)
        ended = entry.standing.set(REVOKED)

        def answer(count: int) -> dict[str, Any]:
            if entry.is_gone:
                self._entries.pop((realm, authid), None)
            return {"authid": authid, "realm": realm, "ended": count}

        return then(written, lambda: chain(ended, answer))

    # --- how it is done

    def _changeable(self, realm: str, authid: str) -> UserEntry:
        entry = self.find(realm, authid)
        if entry.is_fixed:
            raise Refused(INVALID_ARGUMENT, f"user {authid} is the configuration's: change it there")
        return entry

    def _check_name(self, realm: str, authid: str) -> None:
        known = self._entries.get((realm, authid))
        if known is not None:
            if known.is_fixed:
                raise Refused(INVALID_ARGUMENT, f"user {authid} is the configuration's: change it there")
        elif is_key_id(authid) or authid in self._members[realm]:
            raise Refused(INVALID_ARGUMENT, f"{authid} is the name of a key")
        elif authid.startswith(SOCKET):
            raise Refused(INVALID_ARGUMENT, f"names with {SOCKET} are those of the admin socket's users")

    def _check_pubkeys(self, realm: str, authid: str, cryptosign: str | None) -> None:
        for pubkey in (cryptosign or "").split():
            if self._members[realm].owner(bytes.fromhex(pubkey)) not in (None, authid):
                raise Refused(INVALID_ARGUMENT, "one of the public keys is somebody else's")

    def _own_account(self, authid: str, account: str | None) -> list[AccountRecord]:
        if account is not None:
            self._accounts.find(account)
            return []
        own = self._accounts.own(authid)
        return [] if own is None else [own]

    def _new(self, realm: str, authid: str, fields: Mapping[str, Any]) -> UserEntry:
        if len(self._entries) >= self._max:
            raise Refused(QUOTA, f"there are {self._max} users already: see limits.max_users")
        role, account = fields["role"], fields["account"]
        return self._enter(
            UserRecord(realm=realm, authid=authid, role=role, account=account, created=self._clock.time())
        )

    def _enter(self, record: UserRecord) -> UserEntry:
        holder = Holder(record.authid, self._accounts.table.of(record.account))
        return UserEntry(record, Standing(holder, self._clock, self._calendar, self._slices))

    def _apply(self, entry: UserEntry) -> None:
        """The record has changed: what it stands for does."""
        record, holder = entry.record, entry.holder
        holder.move(self._accounts.table.keep(record.account))
        user = self._credentials(entry)
        entry.methods = _methods(user)
        for thing in holder.things:
            if isinstance(thing, Session) and thing.principal.permissions is not user.permissions:
                self._places.get(record.realm).realm.revision.revise(thing, user.permissions)
        self._members[record.realm].put(user)
        entry.standing.set(record.state)
        self.on_rights(holder)

    def _credentials(self, entry: UserEntry) -> Credentials:
        record = entry.record
        kept, scram = record.ticket, record.scram
        return Credentials(
            authid=record.authid,
            role=record.role,
            permissions=self._places.role(record.realm, record.role),
            provider=MANAGED,
            ticket=partial(self._scrypt.check, kept) if kept is not None else None,
            scram=msgspec.convert(json.loads(scram), ScramAnswer).verifier() if scram else None,
            cryptosign=tuple(map(bytes.fromhex, (record.cryptosign or "").split())),
            holder=entry.holder,
        )


def _methods(user: Credentials) -> tuple[str, ...]:
    return tuple(method for method, proof in PROOFS.items() if getattr(user, proof))


def _place_in_list(record: UserRecord) -> str:
    """By authid; NUL is in no name."""
    return f"{record.authid}\0{record.realm}"
