"""API keys: who publishes, listens and calls without WAMP, and what it shows to prove that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from radiod.core.disclosure import Visitor
from radiod.core.ids import digest
from radiod.core.realm.realm import Realm
from radiod.core.rights import Principal
from radiod.errors import NOT_AUTHORIZED, WrongSecret

__all__ = ["Key", "KeyRing", "KeySecret"]


class KeySecret(Protocol):
    """What proves that somebody holds a key; ``radiod.secret.Secret`` is one."""

    def reveal(self) -> str:
        """The secret itself."""

    def matches(self, given: str) -> bool:
        """Whether that is it, in a time that tells nothing."""


class Key:
    """One key: the realm that it is for, and who its holder is there. ``visitor``: who it publishes as."""

    __slots__ = ("principal", "realm", "secret", "visitor")

    def __init__(self, secret: KeySecret, realm: Realm, visitor: Visitor) -> None:
        self.secret = secret
        self.realm = realm
        self.visitor = visitor
        self.principal: Principal = visitor.principal


class KeyRing:
    """The keys of one server, found by their secrets' SHA-256."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, Key] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._by_digest.values()))

    def add(self, key: Key) -> None:
        """One more; of two with one secret the later one counts."""
        self._by_digest[digest(key.secret.reveal())] = key

    def remove(self, key: Key) -> None:
        """It opens nothing from now on; what it opened goes on (``Realm.revision`` ends that)."""
        if self._by_digest.get(digest(key.secret.reveal())) is key:
            del self._by_digest[digest(key.secret.reveal())]

    def find(self, secret: str) -> Key | None:
        """The key with this secret; None: there is none."""
        key = self._by_digest.get(digest(secret))
        return key if key is not None and key.secret.matches(secret) else None

    def get(self, secret: str) -> Key:
        """The same. Raises: WrongSecret: there is none."""
        key = self.find(secret)
        if key is None:
            raise WrongSecret(NOT_AUTHORIZED, "API-KEY not valid")
        return key
