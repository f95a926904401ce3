"""What nodes have in common, and nobody else may see: sealed with a secret that each of them was given.

AES-256-GCM, under keys that HKDF-SHA256 (RFC 5869) makes of the secret, one for each use. What is sealed
names the secret, and is bound to what it is for: moved to another key it does not open. While the secret is
changed there are two: both open, and the first one seals.

A sealed secret is: version (1 byte), the secret's name (6), nonce (12, random), ciphertext with tag.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from radiod.secret import Secret

__all__ = ["Vault"]

VERSION: Final = b"\x01"
NAME_BYTES: Final = 6
NONCE_BYTES: Final = 12

SEALING: Final = "signing secrets"
NAMING: Final = "name"
TOKENS: Final = "listen tokens"
"""What keys are made for."""


class Vault:
    """Seals with the first of one or two secrets, and opens what either has sealed.

    ``names``: of the secrets, the first one first, in hex: they tell nothing else about them; ``tokens``:
    what nodes sign listen tokens with for keys that have no signing secret, in the same order.
    """

    def __init__(self, secrets: Sequence[Secret], cluster: str) -> None:
        # Name -> what seals and opens.
        self._ciphers: dict[bytes, AESGCM] = {}
        tokens = []
        for secret in secrets:
            name = _made(secret, cluster, NAMING)[:NAME_BYTES]
            self._ciphers[name] = AESGCM(_made(secret, cluster, SEALING))
            tokens.append(_made(secret, cluster, TOKENS).hex())
        self._first = next(iter(self._ciphers))
        self.names: Final = tuple(name.hex() for name in self._ciphers)
        self.tokens: Final = tuple(tokens)

    def seal(self, secret: bytes, key: str) -> bytes:
        """The signing secret of the key with this id, for the other nodes alone."""
        head, nonce = VERSION + self._first, os.urandom(NONCE_BYTES)
        return head + nonce + self._ciphers[self._first].encrypt(nonce, secret, _bound(head, key))

    def open(self, sealed: bytes, key: str) -> bytes | None:
        """What was sealed for this key; None: it was not, or with a secret that is not known here."""
        cipher = self._ciphers.get(sealed[1 : 1 + NAME_BYTES])
        if cipher is None or sealed[:1] != VERSION:
            return None
        head, rest = sealed[: 1 + NAME_BYTES], sealed[1 + NAME_BYTES :]
        try:
            return cipher.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], _bound(head, key))
        except (InvalidTag, ValueError):
            # ValueError: there is hardly a nonce.
            return None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first secret has sealed it."""
        return sealed[: 1 + NAME_BYTES] == VERSION + self._first

    def is_foreign(self, sealed: bytes) -> bool:
        """Whether it was sealed with a secret, or in a way, that is not known here."""
        return bool(sealed) and (sealed[:1] != VERSION or sealed[1 : 1 + NAME_BYTES] not in self._ciphers)


def _made(secret: Secret, cluster: str, purpose: str) -> bytes:
    """32 bytes for one use. The secret is long and random, so that it needs no slow hash."""
    info = f"radiod cluster {cluster}\0{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.reveal().encode())


def _bound(head: bytes, key: str) -> bytes:
    return head + b"\0signing\0" + key.encode("utf-8", "surrogatepass")
