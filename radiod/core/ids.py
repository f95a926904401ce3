"""Ids (WAMP specification, "IDs"): random in the global scope, counted in the router's and session's."""

from __future__ import annotations

import secrets
from array import array

from radiod.core.ports import Ids

__all__ = ["MAX_ID", "Counter", "RandomIds"]

MAX_ID = 2**53
POOL = 512
"""Ids drawn at once: asking the operating system costs a publish more than all that is done with its id."""


class RandomIds(Ids):
    """Ids and secrets from the operating system's source of randomness."""

    def __init__(self) -> None:
        self._pool: list[int] = []

    def next(self) -> int:
        pool = self._pool
        if not pool:
            # 53 of the 64 bits of each.
            pool += [(word >> 11) + 1 for word in array("Q", secrets.token_bytes(8 * POOL))]
        return pool.pop()

    def secret(self) -> str:
        return secrets.token_hex(16)


class Counter:
    """1, 2, 3 … and from 2**53 back to 1."""

    __slots__ = ("_last",)

    def __init__(self, last: int = 0) -> None:
        self._last = last

    @property
    def upcoming(self) -> int:
        """The id that ``next`` will give."""
        return self._last + 1 if self._last < MAX_ID else 1

    def next(self) -> int:
        """The next id in sequence."""
        self._last = self.upcoming
        return self._last
