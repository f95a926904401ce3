"""API keys: who publishes, listens and calls, and what it shows to prove that.

A key is what opens doors; its secrets are known here by their SHA-256 alone, and there may be several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec.structs import replace

from radiod.core.disclosure import Visitor
from radiod.core.holders import Holder
from radiod.core.ids import digest
from radiod.core.realm.realm import Realm
from radiod.core.rights import Permissions, Principal
from radiod.errors import NOT_AUTHORIZED, NoAccess, WrongSecret

__all__ = ["Key", "KeyRing", "SigningSecret"]


class SigningSecret(Protocol):
    """What a key signs with; ``radiod.secret.Secret`` is one."""

    def reveal(self) -> str:
        """The secret itself: HMAC needs it."""


class Key:
    """One key: the realm that it is for, and who its holder is there. ``visitor``: who it acts as.

    Args:
        id: what names it, and is no secret.
        signing: the secret that signs its queries and tokens; None: it signs none.
    """

    __slots__ = ("holder", "id", "realm", "signing", "visitor")

    def __init__(
        self,
        id: str,
        realm: Realm,
        visitor: Visitor,
        *,
        signing: SigningSecret | None = None,
    ) -> None:
        holder = visitor.principal.holder
        assert holder is not None
        self.id = id
        self.realm = realm
        self.visitor = visitor
        self.holder: Holder = holder
        self.signing = signing

    def __repr__(self) -> str:
        return f"<Key {self.id}>"

    @property
    def principal(self) -> Principal:
        """Who its holder is in the realm."""
        return self.visitor.principal

    def grant(self, permissions: Permissions, memberships: tuple[str, ...] = ()) -> None:
        """Whoever comes with it from now on has these rights; ``Realm.revision`` gives them to the others.

        ``memberships``: as a ``Principal`` has them.
        """
        self.visitor.principal = replace(
            self.visitor.principal, permissions=permissions, memberships=memberships
        )

    def check(self, origin: str | None, address: str | None) -> None:
        """As ``Holder.check``. Raises: NoAccess."""
        self.holder.check(origin, address)


class Entry:
    """One secret of a key. ``is_over``: it opened it once; ``is_used``: it did since that was last told."""

    __slots__ = ("digest", "is_over", "is_used", "key")

    def __init__(self, digest: bytes, key: Key) -> None:
        self.digest = digest
        self.key = key
        self.is_over = False
        self.is_used = False


class KeyRing:
    """The keys of one server, found by their secrets' SHA-256, or by what names them.

    ``is_mistyped``: whether a text can be nobody's secret, which saves looking. ``on_realm``: told the name
    of each realm when it has its first key.
    """

    def __init__(self, is_mistyped: Callable[[str], bool] = lambda secret: False) -> None:
        self._is_mistyped = is_mistyped
        self._by_digest: dict[bytes, Entry] = {}
        # id -> those of this id, in the order of coming: realms may have keys of one name each
        self._by_id: dict[str, list[Key]] = {}
        # Entries that were used since ``take_used``.
        self._used: list[Entry] = []
        # Names of realms that have keys.
        self._realms: set[str] = set()
        self.on_realm: Callable[[str], object] = lambda realm: None

    def __len__(self) -> int:
        """How many keys there are."""
        return sum(map(len, self._by_id.values()))

    def __iter__(self) -> Iterator[Key]:
        return iter([key for named in self._by_id.values() for key in named])

    # --- what there is

    def add(self, key: Key, *digests: bytes) -> None:
        """One more key, which secrets with these digests open."""
        self._by_id.setdefault(key.id, []).append(key)
        for each in digests:
            self.open(each, key)
        if key.realm.name not in self._realms:
            self._realms.add(key.realm.name)
            self.on_realm(key.realm.name)

    def remove(self, key: Key) -> None:
        """There is no such key any more; its secrets are to be forgotten one by one."""
        named = self._by_id.get(key.id, [])
        if key in named:
            named.remove(key)
        if not named:
            self._by_id.pop(key.id, None)
        realm = key.realm.name
        if not any(each.realm.name == realm for keys in self._by_id.values() for each in keys):
            self._realms.discard(realm)
            self.on_realm(realm)

    def open(self, digest: bytes, key: Key) -> None:
        """One more secret opens the key; of two keys with one secret the later one counts."""
        self._by_digest[digest] = Entry(digest, key)

    def close(self, digest: bytes) -> None:
        """A secret opens its key no more: whoever shows it is told that it was rotated."""
        entry = self._by_digest.get(digest)
        if entry is not None:
            entry.is_over = True

    def forget(self, digest: bytes) -> None:
        """Nobody has heard of this secret any more."""
        self._by_digest.pop(digest, None)

    def has_any(self, realm: str) -> bool:
        """Whether this realm has any key."""
        return realm in self._realms

    def owner(self, digest: bytes) -> Key | None:
        """The key that the secret with this digest opens, or opened; None: there is none."""
        entry = self._by_digest.get(digest)
        return entry.key if entry is not None else None

    # --- who asks

    def by_id(self, id: str) -> Key | None:
        """The key that this names; of several the first. None: there is none.

        Whoever shows an id has proven nothing yet. No other key has the id of one that signs.
        """
        named = self._by_id.get(id)
        return named[0] if named else None

    def named(self, id: str) -> tuple[Key, ...]:
        """All keys that this names, one of each realm at most. It proves nothing, either."""
        return tuple(self._by_id.get(id, ()))

    def of_realm(self, id: str, realm: str) -> Key | None:
        """The key of this realm that this names; None: there is none. It proves nothing, either."""
        return next((key for key in self._by_id.get(id, ()) if key.realm.name == realm), None)

    def signing_secret(self, id: str) -> str | None:
        """What signs the queries of the key that this names; None: nothing does."""
        key = self.by_id(id)
        return key.signing.reveal() if key is not None and key.signing is not None else None

    def find(self, secret: str) -> Key | None:
        """The key with this secret; None: there is none. Whether it is let in, ``Key.check`` tells.

        Raises: NoAccess: ``rotated``: it had this secret once.
        """
        if self._is_mistyped(secret):
            return None
        entry = self._by_digest.get(digest(secret))
        if entry is None:
            return None
        if entry.is_over:
            raise NoAccess("rotated")
        if not entry.is_used:
            entry.is_used = True
            self._used.append(entry)
        return entry.key

    def get(self, secret: str) -> Key:
        """The same. Raises: WrongSecret: there is none."""
        key = self.find(secret)
        if key is None:
            raise WrongSecret(NOT_AUTHORIZED, "API-KEY not valid")
        return key

    def take_used(self) -> list[bytes]:
        """Digests of the secrets that were used since this was asked last."""
        used, self._used = self._used, []
        for entry in used:
            entry.is_used = False
        return [entry.digest for entry in used]
