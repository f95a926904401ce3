"""Authentication method ``wampcra``: a signed challenge (WAMP, "Challenge Response Authentication").

The client signs the challenge's text with HMAC-SHA256, under its password, or with a salt under the key
base64(PBKDF2-HMAC-SHA256(password, salt, iterations, keylen)). The server has the password, and makes the
same key of it once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any, Final

from radiod.auth.directory import Credentials, Directory, WampcraSecret
from radiod.auth.unknown_users import UnknownUsers
from radiod.core.ids import Ids
from radiod.core.promises import Promise, chain
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import AuthChallenge
from radiod.core.timers import Clock
from radiod.errors import AUTHENTICATION_DENIED, Denied
from radiod.wire.options import HelloDetails

__all__ = ["WampCra", "derive_key", "sign"]

MAX_KEYS: Final = 10_000
"""Derived keys remembered; the oldest goes first."""


class WampCra:
    """Asks for the signature of the authid in HELLO.

    The keys of ``decoys.users`` are derived here and now: PBKDF2 at each login would let strangers keep the
    server busy. Those of other users are derived at their first login, and remembered.
    """

    method: Final = "wampcra"

    def __init__(self, directory: Directory, decoys: UnknownUsers, clock: Clock, ids: Ids) -> None:
        self._directory = directory
        self._decoys = decoys
        self._clock = clock
        self._ids = ids
        self._keys: dict[WampcraSecret, bytes] = {}
        for user in decoys.users:
            if user.wampcra is not None:
                self._key(user.wampcra)

    def begin(self, details: HelloDetails) -> Principal | AuthChallenge | Promise[Principal | AuthChallenge]:
        """Ask, whoever it is: unknown users are refused only with their answer, in the same words."""
        authid = details.authid or ""
        found = self._directory.find(self.method, authid, details.authextra or {}) if authid else None
        return chain(found, lambda user: self._ask(authid, user))

    def _ask(self, authid: str, user: Credentials | None) -> AuthChallenge:
        if user is not None and user.wampcra is not None:
            shown, secret = user, user.wampcra
            key = self._key(secret)
        else:
            shown, secret = self._decoys.wampcra(authid)
            key = secret.secret.encode()  # random enough; deriving one would cost time and a place
        session = self._ids.next()
        challenge = self._challenge(shown, session)
        expected = sign(key, challenge)

        def answer(signature: str, extra: dict[str, Any]) -> Principal:
            is_right = hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))
            if not is_right or shown is not user:
                raise Denied(AUTHENTICATION_DENIED, "unknown authid or wrong signature")
            return shown.principal(self.method)

        extra = {"challenge": challenge, **_salting(secret)}
        return AuthChallenge(extra=extra, answer=answer, session=session)

    def _challenge(self, user: Credentials, session: int) -> str:
        """The text to sign, for the session of this id."""
        role, provider = self._decoys.told(user)
        moment = datetime.fromtimestamp(self._clock.time(), UTC)
        return json.dumps(
            {
                "authid": user.authid,
                "authrole": role,
                "authmethod": self.method,
                "authprovider": provider,
                "session": session,
                "nonce": self._ids.secret(),
                "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            }
        )

    def _key(self, secret: WampcraSecret) -> bytes:
        key = self._keys.get(secret)
        if key is None:
            if len(self._keys) >= MAX_KEYS:
                del self._keys[next(iter(self._keys))]
            key = self._keys[secret] = derive_key(secret)
        return key


def _salting(secret: WampcraSecret) -> dict[str, Any]:
    if not secret.salt:
        return {}
    return {"salt": secret.salt, "iterations": secret.iterations, "keylen": secret.keylen}


def derive_key(secret: WampcraSecret) -> bytes:
    """What both sides sign with. Costs ``iterations`` rounds of SHA-256 if salted."""
    password = secret.secret.encode("utf-8", "surrogatepass")
    if not secret.salt:
        return password
    salt = secret.salt.encode("utf-8", "surrogatepass")
    return base64.b64encode(hashlib.pbkdf2_hmac("sha256", password, salt, secret.iterations, secret.keylen))


def sign(key: bytes, challenge: str) -> bytes:
    """The signature that AUTHENTICATE carries, in base64."""
    return base64.b64encode(hmac.digest(key, challenge.encode(), "sha256"))
