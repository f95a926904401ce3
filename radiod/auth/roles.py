"""Static permissions: what a role, or an HTTP key, may do, as lists of URI patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from radiod.core.ports import Action
from radiod.core.uris import PatternSet

__all__ = ["StaticPermissions"]

CACHE_SIZE: Final = 10_000
"""Decisions remembered for each role; when full it starts anew."""


class StaticPermissions:
    """Decides by URI patterns: allowed where a pattern of the action matches and no ``deny`` pattern does."""

    __slots__ = ("_allowed", "_cache", "_denied")

    def __init__(self, allowed: Mapping[Action, tuple[str, ...]], denied: tuple[str, ...] = ()) -> None:
        self._allowed = {action: PatternSet(patterns) for action, patterns in allowed.items()}
        self._denied = PatternSet(denied)
        self._cache: dict[tuple[Action, str], bool] = {}

    def allows(self, action: Action, uri: str) -> bool:
        """True when ``action`` on ``uri`` is permitted. O(1) once asked, else O(patterns)."""
        key = (action, uri)
        decision = self._cache.get(key)
        if decision is None:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            decision = self._cache[key] = self._decide(action, uri)
        return decision

    def _decide(self, action: Action, uri: str) -> bool:
        patterns = self._allowed.get(action)
        return patterns is not None and uri in patterns and uri not in self._denied
