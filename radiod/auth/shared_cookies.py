"""Cookies of a realm that several nodes serve: one that any of them gave is good on all.

Who has a cookie is claimed by its SHA-256, for as long as it lives. What whoever has it may do, each node
looks up anew. A node that gave one knows it at once, the others a moment later; also what is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from radiod.auth.cookie import CookieJar
from radiod.core.cluster.claim import Claim
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.encoding import decode
from radiod.core.holders import Holder
from radiod.core.ids import Ids, digest
from radiod.core.rights import Principal
from radiod.core.timers import Clock, Timers
from radiod.errors import RadiodError

__all__ = ["SharedCookieJar"]

AGAIN_S: Final = 2.0
"""Seconds after which others are told again what is forgotten."""

AT_A_TIME: Final = 10
"""Cookies that are over that are dropped when another comes."""


class CookieRecord(Struct, array_like=True, frozen=True):
    """Who has a cookie: what of a principal names it. ``until``: seconds since 1970."""

    authid: str
    role: str
    method: str
    provider: str
    until: float


ENCODER: Final = msgspec.msgpack.Encoder()
DECODER: Final = msgspec.msgpack.Decoder(CookieRecord)

Returning = Callable[[str, str, str, str], "Principal | None"]
"""Who somebody is now: authid, role, method, provider; None: nobody any more."""


class SharedCookieJar(CookieJar):
    """As ``CookieJar``.

    Args:
        returning: as ``Admission.returning``.
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        lifetime_s: float,
        max_entries: int,
        *,
        realm: str,
        claims: Claims,
        returning: Returning,
    ) -> None:
        super().__init__(clock, ids, lifetime_s, max_entries)
        self._timers = timers
        self._claims = claims
        self._returning = returning
        self._about = f"cookies {realm}"
        # Those that are forgotten here, and that the others may know yet.
        self._forgotten: dict[str, None] = {}
        # Those that the others are about to know.
        self._coming: dict[str, int] = {}
        self._is_telling = False
        claims.watch(self._about, self)

    # --- ClaimWatcher

    def claimed(self, claim: Claim) -> None:
        """As ``ClaimWatcher.claimed``."""
        now = self._clock.time()
        over: list[Claim] = []
        for one in self._claims.of(self._about):
            record = _read(one)
            if len(over) == AT_A_TIME or (record is not None and record.until > now):
                break
            over.append(one)
        for one in over:
            self._claims.expire(one)

    def released(self, claim: Claim) -> None:
        """As ``ClaimWatcher.released``: whoever has it must log in again."""
        self._forgotten.pop(claim.key, None)
        self._entries.pop(bytes.fromhex(claim.key), None)

    # --- CookieJar

    def remember(self, cookie_id: str, principal: Principal) -> None:
        """As ``CookieJar.remember``; the others know it soon."""
        super().remember(cookie_id, principal)
        name = digest(cookie_id).hex()
        self._forgotten.pop(name, None)
        record = CookieRecord(
            principal.authid,
            principal.authrole,
            principal.authmethod,
            principal.authprovider,
            self._clock.time() + self.lifetime_s,
        )
        value = ENCODER.encode(record)

        def decide(current: Claim | None) -> bytes | None:
            return value

        def told(outcome: Claim | RadiodError | None) -> None:
            # Without a majority it is good here.
            left = self._coming.pop(name) - 1
            if left:
                self._coming[name] = left
            elif name in self._forgotten:
                self._tell(name)

        self._coming[name] = self._coming.get(name, 0) + 1
        self._claims.update(self._about, name, decide, ttl_s=self.lifetime_s).then(told)

    def forget(self, cookie_id: str) -> None:
        """As ``CookieJar.forget``; here at once, and on the others as soon as they can be told."""
        super().forget(cookie_id)
        self._forget(digest(cookie_id).hex())

    def forget_holder(self, holder: Holder) -> None:
        """As ``CookieJar.forget_holder``, also of what others remember. Cost: O(n)."""
        super().forget_holder(holder)
        for claim in list(self._claims.of(self._about)):
            record = _read(claim)
            if record is not None and record.authid == holder.id:
                self._entries.pop(bytes.fromhex(claim.key), None)
                self._forget(claim.key)

    def recall(self, cookie_id: str) -> Principal | None:
        """As ``CookieJar.recall``; who logged in at another node has the rights of now."""
        principal = super().recall(cookie_id)
        if principal is not None:
            return principal
        name = digest(cookie_id).hex()
        claim = None if name in self._forgotten else self._claims.get(self._about, name)
        record = None if claim is None else _read(claim)
        if record is None or record.until <= self._clock.time():
            return None
        return self._returning(record.authid, record.role, record.method, record.provider)

    # --- what is to be forgotten by all

    def _forget(self, name: str) -> None:
        is_coming = name in self._coming
        if is_coming or self._claims.get(self._about, name) is not None:
            self._forgotten[name] = None
        if name in self._forgotten and not is_coming:
            self._tell(name)

    def _tell(self, name: str) -> None:
        def told(outcome: Claim | RadiodError | None) -> None:
            if isinstance(outcome, RadiodError):
                self._later()
            else:
                self._forgotten.pop(name, None)

        def decide(current: Claim | None) -> bytes | None:
            return None

        self._claims.update(self._about, name, decide).then(told)

    def _later(self) -> None:
        if not self._is_telling:
            self._is_telling = True
            self._timers.at(self._clock.seconds() + AGAIN_S, self._again)

    def _again(self) -> None:
        self._is_telling = False
        for name in list(self._forgotten):
            self._tell(name)


def _read(claim: Claim) -> CookieRecord | None:
    return decode(DECODER, claim.value)
