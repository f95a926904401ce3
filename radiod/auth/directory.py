"""Where authentication methods look up who somebody is and what proves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from radiod.core.later import Later
from radiod.core.ports import Permissions

__all__ = ["Credentials", "Directory", "ScramVerifier", "StaticDirectory", "WampcraSecret"]


class WampcraSecret(Struct, frozen=True, kw_only=True):
    """What WAMP-CRA signs with: the password, or the key derived from it with PBKDF2 if ``salt`` is given."""

    secret: str
    salt: str = ""
    iterations: int = 1000
    keylen: int = 32


class ScramVerifier(Struct, frozen=True, kw_only=True):
    """What verifies a SCRAM password without holding it (RFC 5802); ``kdf``: ``argon2id13`` or ``pbkdf2``."""

    kdf: str
    salt: bytes
    iterations: int
    memory: int | None
    stored_key: bytes
    server_key: bytes


class Credentials(Struct, frozen=True, kw_only=True):
    """One user: the role, and for each method what proves the identity (None or empty: not that method).

    ``ticket`` compares a candidate in constant time; ``cryptosign``: 32-byte Ed25519 public keys.
    """

    authid: str
    role: str
    permissions: Permissions
    provider: str = "static"
    ticket: Callable[[str], bool] | None = None
    wampcra: WampcraSecret | None = None
    scram: ScramVerifier | None = None
    cryptosign: tuple[bytes, ...] = ()


class Directory(Protocol):
    """Knows users."""

    def find(
        self, method: str, authid: str | None, details: Mapping[str, Any]
    ) -> Credentials | Later[Credentials | None] | None:
        """The user ``authid`` if there is one who may use ``method``.

        ``authid`` None: look for the owner of ``details["pubkey"]`` (cryptosign). ``details`` is what the
        client told about itself, for directories that ask somebody else.
        """


class StaticDirectory:
    """Users known from the start."""

    def __init__(self, users: Mapping[str, Credentials]) -> None:
        self._users = users
        self._by_pubkey = {key: user for user in users.values() for key in user.cryptosign}

    def find(self, method: str, authid: str | None, details: Mapping[str, Any]) -> Credentials | None:
        """As ``Directory.find``, at once."""
        if authid is None:
            return self._by_pubkey.get(details.get("pubkey", b""))
        user = self._users.get(authid)
        return user if user is not None and getattr(user, method.replace("wamp-", "")) else None
