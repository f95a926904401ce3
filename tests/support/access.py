"""Access of keys in a radiod in memory: what `radiod.admin.key.*` will do, by hand."""

from __future__ import annotations

from typing import Any

from radiod.access.by import By

__all__ = ["KEYS", "end", "issued_key", "key_of", "refuse"]

KEYS = """
[realms.radio.keys.sample]
publish = ["*"]
listen = ["*"]
call = ["*"]
signing = "pen-of-sample-0123456789abcdef-0123"

[realms.radio.keys.other]
key = "other-key"
publish = ["*"]
listen = ["*"]
call = ["*"]
"""


def key_of(world: Any, id: str = "sample") -> Any:
    """The key that this names."""
    return world.radio.keys.by_id(id)


def refuse(world: Any, reason: str, id: str = "sample") -> None:
    """Nothing of it is let in from now on; what is open stays."""
    key_of(world, id).holder.refused = reason


def end(world: Any, reason: str = "revoked", id: str = "sample") -> Any:
    """Access ends. Returns: how much was open, perhaps as a promise."""
    refuse(world, reason, id)
    outcome = world.realm.slices.run(key_of(world, id).holder.ending(reason))
    world.wait(0)
    return outcome


def issued_key(world: Any, account: str | None = None, *, is_signed: bool = False, **fields: Any) -> Any:
    """A key that was issued while the radiod ran → what ``radiod.admin.key.issue`` answers."""
    default = {"publish": ("*",), "listen": ("*",), "realm": "radio"}
    told: list[Any] = []
    fields = {**default, "account": account, **fields}
    world.radio.access.keys.issue(By("tester", ""), fields, is_signed=is_signed).then(told.append)
    return told[0]
