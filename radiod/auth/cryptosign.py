"""Authentication method ``cryptosign``: an Ed25519 key pair (WAMP, "Cryptosign-based Authentication")."""

from __future__ import annotations

import hmac
import re
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from radiod.auth.directory import Credentials, Directory
from radiod.core.ids import Ids
from radiod.core.promises import Promise, chain
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import AuthChallenge
from radiod.errors import AUTHENTICATION_DENIED, Denied
from radiod.wire.options import HelloDetails

__all__ = ["Cryptosign"]

PUBKEY: Final = re.compile("[0-9a-fA-F]{64}")
SIGNED: Final = re.compile("[0-9a-fA-F]{192}")
"""The signature, 64 bytes, and the message that was signed, 32 bytes."""


class Cryptosign:
    """Asks for the signature of the key in HELLO; whose key it is needs no authid, and must fit if it has."""

    method: Final = "cryptosign"

    def __init__(self, directory: Directory, ids: Ids) -> None:
        self._directory = directory
        self._ids = ids

    def begin(self, details: HelloDetails) -> Principal | AuthChallenge | Promise[Principal | AuthChallenge]:
        """Ask, whoever it is: unknown keys are refused only with their answer, in the same words.

        Raises: Denied: HELLO has no usable key, or asks for channel binding.
        """
        told = dict(details.authextra or {})
        if told.get("channel_binding") is not None:
            raise Denied(
                AUTHENTICATION_DENIED, "channel binding is not supported: channel_binding must be null"
            )
        text = told.get("pubkey")
        if not isinstance(text, str) or not PUBKEY.fullmatch(text):
            raise Denied(AUTHENTICATION_DENIED, "HELLO.Details.authextra.pubkey must be 64 hex digits")
        pubkey = told["pubkey"] = bytes.fromhex(text)
        told.pop("channel_binding", None)
        told.pop("challenge", None)  # random: with it no directory could remember its answer
        found = self._directory.find(self.method, details.authid, told)
        return chain(found, lambda user: self._ask(pubkey, user))

    def _ask(self, pubkey: bytes, user: Credentials | None) -> AuthChallenge:
        challenge = self._ids.secret() + self._ids.secret()

        def answer(signed: str, extra: dict[str, Any]) -> Principal:
            # Verified with the client's own key even if that is nobody's, so that both answers take as long.
            is_right = _verifies(pubkey, signed, bytes.fromhex(challenge))
            if not is_right or user is None or pubkey not in user.cryptosign:
                raise Denied(AUTHENTICATION_DENIED, "unknown key or wrong signature")
            return user.principal(self.method)

        return AuthChallenge(extra={"challenge": challenge}, answer=answer)


def _verifies(pubkey: bytes, signed: str, challenge: bytes) -> bool:
    if not SIGNED.fullmatch(signed):
        return False
    data = bytes.fromhex(signed)
    signature, message = data[:64], data[64:]
    if not hmac.compare_digest(message, challenge):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(pubkey).verify(signature, challenge)
    except (InvalidSignature, ValueError):
        return False
    return True
