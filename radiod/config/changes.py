"""What differs between two configurations, key by key, and what a running server makes of each difference.

A table of keys (``EFFECTS``) says what a reload does: act at once, act on new connections, or refuse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, structs

from radiod.config.doors import Listen
from radiod.config.reading import KeyPath, Node, dotted
from radiod.config.tree import Config
from radiod.secret import Secret

__all__ = ["EFFECTS", "Change", "Effect", "Kind", "changes", "effect_of"]


class Effect(StrEnum):
    """When a changed key acts."""

    LIVE = "live"
    NEW = "new connections"
    RESTART = "restart"


class Kind(StrEnum):
    """What has happened to a key, or to a whole table."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Change(Struct, frozen=True):
    """One difference. ``path``: of the key, or of the table that came or went."""

    path: KeyPath
    kind: Kind

    def __str__(self) -> str:
        return dotted(self.path)

    @property
    def effect(self) -> Effect:
        """When it acts."""
        return effect_of(self.path, self.kind)


EFFECTS: Final[Mapping[str, Effect]] = {
    "listen": Effect.LIVE,
    "listen.*.trusted_proxies": Effect.NEW,
    "listen.*.hosts": Effect.NEW,
    "listen.*.origins": Effect.NEW,
    "listen.*.serve": Effect.NEW,
    "listen.*.tls": Effect.RESTART,
    "listen.*.tls.*": Effect.NEW,
    "http": Effect.RESTART,
    "store": Effect.RESTART,
    "admin": Effect.RESTART,
    "log": Effect.RESTART,
    "metrics": Effect.RESTART,
    "operations": Effect.RESTART,
    "operations.drain_s": Effect.LIVE,
    "otel": Effect.RESTART,
    "cluster": Effect.RESTART,
    "usage": Effect.RESTART,
    "limits": Effect.RESTART,
    "plans": Effect.LIVE,
    "accounts": Effect.LIVE,
    "realms": Effect.RESTART,
    "realms.*.roles": Effect.LIVE,
    "realms.*.users": Effect.LIVE,
    "realms.*.keys": Effect.LIVE,
    "realms.*.channels +": Effect.LIVE,
    "realms.*.channels.*.history.*": Effect.LIVE,
    "realms.*.channels.*.buffer": Effect.NEW,
}
"""Key, ``*`` for any name → what a reload does with it, and with all below that have no line of their own.

``+`` behind a table: with an entry that is added to it.
"""


def effect_of(path: KeyPath, kind: Kind = Kind.CHANGED) -> Effect:
    """What a reload does with a change of this key. O(length of the path times lines of the table)."""
    if kind is Kind.ADDED and len(path) > 1:
        found = _line(path[:-1], " +")
        if found is not None:
            return found
    for length in range(len(path), 0, -1):
        found = _line(path[:length])
        if found is not None:
            return found
    return Effect.RESTART


def _line(path: KeyPath, behind: str = "") -> Effect | None:
    for pattern, effect in EFFECTS.items():
        if not behind and pattern.endswith(" +"):
            continue
        parts = pattern.removesuffix(behind).split(".")
        is_meant = pattern.endswith(behind) and len(parts) == len(path)
        if is_meant and all(part in ("*", name) for part, name in zip(parts, path, strict=True)):
            return effect
    return None


def changes(before: Config, after: Config) -> list[Change]:
    """What differs, in the order of the keys; endpoints that are in both are paired by their text."""
    found = list(_endpoints(before.listen, after.listen))
    for name in _names(Config):
        if name != "listen":
            found += _between((name,), getattr(before, name), getattr(after, name))
    if next(iter(before.realms)) != next(iter(after.realms)):
        # Who comes without a key belongs to the first one.
        found.append(Change(("realms",), Kind.CHANGED))
    return found


def _names(kind: type[Node]) -> list[str]:
    return [field.name for field in structs.fields(kind)]


def _between(path: KeyPath, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Node) and type(before) is type(after):
        for name in _names(type(before)):
            yield from _between((*path, name), getattr(before, name), getattr(after, name))
    elif isinstance(before, dict) and isinstance(after, dict):
        yield from (Change((*path, name), Kind.REMOVED) for name in before if name not in after)
        yield from (Change((*path, name), Kind.ADDED) for name in after if name not in before)
        for name in before:
            if name in after:
                yield from _between((*path, name), before[name], after[name])
    elif not _is_same(before, after):
        yield Change(path, Kind.CHANGED)


def _is_same(before: Any, after: Any) -> bool:
    """A secret is nothing's equal."""
    if isinstance(before, Secret) and isinstance(after, Secret):
        return before.matches(after.reveal())
    return type(before) is type(after) and bool(before == after)


def _endpoints(before: tuple[Listen, ...], after: tuple[Listen, ...]) -> Iterator[Change]:
    old, new = _by_endpoint(before), _by_endpoint(after)
    for kind, tables, others in ((Kind.REMOVED, old, new), (Kind.ADDED, new, old)):
        for one, (index, _) in tables.items():
            if one not in others:
                yield Change(("listen", f"[{index}]"), kind)
    for one, (_, was) in old.items():
        if one in new:
            index, now = new[one]
            yield from _between(("listen", f"[{index}]"), was, now)


def _by_endpoint(listen: tuple[Listen, ...]) -> dict[tuple[str, int], tuple[int, Listen]]:
    """(endpoint, its number among those of the same text) -> index, table."""
    found: dict[tuple[str, int], tuple[int, Listen]] = {}
    for index, each in enumerate(listen):
        number = sum(1 for endpoint, _ in found if endpoint == each.endpoint)
        found[each.endpoint, number] = index, each
    return found
