"""Names of channels that came to an end: publishing there is an error, not a new topic."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["ClosedNames"]

_Name = tuple[str, bytes | None]
"""A name, and the hash of a private channel's key."""


class ClosedNames:
    """Those of one realm, at most ``limit`` of public and as many of private ones; the oldest go first.

    ``public``: those of public ones, since every publish asks.
    """

    __slots__ = ("_limit", "_private", "public")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.public: dict[_Name, None] = {}
        self._private: dict[_Name, None] = {}

    def __contains__(self, name: _Name) -> bool:
        return name in self.public or name in self._private

    def __iter__(self) -> Iterator[_Name]:
        """Of each kind the oldest first."""
        yield from self.public
        yield from self._private

    def add(self, name: str, key_hash: bytes | None) -> None:
        """A channel came to its end."""
        closed = self._of(key_hash)
        closed[name, key_hash] = None
        if len(closed) > self._limit:
            del closed[next(iter(closed))]

    def discard(self, name: str, key_hash: bytes | None) -> None:
        """There is such a channel again."""
        self._of(key_hash).pop((name, key_hash), None)

    def _of(self, key_hash: bytes | None) -> dict[_Name, None]:
        return self.public if key_hash is None else self._private
