"""How many messages a session may send: so many a second, and so many at once after a silence.

Source: the token bucket.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Bucket", "RateLimit"]


class RateLimit(Struct, frozen=True):
    """``rate``: messages a second, fractions allowed; ``burst``: messages at once, at least 1."""

    rate: float
    burst: int


class Bucket:
    """One session's share. It begins full."""

    __slots__ = ("_limit", "_since", "_tokens")

    def __init__(self, limit: RateLimit, now: float) -> None:
        self._limit = limit
        self._tokens = float(limit.burst)
        self._since = now

    def take(self, now: float) -> bool:
        """Whether one more message may come; ``now``: monotonic seconds. Refused ones cost nothing."""
        limit = self._limit
        self._tokens = min(limit.burst, self._tokens + (now - self._since) * limit.rate)
        self._since = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
