"""What HELLO asks with, and what a CHALLENGE is answered with."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from msgspec import Struct

from radiod_client.errors import LoginRefused

__all__ = ["Login"]


class Login(Struct, frozen=True):
    """Who we are: nobody, or somebody with a ticket or a secret (WAMP-CRA)."""

    realm: str
    authid: str | None = None
    ticket: str | None = None
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Login({self.realm!r}, {self.authid!r})"

    @property
    def methods(self) -> list[str]:
        """What we can answer."""
        found = [
            name for name, what in (("ticket", self.ticket), ("wampcra", self.secret)) if what is not None
        ]
        return found or ["anonymous"]

    def details(self) -> dict[str, Any]:
        """Of HELLO."""
        return {"authmethods": self.methods, **({"authid": self.authid} if self.authid is not None else {})}

    def answer(self, method: str, extra: dict[str, Any]) -> str:
        """To a CHALLENGE. Raises: LoginRefused: there is none."""
        if method == "ticket" and self.ticket is not None:
            return self.ticket
        if method == "wampcra" and self.secret is not None:
            return _sign(self.secret, extra)
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
