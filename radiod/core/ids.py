"""Ids (WAMP specification, "IDs"): random in the global scope, counted in the router's and session's.

Secrets come from the same source, and what is kept of them, too.
"""

from __future__ import annotations

import hashlib
import secrets
from array import array
from typing import Protocol

__all__ = ["MAX_ID", "Counter", "Ids", "RandomIds", "digest"]

MAX_ID = 2**53
POOL = 512
"""Ids drawn at once: asking the operating system costs a publish more than all that is done with its id."""


class Ids(Protocol):
    """Where random ids and secrets come from; deterministic in tests."""

    def next(self) -> int:
        """A random integer from 1 to 2**53."""

    def secret(self) -> str:
        """32 hexadecimal digits nobody can guess."""


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


def digest(secret: str) -> bytes:
    """The SHA-256 of a secret, by which it is kept and found.

    What the time of a look-up tells about a digest helps nobody to find the secret.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
