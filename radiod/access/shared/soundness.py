"""Whether what is claimed is what a node of this version would claim: nothing else is taken over."""

from __future__ import annotations

import json

import msgspec

from radiod.access.shared.entities import Entity, Name, name_of
from radiod.auth.dynamic import ScramAnswer
from radiod.core.access.records import UserRecord

__all__ = ["is_sound"]


def is_sound(name: Name, entity: Entity, here: Entity | None) -> bool:
    """Whether a claim is about what its name says, and can be had in the place of what is ``here``."""
    records = (entity.account, entity.plan, entity.key, entity.user)
    if sum(record is not None for record in records) != 1 or name_of(entity.record) != name:
        return False
    if entity.user is not None:
        return _is_readable(entity.user)
    if entity.key is None:
        return not entity.secrets
    is_elsewhere = here is not None and here.key is not None and here.key.realm != entity.key.realm
    return not is_elsewhere and all(one.key == entity.key.id for one in entity.secrets)


def _is_readable(user: UserRecord) -> bool:
    """Whether that proves who somebody is; what raises would do so at each start."""
    try:
        if user.scram:
            msgspec.convert(json.loads(user.scram), ScramAnswer).verifier()
        for key in (user.cryptosign or "").split():
            bytes.fromhex(key)
    except (ValueError, RecursionError):
        return False
    return True
