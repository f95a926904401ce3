"""WAMP-SCRAM, the client's side: a password that is never sent, and a server that must know it, too.

Source: WAMP specification, "WAMP-SCRAM"; RFC 5802 and RFC 7677, which name what has a capital letter here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from typing import Any

from radiod_client.errors import LoginRefused

__all__ = ["Exchange", "check_password", "make_nonce"]

BINDING = base64.b64encode(b"n,,").decode()
KEY_SIZE = 32
MOST_ITERATIONS = 1_000_000
MOST_MEMORY, MOST_WORK = 1 << 20, 1 << 22
"""KiB of argon2id13, at once and over all iterations: some seconds of a core, once."""
_FORBIDDEN = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class Exchange:
    """One login.

    Args:
        nonce: random, another for each login; base64.
        known: remembers what the password becomes, salted: that takes long, and seldom changes.
    """

    def __init__(self, authid: str, password: str, nonce: str, known: dict[Any, bytes] | None = None) -> None:
        self.nonce = nonce
        self._authid = authid
        self._password = password
        self._proof = ""
        self._known = {} if known is None else known

    def answer(self, challenge: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """To a CHALLENGE: the proof, and the extra of AUTHENTICATE. Raises: LoginRefused: it is none."""
        nonce, salt = challenge.get("nonce"), challenge.get("salt")
        iterations = challenge.get("iterations")
        if not (isinstance(nonce, str) and isinstance(salt, str) and isinstance(iterations, int)):
            raise _refused("a challenge without nonce, salt or iterations")
        if not nonce.startswith(self.nonce) or len(nonce) == len(self.nonce):
            raise _refused("a challenge to somebody else")
        salted = self._salted(str(challenge.get("kdf")), salt, iterations, challenge.get("memory"))
        name = self._authid.replace("=", "=3D").replace(",", "=2C")
        signed = (f"n={name},r={self.nonce},r={nonce},s={salt},i={iterations},c={BINDING},r={nonce}").encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        mask = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(one ^ other for one, other in zip(client_key, mask, strict=True))
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        self._proof = base64.b64encode(hmac.digest(server_key, signed, "sha256")).decode()
        extra = {"nonce": nonce, "channel_binding": None, "cbind_data": None}
        return base64.b64encode(proof).decode(), extra

    def _salted(self, kdf: str, salt: str, iterations: int, memory: Any) -> bytes:
        how = (kdf, salt, iterations, memory)
        if how not in self._known:
            salted = _salted(self._password, *how)
            # The last one only: a server has one.
            self._known.clear()
            self._known[how] = salted
        return self._known[how]

    def check(self, authextra: Any) -> None:
        """The server's own proof, of WELCOME. Raises: LoginRefused: it does not know the password."""
        told = authextra.get("verifier") if isinstance(authextra, dict) else None
        is_right = isinstance(told, str) and hmac.compare_digest(told.encode(), self._proof.encode())
        if not (is_right and self._proof):
            raise _refused("the server does not know the password: it is somebody else")


def _salted(password: str, kdf: str, salt: str, iterations: int, memory: Any) -> bytes:
    """SaltedPassword."""
    secret = _prepared(password).encode()
    try:
        raw = base64.b64decode(salt, validate=True)
    except (binascii.Error, ValueError):
        raise _refused("a salt that is no base64") from None
    if kdf == "pbkdf2" and 0 < iterations <= MOST_ITERATIONS:
        return hashlib.pbkdf2_hmac("sha256", secret, raw, iterations, KEY_SIZE)
    if kdf == "argon2id13" and _is_bearable(raw, iterations, memory):
        try:
            from argon2.low_level import Type, hash_secret_raw
        except ImportError:
            raise _refused("argon2id13 needs the package argon2-cffi: radiod-client[scram]") from None
        return hash_secret_raw(secret, raw, iterations, memory, 1, KEY_SIZE, Type.ID, 0x13)
    raise _refused(f"a challenge beyond all measure: {kdf}, {iterations} iterations, memory {memory}")


def _is_bearable(salt: bytes, iterations: int, memory: Any) -> bool:
    """Whether argon2 takes it, and we do."""
    if not isinstance(memory, int) or len(salt) < 8:
        return False
    return 8 <= memory <= MOST_MEMORY and iterations > 0 and iterations * memory <= MOST_WORK


def make_nonce() -> str:
    """Another each time."""
    return base64.b64encode(secrets.token_bytes(18)).decode()


def check_password(password: str) -> str:
    """The password, as it was given. Raises: ValueError: no server can know it."""
    _prepared(password)
    return password


def _prepared(text: str) -> str:
    """SASLprep (RFC 4013), as a stored string. Raises: ValueError: it is forbidden."""
    spaced = "".join(" " if stringprep.in_table_c12(c) else c for c in text)
    normal = unicodedata.normalize("NFKC", "".join(c for c in spaced if not stringprep.in_table_b1(c)))
    if any(is_forbidden(c) for c in normal for is_forbidden in _FORBIDDEN):
        raise ValueError("password: SASLprep forbids one of the characters")
    if any(map(stringprep.in_table_d1, normal)) and (
        any(map(stringprep.in_table_d2, normal))
        or not (stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1]))
    ):
        raise ValueError("password: SASLprep forbids this mixture of directions")
    return normal


def _refused(why: str) -> LoginRefused:
    return LoginRefused("wamp.error.authentication_failed", why)
