"""Authentication methods ``wamp-scram`` and ``scram``: a password that the server does not hold.

``wamp-scram`` is the WAMP specification's ("WAMP-SCRAM"), ``scram`` what Autobahn made of a draft of it. They
differ in what the client signs and, with argon2id13, in how the password is salted; see ``Dialect``. The
salting is baked into the two keys of a ``ScramVerifier``, and nothing in it tells which: a user's verifier
works with the dialect it was made for, and the other dialect's clients are refused as if the password were
wrong.

Source: RFC 5802 and RFC 7677, which name everything here that has a capital letter there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata
from typing import Any, Final

from msgspec import Struct

from radiod.auth.directory import Credentials, Directory, ScramVerifier
from radiod.auth.unknown_users import UnknownUsers
from radiod.core.ids import Ids
from radiod.core.promises import Promise, chain
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import AuthChallenge
from radiod.errors import AUTHENTICATION_DENIED, Denied
from radiod.wire.options import HelloDetails

__all__ = ["AUTOBAHN", "SPECIFIED", "Dialect", "Scram", "auth_message", "make_scram", "signature_for"]

MAX_NONCE: Final = 256
"""Characters of a client's nonce; 24 are usual."""
NONCE: Final = re.compile("(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
KEY_SIZE: Final = 32


class Dialect(Struct, frozen=True, kw_only=True):
    """Where the two differ.

    ``kdfs``: their names in CHALLENGE. ``binding``: "c=" of the signed text. ``verifier``: the member of
    WELCOME's authextra. ``is_escaped``: the authid in the signed text has "," and "=" escaped, and the
    password was normalized. ``is_text``: what argon2id gave is used as base64 text without padding, not as
    bytes. ``repeats_nonce``: AUTHENTICATE.Extra has the nonce again.
    """

    method: str
    kdfs: dict[str, str]
    binding: str
    verifier: str
    is_escaped: bool
    is_text: bool
    repeats_nonce: bool


SPECIFIED: Final = Dialect(
    method="wamp-scram",
    kdfs={"argon2id13": "argon2id13", "pbkdf2": "pbkdf2"},
    binding=base64.b64encode(b"n,,").decode(),
    verifier="verifier",
    is_escaped=True,
    is_text=False,
    repeats_nonce=True,
)
AUTOBAHN: Final = Dialect(
    method="scram",
    # Stock Autobahn 26.10 fails on pbkdf2: it gives the salt's text to a function that wants bytes.
    kdfs={"argon2id13": "argon2id-13", "pbkdf2": "pbkdf2"},
    binding="",
    verifier="scram_server_signature",
    is_escaped=False,
    is_text=True,
    repeats_nonce=False,
)


class Scram:
    """Asks for the proof of the authid in HELLO, and proves in WELCOME that the server knows the user."""

    def __init__(
        self, directory: Directory, decoys: UnknownUsers, ids: Ids, dialect: Dialect = SPECIFIED
    ) -> None:
        self.method: Final = dialect.method
        self._directory = directory
        self._decoys = decoys
        self._ids = ids
        self._dialect = dialect

    def begin(self, details: HelloDetails) -> Principal | AuthChallenge | Promise[Principal | AuthChallenge]:
        """Ask, whoever it is: unknown users are refused only with their answer, in the same words.

        Raises: Denied: HELLO has no usable nonce, or asks for channel binding.
        """
        told = dict(details.authextra or {})
        _refuse_binding(told)
        nonce = told.pop("nonce", None)
        if not isinstance(nonce, str) or not 0 < len(nonce) <= MAX_NONCE or not NONCE.fullmatch(nonce):
            raise Denied(
                AUTHENTICATION_DENIED,
                f"HELLO.Details.authextra.nonce must be base64 of 1 to {MAX_NONCE} characters",
            )
        told.pop("channel_binding", None)
        authid = details.authid or ""
        # Without the nonce, so that a directory that asks somebody else can remember the answer.
        found = self._directory.find(self.method, authid, told) if authid else None
        return chain(found, lambda user: self._ask(authid, nonce, user))

    def _ask(self, authid: str, client_nonce: str, user: Credentials | None) -> AuthChallenge:
        if user is not None and user.scram is not None:
            shown, verifier = user, user.scram
        else:
            shown, verifier = self._decoys.scram(authid)
        nonce = client_nonce + self._ids.secret()  # hexadecimal digits are base64, too
        signed = auth_message(self._dialect, authid, client_nonce, nonce, verifier)

        def answer(proof: str, extra: dict[str, Any]) -> Principal:
            _refuse_binding(extra)
            is_fresh = extra.get("nonce") == nonce if self._dialect.repeats_nonce else True
            is_right = _verifies(proof, verifier.stored_key, signed)
            if not is_fresh or not is_right or shown is not user:
                raise Denied(AUTHENTICATION_DENIED, "unknown authid or wrong password")
            return shown.principal(
                self.method, {self._dialect.verifier: signature_for(verifier.server_key, signed)}
            )

        return AuthChallenge(extra=self._challenge(nonce, verifier), answer=answer)

    def _challenge(self, nonce: str, verifier: ScramVerifier) -> dict[str, Any]:
        challenge = {
            "nonce": nonce,
            "salt": base64.b64encode(verifier.salt).decode(),
            "kdf": self._dialect.kdfs[verifier.kdf],
            "iterations": verifier.iterations,
        }
        # The specification's null for pbkdf2 is no number to Autobahn.
        if verifier.memory is not None or self._dialect is SPECIFIED:
            challenge["memory"] = verifier.memory
        return challenge


def _refuse_binding(extra: dict[str, Any]) -> None:
    if extra.get("channel_binding") is not None or extra.get("cbind_data") is not None:
        raise Denied(AUTHENTICATION_DENIED, "channel binding is not supported: channel_binding must be null")


def auth_message(
    dialect: Dialect, authid: str, client_nonce: str, nonce: str, verifier: ScramVerifier
) -> bytes:
    """What both sides sign: AuthMessage."""
    name = authid.replace("=", "=3D").replace(",", "=2C") if dialect.is_escaped else authid
    salt = base64.b64encode(verifier.salt).decode()
    text = (
        f"n={name},r={client_nonce},r={nonce},s={salt},i={verifier.iterations},c={dialect.binding},r={nonce}"
    )
    return text.encode("utf-8", "surrogatepass")


def signature_for(server_key: bytes, signed: bytes) -> str:
    """What proves the server: ServerSignature, in base64."""
    return base64.b64encode(hmac.digest(server_key, signed, "sha256")).decode()


def _verifies(proof: str, stored_key: bytes, signed: bytes) -> bool:
    """True when ``proof``, ClientProof in base64, was made with the ClientKey behind ``stored_key``."""
    try:
        masked = base64.b64decode(proof, validate=True)
    except (binascii.Error, ValueError):  # the latter for what is not ASCII
        return False
    if len(masked) != KEY_SIZE:
        return False
    mask = hmac.digest(stored_key, signed, "sha256")
    client_key = bytes(one ^ other for one, other in zip(masked, mask, strict=True))
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key)


def make_scram(
    password: str,
    kdf: str,
    salt: bytes,
    iterations: int,
    memory: int | None = None,
    dialect: Dialect = SPECIFIED,
) -> ScramVerifier:
    """The verifier of a password: to write it down, for no server needs it at a login.

    Args:
        kdf: ``argon2id13``, which needs the package argon2-cffi and ``memory`` (KiB), or ``pbkdf2``.
        salt: random bytes, another for every user; argon2id13 wants 8 or more.
    Raises: ValueError: no such kdf, no memory for it, or a password that SASLprep forbids.
    """
    text = prepare(password) if dialect.is_escaped else password
    salted = _salted(text.encode(), kdf, salt, iterations, memory)
    if kdf == "argon2id13" and dialect.is_text:
        salted = base64.b64encode(salted).rstrip(b"=")
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return ScramVerifier(
        kdf=kdf,
        salt=salt,
        iterations=iterations,
        memory=memory,
        stored_key=hashlib.sha256(client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", "sha256"),
    )


def _salted(password: bytes, kdf: str, salt: bytes, iterations: int, memory: int | None) -> bytes:
    if kdf == "pbkdf2" and memory is None:
        return hashlib.pbkdf2_hmac("sha256", password, salt, iterations, KEY_SIZE)
    if kdf != "argon2id13" or memory is None:
        raise ValueError("kdf must be argon2id13, with memory, or pbkdf2, without")
    from argon2.low_level import Type, hash_secret_raw  # only whoever makes verifiers needs this package

    return hash_secret_raw(password, salt, iterations, memory, 1, KEY_SIZE, Type.ID, 0x13)


FORBIDDEN: Final = (
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


def prepare(text: str) -> str:
    """``text`` normalized by SASLprep (RFC 4013), as a stored string. Raises: ValueError: it is forbidden."""
    spaced = "".join(" " if stringprep.in_table_c12(c) else c for c in text)
    normal = unicodedata.normalize("NFKC", "".join(c for c in spaced if not stringprep.in_table_b1(c)))
    if any(is_forbidden(c) for c in normal for is_forbidden in FORBIDDEN):
        raise ValueError("SASLprep forbids one of the characters")
    if any(stringprep.in_table_d1(c) for c in normal) and (
        any(stringprep.in_table_d2(c) for c in normal)
        or not (stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1]))
    ):
        raise ValueError("SASLprep forbids this mixture of directions")
    return normal
