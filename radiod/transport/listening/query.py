"""What listeners without WAMP ask for in the query of their address: where to begin, how long to wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec import Struct

from radiod.core.delivery.settings import from_query
from radiod.core.history.cursors import MOST_CHANNELS, positions
from radiod.core.history.positions import Position, position
from radiod.core.uris import is_reserved, wanted
from radiod.errors import INVALID_ARGUMENT, INVALID_URI, Refused
from radiod.wire.options import MatchPolicy

__all__ = ["ListenQuery", "Names", "ReadAfter", "names_of", "read_query"]

MAX_LAST: Final = 1000
WAIT_SECONDS: Final = 25.0
MAX_WAIT_SECONDS: Final = 60.0
LAST_EVENT_ID: Final = frozenset(("lasteventid", "evslasteventid"))


ReadAfter = Callable[[str, str], dict[str, Position]]
"""``(parameter, text)`` -> positions by channel. Raises: Refused: as ``position``."""


class ListenQuery(Struct, frozen=True, kw_only=True):
    """``after``: channel -> the position to go on behind, None: nothing was said; ``last``: how many events
    of each to begin with, in place of that; ``wait``: for how many seconds a poll waits for the first event;
    ``buffer``: the settings given, if any.
    """

    after: dict[str, Position] | None = None
    last: int | None = None
    wait: float = WAIT_SECONDS
    buffer: dict[str, Any] | None = None


NO_CHANNEL: Final = (
    "the path lacks a channel: /listen/<channel>, or several: /listen?channel=<channel>&channel=<channel>"
)


class Names(NamedTuple):
    """What an address names: ``(name, match, topic)`` of each, and how to read what clients give back."""

    asked: list[tuple[str, MatchPolicy, str]]
    is_several: bool
    read_after: ReadAfter


def names_of(channels: str | Sequence[str]) -> Names:
    """The one channel that a path names, or all that a query names, each once.

    Raises: Refused: ``invalid_uri``, ``invalid_argument``.
    """
    if isinstance(channels, str):
        _check_open(channels)
        return Names(
            [(channels, "exact", channels)], False, lambda name, text: {channels: position(name, text)}
        )
    names = list(dict.fromkeys(channels))
    if not all(names) or not names:
        raise Refused(INVALID_ARGUMENT, NO_CHANNEL)
    if len(names) > MOST_CHANNELS:
        raise Refused(INVALID_ARGUMENT, f"channel: at most {MOST_CHANNELS} may be named")
    for name in names:
        _check_open(name)
    asked = [(name, *wanted(name)) for name in names]
    singles = [topic for _, match, topic in asked if match == "exact"]
    return Names(asked, True, lambda name, text: positions(name, text, singles))


def _check_open(channel: str) -> None:
    if is_reserved(channel):
        raise Refused(INVALID_URI, f"{channel} is no channel")


def read_query(
    query: Mapping[str, str], read_after: ReadAfter, last_event_id: str | None = None
) -> ListenQuery:
    """What the parameters ask for; those that are unknown mean nothing.

    Args:
        read_after: makes positions of what a client gives back.
        last_event_id: of a request that reconnects: newer than the address, which stays the same. What
            cannot send headers adds it to the query instead.
    Raises: Refused: ``invalid_argument``, naming the parameter that is wrong.
    """
    after = query.get("after")
    behind = None if after is None else read_after("after", after)
    last_event_id = last_event_id or _last_event_id(query)
    if last_event_id:
        behind = read_after("Last-Event-ID", last_event_id)
    last = None if "last" not in query else int(_number("last", query["last"], 1, MAX_LAST))
    if after is not None and last is not None:
        raise Refused(INVALID_ARGUMENT, "after and last exclude each other")
    wait = _number("wait", query.get("wait", f"{WAIT_SECONDS}"), 0, MAX_WAIT_SECONDS)
    last = None if behind is not None else last
    return ListenQuery(after=behind, last=last, wait=wait, buffer=from_query(query) or None)


def _last_event_id(query: Mapping[str, str]) -> str | None:
    """As polyfills of EventSource name it: ``lastEventId``, and other spellings of that."""
    for name, value in query.items():
        if name.lower().replace("-", "").replace("_", "") in LAST_EVENT_ID and value:
            return value
    return None


def _number(name: str, text: str, least: int, most: float) -> float:
    """A decimal number; whole where ``name`` counts something."""
    digits = text if name == "last" else text.replace(".", "", 1)
    # Short, ASCII and without a sign: what float() takes beyond that is no number of anything.
    if digits.isdecimal() and digits.isascii() and len(text) <= 16 and least <= float(text) <= most:
        return float(text)
    kind = "an integer" if name == "last" else "a number of seconds"
    raise Refused(INVALID_ARGUMENT, f"{name} must be {kind} from {least} to {most:.0f}")
