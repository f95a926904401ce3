"""Ids (WAMP specification, "IDs"): random in the global scope, counted in the router's and session's."""

from __future__ import annotations

import secrets

from radiod.core.ports import Ids

__all__ = ["MAX_ID", "Counter", "RandomIds"]

MAX_ID = 2**53


class RandomIds(Ids):
    """Ids and secrets from the operating system's source of randomness."""

    def next(self) -> int:
        return secrets.randbits(53) + 1

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
