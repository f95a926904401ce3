"""URI rules and match policies (WAMP specification, "URIs" and "Pattern-based Subscriptions")."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from radiod.errors import INVALID_URI, Refused
from radiod.wire.options import MatchPolicy

__all__ = [
    "PatternSet",
    "check_uri",
    "covers",
    "is_pattern",
    "is_reserved",
    "matches",
    "named",
    "selects",
    "wanted",
]

# The specification's loose rules: no whitespace, no "#", no empty component; control characters are ours.
COMPONENT: Final = r"[^\s.#\x00-\x1f\x7f]"
LOOSE: Final = re.compile(rf"{COMPONENT}+(\.{COMPONENT}+)*")
FORMS: Final[dict[MatchPolicy, re.Pattern[str]]] = {
    "exact": LOOSE,
    "prefix": re.compile(rf"({COMPONENT}+\.)*{COMPONENT}*"),
    "wildcard": re.compile(rf"{COMPONENT}*(\.{COMPONENT}*)*"),
}

MAX_URI_LENGTH: Final = 255
"""Characters: the length of a NATS subject or a file name, so that any store can hold one."""


def check_uri(uri: str, policy: MatchPolicy = "exact") -> None:
    """Refuse what is no URI of a topic, procedure, error or realm, or no pattern of such URIs.

    A prefix may be empty, and may end within a component or behind a dot; a wildcard has empty components
    where anything fits.
    Raises: Refused: ``wamp.error.invalid_uri``.
    """
    # First, since what is checked next is remembered.
    if len(uri) > MAX_URI_LENGTH:
        raise Refused(INVALID_URI, f"URI of {len(uri)} characters is longer than {MAX_URI_LENGTH}")
    if not _is_well_formed(uri, policy):
        kind = "URI" if policy == "exact" else f"{policy} of a URI"
        raise Refused(INVALID_URI, f"not a valid {kind}: {uri!r}")


@lru_cache(maxsize=10_000)
def _is_well_formed(uri: str, policy: MatchPolicy) -> bool:
    return FORMS[policy].fullmatch(uri) is not None


RESERVED: Final = ("wamp.", "radiod.")


def is_reserved(uri: str) -> bool:
    """True for URIs that only the router itself may publish to or register."""
    return uri.startswith(RESERVED)


def check_free(uri: str) -> None:
    """Refuse what belongs to the router. Raises: Refused: ``wamp.error.invalid_uri``."""
    if uri.startswith(RESERVED):
        raise Refused(INVALID_URI, f"{uri} belongs to the router")


PRESENCE: Final = "radiod.presence."
"""What stands before a channel's name in the topic that tells of its presence."""


def watched(topic: str) -> str | None:
    """The channel whose presence ``topic`` tells of; None: it is another topic."""
    return topic.removeprefix(PRESENCE) if topic.startswith(PRESENCE) else None


def is_pattern(uri: str) -> bool:
    """True for a name that stands for every URI it matches."""
    return uri.endswith("*") or "" in uri.split(".")


def wanted(name: str) -> tuple[MatchPolicy, str]:
    """What a name, or a pattern as ``matches`` has it, asks for in SUBSCRIBE's words: policy and topic.

    Raises: Refused: ``wamp.error.invalid_uri``: it is neither.
    """
    policy: MatchPolicy = "wildcard" if "" in name.split(".") else "exact"
    topic = name
    if name == "*" or name.endswith(".*"):
        policy, topic = "prefix", name[:-1]
    elif name.endswith("*"):
        raise Refused(INVALID_URI, f"{name!r}: a pattern ends with '.*'")
    check_uri(topic, policy)
    return policy, topic


def named(policy: MatchPolicy, topic: str) -> str:
    """The name, or pattern, that asks for what SUBSCRIBE says: ``wanted`` the other way round.

    A prefix that ends within a component, which no name asks for, has its asterisk there.
    """
    return f"{topic}*" if policy == "prefix" else topic


def matches(pattern: str, uri: str) -> bool:
    """True when ``uri`` falls under ``pattern``: exact, prefix ``a.b.*``, wildcard ``a..c``, all ``*``."""
    if pattern == "*" or pattern == uri:
        return True
    if pattern.endswith(".*"):
        return uri.startswith(pattern[:-1])
    parts = pattern.split(".")
    return "" in parts and _wildcard(parts, uri.split("."))


def selects(policy: MatchPolicy, wanted: str, uri: str) -> bool:
    """True when ``uri`` is among those that ``wanted`` stands for under ``policy``."""
    if policy == "prefix":
        return uri.startswith(wanted)
    return wanted == uri or (policy == "wildcard" and _wildcard(wanted.split("."), uri.split(".")))


def covers(pattern: str, policy: MatchPolicy, uri: str) -> bool:
    """True when everything that ``uri`` matches under ``policy`` falls under ``pattern``."""
    if pattern == "*":
        return True
    components = uri.split(".")
    if policy == "exact" or (policy == "wildcard" and "" not in components):
        return matches(pattern, uri)
    if pattern.endswith(".*"):
        # Up to its first empty component, a wildcard is a prefix.
        literal = uri if policy == "prefix" else "".join(f"{c}." for c in components[: components.index("")])
        return literal.startswith(pattern[:-1])
    parts = pattern.split(".")
    return policy == "wildcard" and "" in parts and _wildcard(parts, components)


def _wildcard(parts: list[str], components: list[str]) -> bool:
    return len(parts) == len(components) and all(
        part in ("", component) for part, component in zip(parts, components, strict=True)
    )


class PatternSet:
    """A list of URI patterns, asked "does any of them match?"."""

    __slots__ = ("_all", "_patterns")

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._all = frozenset(patterns)
        self._patterns = tuple(pattern for pattern in patterns if is_pattern(pattern))

    def __contains__(self, uri: object) -> bool:
        return uri in self._all or any(matches(pattern, str(uri)) for pattern in self._patterns)

    def covers(self, policy: MatchPolicy, uri: str) -> bool:
        """True when one of the patterns covers all that ``uri`` matches under ``policy``."""
        return any(covers(pattern, policy, uri) for pattern in self._all)
