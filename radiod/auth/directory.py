"""Where authentication methods look up who somebody is and what proves it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from radiod.core.holders import Holder
from radiod.core.promises import Promise, chain
from radiod.core.rights import Permissions, Principal

__all__ = [
    "MANAGED",
    "STATIC",
    "Credentials",
    "Directory",
    "DynamicDirectory",
    "Known",
    "OrderedDirectory",
    "ScramVerifier",
    "StaticDirectory",
    "WampcraSecret",
]


STATIC: Final = "static"
"""The provider of users and keys of the configuration."""

MANAGED: Final = "managed"
"""The provider of those that were added at run time."""


class WampcraSecret(Struct, frozen=True, kw_only=True):
    """What WAMP-CRA signs with: ``secret``, or the key that PBKDF2 makes of it if ``salt`` is given.

    ``secret`` is the password itself, also with a salt: the server derives the key, as the client does.
    """

    secret: str
    salt: str = ""
    iterations: int = 1000
    keylen: int = 32


class ScramVerifier(Struct, frozen=True, kw_only=True):
    """What verifies a SCRAM password without holding it (RFC 5802); ``kdf``: ``argon2id13`` or ``pbkdf2``.

    ``memory`` in KiB, for argon2id13 alone; keys of 32 bytes. Made by ``scram.make_scram`` for one dialect.
    """

    kdf: str
    salt: bytes
    iterations: int
    memory: int | None
    stored_key: bytes
    server_key: bytes


class Credentials(Struct, frozen=True, kw_only=True):
    """One user: the role, and for each method what proves the identity (None or empty: not that method).

    ``ticket`` compares a candidate in constant time, perhaps later; ``cryptosign``: 32-byte Ed25519 public
    keys. A directory that was asked for method ``ticket`` and answers without ``ticket`` has checked the
    ticket itself. ``memberships``, ``holder``: as a ``Principal`` has them.
    """

    authid: str
    role: str
    permissions: Permissions
    provider: str = STATIC
    ticket: Callable[[str], bool | Promise[bool]] | None = None
    wampcra: WampcraSecret | None = None
    scram: ScramVerifier | None = None
    cryptosign: tuple[bytes, ...] = ()
    memberships: tuple[str, ...] = ()
    holder: Holder | None = None

    def principal(self, method: str, authextra: dict[str, Any] | None = None) -> Principal:
        """This user, who has proved to be it by ``method``."""
        return Principal(
            authid=self.authid,
            authrole=self.role,
            authmethod=method,
            authprovider=self.provider,
            permissions=self.permissions,
            authextra=authextra,
            memberships=self.memberships,
            holder=self.holder,
        )


PROOFS: Final = {
    "ticket": "ticket",
    "wampcra": "wampcra",
    "wamp-scram": "scram",
    "scram": "scram",
    "cryptosign": "cryptosign",
}
"""Authentication method -> the field of ``Credentials`` that it needs."""


class Directory(Protocol):
    """Knows users."""

    def find(
        self, method: str, authid: str | None, details: Mapping[str, Any]
    ) -> Credentials | Promise[Credentials | None] | None:
        """The user ``authid`` if there is one who may use ``method``.

        ``authid`` None, for cryptosign alone: look for the owner of ``details["pubkey"]`` (32 bytes).
        ``details`` is what the client told about itself, for directories that ask somebody else.
        Raises: Denied: nobody can be found at the moment.
        """


class Known(Protocol):
    """Knows users, and tells at once."""

    def find(self, method: str, authid: str | None, details: Mapping[str, Any]) -> Credentials | None:
        """As ``Directory.find``."""

    def __contains__(self, authid: str | None) -> bool:
        """Whether somebody here has that name, which is nobody else's then, by whatever method."""


class StaticDirectory:
    """The configuration's users."""

    def __init__(self, users: Mapping[str, Credentials]) -> None:
        self.know(users)

    def know(self, users: Mapping[str, Credentials]) -> None:
        """These are all users from now on."""
        self.users = users
        self._by_pubkey = {key: user for user in users.values() for key in user.cryptosign}

    def find(self, method: str, authid: str | None, details: Mapping[str, Any]) -> Credentials | None:
        """As ``Directory.find``, at once. Nobody is found without a proof to compare with."""
        if authid is None:
            return self._by_pubkey.get(details["pubkey"]) if method == "cryptosign" else None
        user = self.users.get(authid)
        return user if user is not None and getattr(user, PROOFS[method]) else None

    def __contains__(self, authid: str | None) -> bool:
        """As ``Known.__contains__``."""
        return authid in self.users


class OrderedDirectory:
    """Several, one before the other: the configuration's users, then those who were added."""

    def __init__(self, *known: Known) -> None:
        self._known = known

    def find(self, method: str, authid: str | None, details: Mapping[str, Any]) -> Credentials | None:
        """As ``Known.find``."""
        for each in self._known:
            user = each.find(method, authid, details)
            if user is not None or authid in each:
                return user
        return None

    def __contains__(self, authid: str | None) -> bool:
        """As ``Known.__contains__``."""
        return any(authid in each for each in self._known)


class DynamicDirectory:
    """Users known here, and those whom somebody else knows.

    The authid of a user known here is nobody else's, by whatever method.

    Args:
        methods: those for which somebody else is asked.
        learn: is shown each user who was found there.
        holder_of: whoever has this authid there; None: they are no holders.
    """

    def __init__(
        self,
        known: Known,
        others: Directory,
        methods: Collection[str],
        learn: Callable[[Credentials], None],
        holder_of: Callable[[str], Holder] | None = None,
    ) -> None:
        self._known = known
        self._others = others
        self._methods = methods
        self._learn = learn
        self._holder_of = holder_of

    def find(
        self, method: str, authid: str | None, details: Mapping[str, Any]
    ) -> Credentials | Promise[Credentials | None] | None:
        """As ``Directory.find``."""
        known = self._known.find(method, authid, details)
        if known is not None or authid in self._known or method not in self._methods:
            return known
        found: Any = self._others.find(method, authid, details)
        return chain(found, self._show)

    def _show(self, user: Credentials | None) -> Credentials | None:
        if user is None:
            return None
        self._learn(user)
        return user if self._holder_of is None else replace(user, holder=self._holder_of(user.authid))
