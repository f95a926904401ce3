"""The store of a node of several: what changes access is agreed on by all before it is written here.

What grants is done when most of the engine's servers have it, and all living nodes know it. What only
restricts is done on this node in any case, and carried to the others as soon as they can be reached; whoever
asked is told so. Usage, the audit and backups are this node's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from radiod.access.changes import Desk, Row
from radiod.access.kinds import Kinds
from radiod.access.shared.books import SharedAccounts, SharedKeys, SharedPlans, SharedUsers
from radiod.access.shared.entities import Entity, Name, Wish, name_of, pack, there, wishes
from radiod.access.shared.merging import merged
from radiod.access.shared.mirror import AccessMirror
from radiod.access.shared.owed import Debts, Owed
from radiod.core.access.port import AccessStore
from radiod.core.access.records import (
    AccountRecord,
    Act,
    AuditEntry,
    Change,
    Dropped,
    KeyRecord,
    Records,
    UsageQuery,
    UsageRow,
    UserRecord,
)
from radiod.core.cluster.claim import Claim
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.encoding import decode
from radiod.core.cluster.peers import Peers
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import STORE_UNAVAILABLE, RadiodError, Refused

__all__ = ["BARRIER", "KINDS", "SharedAccess", "SharedDesk"]

BARRIER: Final = "access known"
"""What is told to all of a change: which claims they must know before it is answered."""

MAX_TOLD: Final = 100
"""How many these may be: a change is about a few records."""

UNKNOWN_YET: Final = Refused(
    STORE_UNAVAILABLE, "the cluster cannot agree: what it knows of access is not known here yet"
)

R = TypeVar("R", bound=AccountRecord | KeyRecord | UserRecord)

Told = list[tuple[str, str, int]]

ENCODER: Final = msgspec.msgpack.Encoder()
DECODER: Final = msgspec.msgpack.Decoder(Told)


class SharedDesk(Desk):
    """As ``Desk``: what is about to be restricted here is not taken back by what others say meanwhile."""

    def restrict(self, row: Row[R], act: Act, **fields: Any) -> Promise[None]:
        """As ``Desk.restrict``."""
        if isinstance(self.store, SharedAccess):
            self.store.debts.owe(name_of(row.record), replace(row.record, **fields), act)
        return super().restrict(row, act, **fields)

    def remove(self, row: Row[R], dropped: Dropped, act: Act) -> Promise[None]:
        """As ``Desk.remove``."""
        if isinstance(self.store, SharedAccess):
            self.store.debts.owe(name_of(row.record), None, act)
        return super().remove(row, dropped, act)


class SharedAccess:
    """As ``AccessStore``.

    ``local``: this node's own; ``debts``: restrictions that the others do not know yet.
    """

    def __init__(
        self,
        local: AccessStore,
        mirror: AccessMirror,
        claims: Claims,
        peers: Peers,
        clock: Clock,
        timers: Timers,
        node: str,
    ) -> None:
        self.local = local
        self.mirror = mirror
        self.claims = claims
        self._peers = peers
        self.node = node
        self.debts = Debts(mirror, claims, local, clock, timers, node)
        peers.take(BARRIER, self._take)

    # --- AccessStore

    def load(self) -> Records:
        """As ``AccessStore.load``."""
        return self.local.load()

    def change(self, changes: Sequence[Change], act: Act) -> Promise[None]:
        """As ``AccessStore.change``, on all nodes."""
        wanted = wishes(changes, act, self.mirror.books.seal)
        if not wanted:
            return self.local.change(changes, act)
        for wish in wanted:
            if wish.is_signed and getattr(wish.record, "signing", None) is not None:
                self.mirror.note_unsealed(wish.name)
        owed = self.debts.get(wanted[-1].name)
        change: _Change | _Restriction
        if owed is not None and owed.act is act:
            change = _Restriction(self, changes, wanted[-1].name, owed)
        else:
            change = _Change(self, changes, wanted, act)
        change.begin()
        return change.outcome

    def used(self, secrets: Mapping[bytes, float]) -> None:
        """As ``AccessStore.used``: of this node."""
        self.local.used(secrets)

    def count(self, rows: Sequence[UsageRow]) -> Promise[None]:
        """As ``AccessStore.count``: of this node."""
        return self.local.count(rows)

    def usage(self, query: UsageQuery) -> Promise[tuple[list[dict[str, Any]], str | None]]:
        """As ``AccessStore.usage``: of this node."""
        return self.local.usage(query)

    def forget_usage(self, before: int) -> None:
        """As ``AccessStore.forget_usage``: of this node."""
        self.local.forget_usage(before)

    def audit(self, after: int, limit: int) -> Promise[list[AuditEntry]]:
        """As ``AccessStore.audit``: of this node, which has what it was told of by others, too."""
        return self.local.audit(after, limit)

    def backup(self, path: str) -> Promise[int]:
        """As ``AccessStore.backup``: of this node's store."""
        return self.local.backup(path)

    # --- the barrier

    def agree(self, told: Told) -> Promise[None]:
        """Kept when all living nodes know these claims."""
        return self._peers.tell_all(BARRIER, ENCODER.encode(told))

    def _take(self, node: int, data: bytes) -> Promise[bytes]:
        known: Promise[bytes] = Promise()
        told = (decode(DECODER, data) or [])[:MAX_TOLD]
        left = len(told)

        def reached(_: RadiodError | None) -> None:
            nonlocal left
            left -= 1
            if not left:
                known.settle(b"")

        for about, key, revision in told:
            self.claims.reach(about, key, revision).then(reached)
        if not told:
            known.settle(b"")
        return known


class _Restriction:
    """One record is restricted: it is so in memory, is written here, and then carried to the others."""

    def __init__(self, store: SharedAccess, changes: Sequence[Change], name: Name, owed: Owed) -> None:
        self._store = store
        self._changes = changes
        self._name = name
        self._owed = owed
        self._failure: RadiodError | None = None
        self.outcome: Promise[None] = Promise()

    def begin(self) -> None:
        """Write it here."""
        self._store.local.change(self._changes, self._owed.act).then(self._written)

    def _written(self, failure: RadiodError | None) -> None:
        # A full disk keeps no thief in on the other nodes.
        self._failure = failure
        store = self._store
        if store.mirror.is_ready:
            store.debts.mark_later(self._name, self._owed)
            store.claims.update(*self._name, self._owed.decide).then(self._claimed)
        else:
            self._claimed(UNKNOWN_YET)

    def _claimed(self, outcome: Claim | RadiodError | None) -> None:
        store = self._store
        if isinstance(outcome, RadiodError):
            why = "done on this node, and not yet on the others, which hear of it when they can"
            failure = Refused(STORE_UNAVAILABLE, f"{why}: {outcome}")
            store.debts.mark(self._name, self._owed).then(lambda _: self._end(failure))
            return
        store.debts.carried(self._name, self._owed, outcome)
        told = [] if outcome is None else [(*self._name, outcome.revision)]
        store.agree(told).then(lambda _: self._end(None))

    def _end(self, failure: RadiodError | None) -> None:
        self.outcome.settle(self._failure or failure)


class _Change:
    """One change of a few records, each claimed behind the other, then known to all, then written here."""

    def __init__(self, store: SharedAccess, changes: Sequence[Change], wanted: list[Wish], act: Act) -> None:
        self._store = store
        self._changes = changes
        self._wanted = wanted
        self._act = act
        self._bases: dict[Name, Entity | None] = {}
        # What is restricted here, and not known to the others yet: who resumes it knows of it.
        self._owed: dict[Name, Owed] = {}
        self._told: Told = []
        self._claims: dict[Name, Claim | None] = {}
        self.outcome: Promise[None] = Promise()

    def begin(self) -> None:
        """Claim the first."""
        mirror = self._store.mirror
        for wish in self._wanted:
            base, owed = mirror.known(wish.name), self._store.debts.get(wish.name)
            if owed is not None:
                self._owed[wish.name] = owed
                base = None if base is None else owed.applied(base)
            self._bases[wish.name] = base
            mirror.writing.add(wish.name)
        if mirror.is_ready:
            self._claim(0)
        else:
            self._end(UNKNOWN_YET)

    def _claim(self, at: int) -> None:
        if at == len(self._wanted):
            self._store.agree(self._told).then(self._known)
            return
        wish = self._wanted[at]

        def claimed(outcome: Claim | RadiodError | None) -> None:
            if isinstance(outcome, RadiodError):
                self._end(outcome)
                return
            self._claims[wish.name] = outcome
            owed = self._owed.get(wish.name)
            if owed is not None and owed.is_lifted_by(wish):
                self._store.debts.drop(wish.name, owed)
            if outcome is not None:
                self._told.append((*wish.name, outcome.revision))
            self._claim(at + 1)

        self._store.claims.update(*wish.name, partial(self._decide, wish)).then(claimed)

    def _decide(self, wish: Wish, current: Claim | None) -> bytes | None:
        found = there(None if current is None else current.value)
        entity = merged(wish, self._bases[wish.name], found, self._act, self._store.node)
        return None if entity is None else pack(entity)

    def _known(self, _: RadiodError | None) -> None:
        """All living nodes know it: write it here."""
        self._store.local.change(self._written(), self._act).then(self._end)

    def _written(self) -> list[Change]:
        found: list[Change] = []
        signing = {change.id: change.signing for change in self._changes if isinstance(change, KeyRecord)}
        for wish in self._wanted:
            self._store.debts.settle_gone(self._claims[wish.name])
            # Others may have changed it again meanwhile, and what they did is written already.
            entity = self._store.mirror.known(wish.name)
            if entity is None or entity.is_gone or wish.record is None:
                found += [change for change in self._changes if isinstance(change, Dropped)]
                continue
            record = entity.record
            if isinstance(record, KeyRecord):
                own = self._store.mirror.books.signing(entity, signing.get(record.id))
                record = replace(record, signing=own)
            found += [record, *entity.secrets]
            found += [Dropped("secret", (each,)) for each, one in wish.secrets.items() if one is None]
        return found

    def _end(self, outcome: RadiodError | None) -> None:
        mirror = self._store.mirror
        for wish in self._wanted:
            mirror.writing.discard(wish.name)
        self.outcome.settle(outcome)
        for wish in self._wanted:
            # Others may have changed it, too.
            if mirror.is_ready:
                mirror.reconcile(wish.name)


KINDS: Final = Kinds(SharedAccounts, SharedPlans, SharedKeys, SharedUsers, SharedDesk)
"""The books of a node of several."""


def _nobody(_: object) -> None:
    """Nobody minds."""
