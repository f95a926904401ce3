"""What waits to be sent to one webhook, in order, and bounded: when there is too much, the oldest goes."""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct

__all__ = ["MOST", "MOST_BYTES", "Letter", "Waiting"]

MOST: Final = 1000
MOST_BYTES: Final = 16 << 20


class Letter(Struct):
    """One body. ``id``: the same in all tries; ``tries``: how many have failed."""

    id: str
    body: bytes
    tries: int = 0


class Waiting:
    """Letters in order, the first perhaps on its way. ``bytes``: of their bodies."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._letters: deque[Letter] = deque()
        self._most = most
        self._most_bytes = most_bytes
        self.bytes = 0
        # The first letter is on its way: it may have come, so that it is not given up.
        self.is_sending = False

    def __len__(self) -> int:
        return len(self._letters)

    @property
    def letters(self) -> list[Letter]:
        """All of them."""
        return list(self._letters)

    @property
    def first(self) -> Letter | None:
        """What is to be sent next, or is on its way."""
        return self._letters[0] if self._letters else None

    def add(self, letter: Letter) -> int:
        """Add the newest. Returns: how many were given up for it, perhaps itself."""
        letters = self._letters
        letters.append(letter)
        self.bytes += len(letter.body)
        given_up = 0
        while len(letters) > self._most or self.bytes > self._most_bytes:
            oldest = self._take_oldest()
            self.bytes -= len(oldest.body)
            given_up += 1
        return given_up

    def _take_oldest(self) -> Letter:
        if not self.is_sending:
            return self._letters.popleft()
        sent = self._letters.popleft()
        oldest = self._letters.popleft()
        self._letters.appendleft(sent)
        return oldest

    def done(self) -> None:
        """The first is done with."""
        self.bytes -= len(self._letters.popleft().body)

    def clear(self) -> int:
        """Give up all. Returns: how many that were."""
        count = len(self._letters)
        self._letters.clear()
        self.bytes = 0
        return count
