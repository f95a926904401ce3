"""What HELLO asks with, and what a CHALLENGE is answered with."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from radiod_client.errors import LoginRefused

__all__ = ["Login", "key_bytes"]


class Login(Struct, frozen=True):
    """Who we are: nobody, or somebody with a ticket, a secret (WAMP-CRA), or a key (cryptosign)."""

    realm: str
    authid: str | None = None
    ticket: str | None = None
    secret: str | None = None
    private_key: bytes | None = None

    def __repr__(self) -> str:
        return f"Login({self.realm!r}, {self.authid!r})"

    @property
    def methods(self) -> list[str]:
        """What we can answer."""
        known = {"ticket": self.ticket, "wampcra": self.secret, "cryptosign": self.private_key}
        return [name for name, what in known.items() if what is not None] or ["anonymous"]

    def details(self) -> dict[str, Any]:
        """Of HELLO."""
        found: dict[str, Any] = {"authmethods": self.methods}
        if self.authid is not None:
            found["authid"] = self.authid
        if self.private_key is not None:
            found["authextra"] = {"pubkey": _signer(self.private_key)[0]}
        return found

    def answer(self, method: str, extra: dict[str, Any]) -> str:
        """To a CHALLENGE. Raises: LoginRefused: there is none."""
        if method == "ticket" and self.ticket is not None:
            return self.ticket
        if method == "wampcra" and self.secret is not None:
            return _sign(self.secret, extra)
        if method == "cryptosign" and self.private_key is not None:
            challenge = bytes.fromhex(str(extra.get("challenge", "")))
            return (_signer(self.private_key)[1](challenge) + challenge).hex()
        raise LoginRefused("wamp.error.no_matching_auth_method", f"the server asks for {method}")


def _sign(secret: str, extra: dict[str, Any]) -> str:
    key = secret.encode()
    if "salt" in extra:
        iterations, length = int(extra.get("iterations", 1000)), int(extra.get("keylen", 32))
        if not (0 < iterations <= 1_000_000 and 0 < length <= 1024):
            raise LoginRefused("wamp.error.authentication_failed", "a challenge beyond all measure")
        key = base64.b64encode(
            hashlib.pbkdf2_hmac("sha256", key, str(extra["salt"]).encode(), iterations, length)
        )
    signature = hmac.new(key, str(extra.get("challenge", "")).encode(), hashlib.sha256)
    return base64.b64encode(signature.digest()).decode()


def key_bytes(key: str | bytes) -> bytes:
    """A private key of Ed25519: 32 bytes, or 64 hexadecimal digits. Raises: ValueError: it is none."""
    raw = key if isinstance(key, bytes) else bytes.fromhex(key)
    if len(raw) != 32:
        raise ValueError("private_key: expected 32 bytes, or 64 hexadecimal digits")
    _signer(raw)
    return raw


def _signer(key: bytes) -> tuple[str, Callable[[bytes], bytes]]:
    """The public key in hexadecimal digits, and what signs."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    except ImportError:
        raise ValueError("private_key needs the package cryptography: radiod-client[cryptosign]") from None
    private = Ed25519PrivateKey.from_private_bytes(key)
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex(), private.sign
