"""Arguments that the procedures of access have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable
from typing import Any, Final, TypeVar

from radiod.core.arguments import a_list, optional, text, whole
from radiod.core.dates import moment
from radiod.core.slices import smallest
from radiod.core.uris import wanted
from radiod.errors import INVALID_ARGUMENT, INVALID_URI, Refused
from radiod.wire.doors import ORIGIN, usual_origin
from radiod.wire.forwarded import UNIX, network

__all__ = [
    "MAX_PAGE",
    "PAGING",
    "UNCHANGED",
    "boolean",
    "date",
    "given",
    "label",
    "name",
    "networks",
    "origins",
    "page",
    "page_of",
    "patterns",
    "reason",
    "seconds",
    "state",
]

MAX_PAGE: Final = 1000
MAX_TEXT: Final = 255
MAX_PATTERNS: Final = 1000
MAX_PLACES: Final = 100
MAX_DATE: Final = 253_402_300_799.0
"""The end of the year 9999, seconds since 1970."""

PAGING: Final = {"limit": 100, "after": None}
"""Parameters of lists."""

UNCHANGED: Final = object()
"""The default of what stays as it was."""

T = TypeVar("T")


def given(check: Callable[[str, Any], T], **arguments: Any) -> dict[str, T]:
    """Those arguments that were given, checked."""
    return {name: check(name, value) for name, value in arguments.items() if value is not UNCHANGED}


def name(name: str, value: Any) -> str:
    """What names an account, a key or a user: a line of text, at most so long."""
    told = label(name, value)
    if not told or told != told.strip():
        raise Refused(INVALID_ARGUMENT, f"{name} must not be empty, nor begin or end with a space")
    return told


def label(name: str, value: Any) -> str:
    """A line of text, perhaps empty."""
    told = text(name, value)
    if len(told) > MAX_TEXT or not told.isprintable():
        raise Refused(INVALID_ARGUMENT, f"{name} must be printable, and at most {MAX_TEXT} characters")
    return told


reason = label


def boolean(name: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise Refused(INVALID_ARGUMENT, f"{name} must be true or false")
    return value


def seconds(name: str, value: Any, most: float) -> float:
    """A number of seconds, from 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Refused(INVALID_ARGUMENT, f"{name} must be a number of seconds from 0 to {most:g}")
    return float(value)


def date(name: str, value: Any) -> float | None:
    """Seconds since 1970, or a date of RFC 3339; None: none."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return moment(value)
        except (ValueError, OverflowError):
            raise Refused(INVALID_ARGUMENT, f"{name} must be as 2027-12-31T00:00:00Z, or a number") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise Refused(INVALID_ARGUMENT, f"{name} must be a date")
    return seconds(name, value, MAX_DATE)


def patterns(name: str, value: Any) -> tuple[str, ...]:
    """Patterns of URIs. Raises: Refused: ``invalid_argument``; ``invalid_uri``: one is none."""
    told = _texts(name, value, MAX_PATTERNS)
    for each in told:
        # What is a prefix is no wildcard, too: together they would match nothing.
        if "*" in each.removesuffix("*") or (each.endswith("*") and "" in each.split(".")) or not each:
            raise Refused(INVALID_URI, f"{name}: {each[:64]!r} is no URI pattern")
        wanted(each)
    return told


def origins(name: str, value: Any) -> tuple[str, ...]:
    """Origins of pages."""
    told = tuple(usual_origin(each.lower()) for each in _texts(name, value, MAX_PLACES))
    for each in told:
        if not ORIGIN.fullmatch(each):
            raise Refused(INVALID_ARGUMENT, f"{name}: {each[:64]!r} must be as https://www.example.org")
    return told


def networks(name: str, value: Any) -> tuple[str, ...]:
    """Networks and addresses, and ``unix``."""
    told = _texts(name, value, MAX_PLACES)
    for each in told:
        if each != UNIX and network(each) is None:
            what = f"{each[:64]!r} is no address, no network such as 10.0.0.0/8, and not unix"
            raise Refused(INVALID_ARGUMENT, f"{name}: {what}")
    return told


def state(name: str, value: Any, *known: str) -> str:
    """One of the states that there are."""
    told = text(name, value)
    if told not in known:
        raise Refused(INVALID_ARGUMENT, f"{name} must be one of {', '.join(known)}")
    return told


def page(limit: Any, after: Any) -> tuple[int, str]:
    """How many are asked for, and behind which name."""
    return whole("limit", limit, 1, MAX_PAGE), optional(text, "after", after) or ""


def page_of(
    things: Iterable[tuple[str, T]], limit: int, after: str, holds: Callable[[T], bool]
) -> Generator[None, None, tuple[list[T], str | None]]:
    """The first things behind a name for which ``holds``, by name; and where the next page begins."""
    found = yield from smallest(
        things, limit + 1, lambda pair: pair[0], lambda pair: pair[0] > after and holds(pair[1])
    )
    shown = found[:limit]
    return [thing for _, thing in shown], shown[-1][0] if len(found) > limit else None


def _texts(name: str, value: Any, most: int) -> tuple[str, ...]:
    told = a_list(name, list(value) if isinstance(value, tuple) else value)
    if len(told) > most or not all(isinstance(each, str) for each in told):
        raise Refused(INVALID_ARGUMENT, f"{name} must be a list of at most {most} strings")
    return tuple(told)
