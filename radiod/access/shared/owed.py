"""What is restricted on one node, and not known to the others yet: it is carried to them as soon as they can
be reached, also by the process that takes this one's place.

What could not be carried at once is marked in the audit of this node's store, and marked again when it has
been. Memory of a process is its audit, where there is no store.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from radiod.access.shared.entities import Entity, Name, Wish, pack, public, read, there
from radiod.access.shared.merging import merged
from radiod.access.shared.mirror import AccessMirror
from radiod.access.shared.rounds import Rounds
from radiod.access.standing import ACTIVE, REVOKED
from radiod.core.access.audit import MAX_ENTRIES
from radiod.core.access.port import AccessStore
from radiod.core.access.records import Act, AuditEntry
from radiod.core.cluster.claim import Claim
from radiod.core.cluster.claims import Claims
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import RadiodError

__all__ = ["MARK_S", "OWED", "TOLD", "Debts", "Owed"]

CARRY_S: Final = 2.0
"""Seconds between two tries to carry to the others what is restricted here."""

MARK_S: Final = 0.5
"""Seconds after which is marked what the others have not agreed to yet."""

MOST_READ: Final = 10_000
"""Entries of the audit, the last ones, in which is looked for marks."""

TOLD_FIELDS: Final = ("is_gone", "state", "reason")
"""What of a restriction is in its mark."""

OWED: Final = "cluster.owed"
TOLD: Final = "cluster.told"
"""What the audit calls the two marks."""


class Owed:
    """A restriction that is done here, and not claimed yet.

    ``told``: what of it is in its mark; ``is_marked``: whether the audit has that.
    """

    def __init__(
        self, decide: Callable[[Entity | None], Entity | None], act: Act, told: dict[str, Any]
    ) -> None:
        self.act = act
        self.told = told
        self.is_marked = False
        self._decide = decide

    def applied(self, current: Entity) -> Entity | None:
        """What it makes of what is claimed; None: nothing is left."""
        entity = self._decide(current)
        return None if entity is None or entity.is_gone else entity

    def decide(self, current: Claim | None) -> bytes | None:
        """As ``claims.Decide``."""
        entity = self._decide(there(None if current is None else current.value))
        return None if entity is None else pack(entity)

    def is_lifted_by(self, wish: Wish) -> bool:
        """Whether a change of this node, which knows of it, takes it back."""
        if wish.record is None:
            return False
        return "is_gone" in self.told or getattr(wish.record, "state", ACTIVE) == ACTIVE


class Debts:
    """All of one node: name -> what is owed.

    Args:
        local: this node's store, whose audit has the marks.
    """

    def __init__(
        self,
        mirror: AccessMirror,
        claims: Claims,
        local: AccessStore,
        clock: Clock,
        timers: Timers,
        node: str,
    ) -> None:
        self._mirror = mirror
        self._claims = claims
        self._local = local
        self._clock = clock
        self._timers = timers
        self._node = node
        self._owed: dict[Name, Owed] = {}
        self._is_carrying = False
        self._is_recalled = False
        mirror.recall = self.recall

    def __len__(self) -> int:
        """How many there are."""
        return len(self._owed)

    def get(self, name: Name) -> Owed | None:
        """What is owed of this record."""
        return self._owed.get(name)

    def owe(self, name: Name, record: Any, act: Act) -> None:
        """This is about to hold here whatever others say, until it is carried to them, now or later.

        Args:
            record: as it is to be; None: it is to go.
        """
        mirror = self._mirror
        base = mirror.known(name) or mirror.books.entity(name, act, self._node)
        wish = Wish(name, public(record))
        told: dict[str, Any] = {"is_gone": True}
        if record is not None:
            told = {"state": record.state, "reason": getattr(record, "reason", "")}
        owed = Owed(lambda current: merged(wish, base, current, act, self._node), act, told)
        before = self._owed.get(name)
        if before is not None and before.is_marked:
            # It stands for another one now.
            owed.is_marked = True
            self._write_mark(name, owed)
        self._enter(name, owed)

    def _enter(self, name: Name, owed: Owed) -> None:
        self._owed[name] = owed
        self._mirror.owed[name] = owed.applied
        self._plan()

    # --- carrying

    def _plan(self) -> None:
        if not self._is_carrying:
            self._is_carrying = True
            self._timers.at(self._clock.seconds() + CARRY_S, self._carry)

    def _carry(self) -> None:
        names = list(self._owed) if self._mirror.is_ready else []
        Rounds(names, self._carry_one, self._carried_some).go_on()

    def _carried_some(self, failure: RadiodError | None) -> None:
        self._is_carrying = False
        if self._owed:
            self._plan()

    def _carry_one(self, name: Name) -> Promise[Claim | None]:
        owed = self._owed.get(name)
        done: Promise[Claim | None] = Promise()
        if owed is None:
            done.settle(None)
            return done

        def claimed(outcome: Claim | RadiodError | None) -> None:
            if not isinstance(outcome, RadiodError):
                self.carried(name, owed, outcome)
            elif self._owed.get(name) is owed:
                # The others have their turn before it comes again.
                self._owed[name] = self._owed.pop(name)
            done.settle(outcome)

        self._claims.update(*name, owed.decide).then(claimed)
        return done

    def carried(self, name: Name, owed: Owed, claim: Claim | None) -> None:
        """It is claimed."""
        self.drop(name, owed)
        self.settle_gone(claim)
        self._mirror.reconcile(name)

    def drop(self, name: Name, owed: Owed) -> None:
        """It is not owed any longer, unless something else is meanwhile."""
        if self._owed.get(name) is owed:
            del self._owed[name], self._mirror.owed[name]
            if owed.is_marked:
                self._local.change([], self._mark(TOLD, name, {})).then(_nobody)

    def settle_gone(self, claim: Claim | None) -> None:
        """What was deleted need not be claimed any longer than it takes to tell so."""
        entity = None if claim is None else read(claim.value)
        if claim is not None and entity is not None and entity.is_gone:
            self._claims.release(claim).then(_nobody)

    # --- marks

    def mark_later(self, name: Name, owed: Owed) -> None:
        """Mark it, if it is still owed then."""
        self._timers.at(self._clock.seconds() + MARK_S, lambda: self.mark(name, owed).then(_nobody))

    def mark(self, name: Name, owed: Owed) -> Promise[None]:
        """Have another process carry it, should this one end. Kept when that is written."""
        if owed.is_marked or self._owed.get(name) is not owed:
            return _kept()
        owed.is_marked = True
        return self._write_mark(name, owed)

    def _write_mark(self, name: Name, owed: Owed) -> Promise[None]:
        return self._local.change([], self._mark(OWED, name, {**owed.told, "action": owed.act.action}))

    def _mark(self, action: str, name: Name, detail: dict[str, Any]) -> Act:
        # NUL, between realm and authid, is in no name.
        *place, object = name.key.split("\0")
        return Act(
            time=self._clock.time(),
            actor="cluster",
            address="",
            action=action,
            object=object,
            detail={**detail, "about": name.about, "place": place},
        )

    def recall(self) -> Promise[None]:
        """Owe what another process has left, as the audit says; once."""
        if self._is_recalled:
            return _kept()
        marks: dict[Name, AuditEntry] = {}

        def found(entry: AuditEntry) -> None:
            name = _name_in(entry)
            marks.pop(name, None)
            if entry.action == OWED:
                marks[name] = entry

        def end(outcome: RadiodError | None) -> None:
            if outcome is None:
                self._is_recalled = True
                for name, entry in marks.items():
                    self._remember(name, entry)
            recalled.settle(outcome)

        recalled: Promise[None] = Promise()
        _Reading(self._local, found).begin().then(end)
        return recalled

    def _remember(self, name: Name, entry: AuditEntry) -> None:
        newer = self._owed.get(name)
        if newer is not None:
            newer.is_marked = True
            return
        detail = entry.detail
        action = str(detail.get("action", entry.action))
        act = Act(time=entry.time, actor=entry.actor, address="", action=action, object=entry.object)
        told = {field: value for field, value in detail.items() if field in TOLD_FIELDS}
        owed = Owed(partial(_restricted, told, act, self._node), act, told)
        owed.is_marked = True
        self._enter(name, owed)


def _restricted(told: dict[str, Any], act: Act, node: str, current: Entity | None) -> Entity | None:
    """What a mark makes of what is claimed."""
    if current is None or current.is_gone:
        return current
    if "is_gone" in told:
        return replace(current, act=act, node=node, is_gone=True)
    record = current.record
    if getattr(record, "state", REVOKED) == REVOKED:
        return current
    fields = {name: value for name, value in told.items() if hasattr(record, name)}
    return replace(current.with_record(replace(record, **fields)), act=act, node=node)


def _name_in(entry: AuditEntry) -> Name:
    """Which record a mark is about; what is none names nothing that is there."""
    about, place = entry.detail.get("about"), entry.detail.get("place")
    names = place if isinstance(place, list) else []
    return Name(str(about), "\0".join([*map(str, names), entry.object]))


def _kept() -> Promise[None]:
    kept: Promise[None] = Promise()
    kept.settle(None)
    return kept


class _Reading:
    """Finds the marks among the last entries of an audit, oldest first."""

    def __init__(self, store: AccessStore, found: Callable[[AuditEntry], None]) -> None:
        self._store = store
        self._found = found
        self._done: Promise[None] = Promise()

    def begin(self) -> Promise[None]:
        """Kept when all are found; comes to ``Refused`` if the store does not tell."""
        self._double(1)
        return self._done

    def _double(self, seq: int) -> None:
        """Find out where it ends: no entry is behind ``high``, and there is one behind ``low``, or none."""
        self._ask(seq, 1, lambda some: self._double(seq * 2) if some else self._halve(seq // 2, seq))

    def _halve(self, low: int, high: int) -> None:
        if high - low <= 1:
            self._read(max(0, high - MOST_READ))
            return
        middle = (low + high) // 2
        self._ask(middle, 1, lambda some: self._halve(middle, high) if some else self._halve(low, middle))

    def _read(self, after: int) -> None:
        def came(entries: list[AuditEntry]) -> None:
            for entry in entries:
                if entry.action in (OWED, TOLD):
                    self._found(entry)
            if entries:
                self._read(entries[-1].seq)
            else:
                self._done.settle(None)

        self._ask(after, MAX_ENTRIES, came)

    def _ask(self, after: int, limit: int, came: Callable[[list[AuditEntry]], None]) -> None:
        def told(entries: list[AuditEntry] | RadiodError) -> None:
            if isinstance(entries, RadiodError):
                self._done.settle(entries)
            else:
                came(entries)

        self._store.audit(after, limit).then(told)


def _nobody(_: object) -> None:
    """Nobody minds."""
