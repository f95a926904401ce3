"""What becomes of a claim when a node wants to change what another may have changed meanwhile.

A change is what a node made of what it knew: only what it changed is carried over to what is there now. What
restricts wins over what was asked for before it; what is revoked stays so.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import fields, replace

from radiod.access.shared.entities import FIELDS, Entity, Wish
from radiod.access.standing import ACTIVE, REVOKED
from radiod.core.access.records import Act, SecretRecord
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["merged"]

STANDING: Final = ("state", "reason")


def merged(wish: Wish, base: Entity | None, current: Entity | None, act: Act, node: str) -> Entity | None:
    """What the claim is to be; None: there is none, and there need be none.

    Args:
        base: as the node that asks knows it, with what was asked for before; current: as it is now.
    Raises: Refused: ``invalid_argument``: it is a new one's name, and somebody has it.
    """
    if wish.record is None:
        return None if current is None else replace(current, act=act, node=node, is_gone=True)
    if current is None or current.is_gone:
        if base is not None and _is_restriction(wish, base):
            # It is gone: that restricts more.
            return None
        return _whole(wish, base, act, node)
    before = base.record if base is not None else None
    record = _carried_over(before, wish.record, current.record)
    sealed = wish.sealed
    if current.key is not None and not wish.is_signed:
        record, sealed = replace(record, signing=current.key.signing), current.sealed
    secrets = _secrets(wish.secrets, current.secrets)
    return replace(current.with_record(record), secrets=secrets, sealed=sealed, act=act, node=node)


def _is_restriction(wish: Wish, base: Entity | None) -> bool:
    """Whether it takes something away, and gives nothing."""
    if wish.record is None:
        return True
    state = getattr(wish.record, "state", ACTIVE)
    if state == ACTIVE or wish.secrets or base is None:
        return False
    return bool(base.record.state != state or base.record.reason != getattr(wish.record, "reason", ""))


def _whole(wish: Wish, base: Entity | None, act: Act, node: str) -> Entity:
    known = base.secrets if base is not None else ()
    entity = Entity(act=act, node=node, **{FIELDS[type(wish.record)]: wish.record})
    return replace(entity, secrets=_secrets(wish.secrets, known), sealed=wish.sealed)


def _carried_over(before: Any, wanted: Any, now: Any) -> Any:
    names = [field.name for field in fields(wanted)]
    if before is None:
        if hasattr(wanted, "created_by"):
            raise Refused(INVALID_ARGUMENT, f"there is a key {wanted.id} already")
        # It is set anew: by all that is said of it, but for when it came.
        changed = {name: getattr(wanted, name) for name in names if name != "created"}
    else:
        changed = {
            name: getattr(wanted, name) for name in names if getattr(wanted, name) != getattr(before, name)
        }
    if "state" in names:
        for name in STANDING:
            changed.pop(name, None)
        changed |= _standing(before, wanted, now)
    return replace(now, **changed)


def _standing(before: Any, wanted: Any, now: Any) -> dict[str, str]:
    """State and reason, where these change."""
    if now.state == REVOKED or _state_of(wanted) == _state_of(before):
        return {}
    if wanted.state == ACTIVE and _state_of(now) != _state_of(before):
        # It was restricted anew since whoever resumes it has looked.
        return {}
    return {name: getattr(wanted, name) for name in STANDING if hasattr(wanted, name)}


def _state_of(record: Any) -> tuple[str, str]:
    return (ACTIVE, "") if record is None else (record.state, getattr(record, "reason", ""))


def _secrets(
    changed: dict[bytes, SecretRecord | None], known: tuple[SecretRecord, ...]
) -> tuple[SecretRecord, ...]:
    found: dict[bytes, SecretRecord | None] = {one.digest: one for one in known}
    found |= changed
    return tuple(one for one in found.values() if one is not None)
