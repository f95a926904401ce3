"""Queries signed as clients of Crossbar's bridge sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from datetime import UTC, datetime
from urllib.parse import urlencode

__all__ = ["KEYS", "signed_query"]

KEYS = """
[realms.radio.keys.station]
key = "key-of-station"
signing = "s3cr3t-of-station"
publish = ["*"]
listen = ["*"]
call = ["*"]
"""
"""A key that signs."""

numbers = itertools.count(1)


def signed_query(body: bytes, secret: str = "s3cr3t-of-station", **changes: str | None) -> str:
    """What stands behind the ``?``; ``changes``: other values, None to leave one out."""
    fields = {
        "key": "station",
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "seq": "1",
        "nonce": str(next(numbers)),
    }
    fields |= {name: value for name, value in changes.items() if value is not None and name != "signature"}
    told = "".join(fields[name] for name in ("key", "timestamp", "seq", "nonce")).encode() + body
    digest = hmac.new(secret.encode(), told, hashlib.sha256).digest()
    fields["signature"] = base64.urlsafe_b64encode(digest).decode()
    wanted = {name: changes.get(name, value) for name, value in fields.items()}
    return urlencode({name: value for name, value in wanted.items() if value is not None})
