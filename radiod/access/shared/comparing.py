"""Whether the books of a node have what is claimed of access."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

import msgspec
from msgspec.structs import replace

from radiod.access.shared.entities import ABOUTS, Entity, Name, read
from radiod.access.shared.mirror import NOBODY, AccessMirror
from radiod.access.shared.soundness import is_sound
from radiod.core.cluster.claim import cannot_agree
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.sums import NOTHING, Sum, add, sum_of
from radiod.core.promises import Promise
from radiod.core.slices import Slices

__all__ = ["comparison"]

ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
"""Limits of a plan that were read from a store are in another order."""

Sums = tuple[Sum, Sum]


def comparison(mirror: AccessMirror, claims: Claims, slices: Slices) -> Callable[[], Promise[Sums]]:
    """Compares accounts, plans, keys and users that are claimed with those in the books of this node.

    Left out is what is being changed here, what this node restricts beyond what is claimed, what the
    configuration has, and what another version has written. When secrets were used is each node's own, and so
    is what a key signs with. Comes to ``Refused`` (``unavailable``) while not all of it was read.
    """

    def compare() -> Promise[Sums]:
        outcome: Promise[Sums] = Promise()
        if not mirror.is_ready:
            outcome.settle(cannot_agree("what it knows of access is not known here yet"))
            return outcome
        sums = slices.run(_sums(mirror, claims))
        if isinstance(sums, Promise):
            return sums
        outcome.settle(sums)
        return outcome

    return compare


def _sums(mirror: AccessMirror, claims: Claims) -> Generator[None, None, Sums]:
    """Each record on both sides at one moment: what changes between two of them makes no difference."""
    claimed = held = NOTHING
    names = [Name(claim.about, claim.key) for about in ABOUTS for claim in claims.of(about)]
    for name in dict.fromkeys([*names, *mirror.books.names()]):
        wanted, found = _pair(mirror, claims, name)
        if wanted is not None:
            claimed = add(claimed, sum_of([(name, _plain(wanted))]))
        if found is not None:
            held = add(held, sum_of([(name, _plain(found))]))
        yield
    return claimed, held


def _pair(mirror: AccessMirror, claims: Claims, name: Name) -> tuple[Entity | None, Entity | None]:
    """What is claimed, and what is in the books; both None: that makes no difference now."""
    if name in mirror.writing or name in mirror.owed or mirror.books.is_fixed(name):
        return None, None
    claim, found = claims.get(*name), mirror.books.entity(name, NOBODY, "")
    if claim is None:
        return None, found
    entity = read(claim.value)
    if entity is None or not is_sound(name, entity, found):
        return None, None
    return None if entity.is_gone else entity, found


def _plain(entity: Entity) -> bytes:
    """What all nodes have of it."""
    key = None if entity.key is None else replace(entity.key, signing=None)
    secrets = sorted(
        (replace(one, last_used=None) for one in entity.secrets), key=lambda secret: secret.digest
    )
    return ENCODER.encode(replace(entity, act=NOBODY, node="", key=key, secrets=tuple(secrets), sealed=b""))
