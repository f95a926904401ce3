"""Who may log in to one realm, of those who may come and go at run time: users, and the holders of keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from radiod.auth.directory import PROOFS, Credentials
from radiod.auth.keys import Key, KeyRing
from radiod.errors import AUTHENTICATION_FAILED, Denied, NoAccess

__all__ = ["Members"]


class Members:
    """A ``Directory`` of one realm.

    ``on_change``: called when other methods may be of use than before; ``on_user``: shown each user.
    """

    def __init__(self, realm: str, ring: KeyRing) -> None:
        self._realm = realm
        self._ring = ring
        self._users: dict[str, Credentials] = {}
        self._by_pubkey: dict[bytes, Credentials] = {}
        # Field of Credentials -> how many users have it.
        self._proofs: Counter[str] = Counter()
        self.on_change: Callable[[], object] = _nobody
        self.on_user: Callable[[Credentials], object] = lambda user: None

    def __contains__(self, authid: str | None) -> bool:
        """Whether a user, or a key, has this name."""
        return authid is not None and (authid in self._users or self._key(authid) is not None)

    @property
    def has_tickets(self) -> bool:
        """Whether the ticket of some user takes time to check."""
        return self._proofs["ticket"] > 0

    def can_use(self, method: str) -> bool:
        """Whether there is anybody now who could log in so."""
        return self._proofs[PROOFS[method]] > 0 or (method == "ticket" and self._ring.has_any(self._realm))

    def owner(self, pubkey: bytes) -> str | None:
        """The authid whose public key that is; None: nobody's."""
        found = self._by_pubkey.get(pubkey)
        return found.authid if found is not None else None

    def put(self, user: Credentials) -> None:
        """There is this user now, in the place of one of this authid."""
        self._remove(user.authid)
        self._users[user.authid] = user
        self._by_pubkey.update(dict.fromkeys(user.cryptosign, user))
        self._proofs.update(_proofs(user))
        self.on_user(user)
        self.on_change()

    def remove(self, authid: str) -> None:
        """There is no such user any more, if there was one."""
        self._remove(authid)
        self.on_change()

    def _remove(self, authid: str) -> None:
        gone = self._users.pop(authid, None)
        if gone is not None:
            self._proofs.subtract(_proofs(gone))
            for pubkey in gone.cryptosign:
                self._by_pubkey.pop(pubkey, None)

    def find(self, method: str, authid: str | None, details: Mapping[str, Any]) -> Credentials | None:
        """As ``Directory.find``, at once."""
        if authid is None:
            return self._by_pubkey.get(details["pubkey"]) if method == "cryptosign" else None
        key = self._key(authid)
        if key is not None:
            return self._holder(key) if method == "ticket" else None
        user = self._users.get(authid)
        return user if user is not None and getattr(user, PROOFS[method]) else None

    def _key(self, id: str) -> Key | None:
        return self._ring.of_realm(id, self._realm)

    def _holder(self, key: Key) -> Credentials:
        def opens(secret: str) -> bool:
            try:
                return self._ring.find(secret) is key
            except NoAccess as refusal:
                raise Denied(AUTHENTICATION_FAILED, f"{refusal.text}: {refusal.reason}") from None

        principal = key.principal
        return Credentials(
            authid=key.id,
            role=principal.authrole,
            permissions=principal.permissions,
            provider=principal.authprovider,
            ticket=opens,
            memberships=principal.memberships,
            holder=key.holder,
        )


def _proofs(user: Credentials) -> list[str]:
    return [proof for proof in set(PROOFS.values()) if getattr(user, proof)]


def _nobody() -> None:
    """Nobody minds."""
