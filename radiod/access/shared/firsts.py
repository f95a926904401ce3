"""What every node notices, and one is to tell: whoever is first stores that, and the others keep silent.

One record for each thing, which goes by itself, beside those of requests that are done once
(``core.cluster.shared_answers``). When nobody can say who is first each node tells: rather twice than never.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from radiod.core.cluster.claim import Node
from radiod.core.cluster.ports import Appended, Failure, Stored, Streams
from radiod.core.timers import Clock, Timers

__all__ = ["MAX_ASKED", "PATIENCE_S", "Firsts"]

RETRY_S: Final = 0.25
"""Seconds between two tries."""

PATIENCE_S: Final = 5.0
"""For which it is tried to find out who is first."""

MAX_ASKED: Final = 1000
"""Things that are being asked about; more are told at once."""

LEAST_S: Final = 60.0
"""How long a record stays at least: clocks of nodes differ."""


class Firsts:
    """Those of one node.

    Args:
        prefix: of all subjects of the cluster.
    """

    def __init__(self, streams: Streams, clock: Clock, timers: Timers, node: Node, prefix: str) -> None:
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._node = node
        self._root = f"{prefix}.once"
        self._stream = f"{prefix.replace('.', '-')}-once"
        self._tokens = 0
        self._asked = 0

    def tell(self, what: str, seconds: float, tell: Callable[[], object]) -> None:
        """Call ``tell`` here, unless another node does, or has.

        Args:
            what: names it, the same on all nodes.
            seconds: for which nobody is to tell it again.
        """
        if self._asked >= MAX_ASKED:
            tell()
            return
        self._asked += 1
        self._tokens += 1
        token = f"{self._node.me:x}-first-{self._tokens:x}"
        digest = blake2b(f"first\0{what}".encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
        until = self._clock.seconds() + PATIENCE_S
        _First(self, f"{self._root}.{digest}", token, max(seconds, LEAST_S), until, tell).try_it()

    def append(self, first: _First, done: Callable[[Appended | Failure], None]) -> None:
        """Store that it is told."""
        data = first.token.encode()
        self._streams.append(
            self._stream, first.subject, data, done, id=first.token, expected=0, ttl_s=first.seconds
        )

    def last(self, first: _First, done: Callable[[Stored | Failure | None], None]) -> None:
        """Who was first."""
        self._streams.last(self._stream, first.subject, done)

    def again(self, first: _First, what: Callable[[], None]) -> None:
        """Try it a little later, or tell."""
        now = self._clock.seconds()
        if now + RETRY_S > first.until:
            self.end(first, is_ours=True)
        else:
            self._timers.at(now + RETRY_S, what)

    def end(self, first: _First, *, is_ours: bool) -> None:
        """It is known who tells."""
        self._asked -= 1
        if is_ours:
            first.tell()


class _First:
    """One thing that is to be told."""

    def __init__(
        self,
        firsts: Firsts,
        subject: str,
        token: str,
        seconds: float,
        until: float,
        tell: Callable[[], object],
    ) -> None:
        self._firsts = firsts
        self.subject = subject
        self.token = token
        self.seconds = seconds
        self.until = until
        self.tell = tell

    def try_it(self) -> None:
        """Be the first."""
        self._firsts.append(self, self._stored)

    def _stored(self, outcome: Appended | Failure) -> None:
        if isinstance(outcome, Appended):
            self._firsts.end(self, is_ours=True)
        elif outcome is Failure.TAKEN:
            self._look()
        else:
            self._firsts.again(self, self.try_it)

    def _look(self) -> None:
        """Somebody is: perhaps this node, by a try that was not answered."""
        self._firsts.last(self, self._found)

    def _found(self, last: Stored | Failure | None) -> None:
        if isinstance(last, Failure):
            self._firsts.again(self, self._look)
        else:
            self._firsts.end(self, is_ours=last is None or last.data == self.token.encode())
