"""What is kept of access: one struct for a row of each table.

Times are seconds since 1970. Tuples of patterns, origins and networks are JSON lists in a table.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

__all__ = [
    "AccountRecord",
    "Act",
    "AuditEntry",
    "Change",
    "Dropped",
    "KeyRecord",
    "PlanRecord",
    "Records",
    "SecretRecord",
    "UsageQuery",
    "UsageRow",
    "UserRecord",
]


class AccountRecord(Struct, frozen=True, kw_only=True):
    """Who pays. ``plan``: its name, None: unlimited; ``state``: ``active`` or ``suspended``."""

    id: str
    label: str = ""
    plan: str | None = None
    state: str = "active"
    reason: str = ""
    created: float


class PlanRecord(Struct, frozen=True, kw_only=True):
    """A plan. ``limits``: the fields of ``core.plans.Plan`` that are set."""

    name: str
    limits: dict[str, Any]
    created: float


class KeyRecord(Struct, frozen=True, kw_only=True):
    """What opens doors. ``state``: ``active``, ``suspended`` or ``revoked``; ``signing``: a secret that the
    server can read, None: it signs nothing; ``created_by``: an actor, as in the audit.
    """

    id: str
    account: str
    realm: str
    label: str = ""
    publish: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    call: tuple[str, ...] = ()
    register: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    valid_from: float | None = None
    valid_until: float | None = None
    state: str = "active"
    reason: str = ""
    signing: bytes | None = None
    created: float
    created_by: str


class SecretRecord(Struct, frozen=True, kw_only=True):
    """One secret of a key. ``digest``: its SHA-256; ``hint``: its last four characters; ``expires``: when it
    ends, None: with its key; ``last_used``: in whole hours, None: never.
    """

    digest: bytes
    key: str
    hint: str
    created: float
    expires: float | None = None
    last_used: float | None = None


class UserRecord(Struct, frozen=True, kw_only=True):
    """Somebody who logs in. ``ticket``: salt and scrypt of a ticket; ``scram``: a verifier as JSON;
    ``cryptosign``: public keys in hex, with spaces between; ``state``: ``active`` or ``suspended``.
    """

    realm: str
    authid: str
    role: str
    account: str
    ticket: bytes | None = None
    scram: str | None = None
    cryptosign: str | None = None
    state: str = "active"
    created: float


class Dropped(Struct, frozen=True):
    """A record that goes. ``of``: ``plan`` (name), ``secret`` (digest) or ``user`` (realm, authid)."""

    of: Literal["plan", "secret", "user"]
    key: tuple[Any, ...]


Change = AccountRecord | PlanRecord | KeyRecord | SecretRecord | UserRecord | Dropped
"""A record takes the place of the one with its primary key."""


class Records(Struct, frozen=True, kw_only=True):
    """All that is kept but usage and audit, in the order of coming; users by realm and authid."""

    accounts: list[AccountRecord]
    plans: list[PlanRecord]
    keys: list[KeyRecord]
    secrets: list[SecretRecord]
    users: list[UserRecord]


class Act(Struct, frozen=True, kw_only=True):
    """What the audit tells of a change: who, from where, did what to whom.

    ``action``: the procedure's name without ``radiod.admin.``; ``object``: an id; ``detail``: no secret.
    """

    time: float
    actor: str
    address: str
    action: str
    object: str
    detail: dict[str, Any] = {}


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One act in the audit. ``seq``: from 1; ``hash``: over this entry and ``previous``, that before it."""

    seq: int
    time: float
    actor: str
    address: str
    action: str
    object: str
    detail: dict[str, Any]
    previous: bytes
    hash: bytes


class UsageRow(Struct, frozen=True, kw_only=True):
    """What was used in one UTC hour. ``hour``: seconds since 1970 of its start; ``seconds``: connected."""

    hour: int
    account: str
    key: str
    channel: str
    published: int = 0
    delivered: int = 0
    dropped: int = 0
    refused: int = 0
    calls: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    seconds: float = 0.0


class UsageQuery(Struct, frozen=True, kw_only=True):
    """Which usage is asked for. ``since``, ``until``: seconds since 1970, the second exclusive; ``by``: what
    rows are told apart by, of ``hour``, ``day``, ``month``, ``account``, ``key`` and ``channel``; ``after``:
    where the page before ended (its ``next``).
    """

    account: str | None = None
    key: str | None = None
    channel: str | None = None
    since: float | None = None
    until: float | None = None
    by: tuple[str, ...] = ()
    limit: int = 1000
    after: str | None = None
