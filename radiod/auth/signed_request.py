"""Signed queries, as Crossbar.io's HTTP bridge has them: a request proves that its sender has a secret.

``?key&timestamp&seq&nonce&signature``: the signature is URL-safe base64 (with padding) of the HMAC-SHA256 of
key, timestamp, seq, nonce and body, one behind the other. Unlike there, no request counts twice. Order of
checks, statuses and texts are Crossbar's, but for one text: an unknown key and a wrong signature look alike.
Source: Crossbar.io's documentation, "HTTP Bridge Publisher", "Making requests".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from radiod.auth.replays import Replays
from radiod.errors import BadSignedRequest

__all__ = ["FRESH_S", "SignedRequests"]

FRESH_S: Final = 300.0
"""Seconds that a timestamp may be away from now, before or after it."""

_TIMESTAMP: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{1,6})Z", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,32}", re.ASCII)

# What an unknown key is checked with, so that it takes as long as a known one.
_NOBODYS: Final = "nobody's secret"

_FORM: Final = "must be UTC/ISO-8601, e.g. '2011-10-14T16:59:51.123Z'"


UNPROVEN: Final = "REST bridge signature secret not valid."
EXPIRED: Final = "Request expired, too old timestamp."
REPEATED: Final = "Request was sent before, or is too old to know whether it was."


class SignedRequests:
    """Checks the signed queries of one server.

    Args:
        secret_of: the signing secret of the key that an id names; None: there is none.
        replays: what remembers the requests that came.
    """

    def __init__(self, secret_of: Callable[[str], str | None], replays: Replays | None = None) -> None:
        self._secret_of = secret_of
        self._replays = Replays(FRESH_S) if replays is None else replays

    def check(self, query: Mapping[str, str], body: bytes, now: float) -> str:
        """A request comes: it counts once.

        Args:
            query: the query's parameters, decoded; of one that is there twice the first, as in Crossbar.
            body: what was signed.
            now: seconds since 1970.
        Returns: the id of the key that signed it.
        Raises: BadSignedRequest: 400: something is missing or malformed, or it is too old; 401: unknown key,
            wrong signature, or it came before.
        """
        key = _field(query, "key")
        timestamp, at = _timestamp(query, now)
        seq = _integer(query, "seq", "sequence number")
        nonce = _integer(query, "nonce", "nonce")
        signature = _field(query, "signature")
        # Joined as it is signed: digits that move from seq to nonce leave the signature as it was.
        told = f"{key}{timestamp}{seq}{nonce}".encode("utf-8", "surrogatepass")
        self._check_signature(key, signature, told, body)
        if not self._replays.is_new(key, at, told, now):
            raise BadSignedRequest(401, REPEATED)
        return key

    def _check_signature(self, key: str, signature: str, told: bytes, body: bytes) -> None:
        secret = self._secret_of(key)
        known = secret is not None
        expected = _signature(secret if secret is not None else _NOBODYS, told, body)
        is_right = hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))
        if not (known and is_right):
            raise BadSignedRequest(401, UNPROVEN, is_guess=True)


def _signature(secret: str, told: bytes, body: bytes) -> bytes:
    signer = hmac.new(secret.encode(), told, hashlib.sha256)
    signer.update(body)
    return base64.urlsafe_b64encode(signer.digest())


def _field(query: Mapping[str, str], name: str, reason: str = "'{}' field missing") -> str:
    value = query.get(name)
    if value is None:
        what = f"missing mandatory field - {reason.format(name)}"
        raise BadSignedRequest(400, f"REST bridge signature was invalid ({what}).")
    return value


def _timestamp(query: Mapping[str, str], now: float) -> tuple[str, float]:
    """The timestamp, and its seconds since 1970."""
    value = _field(query, "timestamp", "signed request required, but mandatory '{}' field missing")
    at = _seconds(value)
    if at is None:
        raise _malformed(f"invalid timestamp '{value[:64]}' ({_FORM})")
    if abs(at - now) > FRESH_S:
        raise BadSignedRequest(400, EXPIRED)
    return value, at


def _seconds(timestamp: str) -> float | None:
    parts = _TIMESTAMP.fullmatch(timestamp)
    if parts is None:
        return None
    year, month, day, hour, minute, second = map(int, parts.groups()[:6])
    try:
        date = datetime(year, month, day, hour, minute, second, int(parts[7].ljust(6, "0")), UTC)
    except ValueError:
        return None
    return date.timestamp()


def _integer(query: Mapping[str, str], name: str, called: str) -> str:
    value = _field(query, name)
    if not _INTEGER.fullmatch(value):
        raise _malformed(f"invalid {called} '{value[:64]}' (must be an integer)")
    return value


def _malformed(reason: str) -> BadSignedRequest:
    return BadSignedRequest(400, f"REST bridge signature was invalid ({reason}).")
