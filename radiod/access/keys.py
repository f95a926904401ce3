"""The keys of one server: the configuration's, and those that are issued while it runs.

Memory is the truth, as loaded from the store at the start. Of a secret only the SHA-256 is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from msgspec.structs import asdict, replace

from radiod.access.accounts import AccountBook
from radiod.access.by import By
from radiod.access.changes import Desk, Row, then
from radiod.access.key_entry import Entry, encoded, signing_of
from radiod.access.openings import MAX_SECRETS, Openings
from radiod.access.places import Places
from radiod.access.secrets import hint, make_key_id, make_secret, make_signing_secret
from radiod.access.standing import ACTIVE, REVOKED, SUSPENDED, Ended, Standing, check_alive, check_dates
from radiod.auth.keys import Key, KeyRing
from radiod.core.access.records import AccountRecord, Change, Dropped, KeyRecord, SecretRecord
from radiod.core.calendar import Calendar
from radiod.core.disclosure import Visitor
from radiod.core.holders import Holder
from radiod.core.ids import Ids, digest
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.core.timers import Clock, Deadline
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_KEY, QUOTA, Refused
from radiod.secret import Secret

__all__ = ["Entry", "KeyBook"]

HOUR: Final = 3600


class KeyBook:
    """All keys of a server.

    ``on_rights``: told each holder whose rights are others now; ``on_end``: each key whose access has ended,
    and the reason: ``revoked``, ``suspended`` or ``expired``.
    """

    def __init__(
        self,
        *,
        ring: KeyRing,
        accounts: AccountBook,
        places: Places,
        desk: Desk,
        clock: Clock,
        calendar: Calendar,
        slices: Slices,
        ids: Ids,
        max_keys: int,
    ) -> None:
        self.ring = ring
        self._accounts = accounts
        self._places = places
        self._desk = desk
        self._clock = clock
        self._calendar = calendar
        self._slices = slices
        self._ids = ids
        self._max = max_keys
        self._entries: dict[str, Entry] = {}
        # Account -> its keys, in the order of coming.
        self._of: dict[str, dict[Entry, None]] = {}
        self._awake: Deadline | None = None
        self.on_rights: Callable[[Holder], object] = _nobody
        self.on_end: Callable[[KeyRecord, str], object] = _nobody

    def __len__(self) -> int:
        """How many there are."""
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        """Their names, and they: a key of the configuration that is not the first of its id has another."""
        return iter(list(self._entries.items()))

    # --- what there is from the start

    def fix(self, record: KeyRecord, secret: bytes, signing: Secret | None) -> None:
        """The configuration has this key, which the secret with this digest opens."""
        entry = self._enter(record, signing, is_fixed=True)
        # Of a short secret four characters would tell too much.
        entry.secrets.open(SecretRecord(digest=secret, key=record.id, hint="", created=record.created))
        is_first = record.id not in self._entries
        self._entries[record.id if is_first else f"{record.id} {record.realm}"] = entry

    def check_fixed(self, realm: str, id: str) -> None:
        """Whether the configuration may get a key of this name. Raises: ValueError: it may not."""
        entry = self._entries.get(id)
        if entry is not None and not entry.is_fixed:
            raise ValueError("a key of this name was issued while the server ran")

    def refix(self, record: KeyRecord, secret: bytes, signing: Secret | None) -> None:
        """The configuration's key is this one now, all of it; who came with another secret has to leave."""
        entry = self._fixed(record.realm, record.id)[1]
        record = replace(record, created=entry.record.created)
        entry.row = Row(record)
        others = [each for each in entry.secrets.records if each != secret]
        if others:
            entry.secrets.open(SecretRecord(digest=secret, key=record.id, hint="", created=record.created))
            for each in others:
                entry.secrets.forget(each)
        self._move(entry, record.account)
        entry.holder.restrict(record.origins, record.addresses)
        if entry.key is not None:
            entry.key.signing = signing
            self._grant(record, entry.key, is_fixed=True)
        self._stand(entry)
        if others:
            self._slices.run(entry.holder.ending("rotated"))

    def unfix(self, realm: str, id: str) -> None:
        """The configuration has this key no more: nobody is let in with it, and what it has open ends."""
        name, entry = self._fixed(realm, id)
        del self._entries[name]
        self._take_out(entry)
        for each in list(entry.secrets.records):
            entry.secrets.forget(each)
        if entry.key is not None:
            self.ring.remove(entry.key)
        entry.standing.set(REVOKED)
        self.on_rights(entry.holder)
        # Another realm's key of this id is listed by the id again.
        other = next((key for key in self._entries if key.startswith(f"{id} ")), None)
        if name == id and other is not None:
            self._entries[id] = self._entries.pop(other)

    def _fixed(self, realm: str, id: str) -> tuple[str, Entry]:
        for name in (id, f"{id} {realm}"):
            entry = self._entries.get(name)
            if entry is not None and entry.is_fixed and entry.record.realm == realm:
                return name, entry
        raise KeyError(id)

    def load(self, keys: Iterable[KeyRecord], secrets: Iterable[SecretRecord]) -> list[str]:
        """What was kept. Returns: notes for the log."""
        notes = []
        for record in keys:
            if record.id in self._entries:
                notes.append(f"key {record.id} is the configuration's: that of the store opens nothing")
                continue
            entry = self._entries[record.id] = self._enter(record, signing_of(record))
            if entry.key is None:
                notes.append(f"key {record.id} opens nothing: there is no realm {record.realm}")
        for secret in secrets:
            known = self._entries.get(secret.key)
            if known is not None and not known.is_fixed:
                known.secrets.open(secret)
                if secret.expires is not None:
                    self._stay_awake()
        return notes

    # --- what is asked

    def find(self, id: str) -> Entry:
        """The key that this names. Raises: Refused: ``no_such_key``."""
        found = self._entries.get(id)
        if found is None:
            raise Refused(NO_SUCH_KEY, f"no key {id[:64]!r}")
        return found

    def of_account(self, id: str) -> list[Entry]:
        """All keys of an account, in the order of coming to it. Cost: O(n) in these alone."""
        return list(self._of.get(id, ()))

    def describe(self, entry: Entry) -> dict[str, Any]:
        """All that may be told of a key; secrets that are over are not."""
        told = _plain(asdict(entry.record))
        del told["signing"], told["created_by"]
        secrets = [asdict(secret) for secret in entry.secrets.living]
        for secret in secrets:
            del secret["digest"], secret["key"]
        return {**told, "secrets": secrets, "sessions": entry.holder.connections}

    def issue(self, by: By, fields: Mapping[str, Any], *, is_signed: bool) -> Promise[dict[str, Any]]:
        """Make a key with one secret → its description, ``key`` and ``signing``, which nobody sees again.

        Args:
            fields: of ``KeyRecord``, checked; ``account`` may be None: its own.
        Raises, or settles with: Refused: ``no_such_account``, ``quota``, ``unavailable``;
            ``invalid_argument``: no such realm, or it ends before it begins.
        """
        if len(self._entries) >= self._max:
            raise Refused(QUOTA, f"there are {self._max} keys already: see limits.max_keys")
        self._places.get(fields["realm"])
        id, now, secret = self._free_id(), self._clock.time(), make_secret()
        own = self._own_account(id, fields["account"])
        signing = make_signing_secret() if is_signed else None
        record = KeyRecord(
            **{**fields, "account": fields["account"] or id},
            id=id,
            signing=encoded(signing),
            created=now,
            created_by=by.actor,
        )
        check_dates(record)
        first = SecretRecord(digest=digest(secret), key=id, hint=hint(secret), created=now)
        act = by.act(self._clock, "key.issue", id, **_plain(fields), signed=is_signed)

        def done() -> None:
            self._opened(own)
            entry = self._entries[id] = self._enter(record, signing_of(record))
            entry.secrets.open(first)

        written = self._desk.create([*own, record, first], act, done)
        told = {"key": secret, "signing": signing}
        return then(written, lambda: {**self.describe(self._entries[id]), **told})

    def update(
        self, by: By, id: str, fields: Mapping[str, Any], *, is_signed: bool | None
    ) -> Promise[dict[str, Any]]:
        """Give a key other properties → its description, and ``signing`` if it was asked for.

        Args:
            fields: as with ``issue``, those that change, and not ``realm``.
            is_signed: True: with a new signing secret; False: with none; None: as it was.
        Raises, or settles with: Refused: as ``issue``; ``no_such_key``; ``invalid_argument``: it is the
            configuration's.
        """
        entry = self._changeable(id)
        detail = _plain(fields)
        changed = dict(fields)
        own: list[AccountRecord] = []
        if "account" in changed:
            own = self._own_account(id, changed["account"])
            changed["account"] = changed["account"] or id
        check_dates(replace(entry.record, **changed))
        signing = make_signing_secret() if is_signed else None
        if is_signed is not None:
            detail["signed"] = is_signed
            changed["signing"] = encoded(signing)

        def done() -> None:
            self._opened(own)
            self._apply(entry)

        act = by.act(self._clock, "key.update", id, **detail)
        written = self._desk.grant(entry.row, act, done, lambda: own, **changed)
        told = {} if signing is None else {"signing": signing}
        return then(written, lambda: {**self.describe(entry), **told})

    def rotate(self, by: By, id: str, overlap: float) -> Promise[dict[str, Any]]:
        """A new secret; the old ones are good for so many seconds yet → ``{id, key, expires}``.

        Raises, or settles with: Refused: ``no_such_key``, ``quota``, ``unavailable``; ``invalid_argument``:
            it is revoked, or the configuration's.
        """
        entry = self._changeable(id)
        check_alive(entry.record)
        if overlap and len(entry.secrets.living) >= MAX_SECRETS:
            raise Refused(QUOTA, f"key {id} has {MAX_SECRETS} secrets: rotate it with overlap 0")
        now, secret = self._clock.time(), make_secret()
        expires = now + overlap
        new = SecretRecord(digest=digest(secret), key=id, hint=hint(secret), created=now)
        changes: list[SecretRecord | Dropped] = []

        def turn() -> Sequence[Change]:
            changes.extend(Dropped("secret", (each,)) for each in entry.secrets.superfluous)
            # No clock that is set back brings back what was over at once: it may be in wrong hands.
            changes.extend([*entry.secrets.ending(expires if overlap else 0.0), new])
            return changes

        def done() -> None:
            self._stay_awake()
            for change in changes:
                if isinstance(change, Dropped):
                    entry.secrets.forget(change.key[0])
                else:
                    entry.secrets.open(change)

        act = by.act(self._clock, "key.rotate", id, overlap=overlap, hint=new.hint)
        written = self._desk.grant(entry.row, act, done, turn)
        return then(written, lambda: {"id": id, "key": secret, "expires": expires})

    def suspend(self, by: By, id: str, reason: str) -> Promise[dict[str, Any]]:
        """Let nobody in with a key, and end what it has open → ``{id, state, ended}``.

        Raises, or settles with: Refused: ``no_such_key``, ``unavailable``; ``invalid_argument``: it is
            revoked, or the configuration's.
        """
        entry = self._changeable(id)
        check_alive(entry.record)
        return self._end(by, entry, "key.suspend", SUSPENDED, reason)

    def revoke(self, by: By, id: str, reason: str) -> Promise[dict[str, Any]]:
        """The same, for good. Raises, or settles with: Refused: as ``suspend``."""
        return self._end(by, self._changeable(id), "key.revoke", REVOKED, reason)

    def resume(self, by: By, id: str) -> Promise[dict[str, Any]]:
        """Let a suspended key in again → its description.

        Raises, or settles with: Refused: as ``suspend``.
        """
        entry = self._changeable(id)
        check_alive(entry.record)
        act = by.act(self._clock, "key.resume", id)
        written = self._desk.grant(entry.row, act, partial(self._apply, entry), state=ACTIVE, reason="")
        return then(written, lambda: self.describe(entry))

    # --- time

    def review(self) -> None:
        """Look at all dates again: somebody has set the clock. Cost: O(n) in the keys."""
        for entry in self._entries.values():
            entry.standing.review()
            entry.secrets.review()

    def tell_used(self) -> None:
        """Write down which secrets were used since this was called last, to the hour."""
        hour = self._clock.time() // HOUR * HOUR
        used: dict[bytes, float] = {}
        for each in self.ring.take_used():
            key = self.ring.owner(each)
            entry = self._entry_of(key) if key is not None else None
            if entry is not None and entry.secrets.used(each, hour) and not entry.is_fixed:
                used[each] = hour
        if used:
            self._desk.store.used(used)

    # --- how it is done

    def _changeable(self, id: str) -> Entry:
        entry = self.find(id)
        if entry.is_fixed:
            raise Refused(INVALID_ARGUMENT, f"key {id} is the configuration's: change it there")
        return entry

    def _end(self, by: By, entry: Entry, action: str, state: str, reason: str) -> Promise[dict[str, Any]]:
        id = entry.record.id
        act = by.act(self._clock, action, id, reason=reason)
        written = self._desk.restrict(entry.row, act, state=state, reason=reason)
        ended = self._stand(entry)

        def answer(count: int) -> dict[str, Any]:
            return {"id": id, "state": entry.record.state, "ended": count}

        return then(written, lambda: chain(ended, answer))

    def _free_id(self) -> str:
        while True:
            id = make_key_id()
            if id not in self._entries and id not in self._accounts.table.kept:
                return id

    def _own_account(self, id: str, account: str | None) -> list[AccountRecord]:
        """What is to be written so that a key has its account. Raises: Refused: ``no_such_account``."""
        if account is not None:
            self._accounts.find(account)
            return []
        own = self._accounts.own(id)
        return [] if own is None else [own]

    def _opened(self, own: list[AccountRecord]) -> None:
        for record in own:
            self._accounts.opened(record)

    def _enter(self, record: KeyRecord, signing: Secret | None, *, is_fixed: bool = False) -> Entry:
        holder = Holder(record.id, self._accounts.table.keep(record.account))
        place = self._places.find(record.realm)
        key: Key | None = None
        if place is not None:
            principal = place.principal(record, holder, is_fixed=is_fixed)
            key = Key(record.id, place.realm, Visitor(self._ids.next(), principal), signing=signing)
            self.ring.add(key)
        standing = Standing(holder, self._clock, self._calendar, self._slices)
        secrets = Openings(key, self.ring, self._clock, self._calendar)
        entry = Entry(record, key, standing, secrets, is_fixed=is_fixed)
        self._of.setdefault(record.account, {})[entry] = None
        holder.restrict(record.origins, record.addresses)
        self._stand(entry)
        # What ended before that is no news.
        standing.on_end = lambda reason: self.on_end(entry.record, reason)
        return entry

    def _move(self, entry: Entry, account: str) -> None:
        """A key is on this account from now on."""
        if entry.holder.account.id != account:
            self._take_out(entry)
            self._of.setdefault(account, {})[entry] = None
        self._accounts.table.move(entry.holder, account)

    def _take_out(self, entry: Entry) -> None:
        """A key is not among its account's any more."""
        id = entry.holder.account.id
        del self._of[id][entry]
        if not self._of[id]:
            del self._of[id]

    def _apply(self, entry: Entry) -> None:
        """The record has changed: what it stands for does."""
        record, key = entry.record, entry.key
        self._move(entry, record.account)
        entry.holder.restrict(record.origins, record.addresses)
        if key is not None:
            key.signing = signing_of(record)
            self._grant(record, key)
        self._stand(entry)

    def _grant(self, record: KeyRecord, key: Key, *, is_fixed: bool = False) -> None:
        before = key.principal
        place = self._places.get(record.realm)
        after = place.principal(record, key.holder, is_fixed=is_fixed)
        key.grant(after.permissions, after.memberships)
        for thing in key.holder.things:
            if isinstance(thing, Session):
                # Who came with less than the key has, by a token, must not get more.
                own = thing.principal.permissions
                rights = after.permissions if own is before.permissions else own
                place.realm.revision.revise(thing, rights)
        self.on_rights(key.holder)

    def _stand(self, entry: Entry) -> Ended:
        record = entry.record
        if record.valid_from is not None or record.valid_until is not None:
            self._stay_awake()
        return entry.standing.set(record.state, record.valid_from, record.valid_until)

    def _stay_awake(self) -> None:
        if self._awake is None:
            self._awake = self._calendar.at(math.inf, _never)

    def _entry_of(self, key: Key) -> Entry | None:
        for name in (key.id, f"{key.id} {key.realm.name}"):
            entry = self._entries.get(name)
            if entry is not None and entry.key is key:
                return entry
        return None


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _nobody(*_: object) -> None:
    """Nobody minds."""


def _never() -> None:
    """This date never comes."""
