"""What challenges tell about users who do not exist: the same as about those who do.

A challenge shows a user's salt and its cost. An unknown authid gets one that looks like a known user's, and
always the same one, or asking twice would tell (WAMP specification, "WAMP-SCRAM", mock CHALLENGE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from radiod.auth.directory import Credentials, ScramVerifier, WampcraSecret
from radiod.core.ports import Action, Verdict
from radiod.core.sessions import Session
from radiod.wire.messages import Options

__all__ = ["Decoys"]

COMMON_SCRAM: Final = ScramVerifier(
    kdf="argon2id13", salt=bytes(16), iterations=4096, memory=512, stored_key=b"", server_key=b""
)
"""What unknown users look like where no user is known beforehand: Autobahn's parameters."""

DENIED: Final = Verdict(is_allowed=False)


class Nothing:
    """May do nothing: should a decoy ever get in."""

    def decide(self, session: Session, action: Action, uri: str, options: Options) -> Verdict:
        return DENIED

    def allows(self, action: Action, uri: str) -> bool:
        return False

    def hides(self, topic: str) -> bool:
        return True


class Decoys:
    """Makes up users.

    Args:
        users: those that the made up ones shall look like, for each method those who have it.
        pepper: unknown to clients; makes the salts. Decoys of one realm share it, across its methods.
        role: which the made up ones have if there are no users to look like.
    """

    def __init__(self, users: Iterable[Credentials], pepper: str, role: str = "user") -> None:
        self.users: Final = tuple(users)
        self._pepper = pepper.encode()
        anybody = Credentials(authid="", role=role, permissions=Nothing(), provider="dynamic")
        self._wampcra = [user for user in self.users if user.wampcra] or [
            replace(anybody, wampcra=WampcraSecret(secret=""))
        ]
        self._scram = [user for user in self.users if user.scram] or [replace(anybody, scram=COMMON_SCRAM)]
        salts = "".join(user.wampcra.salt for user in self._wampcra if user.wampcra)
        self._alphabet = sorted(set(salts))

    def wampcra(self, authid: str) -> tuple[Credentials, WampcraSecret]:
        """Somebody with a secret that nobody knows."""
        user = self._pick(self._wampcra, "wampcra", authid)
        assert user.wampcra is not None
        noise = self._noise("wampcra salt", authid, 4 * len(user.wampcra.salt))
        salt = "".join(
            self._alphabet[int.from_bytes(noise[at : at + 4], "big") % len(self._alphabet)]
            for at in range(0, len(noise), 4)
        )
        secret = self._noise("wampcra secret", authid, 32).hex()
        return self._nobody(user, authid), replace(user.wampcra, salt=salt, secret=secret)

    def scram(self, authid: str) -> tuple[Credentials, ScramVerifier]:
        """Somebody with keys that belong to no password."""
        user = self._pick(self._scram, "scram", authid)
        assert user.scram is not None
        return self._nobody(user, authid), replace(
            user.scram,
            salt=self._noise("scram salt", authid, len(user.scram.salt)),
            stored_key=self._noise("scram stored key", authid, 32),
            server_key=self._noise("scram server key", authid, 32),
        )

    def _nobody(self, user: Credentials, authid: str) -> Credentials:
        return Credentials(authid=authid, role=user.role, provider=user.provider, permissions=Nothing())

    def _pick(self, users: list[Credentials], label: str, authid: str) -> Credentials:
        return users[int.from_bytes(self._noise(f"{label} pick", authid, 8), "big") % len(users)]

    def _noise(self, label: str, authid: str, size: int) -> bytes:
        """``size`` bytes that look random and depend on the pepper, ``label`` and ``authid`` alone."""
        text = b"\0".join((self._pepper, label.encode(), authid.encode("utf-8", "surrogatepass")))
        return hashlib.shake_256(text).digest(size)
