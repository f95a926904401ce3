"""What was signed and came already, so that nothing counts twice.

For each key the requests of the last minutes are remembered, and a floor: whatever is stamped later and is
not remembered is new, all else is refused. What is forgotten raises the floor, so that no request counts
twice. When there is no room, the key with most requests forgets its earliest; then clients of that key whose
clocks are late may be refused, and nobody else.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Final

__all__ = ["DIGEST_BYTES", "MOST", "Replays"]

MOST: Final = 100_000
"""Requests that are remembered, of all keys: about 20 MB."""

ROOM: Final = 16
"""One part in so many of what a key has is forgotten at a time: looking for the key costs a look at each."""

SWEEP_S: Final = 60.0
"""Seconds between two looks at keys that send nothing any more."""

FLOOR_S: Final = 86_400.0
"""Seconds that the floor of such a key is remembered: a wall clock set back by less reopens nothing."""

DIGEST_BYTES: Final = 16
"""Of a SHA-256: nobody finds two requests alike in these, and who did would only have one refused."""


class _Past:
    """The requests of one key. ``floor``: the latest time that was forgotten."""

    __slots__ = ("digests", "floor", "heap")

    def __init__(self) -> None:
        # (when it is stamped, digest), the earliest first
        self.heap: list[tuple[float, bytes]] = []
        self.digests: set[bytes] = set()
        self.floor = float("-inf")

    def forget(self) -> None:
        self.floor, digest = heapq.heappop(self.heap)
        self.digests.remove(digest)

    def forget_before(self, at: float) -> int:
        """Returns: how many went."""
        before = len(self.heap)
        while self.heap and self.heap[0][0] < at:
            self.forget()
        return before - len(self.heap)


class Replays:
    """Of one server.

    ``came``: called with a key, when its request is stamped, and its digest, of each that counts here.

    Args:
        fresh: seconds after its timestamp in which a request is accepted at all; the caller sees to that.
        most: requests remembered.
    """

    def __init__(self, fresh: float, most: int = MOST) -> None:
        self._fresh = fresh
        self._most = most
        self._count = 0
        self._swept = float("-inf")
        self._by_key: dict[str, _Past] = {}
        self.came: Callable[[str, float, bytes], object] = _nobody

    def __len__(self) -> int:
        """Requests that are remembered."""
        return self._count

    def is_new(self, key: str, at: float, told: bytes, now: float) -> bool:
        """Whether a request came for the first time; from now on it did not.

        Args:
            key: whose it is: one that exists, and signed it.
            at: when it is stamped.
            told: what makes it this one and no other.
            now: the same clock as ``at``, seconds.
        """
        digest = hashlib.sha256(told).digest()[:DIGEST_BYTES]
        if not self._enter(key, at, digest, now):
            return False
        self.came(key, at, digest)
        return True

    def note(self, key: str, at: float, digest: bytes, now: float) -> None:
        """A request counted on another server: it does not here. As ``is_new``, and ``came``."""
        if abs(at - now) <= self._fresh:
            self._enter(key, at, digest, now)

    def _enter(self, key: str, at: float, digest: bytes, now: float) -> bool:
        if not self._swept <= now < self._swept + SWEEP_S:
            self._sweep(now)
        past = self._by_key.get(key)
        if past is None:
            past = self._by_key[key] = _Past()
        self._count -= past.forget_before(now - self._fresh)
        if at <= past.floor or digest in past.digests:
            return False
        if self._count >= self._most:
            self._make_room()
        if at <= past.floor:
            # Making room has just forgotten what is stamped later: this is one of the earliest.
            return True
        heapq.heappush(past.heap, (at, digest))
        past.digests.add(digest)
        self._count += 1
        return True

    def kept(self) -> Iterator[tuple[str, float, list[tuple[float, bytes]]]]:
        """Of each key its id, its floor, and its requests: when they are stamped, and their digests."""
        for key, past in list(self._by_key.items()):
            yield key, past.floor, list(past.heap)

    def resume(self, key: str, floor: float, requests: Sequence[tuple[float, bytes]]) -> None:
        """What came to another process came."""
        past = self._by_key[key] = _Past()
        past.floor = floor
        past.heap = sorted(set(requests))
        past.digests = {digest for _, digest in past.heap}
        self._count += len(past.heap)
        while self._count > self._most:
            self._make_room()

    def _make_room(self) -> None:
        most = max(self._by_key.values(), key=_length)
        for _ in range(len(most.heap) // ROOM + 1):
            most.forget()
            self._count -= 1

    def _sweep(self, now: float) -> None:
        self._swept = now
        for key, past in list(self._by_key.items()):
            self._count -= past.forget_before(now - self._fresh)
            if not past.heap and past.floor < now - FLOOR_S:
                del self._by_key[key]


def _length(past: _Past) -> int:
    return len(past.heap)


def _nobody(key: str, at: float, digest: bytes) -> None:
    """Nobody minds."""
