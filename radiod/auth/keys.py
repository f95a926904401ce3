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
    """One key: the realm that it is for, and who its holder is there. ``visitor``: who it publishes as.

    Args:
        id: what names it, and is no secret.
        signing: the secret that signs its queries; None: it signs none.
    """

    __slots__ = ("id", "principal", "realm", "secret", "signing", "visitor")

    def __init__(
        self,
        secret: KeySecret,
        realm: Realm,
        visitor: Visitor,
        *,
        id: str,
        signing: KeySecret | None = None,
    ) -> None:
        self.id = id
        self.signing = signing
        self.secret = secret
        self.realm = realm
        self.visitor = visitor
        self.principal: Principal = visitor.principal


class KeyRing:
    """The keys of one server, found by their secrets' SHA-256, or by what names them."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, Key] = {}
        # id -> those of this id, in the order of coming: realms may have keys of one name each
        self._by_id: dict[str, list[Key]] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._by_digest.values()))

    def add(self, key: Key) -> None:
        """One more; of two with one secret the later one counts."""
        found = digest(key.secret.reveal())
        before = self._by_digest.get(found)
        if before is not None:
            self.remove(before)
        self._by_digest[found] = key
        self._by_id.setdefault(key.id, []).append(key)

    def remove(self, key: Key) -> None:
        """It opens nothing from now on; what it opened goes on (``Realm.revision`` ends that)."""
        found = digest(key.secret.reveal())
        if self._by_digest.get(found) is not key:
            return
        del self._by_digest[found]
        named = self._by_id[key.id]
        named.remove(key)
        if not named:
            del self._by_id[key.id]

    def by_id(self, id: str) -> Key | None:
        """The key that this names; of several the first. None: there is none.

        Whoever shows an id has proven nothing yet. No other key has the id of one that signs.
        """
        named = self._by_id.get(id)
        return named[0] if named else None

    def signing_secret(self, id: str) -> str | None:
        """What signs the queries of the key that this names; None: nothing does."""
        key = self.by_id(id)
        return key.signing.reveal() if key is not None and key.signing is not None else None

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
