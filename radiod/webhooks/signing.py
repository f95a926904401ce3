"""The signature of Standard Webhooks 1.0: HMAC-SHA256 over id, time and body.

Source: Standard Webhooks specification 1.0, "Signature scheme".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

__all__ = ["PREFIX", "Signer", "key_of"]

PREFIX: Final = "whsec_"
VERSION: Final = "v1"


def key_of(secret: str) -> bytes:
    """The key behind ``whsec_`` and its base64. Raises: ValueError: it is none; the secret is not told."""
    text = secret.removeprefix(PREFIX)
    try:
        if text == secret:
            raise ValueError
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"no secret: it is {PREFIX} and base64") from None


class Signer:
    """Signs with one secret, or with two of which receivers may know either.

    Args:
        secrets: as ``key_of`` takes them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._keys = [key_of(secret) for secret in secrets]

    def signature(self, id: str, seconds: int, body: bytes) -> str:
        """``webhook-signature`` of a try at ``seconds`` since 1970: one word for each secret."""
        signed = b"%b.%d.%b" % (id.encode(), seconds, body)
        return " ".join(_word(key, signed) for key in self._keys)


def _word(key: bytes, signed: bytes) -> str:
    digest = hmac.digest(key, signed, hashlib.sha256)
    return f"{VERSION},{base64.b64encode(digest).decode()}"
