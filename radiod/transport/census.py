"""Which connections there are, and were, by what they speak; and why some were cut.

A request over HTTP whose answer goes on makes its connection a stream as long as that lasts.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADMIN",
    "CUTS",
    "HTTP",
    "KINDS",
    "LONG_POLL",
    "OTHER",
    "PLAIN_WEBSOCKET",
    "RAWSOCKET",
    "STREAM",
    "WEBSOCKET",
    "Census",
]

Kind = tuple[str, str]
"""What carries it, and what it is for."""

WEBSOCKET: Final = ("websocket", "wamp")
PLAIN_WEBSOCKET: Final = ("websocket", "listener")
RAWSOCKET: Final = ("rawsocket", "wamp")
ADMIN: Final = ("rawsocket", "admin")
LONG_POLL: Final = ("longpoll", "wamp")
HTTP: Final = ("http", "requests")
STREAM: Final = ("http", "stream")
KINDS: Final = (WEBSOCKET, PLAIN_WEBSOCKET, RAWSOCKET, ADMIN, LONG_POLL, HTTP, STREAM)

OTHER: Final = "other"
"""The route of requests that lead nowhere."""

CUTS: Final = ("silent", "request_timeout")
"""What ``Census.cuts`` counts: peers that gave no sign of life, and those whose first bytes, or request, did
not come to an end in time."""


class Census:
    """Counts. ``came``: kind -> all so far; ``there``: those that are open; ``cuts``: why some were cut.

    ``requests``: (route, status) -> answers over HTTP.
    """

    def __init__(self) -> None:
        self.came: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.there: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.cuts: dict[str, int] = dict.fromkeys(CUTS, 0)
        self.requests: dict[tuple[str, int], int] = {}

    def enter(self, kind: Kind) -> None:
        """One more."""
        self.came[kind] += 1
        self.there[kind] += 1

    def leave(self, kind: Kind) -> None:
        """One less."""
        self.there[kind] -= 1

    def answered(self, route: str, status: int) -> None:
        """One request has its answer, or the beginning of it."""
        key = route, status
        self.requests[key] = self.requests.get(key, 0) + 1
