"""Whether the books of a node have what is claimed of access."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from radiod.access.shared.entities import ABOUTS, Entity, Name, pack, read
from radiod.access.shared.mirror import NOBODY, AccessMirror
from radiod.access.shared.soundness import is_sound
from radiod.core.cluster.claim import cannot_agree
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.sums import Sum, sum_of
from radiod.core.promises import Promise

__all__ = ["comparison"]

Entry = tuple[Name, bytes]


def comparison(mirror: AccessMirror, claims: Claims) -> Callable[[], Promise[tuple[Sum, Sum]]]:
    """Compares accounts, plans, keys and users that are claimed with those in the books of this node.

    Left out is what is being changed here, what this node restricts beyond what is claimed, what the
    configuration has, and what another version has written. When secrets were used is each node's own, and so
    is what a key signs with. Comes to ``Refused`` (``unavailable``) while not all of it was read.
    """

    def compare() -> Promise[tuple[Sum, Sum]]:
        outcome: Promise[tuple[Sum, Sum]] = Promise()
        if mirror.is_ready:
            outcome.settle((sum_of(_claimed(mirror, claims)), sum_of(_held(mirror, claims))))
        else:
            outcome.settle(cannot_agree("what it knows of access is not known here yet"))
        return outcome

    return compare


def _claimed(mirror: AccessMirror, claims: Claims) -> Iterator[Entry]:
    for about in ABOUTS:
        for claim in claims.of(about):
            name, entity = Name(about, claim.key), read(claim.value)
            if entity is not None and not entity.is_gone and _is_settled(mirror, name, entity):
                yield name, _plain(entity)


def _held(mirror: AccessMirror, claims: Claims) -> Iterator[Entry]:
    for name in mirror.books.names():
        claim, held = claims.get(*name), mirror.books.entity(name, NOBODY, "")
        entity = None if claim is None else read(claim.value)
        is_strange = claim is not None and entity is None
        if held is not None and not is_strange and _is_settled(mirror, name, entity):
            yield name, _plain(held)


def _is_settled(mirror: AccessMirror, name: Name, entity: Entity | None) -> bool:
    """Whether the books should have what is claimed. ``entity``: that; None: nothing is."""
    if name in mirror.writing or name in mirror.owed or mirror.books.is_fixed(name):
        return False
    return entity is None or is_sound(name, entity, mirror.books.entity(name, NOBODY, ""))


def _plain(entity: Entity) -> bytes:
    """What all nodes have of it."""
    key = None if entity.key is None else replace(entity.key, signing=None)
    secrets = sorted(
        (replace(one, last_used=None) for one in entity.secrets), key=lambda secret: secret.digest
    )
    return pack(replace(entity, act=NOBODY, node="", key=key, secrets=tuple(secrets), sealed=b""))
