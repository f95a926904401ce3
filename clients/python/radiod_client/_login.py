"""What HELLO asks with, and what a CHALLENGE is answered with."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from radiod_client._scram import Exchange, make_nonce
from radiod_client.errors import LoginRefused

__all__ = ["Attempt", "Login", "key_bytes"]


class Login(Struct, frozen=True):
    """Who we are: nobody, or somebody with a ticket, a secret (WAMP-CRA), a password (SCRAM), or a key."""

    realm: str
    authid: str | None = None
    ticket: str | None = None
    secret: str | None = None
    password: str | None = None
    private_key: bytes | None = None
    salted: dict[Any, bytes] = field(default_factory=dict)
    """What the password became."""

    def __repr__(self) -> str:
        return f"Login({self.realm!r}, {self.authid!r})"

    @property
    def methods(self) -> list[str]:
        """What we can answer."""
        known = {
            "ticket": self.ticket,
            "wampcra": self.secret,
            "wamp-scram": self.password,
            "cryptosign": self.private_key,
        }
        return [name for name, what in known.items() if what is not None] or ["anonymous"]

    def attempt(self) -> Attempt:
        """One login: each session's has secrets of its own."""
        return Attempt(self)


class Attempt:
    """From HELLO to WELCOME."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._scram = (
            None
            if login.password is None
            else Exchange(login.authid or "", login.password, make_nonce(), login.salted)
        )

    def details(self) -> dict[str, Any]:
        """Of HELLO."""
        login = self._login
        found: dict[str, Any] = {"authmethods": login.methods}
        extra = {}
        if login.authid is not None:
            found["authid"] = login.authid
        if login.private_key is not None:
            extra["pubkey"] = _signer(login.private_key)[0]
        if self._scram is not None:
            extra["nonce"] = self._scram.nonce
        return {**found, "authextra": extra} if extra else found

    def answer(self, method: str, extra: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """To a CHALLENGE: the signature and what goes with it. Raises: LoginRefused: there is none."""
        login = self._login
        if method == "ticket" and login.ticket is not None:
            return login.ticket, {}
        if method == "wampcra" and login.secret is not None:
            return _sign(login.secret, extra), {}
        if method == "wamp-scram" and self._scram is not None:
            return self._scram.answer(extra)
        if method == "cryptosign" and login.private_key is not None:
            challenge = bytes.fromhex(str(extra.get("challenge", "")))
            return (_signer(login.private_key)[1](challenge) + challenge).hex(), {}
        raise LoginRefused("wamp.error.no_matching_auth_method", f"the server asks for {method}")

    def check(self, welcome: dict[str, Any]) -> None:
        """Whether the server, too, knows the password. Raises: LoginRefused: it does not."""
        if self._scram is not None and welcome.get("authmethod") == "wamp-scram":
            self._scram.check(welcome.get("authextra"))


def _sign(secret: str, extra: dict[str, Any]) -> str:
    key = secret.encode()
    if "salt" in extra:
        iterations, length = extra.get("iterations", 1000), extra.get("keylen", 32)
        if not (isinstance(iterations, int) and isinstance(length, int)):
            raise LoginRefused("wamp.error.authentication_failed", "a challenge without numbers")
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
