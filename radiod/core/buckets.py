"""How often something may be done: so many times a second, and so many at once after a silence.

Whole numbers alone, so that nothing is lost to rounding: whoever keeps asking is let through exactly
⌊burst + rate · t⌋ times in the first t seconds. Source: the token bucket.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Final

__all__ = ["TICKS", "TokenBucket", "burst_of"]

TICKS: Final = 1_000_000_000
"""Of a second; what is between two of them is no time."""


def burst_of(rate: float, burst: int | None) -> int:
    """What may come at once: ``burst``, or where that is not said what comes in a second, at least one."""
    return max(1, ceil(rate)) if burst is None else burst


class TokenBucket:
    """One share, which begins full.

    ``rate``: tokens a second; ``burst``: the most that it holds; ``taken``: tokens, all in all.
    """

    __slots__ = ("_level", "_per_tick", "_since", "_token", "burst", "rate", "taken")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._set(rate, burst)
        self._level = burst * self._token
        self._since = _ticks(now)
        self.taken = 0

    def _set(self, rate: float, burst: int) -> None:
        # What was written counts: 0.1 is a tenth.
        exact = Fraction(repr(rate))
        self.rate = rate
        self.burst = burst
        # A token is so many drops, and each tick brings so many.
        self._token = exact.denominator * TICKS
        self._per_tick = exact.numerator

    def take(self, now: float) -> bool:
        """Take a token, if there is one; ``now``: monotonic seconds. Who gets none pays nothing."""
        self._fill(now)
        if self._level < self._token:
            return False
        self._level -= self._token
        self.taken += 1
        return True

    def drain(self, tokens: int, now: float) -> None:
        """So many were taken elsewhere; where there are too few, what comes makes up for that first."""
        self._fill(now)
        self._level -= tokens * self._token

    def give_back(self) -> None:
        """A token was taken for nothing."""
        self.taken -= 1
        self._level = min(self.burst * self._token, self._level + self._token)

    def left(self, now: float) -> int:
        """Tokens that there are."""
        self._fill(now)
        return max(0, self._level // self._token)

    def wait(self, now: float) -> int:
        """Whole seconds until there is one token more, at least 1; 0: it is full."""
        self._fill(now)
        more = max(0, self._level // self._token) + 1
        missing = min(self.burst, more) * self._token - self._level
        return -(-missing // (self._per_tick * TICKS))

    @property
    def window(self) -> int:
        """Whole seconds in which an empty one is full again, at least 1."""
        return max(1, -(-self.burst * self._token // (self._per_tick * TICKS)))

    def change(self, rate: float, burst: int, now: float) -> None:
        """Go on at another rate, with another burst; what was taken stays taken."""
        self._fill(now)
        taken = Fraction(self.burst * self._token - self._level, self._token)
        self._set(rate, burst)
        self._level = max(0, burst * self._token - ceil(taken * self._token))

    def _fill(self, now: float) -> None:
        ticks = _ticks(now)
        if ticks > self._since:
            came = (ticks - self._since) * self._per_tick
            self._level = min(self.burst * self._token, self._level + came)
            self._since = ticks


def _ticks(now: float) -> int:
    return round(now * TICKS)
