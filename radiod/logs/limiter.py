"""How many lines of each kind are written: the first at once, the rest as a number once an interval.

Knows neither clock nor log: time is an argument, and lines are whatever the caller likes. Memory is bounded:
``MAX_KINDS`` kinds, each with its last line.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

__all__ = ["MAX_BYTES", "MAX_KINDS", "MAX_PEERS", "Limiter", "Rest"]

T = TypeVar("T")

MAX_KINDS: Final = 256
MAX_BYTES: Final = 65_536
"""Bytes of one interval, all kinds together."""

MAX_PEERS: Final = 64
"""Peers that have kinds of their own; the others share one."""

OTHER: Final = object()
"""The kind of what comes when there are too many kinds."""


@dataclass(frozen=True, slots=True)
class Rest(Generic[T]):
    """Lines of one kind that were not written: how many, and the last of them."""

    count: int
    last: T


class _Kind(Generic[T]):
    __slots__ = ("count", "last")

    def __init__(self, last: T) -> None:
        self.count = 0
        self.last = last


class Limiter(Generic[T]):
    """Counts the lines of one log. An interval is open while ``ends`` is set; then ``turn`` is due."""

    def __init__(
        self,
        interval: float,
        size: Callable[[T], int],
        max_bytes: int = MAX_BYTES,
        max_kinds: int = MAX_KINDS,
    ) -> None:
        """``interval`` in seconds; ``size``: bytes of a line, asked for if it may be written.

        ``max_bytes`` of one interval; ``max_kinds`` that are told apart.
        """
        self.interval = interval
        self._size = size
        self.ends: float | None = None
        self._max_bytes = max_bytes
        self._max_kinds = max_kinds
        self._written = 0
        self._kinds: dict[Hashable, _Kind[T]] = {}
        # Kinds of one peer each.
        self._peers: set[Hashable] = set()

    def admit(self, kind: Hashable, line: T, now: float, peer: str | None = None) -> bool:
        """Whether to write a line now; else it is counted, and told by ``turn``.

        ``peer``: its lines of this kind are a kind by themselves, if there are not too many such.
        """
        if self.ends is None:
            self.ends = now + self.interval
        if peer is not None:
            own = (kind, peer)
            if own in self._peers or len(self._peers) < MAX_PEERS:
                self._peers.add(own)
                kind = own
        known = self._kinds.get(kind)
        if known is None:
            if len(self._kinds) >= self._max_kinds:
                kind = OTHER
                known = self._kinds.get(kind)
            if known is None:
                known = self._kinds[kind] = _Kind(line)
                if self.has_room(line):
                    return True
        known.count += 1
        known.last = line
        return False

    def turn(self, now: float) -> list[Rest[T]]:
        """The interval is over: what was not written in it, the most frequent first.

        A kind that goes on stays counted, without a first line of its own; one that was silent is forgotten.
        """
        rests = [Rest(kind.count, kind.last) for kind in self._kinds.values() if kind.count]
        self._kinds = {name: kind for name, kind in self._kinds.items() if kind.count}
        self._peers &= self._kinds.keys()
        for kind in self._kinds.values():
            kind.count = 0
        self._written = 0
        self.ends = now + self.interval if self._kinds else None
        return sorted(rests, key=lambda rest: -rest.count)

    def has_room(self, line: T) -> bool:
        """Count the bytes of a line that is to be written in this interval. Returns: whether it may be."""
        size = self._size(line)
        fits = self._written + size <= self._max_bytes
        self._written += size if fits else 0
        return fits
