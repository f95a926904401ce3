"""URI rules and match policies (WAMP specification, "URIs" and "Pattern-based Subscriptions")."""

from __future__ import annotations

import re
from typing import Final

from radiod.errors import INVALID_URI, Refused

__all__ = ["PatternSet", "check_uri", "is_reserved", "matches"]

# The specification's loose rules: no whitespace, no "#", no empty component; control characters are ours.
LOOSE: Final = re.compile(r"[^\s.#\x00-\x1f\x7f]+(\.[^\s.#\x00-\x1f\x7f]+)*")

MAX_URI_LENGTH: Final = 255
"""Characters: the length of a NATS subject or a file name, so that any store can hold one."""


def check_uri(uri: str) -> None:
    """Refuse what is no URI of a topic, procedure, error or realm.

    Raises: Refused: ``wamp.error.invalid_uri``.
    """
    if len(uri) > MAX_URI_LENGTH:
        raise Refused(INVALID_URI, f"URI of {len(uri)} characters is longer than {MAX_URI_LENGTH}")
    if not LOOSE.fullmatch(uri):
        raise Refused(INVALID_URI, f"not a valid URI: {uri!r}")


def is_reserved(uri: str) -> bool:
    """True for URIs that only the router itself may publish to or register."""
    return uri.startswith(("wamp.", "radiod."))


def matches(pattern: str, uri: str) -> bool:
    """True when ``uri`` falls under ``pattern``: exact, prefix ``a.b.*``, wildcard ``a..c``, all ``*``."""
    if pattern == "*" or pattern == uri:
        return True
    if pattern.endswith(".*"):
        return uri.startswith(pattern[:-1])
    parts = pattern.split(".")
    return "" in parts and _wildcard(parts, uri.split("."))


def _wildcard(parts: list[str], components: list[str]) -> bool:
    return len(parts) == len(components) and all(
        part in ("", component) for part, component in zip(parts, components, strict=True)
    )


class PatternSet:
    """A list of URI patterns, asked "does any of them match?"."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._exact = frozenset(patterns)
        self._patterns = tuple(p for p in patterns if p.endswith("*") or "" in p.split("."))

    def __contains__(self, uri: object) -> bool:
        return uri in self._exact or any(matches(pattern, str(uri)) for pattern in self._patterns)
