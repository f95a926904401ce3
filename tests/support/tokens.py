"""Listen tokens as their holders sign them, by hand: no library that the server uses."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

__all__ = ["PEN", "encoded", "sign", "token"]

PEN = "pen-of-sample-0123456789abcdef-0123"
"""The signing secret of the key ``sample`` in ``support.access.KEYS``."""


def encoded(part: Any) -> str:
    """Base64 for URLs, without what fills it up, of bytes or of JSON."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(header: Any, claims: Any, secret: str = PEN, algorithm: str = "sha256") -> str:
    """A token of exactly this."""
    told = f"{encoded(header)}.{encoded(claims)}"
    return f"{told}.{encoded(hmac.new(secret.encode(), told.encode(), algorithm).digest())}"


def token(*listen: str, secret: str = PEN, kid: Any = "sample", ttl: float = 600, **claims: Any) -> str:
    """A token of the key ``sample``; a claim that is None is left out."""
    told = {"exp": int(time.time() + ttl), "listen": list(listen), **claims}
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    return sign(header, {name: value for name, value in told.items() if value is not None}, secret)
