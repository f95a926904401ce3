"""What challenges tell about users who do not exist: the same as about those who do.

A challenge shows a user's salt and its cost. An unknown authid gets one that looks like a known user's, and
always the same one, or asking twice would tell (WAMP specification, "WAMP-SCRAM", mock CHALLENGE).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from radiod.auth.directory import PROOFS, Credentials, ScramVerifier, WampcraSecret
from radiod.core.rights import Action, Actor, Verdict
from radiod.wire.options import Options

__all__ = ["UnknownUsers"]

COMMON_SCRAM: Final = ScramVerifier(
    kdf="argon2id13", salt=bytes(16), iterations=4096, memory=512, stored_key=b"", server_key=b""
)
"""What unknown users look like where no user is known beforehand: Autobahn's parameters."""

DENIED: Final = Verdict(is_allowed=False)


class Nothing:
    """May do nothing: should a decoy ever get in."""

    may_hold_publishers = False
    rate_limit = None

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict:
        return DENIED

    def allows(self, action: Action, uri: str) -> bool:
        return False

    def hides(self, topic: str) -> bool:
        return True

    def hides_procedure(self, procedure: str) -> bool:
        return True

    def may_act_on_others(self, procedure: str) -> bool:
        return False


def _look(scram: ScramVerifier | None) -> tuple[str, int, int | None, int] | None:
    """What a challenge shows of it, but for the salt itself."""
    return None if scram is None else (scram.kdf, scram.iterations, scram.memory, len(scram.salt))


class UnknownUsers:
    """Makes up users.

    Args:
        users: those that the made up ones shall look like, for each method those who have it.
        pepper: unknown to clients; makes the salts. UnknownUsers of one realm share it, across its methods.
        role: which the made up ones have if there are no users to look like.
        elsewhere: methods whose users somebody else knows. Unknown ones look like the first of those.
    """

    def __init__(
        self,
        users: Iterable[Credentials],
        pepper: str,
        role: str = "user",
        elsewhere: Collection[str] = (),
    ) -> None:
        self.users: Final = tuple(users)
        self._pepper = pepper.encode()
        # What is to be learned, by the field of Credentials.
        self._awaited = {PROOFS[method] for method in elsewhere}
        self._hides_roles = "wampcra" in self._awaited
        anybody = Credentials(authid="", role=role, permissions=Nothing(), provider="dynamic")
        self._anybody = anybody
        self._wampcra = [] if "wampcra" in self._awaited else [user for user in self.users if user.wampcra]
        with_scram = [] if "scram" in self._awaited else [user for user in self.users if user.scram]
        # One of each look.
        self._scram = list({_look(user.scram): user for user in with_scram}.values())
        self._has_wampcra = bool(self._wampcra) or "wampcra" in self._awaited
        self._wampcra = self._wampcra or [replace(anybody, wampcra=WampcraSecret(secret=""))]
        self._has_scram = bool(self._scram) or "scram" in self._awaited
        self._scram = self._scram or [replace(anybody, scram=COMMON_SCRAM)]

    def learn(self, user: Credentials) -> None:
        """Somebody else knows ``user``: the first such user of a method is what unknown ones look like."""
        if "wampcra" in self._awaited and user.wampcra:
            self._awaited.remove("wampcra")
            self._wampcra = [user]
        if "scram" in self._awaited and user.scram:
            self._awaited.remove("scram")
            self._scram = [user]

    def resemble(self, user: Credentials) -> None:
        """One more known user, added at run time: some of the unknown ones look like it, if it looks new.

        All of one look are one, so that who comes and goes does not change how unknown ones look.
        """
        if user.wampcra is not None and not self._has_wampcra:
            self._has_wampcra = True
            self._wampcra = [user]
        if user.scram is None:
            return
        looks = {_look(each.scram) for each in self._scram}
        if not self._has_scram:
            # Until now they looked like nobody.
            self._scram = [user]
        elif _look(user.scram) not in looks:
            self._scram.append(user)
        self._has_scram = True

    def told(self, user: Credentials) -> tuple[str, str]:
        """The role and the provider that a challenge tells of a user.

        Users whom somebody else knows may have any role; to tell it would tell that they exist.
        """
        shown = self._anybody if self._hides_roles else user
        return shown.role, shown.provider

    def wampcra(self, authid: str) -> tuple[Credentials, WampcraSecret]:
        """Somebody with a secret that nobody knows."""
        user = self._pick(self._wampcra, "wampcra", authid)
        assert user.wampcra is not None
        alphabet = sorted({letter for one in self._wampcra if one.wampcra for letter in one.wampcra.salt})
        noise = self._noise("wampcra salt", authid, 4 * len(user.wampcra.salt))
        salt = "".join(
            alphabet[int.from_bytes(noise[at : at + 4], "big") % len(alphabet)]
            for at in range(0, len(noise), 4)
        )
        secret = self._noise("wampcra secret", authid, 32).hex()
        return self._nobody(user, authid), replace(user.wampcra, salt=salt, secret=secret)

    def scram(self, authid: str) -> tuple[Credentials, ScramVerifier]:
        """Somebody with keys that belong to no password."""
        user = self._pick_look(authid)
        assert user.scram is not None
        return self._nobody(user, authid), replace(
            user.scram,
            salt=self._noise("scram salt", authid, len(user.scram.salt)),
            stored_key=self._noise("scram stored key", authid, 32),
            server_key=self._noise("scram server key", authid, 32),
        )

    def _nobody(self, user: Credentials, authid: str) -> Credentials:
        return Credentials(authid=authid, role=user.role, provider=user.provider, permissions=Nothing())

    def _pick_look(self, authid: str) -> Credentials:
        """Somebody to look like: when there is a new look, only those change theirs who get that one.

        Source: rendezvous hashing, Thaler and Ravishankar, IEEE/ACM Transactions on Networking 6 (1998).
        """
        return max(self._scram, key=lambda user: self._noise(f"scram pick {_look(user.scram)}", authid, 8))

    def _pick(self, users: list[Credentials], label: str, authid: str) -> Credentials:
        return users[int.from_bytes(self._noise(f"{label} pick", authid, 8), "big") % len(users)]

    def _noise(self, label: str, authid: str, size: int) -> bytes:
        """``size`` bytes that look random and depend on the pepper, ``label`` and ``authid`` alone."""
        text = b"\0".join((self._pepper, label.encode(), authid.encode("utf-8", "surrogatepass")))
        return hashlib.shake_256(text).digest(size)
