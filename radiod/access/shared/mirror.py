"""What other nodes have claimed of access, taken over into this node's memory and store; and the other way.

Whatever there is in the store of a node when it becomes one of a cluster is brought in once: what the cluster
has already counts, and the log names what differs; what restricts access in one of the two does so in both.
A claim says which stores were brought in. So what is not claimed any more was deleted meanwhile; and where
that claim has gone, too, the engine has lost its data, and every node brings in again what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from radiod.access.shared.all_books import AccessBooks
from radiod.access.shared.entities import ABOUTS, KEYS, PLANS, USERS, Entity, Name, pack, read
from radiod.access.shared.rounds import Rounds
from radiod.access.shared.soundness import is_sound
from radiod.access.standing import ACTIVE, REVOKED
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.port import AccessStore
from radiod.core.access.records import Act, AuditEntry, Change
from radiod.core.cluster.claim import Claim
from radiod.core.cluster.claims import Claims
from radiod.core.promises import Promise, chain
from radiod.core.slices import Slices
from radiod.core.timers import Clock, Timers
from radiod.errors import RadiodError

__all__ = ["MEMORY", "NOBODY", "STORES", "AccessMirror"]

STORES: Final = "access stores"
"""What the claims are about that say whose records were brought in."""

MEMORY: Final = "memory of "
"""What stores are called that end with their process."""

AGAIN_S: Final = 2.0
"""Seconds after which is tried again what nobody agreed on."""

MAX_NOTES: Final = 100
"""Differences that are named."""


class AccessMirror:
    """Keeps one node's books, and its store, in step with what is claimed.

    ``is_ready``: what the store has was brought in, and all that is claimed is known; ``writing``: what this
    node is about to change, which it takes over itself; ``owed``: what this node restricts beyond what is
    claimed, name -> the entity that it makes of one, None: nothing; ``recall``: reads what another process
    has left of that, before anything else.
    """

    def __init__(
        self,
        books: AccessBooks,
        store: AccessStore,
        claims: Claims,
        slices: Slices,
        clock: Clock,
        timers: Timers,
        *,
        node: str,
        notice: Callable[[str], None],
    ) -> None:
        self.books = books
        self.store = store
        self._claims = claims
        self._slices = slices
        self._clock = clock
        self._timers = timers
        self._node = node
        self._notice = notice
        self._identity = ""
        self._is_busy = False
        # What was said, once each; of keys that sign nothing here, why.
        self._notes: set[str] = set()
        self._unsigned: set[str] = set()
        self._is_failing = False
        self._gone: set[Name] = set()
        self.is_ready = False
        self.writing: set[Name] = set()
        self.owed: dict[Name, Callable[[Entity], Entity | None]] = {}
        self.recall: Callable[[], Promise[None]] = _nothing

    def start(self) -> None:
        """The books are loaded: learn what is claimed, and bring in what is not."""
        for about in (*ABOUTS, STORES):
            self._claims.watch(about, self)
        self._claims.on_whole.append(self._begin)
        self.books.watch(self._unfixed)
        if self._claims.is_ready:
            self._begin()

    def known(self, name: Name) -> Entity | None:
        """It as it is claimed, as far as this node knows; None: it is not."""
        claim = self._claims.get(*name)
        return None if claim is None else read(claim.value)

    # --- ClaimWatcher

    def claimed(self, claim: Claim) -> None:
        """As ``ClaimWatcher.claimed``."""
        if claim.about == STORES:
            return
        name, entity = Name(claim.about, claim.key), read(claim.value)
        if entity is None:
            self._note_strange(name)
            return
        if name in self.writing and (entity.node == self._node or not self._is_here(name)):
            # Whoever is writing it takes it over.
            return
        here = self.books.entity(name, NOBODY, "")
        if self.is_ready or (here is not None and _restricts(entity) and not _restricts(here)):
            # What restricts need not wait until this node's store has been brought in.
            self.reconcile(name)

    def released(self, claim: Claim) -> None:
        """As ``ClaimWatcher.released``: it was deleted, unless all is lost."""
        if not self._gone:
            self._timers.at(self._clock.seconds(), self._look_at_gone)
        self._gone.add(Name(claim.about, claim.key))

    def _look_at_gone(self) -> None:
        gone, self._gone = self._gone, set()
        if self.is_ready and self._claims.get(STORES, self._identity) is None:
            self._notice("what the cluster knew of access is lost: this node brings in what it has")
            self.is_ready = False
            self._begin()
        elif self.is_ready:
            for name in gone:
                if name.about != STORES and self._claims.get(*name) is None:
                    self.reconcile(name)

    def _unfixed(self, name: Name) -> None:
        """The configuration has it no more: what is claimed counts."""
        if self.is_ready:
            self.reconcile(name)

    # --- one record

    def _is_here(self, name: Name) -> bool:
        return self.books.entity(name, NOBODY, "") is not None

    def reconcile(self, name: Name) -> None:
        """Make memory and store what is claimed, if they are not."""
        if self.books.is_fixed(name):
            self._note(
                f"{_shown(name)} is the configuration's on this node: that of the cluster does nothing"
            )
            return
        claim, here = self._claims.get(*name), self.books.entity(name, NOBODY, "")
        entity = None if claim is None else self._understood(name, claim, here)
        if claim is None or entity is not None:
            self._make(name, here, entity)

    def _make(self, name: Name, here: Entity | None, entity: Entity | None) -> None:
        """Have the record be this one; None: it was deleted."""
        if entity is not None and not entity.is_gone:
            self._note_signing(name, self.books.why_unsigned(entity))
            if name in self.owed:
                entity = self.owed[name](entity)
        if entity is None or entity.is_gone:
            told, node = (GONE, self._node) if entity is None else (entity.act, entity.node)
            self._keep(self.books.lose(name), replace(told, time=told.time or self._clock.time()), node)
        elif here is None or not entity.says_the_same(here) or self.books.lacks(entity):
            changes, note = self.books.take(entity)
            if note:
                self._note(note)
            self._keep(changes, entity.act, entity.node)

    def _keep(self, changes: list[Change], act: Act, node: str) -> None:
        """Have the store keep what has changed; ``node``: where it was asked for."""
        if changes:
            told = replace(act, detail={**act.detail, "node": node}) if node != self._node else act
            self.store.change(changes, told).then(self._written)

    def _understood(self, name: Name, claim: Claim, here: Entity | None) -> Entity | None:
        """What is claimed; None: what is here stays, since nobody of this version has claimed that."""
        entity = read(claim.value)
        if entity is not None and is_sound(name, entity, here):
            return entity
        self._note_strange(name)
        if entity is None or here is None or not _restricts(entity) or _restricts(here):
            return None
        # What it restricts counts all the same, and nothing else of it.
        return _held(here, entity)

    def _written(self, outcome: RadiodError | None) -> None:
        if outcome is not None and not self._is_failing:
            self._notice(f"what another node has changed of access is not in this node's store: {outcome}")
        self._is_failing = outcome is not None

    def _note(self, note: str) -> None:
        if note not in self._notes and len(self._notes) < MAX_NOTES:
            self._notes.add(note)
            self._notice(note)

    def _note_strange(self, name: Name) -> None:
        self._note(f"{name.about}: {name.key[:64]!r} is none of this version's")

    def _note_signing(self, name: Name, why: str) -> None:
        if why and why not in self._unsigned:
            self._unsigned.add(why)
            self._notice(f"{_shown(name)} signs nothing on this node: {why}")

    def note_unsealed(self, name: Name) -> None:
        """A key with a signing secret is made here, which no other node will have."""
        if self.books.vault is None and ALONE not in self._unsigned:
            self._unsigned.add(ALONE)
            self._notice(f"{_shown(name)} {ALONE}")

    # --- all of them

    def _begin(self) -> None:
        if self._is_busy or self.is_ready:
            return
        self._is_busy = True
        self.recall().then(self._recalled)

    def _recalled(self, failure: RadiodError | None) -> None:
        if failure is None:
            self._name_store().then(self._named)
        else:
            self._later()

    def _later(self) -> None:
        self._is_busy = False
        self._timers.at(self._clock.seconds() + AGAIN_S, self._begin)

    def _name_store(self) -> Promise[str]:
        """What this node's store is known by: the first entry of its audit, which no other has."""
        named: Promise[str] = Promise()
        if isinstance(self.store, MemoryAccessStore):
            named.settle(f"{MEMORY}{self._node}")
            return named

        def written(outcome: RadiodError | None) -> None:
            if isinstance(outcome, RadiodError):
                named.settle(outcome)
            else:
                self._name_store().then(named.settle)

        def first(entries: list[AuditEntry] | RadiodError) -> None:
            if isinstance(entries, RadiodError):
                named.settle(entries)
            elif entries:
                named.settle(entries[0].hash.hex())
            else:
                act = replace(JOIN, time=self._clock.time(), object=self._node)
                self.store.change([], act).then(written)

        self.store.audit(0, 1).then(first)
        return named

    def _named(self, identity: str | RadiodError) -> None:
        if isinstance(identity, RadiodError):
            self._later()
            return
        self._identity = identity
        was_here = self._claims.get(STORES, identity) is not None
        names = [
            name
            for name in self.books.names()
            if not self.books.is_fixed(name) and not (was_here and self._was_brought_in(name))
        ]
        Rounds(names, self.bring_in, partial(self._brought_in, was_here)).go_on()

    def _was_brought_in(self, name: Name) -> bool:
        """Whether what is claimed counts: of a store that was brought in."""
        if name.about in (PLANS, USERS):
            # What is not claimed any more was deleted.
            return True
        there, here = self.known(name), self.books.entity(name, NOBODY, "")
        # It may have been revoked when this node could tell nobody; that is for good.
        is_owed = here is not None and getattr(here.record, "state", "") == REVOKED
        return there is not None and (not is_owed or there.record.state == REVOKED)

    def bring_in(self, name: Name) -> Promise[Claim | None]:
        """Claim one record of this store, unless there is one: that counts, but for what restricts."""
        act = replace(JOIN, time=self._clock.time(), object=name.key.partition("\0")[0])
        own = self.books.entity(name, act, self._node)
        differs = False

        def decide(current: Claim | None) -> bytes | None:
            nonlocal differs
            if own is None:
                return None if current is None else current.value
            if current is None:
                return pack(own)
            there = read(current.value)
            if there is None or there.is_gone:
                # What another version has written stays as it is.
                return current.value
            differs = not own.says_the_same(there)
            if _restricts(own) and not _restricts(there):
                return pack(replace(_held(there, own), act=act, node=self._node))
            return current.value

        def done(claim: Claim | None) -> Claim | None:
            if differs:
                self._note(f"{_shown(name)} of this node's store is another one in the cluster, which counts")
            return claim

        outcome: Any = chain(self._claims.update(*name, decide), done)
        promise: Promise[Claim | None] = outcome
        return promise

    def _brought_in(self, was_here: bool, outcome: RadiodError | None) -> None:
        """All of it, or not."""
        if outcome is not None:
            self._later()
        elif was_here:
            self._end()
        else:
            done = self._claims.create(STORES, self._identity, self._node.encode())
            done.then(
                lambda _: self._later() if self._claims.get(STORES, self._identity) is None else self._end()
            )

    def _end(self) -> None:
        """Take over all that is claimed, and drop what is not."""
        self._is_busy = False
        self.is_ready = True
        self._slices.run(self._reconcile_all())

    def _reconcile_all(self) -> Generator[None, None, None]:
        names = [Name(claim.about, claim.key) for about in ABOUTS for claim in self._claims.of(about)]
        for name in dict.fromkeys([*names, *self.books.names()]):
            if name not in self.writing:
                self.reconcile(name)
            yield
        yield from self._seal_all()

    # --- what keys sign with

    def _seal_all(self) -> Generator[None, None, None]:
        """Have others know what only this node's store has, or what is sealed with an older secret."""
        names = []
        for claim in list(self._claims.of(KEYS)):
            entity = read(claim.value)
            if entity is not None and self.books.wants_seal(entity):
                names.append(Name(KEYS, claim.key))
            yield
        if names:
            Rounds(names, self._seal, self._sealed).go_on()

    def _seal(self, name: Name) -> Promise[Claim | None]:
        act = replace(SEAL, time=self._clock.time(), object=name.key)

        def decide(current: Claim | None) -> bytes | None:
            entity = None if current is None else read(current.value)
            if current is None or entity is None or not self.books.wants_seal(entity):
                return None if current is None else current.value
            signing = self.books.signing(entity)
            assert signing is not None
            sealed = self.books.seal(signing, name.key)
            return pack(replace(entity, sealed=sealed, act=act, node=self._node))

        return self._claims.update(*name, decide)

    def _sealed(self, failure: RadiodError | None) -> None:
        if failure is not None:
            self._timers.at(self._clock.seconds() + AGAIN_S, self._seal_again)

    def _seal_again(self) -> None:
        self._slices.run(self._seal_all())


NOBODY: Final = Act(time=0.0, actor="", address="", action="", object="")
JOIN: Final = Act(time=0.0, actor="cluster", address="", action="cluster.join", object="")
GONE: Final = Act(time=0.0, actor="cluster", address="", action="cluster.gone", object="")
SEAL: Final = Act(time=0.0, actor="cluster", address="", action="cluster.seal", object="")

ALONE: Final = "signs on this node alone: the nodes have no [cluster] secret in common"


def _nothing() -> Promise[None]:
    done: Promise[None] = Promise()
    done.settle(None)
    return done


def _restricts(entity: Entity) -> bool:
    return bool(getattr(entity.record, "state", ACTIVE) != ACTIVE)


def _held(entity: Entity, other: Entity) -> Entity:
    """The first, restricted as the other one is."""
    standing = {
        field: getattr(other.record, field)
        for field in ("state", "reason")
        if hasattr(other.record, field) and hasattr(entity.record, field)
    }
    return replace(entity.with_record(replace(entity.record, **standing)), act=other.act, node=other.node)


def _shown(name: Name) -> str:
    kind = name.about.removeprefix("access ").removesuffix("s")
    place, _, id = name.key.rpartition("\0")
    return f"{kind} {id} of {place}" if place else f"{kind} {id}"
