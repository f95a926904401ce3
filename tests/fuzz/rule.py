"""What an input may cost, and how that is judged on a machine where others work, too.

CPU time of the server's thread, the least of several measurements: what else runs makes one only longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["BASE_S", "BURST_S", "PER_BYTE_S", "TWICE", "Cost", "Rule"]

PER_BYTE_S = 1e-6
BASE_S = 5e-3
TWICE = 2.2
"""What twice the size may cost at most."""

BURST_S = 50e-3
"""How long others may wait while a hundred copies that came in one write are worked on."""

NOISE_S = 3e-3
ATTEMPTS = 5
HOPELESS = 8
"""So many times above the limit, nothing but the server itself can be the reason."""


@dataclass
class Cost:
    """One measured input: bytes sent, and seconds of the server's CPU; ``faults``: rules that it breaks."""

    name: str
    sent: int
    seconds: float
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.seconds * 1000:9.2f} ms  {self.sent:9,} bytes  {self.name}"


class Rule:
    """Judges.

    Args:
        factor: how much slower this machine is than the one of the limits.
        now: the same at this moment, asked for when something is above its limit.
    """

    def __init__(self, factor: float = 1.0, now: Callable[[], float] = lambda: 1.0) -> None:
        self.factor = factor
        self._now = now

    def limit(self, sent: int) -> float:
        """Seconds that an input of so many bytes may cost."""
        return self.factor * (BASE_S + PER_BYTE_S * sent)

    def least(self, measure: Callable[[], float], limit: float) -> float:
        """The least of several measurements; further ones are made while the least is above ``limit``.

        Where others use the machine now, what is measured is less by as much as they make it slower.
        """
        least = measure()
        for _ in range(ATTEMPTS - 1):
            if least <= limit or least > HOPELESS * limit:
                break
            before = self._now()
            seconds = measure()
            slower = max(1.0, min(before, self._now()) / self.factor)
            least = min(least, seconds / slower)
        return least

    def judge(
        self,
        name: str,
        measure: Callable[[int], tuple[int, float]],
        size: int,
        *,
        doubles: bool = True,
        allowance: float = 1.0,
    ) -> list[Cost]:
        """Measure an input of about ``size`` bytes, and of twice as many; returns both costs.

        Args:
            measure: size -> (bytes sent, seconds of CPU).
            doubles: whether there is one of twice the size at all.
            allowance: factor of the limit, though not of what twice the size may cost.
        """
        first = self._one(name, measure, size, allowance)
        if not doubles:
            return [first]
        second = self._one(name, measure, 2 * size, allowance)
        most = TWICE * first.seconds + NOISE_S * self.factor
        if second.sent > 1.5 * first.sent and second.seconds > most:
            second.seconds = min(second.seconds, self.least(lambda: measure(2 * size)[1], most))
        if second.sent > 1.5 * first.sent and second.seconds > most:
            # The first may have been lucky.
            first.seconds = max(first.seconds, measure(size)[1])
            most = TWICE * first.seconds + NOISE_S * self.factor
        if second.sent > 1.5 * first.sent and second.seconds > most:
            ratio = second.seconds / first.seconds
            second.faults.append(f"{second.seconds * 1000:.1f} ms, {ratio:.1f} times that of half of it")
        return [first, second]

    def _one(
        self, name: str, measure: Callable[[int], tuple[int, float]], size: int, allowance: float
    ) -> Cost:
        sent, seconds = measure(size)
        limit = self.limit(sent) * allowance
        if seconds > limit:
            seconds = min(seconds, self.least(lambda: measure(size)[1], limit))
        cost = Cost(name, sent, seconds)
        if seconds > limit:
            cost.faults.append(f"{seconds * 1000:.1f} ms of CPU, where {limit * 1000:.1f} are allowed")
        return cost
