"""API keys: who publishes, listens and calls, and what it shows to prove that.

A key is what opens doors; its secrets are known here by their SHA-256 alone, and there may be several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from msgspec.structs import replace

from radiod.core.disclosure import Visitor
from radiod.core.holders import Holder
from radiod.core.ids import digest
from radiod.core.realm.realm import Realm
from radiod.core.rights import Permissions, Principal
from radiod.errors import NOT_AUTHORIZED, NoAccess, WrongSecret
from radiod.wire.doors import usual_origin
from radiod.wire.forwarded import Proxies

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
        origins: of the pages that may use it; none: any page, and whatever is no page.
        addresses: networks from which it may be used, and ``unix``; none: from anywhere.
    """

    __slots__ = ("_networks", "_origins", "holder", "id", "realm", "signing", "visitor")

    def __init__(
        self,
        id: str,
        realm: Realm,
        visitor: Visitor,
        *,
        signing: SigningSecret | None = None,
        origins: Iterable[str] = (),
        addresses: Iterable[str] = (),
    ) -> None:
        holder = visitor.principal.holder
        assert holder is not None
        self.id = id
        self.realm = realm
        self.visitor = visitor
        self.holder: Holder = holder
        self.signing = signing
        self.restrict(origins, addresses)

    def __repr__(self) -> str:
        return f"<Key {self.id}>"

    @property
    def principal(self) -> Principal:
        """Who its holder is in the realm."""
        return self.visitor.principal

    def restrict(self, origins: Iterable[str], addresses: Iterable[str]) -> None:
        """From now on it may be used there alone."""
        self._origins = frozenset(map(usual_origin, origins)) or None
        networks = tuple(addresses)
        # Networks are told as those of proxies are.
        self._networks = Proxies(networks) if networks else None

    def grant(self, permissions: Permissions) -> None:
        """Whoever comes with it from now on has these rights (``Realm.revision`` gives them to the others)."""
        self.visitor.principal = replace(self.visitor.principal, permissions=permissions)

    def check(self, origin: str | None, address: str | None) -> None:
        """Whether it is let in now, from there.

        Args:
            origin: of the page that asks, as ``wire.doors.Visit`` has it; None: there is none.
            address: who asks, as text; None: by a unix socket.
        Raises: NoAccess: it is not: ``revoked``, ``suspended``, ``expired``, ``not_yet_valid``, ``origin``,
            ``address``.
        """
        holder = self.holder
        reason = holder.refused or holder.account.refused
        if reason:
            raise NoAccess(reason)
        if self._origins is not None and origin not in self._origins:
            raise NoAccess("origin")
        if self._networks is not None and not self._networks.trust(address):
            raise NoAccess("address")


class Entry:
    """One secret of a key. ``is_over``: it opened the key once; ``is_used``: it did since it was last told."""

    __slots__ = ("digest", "is_over", "is_used", "key")

    def __init__(self, digest: bytes, key: Key) -> None:
        self.digest = digest
        self.key = key
        self.is_over = False
        self.is_used = False


class KeyRing:
    """The keys of one server, found by their secrets' SHA-256, or by what names them.

    ``is_mistyped``: whether a text can be nobody's secret, which saves looking.
    """

    def __init__(self, is_mistyped: Callable[[str], bool] = lambda secret: False) -> None:
        self._is_mistyped = is_mistyped
        self._by_digest: dict[bytes, Entry] = {}
        # id -> those of this id, in the order of coming: realms may have keys of one name each
        self._by_id: dict[str, list[Key]] = {}
        # Entries that were used since ``take_used``.
        self._used: list[Entry] = []

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

    # --- who asks

    def by_id(self, id: str) -> Key | None:
        """The key that this names; of several the first. None: there is none.

        Whoever shows an id has proven nothing yet. No other key has the id of one that signs.
        """
        named = self._by_id.get(id)
        return named[0] if named else None

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
