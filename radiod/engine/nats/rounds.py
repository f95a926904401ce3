"""Which server is tried next, and when: all of them at once, then in rounds that come less and less often."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from radiod.engine.nats.options import Address

__all__ = ["Rounds"]


class Rounds:
    """The tries of one connection.

    The first round comes at once: a cluster has another server. Each later one waits twice as long as the one
    before, from half of that to all of it, so that not all nodes come at the same moment.
    """

    def __init__(self, servers: Sequence[Address], backoff: tuple[float, float], random: Random) -> None:
        self._servers = list(servers)
        random.shuffle(self._servers)
        self._least, self._most = backoff
        self._random = random
        self._at = 0
        self._tries = 0

    def next(self) -> tuple[Address, float]:
        """The server to try, and in how many seconds."""
        address = self._servers[self._at]
        self._at = (self._at + 1) % len(self._servers)
        round, place = divmod(self._tries, len(self._servers))
        self._tries += 1
        if round == 0 or place > 0:
            return address, 0.0
        # 2 ** 40 is enough for every most.
        longest = min(self._most, self._least * 2.0 ** min(round - 1, 40))
        return address, longest * self._random.uniform(0.5, 1.0)

    def renew(self) -> None:
        """A connection has lasted: the next try comes at once."""
        self._tries = 0
