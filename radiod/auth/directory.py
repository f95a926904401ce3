"""Where authentication methods look up who somebody is and what proves it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from msgspec import Struct

from radiod.core.promises import Promise, chain
from radiod.core.rights import Permissions, Principal

__all__ = [
    "MANAGED",
    "STATIC",
    "Credentials",
    "Directory",
    "DynamicDirectory",
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

    ``ticket`` compares a candidate in constant time; ``cryptosign``: 32-byte Ed25519 public keys. A directory
    that was asked for method ``ticket`` and answers without ``ticket`` has checked the ticket itself.
    """

    authid: str
    role: str
    permissions: Permissions
    provider: str = STATIC
    ticket: Callable[[str], bool] | None = None
    wampcra: WampcraSecret | None = None
    scram: ScramVerifier | None = None
    cryptosign: tuple[bytes, ...] = ()

    def principal(self, method: str, authextra: dict[str, Any] | None = None) -> Principal:
        """This user, who has proved to be it by ``method``."""
        return Principal(
            authid=self.authid,
            authrole=self.role,
            authmethod=method,
            authprovider=self.provider,
            permissions=self.permissions,
            authextra=authextra,
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


class StaticDirectory:
    """Users known from the start."""

    def __init__(self, users: Mapping[str, Credentials]) -> None:
        self.users: Final = users
        self._by_pubkey = {key: user for user in users.values() for key in user.cryptosign}

    def find(self, method: str, authid: str | None, details: Mapping[str, Any]) -> Credentials | None:
        """As ``Directory.find``, at once. Nobody is found without a proof to compare with."""
        if authid is None:
            return self._by_pubkey.get(details["pubkey"]) if method == "cryptosign" else None
        user = self.users.get(authid)
        return user if user is not None and getattr(user, PROOFS[method]) else None


class DynamicDirectory:
    """Users known from the start, and those whom somebody else knows.

    The authid of a user known from the start is nobody else's, by whatever method.

    Args:
        methods: those for which somebody else is asked.
        learn: is shown each user who was found there.
    """

    def __init__(
        self,
        known: StaticDirectory,
        others: Directory,
        methods: Collection[str],
        learn: Callable[[Credentials], None],
    ) -> None:
        self._known = known
        self._others = others
        self._methods = methods
        self._learn = learn

    def find(
        self, method: str, authid: str | None, details: Mapping[str, Any]
    ) -> Credentials | Promise[Credentials | None] | None:
        """As ``Directory.find``."""
        known = self._known.find(method, authid, details)
        if known is not None or authid in self._known.users or method not in self._methods:
            return known
        found: Any = self._others.find(method, authid, details)
        return chain(found, self._show)

    def _show(self, user: Credentials | None) -> Credentials | None:
        if user is not None:
            self._learn(user)
        return user
