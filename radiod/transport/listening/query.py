"""What listeners without WAMP ask for in the query of their address: where to begin, how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from radiod.core.delivery.settings import from_query
from radiod.core.history.positions import Position, position
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["ListenQuery", "read_query"]

MAX_LAST: Final = 1000
WAIT_SECONDS: Final = 25.0
MAX_WAIT_SECONDS: Final = 60.0
LAST_EVENT_ID: Final = frozenset(("lasteventid", "evslasteventid"))


class ListenQuery(Struct, frozen=True, kw_only=True):
    """``after``: the position to go on behind; ``last``: how many events to begin with, in place of that;
    ``wait``: for how many seconds a poll waits for the first event; ``buffer``: the settings given, if any.
    """

    after: Position | None = None
    last: int | None = None
    wait: float = WAIT_SECONDS
    buffer: dict[str, Any] | None = None


def read_query(query: Mapping[str, str], last_event_id: str | None = None) -> ListenQuery:
    """What the parameters ask for; those that are unknown mean nothing.

    Args:
        last_event_id: of a request that reconnects: newer than the address, which stays the same. What
            cannot send headers adds it to the query instead.
    Raises: Refused: ``invalid_argument``, naming the parameter that is wrong.
    """
    after = query.get("after")
    behind = None if after is None else position("after", after)
    last_event_id = last_event_id or _last_event_id(query)
    if last_event_id:
        behind = position("Last-Event-ID", last_event_id)
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
