"""Who a client is: a token, a user with a password, an nkey, or a user's JWT with its nkey.

An nkey is an Ed25519 key whose seed and public half are written in base 32 with a sum; the server sends a
nonce, and the client signs it. Source: NATS's nkeys (github.com/nats-io/nkeys), and decentralised JWT.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["BadCredentials", "Credentials", "Nkey", "Password", "Token", "UserJwt"]

SEED: Final = 18 << 3
USER: Final = 20 << 3
"""The first bits of a seed, ``S``, and of a user's public key, ``U``."""

SECTION: Final = re.compile(r"-{3,}BEGIN ([A-Z ]+)-{3,}\s+(\S+)\s+-{3,}END \1-{3,}")


class BadCredentials(ValueError):
    """What was configured is no credential. The text does not hold it."""


class Credentials(Protocol):
    """How one says who one is."""

    def fields(self, nonce: str) -> dict[str, str]:
        """Fields of CONNECT. ``nonce``: what the server wants signed; may be empty."""


class Token:
    """One secret, for all who connect."""

    def __init__(self, token: str) -> None:
        self._token = token

    def fields(self, nonce: str) -> dict[str, str]:
        """Fields of CONNECT."""
        return {"auth_token": self._token}


class Password:
    """A user and its password."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def fields(self, nonce: str) -> dict[str, str]:
        """Fields of CONNECT."""
        return {"user": self._user, "password": self._password}


class Nkey:
    """A user's nkey. ``seed``: ``SU…``, spaces around it do not count. Raises: BadCredentials."""

    def __init__(self, seed: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(_secret_of(seed.strip()))
        self.public: Final = _public(self._key)

    def sign(self, text: bytes) -> bytes:
        """The signature of a text: 64 bytes."""
        return self._key.sign(text)

    def fields(self, nonce: str) -> dict[str, str]:
        """Fields of CONNECT."""
        return {"nkey": self.public, "sig": self._signature(nonce)}

    def _signature(self, nonce: str) -> str:
        return base64.urlsafe_b64encode(self.sign(nonce.encode())).rstrip(b"=").decode()


class UserJwt:
    """What a file of credentials (``.creds``) holds: a user's JWT and the seed of its nkey.

    Raises: BadCredentials: one of the two is missing, or the seed is none.
    """

    def __init__(self, text: str) -> None:
        sections = dict(SECTION.findall(text))
        try:
            self._jwt = sections["NATS USER JWT"]
            self._nkey = Nkey(sections["USER NKEY SEED"])
        except KeyError as missing:
            raise BadCredentials(f"no {missing.args[0]} in NATS credentials") from None

    def fields(self, nonce: str) -> dict[str, str]:
        """Fields of CONNECT."""
        return {"jwt": self._jwt, "sig": self._nkey.fields(nonce)["sig"]}


def _secret_of(seed: str) -> bytes:
    """The 32 bytes that a seed holds."""
    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        raise BadCredentials("no seed of an nkey: it is not base 32") from None
    kind, body = raw[:2], raw[:-2]
    if len(raw) != 36 or binascii.crc_hqx(body, 0) != int.from_bytes(raw[-2:], "little"):
        raise BadCredentials("no seed of an nkey: letters are missing or wrong")
    if kind[0] & 0xF8 != SEED or (kind[0] & 7) << 5 | kind[1] >> 3 != USER:
        raise BadCredentials("no seed of a user's nkey: it would begin with SU")
    return body[2:]


def _public(key: Ed25519PrivateKey) -> str:
    body = bytes([USER]) + key.public_key().public_bytes_raw()
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).rstrip(b"=").decode()
