"""Which node a connection goes to: the next one, as a load balancer without an opinion does it."""

from __future__ import annotations

import itertools
import re

__all__ = ["Balancer"]

OPENED = re.compile(rb'"transport": ?"([^"]+)"')
LONG_POLL = re.compile(rb"POST [^ ]*/lp/([^/ ]+)")
OPEN = b"open"
MANY = 10_000


class Balancer:
    """Round robin over ``number`` nodes; requests of one long-poll session stay where it was opened."""

    def __init__(self, number: int) -> None:
        self._next = itertools.cycle(range(number))
        self._homes: dict[bytes, int] = {}

    def choose(self, request: bytes = b"") -> int:
        """The node for a connection that begins so."""
        found = LONG_POLL.match(request)
        home = self._homes.get(found[1]) if found else None
        return next(self._next) if home is None else home

    @staticmethod
    def is_opening(request: bytes) -> bool:
        """Whether what is answered to that names a long-poll session."""
        found = LONG_POLL.match(request)
        return found is not None and found[1] == OPEN

    def learn(self, node: int, answer: bytes) -> None:
        """A node has answered so to somebody who opens a long-poll session."""
        found = OPENED.search(answer)
        if found and len(self._homes) < MANY:
            self._homes[found[1]] = node
