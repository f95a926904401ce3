"""What nodes share of access: one claim for each account, plan, key and user, with what was done last.

Digests only. Of a key's signing secret, which a server must be able to read, others have the SHA-256: by that
they know whether the one that they have in their own store is this one. Where nodes have a secret in common
(``vault``), the signing secret comes along, sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from radiod.core.access.records import (
    AccountRecord,
    Act,
    Change,
    Dropped,
    KeyRecord,
    PlanRecord,
    SecretRecord,
    UserRecord,
)
from radiod.core.cluster.encoding import decode
from radiod.errors import STORE_UNAVAILABLE, Refused

__all__ = [
    "ABOUTS",
    "ACCOUNTS",
    "KEYS",
    "PLANS",
    "USERS",
    "Entity",
    "Name",
    "Seal",
    "Wish",
    "name_of",
    "pack",
    "public",
    "read",
    "there",
    "wishes",
]

ACCOUNTS: Final = "access accounts"
PLANS: Final = "access plans"
KEYS: Final = "access keys"
USERS: Final = "access users"

ABOUTS: Final = (PLANS, ACCOUNTS, KEYS, USERS)
"""What claims of access are about, in the order in which they are written: a key needs its account."""


class Name(NamedTuple):
    """Which claim: what it is about, and its key there."""

    about: str
    key: str


class Entity(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value of one claim: the record that it is about, and who changed it last.

    ``node``: where; ``secrets``: of a key, all of them; ``sealed``: what it signs with, for those who can
    open that; empty: nobody can; ``is_gone``: it was deleted just now.
    """

    act: Act
    node: str
    account: AccountRecord | None = None
    plan: PlanRecord | None = None
    key: KeyRecord | None = None
    secrets: tuple[SecretRecord, ...] = ()
    sealed: bytes = b""
    user: UserRecord | None = None
    is_gone: bool = False

    @property
    def record(self) -> Any:
        """The one that it is about."""
        return self.account or self.plan or self.key or self.user

    def with_record(self, record: Any) -> Entity:
        """The same about another record of its kind."""
        field = FIELDS[type(record)]
        return replace(self, **{field: record})

    def says_the_same(self, other: Entity) -> bool:
        """Whether that, as a node has it, is what is claimed; when secrets were used is each node's own."""
        record = self.record
        if self.key is not None and other.key is not None and other.key.signing is None:
            # Another node has it.
            record = replace(self.key, signing=None)
        return (record, _unused(self.secrets)) == (other.record, _unused(other.secrets))


class Wish(Struct, frozen=True):
    """One change that a node is asked for: of one record, or of a key and some of its secrets.

    ``record``: as it is to be, None: it is to go; ``secrets``: digest -> as it is to be, None: it goes;
    ``is_signed``: of a key: whether what it signs with changes, too. This node may not have it. ``sealed``:
    as in ``Entity``.
    """

    name: Name
    record: Any
    secrets: dict[bytes, SecretRecord | None] = {}
    is_signed: bool = False
    sealed: bytes = b""


Seal = Callable[[bytes, str], bytes]
"""Seals a signing secret for the key with this id; empty: nobody could open it."""

FIELDS: Final[dict[type, str]] = {
    AccountRecord: "account",
    PlanRecord: "plan",
    KeyRecord: "key",
    UserRecord: "user",
}

ENCODER: Final = msgspec.msgpack.Encoder()
DECODER: Final = msgspec.msgpack.Decoder(Entity)


def pack(entity: Entity) -> bytes:
    """As it is claimed."""
    return ENCODER.encode(entity)


def read(data: bytes) -> Entity | None:
    """What a claim says; None: it is none of this version's."""
    entity = decode(DECODER, data)
    return entity if entity is not None and entity.record is not None else None


def there(data: bytes | None) -> Entity | None:
    """What a claim says that is about to be changed; None: there is none.

    Raises: Refused: ``unavailable``: it is none of this version's, which must not write over it.
    """
    entity = None if data is None else read(data)
    if data is not None and entity is None:
        raise Refused(STORE_UNAVAILABLE, "a node of another version has changed it: change it there")
    return entity


def name_of(record: Any) -> Name:
    """Under which name a record is claimed."""
    if isinstance(record, AccountRecord):
        return Name(ACCOUNTS, record.id)
    if isinstance(record, PlanRecord):
        return Name(PLANS, record.name)
    if isinstance(record, KeyRecord):
        return Name(KEYS, record.id)
    # NUL is in no name.
    return Name(USERS, f"{record.realm}\0{record.authid}")


def public(record: Any) -> Any:
    """A record without what only its own server may know."""
    if isinstance(record, KeyRecord) and record.signing is not None:
        return replace(record, signing=hashlib.sha256(record.signing).digest())
    return record


def wishes(changes: Sequence[Change], act: Act, seal: Seal) -> list[Wish]:
    """What is asked for, in the order in which it is to be done."""
    is_signed = "signed" in act.detail
    found: dict[Name, Wish] = {}
    for change in changes:
        if isinstance(change, Dropped):
            if change.of != "secret":
                name = (
                    Name(PLANS, change.key[0]) if change.of == "plan" else Name(USERS, "\0".join(change.key))
                )
                found[name] = Wish(name, None)
        elif not isinstance(change, SecretRecord):
            name = name_of(change)
            secrets = dict(_secrets_of(change, changes))
            found[name] = Wish(name, public(change), secrets, is_signed, _sealed(change, seal))
    return sorted(found.values(), key=lambda wish: ABOUTS.index(wish.name.about))


def _sealed(record: Any, seal: Seal) -> bytes:
    if isinstance(record, KeyRecord) and record.signing is not None:
        return seal(record.signing, record.id)
    return b""


def _secrets_of(record: Any, changes: Sequence[Change]) -> Iterable[tuple[bytes, SecretRecord | None]]:
    """Secrets that change with a key; those that go are named by their digest alone."""
    if isinstance(record, KeyRecord):
        for change in changes:
            if isinstance(change, SecretRecord) and change.key == record.id:
                yield change.digest, change
            elif isinstance(change, Dropped) and change.of == "secret":
                yield change.key[0], None


def _unused(secrets: Iterable[SecretRecord]) -> dict[bytes, SecretRecord]:
    return {one.digest: replace(one, last_used=None) for one in secrets}
