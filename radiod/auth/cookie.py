"""Authentication method ``cookie``: somebody who has logged in by another method comes back.

This module only remembers. Whoever speaks HTTP gives each client that has none a cookie from ``issue``, with
``HttpOnly``, ``SameSite`` and, under TLS, ``Secure``; the handshake lets ``authenticator`` take part if the
request had the cookie, and calls ``bind`` once the session is open. Ids come only from ``issue`` for the same
connection or from the request's own cookie, never from a URL or a message, where somebody else may have put
one that he knows.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from radiod.core.holders import Holder
from radiod.core.ids import Ids, digest
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import BrowserCookie
from radiod.core.timers import Clock
from radiod.errors import AUTHENTICATION_DENIED, Denied
from radiod.wire.options import HelloDetails

__all__ = ["Cookie", "CookieJar"]

NO_LOGIN: Final = ("anonymous", "cookie")
"""Methods that prove nothing new about who somebody is."""


class Cookie:
    """Lets in who comes with one cookie. An ``Authenticator``, for one handshake."""

    method: Final = "cookie"

    def __init__(self, jar: CookieJar, cookie_id: str) -> None:
        self._jar = jar
        self._cookie_id = cookie_id

    def begin(self, details: HelloDetails) -> Principal:
        """The principal of the cookie. Raises: Denied: it has been forgotten, or is another authid's."""
        principal = self._jar.recall(self._cookie_id)
        if principal is None or details.authid not in (None, "", principal.authid):
            raise Denied(AUTHENTICATION_DENIED, "the cookie is not valid any more")
        return replace(principal, authmethod=self.method, authextra=None)


class Entry(Struct, frozen=True):
    """Who has a cookie, and until when (monotonic seconds)."""

    principal: Principal
    until: float


class CookieJar:
    """The cookies of one realm: in another, a principal's permissions would mean something else.

    Args:
        lifetime_s: seconds from ``remember`` on; coming back does not prolong them.
        max_entries: cookies remembered; the oldest goes first.
    """

    def __init__(self, clock: Clock, ids: Ids, lifetime_s: float, max_entries: int) -> None:
        self._clock = clock
        self._ids = ids
        self.lifetime_s: Final = lifetime_s
        self._max_entries = max_entries
        # SHA-256 of the id -> entry, oldest first: the look-up's timing tells nothing about the ids.
        self._entries: dict[bytes, Entry] = {}

    def __len__(self) -> int:
        """Cookies in memory, expired ones among them until the next ``remember``."""
        return len(self._entries)

    def issue(self) -> str:
        """A new cookie's id, for the transport to send; nobody is behind it yet."""
        return self._ids.secret()

    def remember(self, cookie_id: str, principal: Principal) -> None:
        """``principal`` has logged in on a connection with this cookie; replaces whom it stood for."""
        now = self._clock.seconds()
        self._entries.pop(digest(cookie_id), None)
        # All live equally long, so the oldest end first.
        while self._entries:
            oldest = next(iter(self._entries))
            if self._entries[oldest].until > now and len(self._entries) < self._max_entries:
                break
            del self._entries[oldest]
        self._entries[digest(cookie_id)] = Entry(principal, now + self.lifetime_s)

    def bind(self, cookie: BrowserCookie, principal: Principal) -> None:
        """Remember who has logged in, if nobody else can know the cookie.

        A cookie that a client came with may have been put there by somebody who knows it, and waits for
        another to log in with it: it only ever stands for whom it stood for, and else is forgotten.
        """
        if principal.authmethod in NO_LOGIN:
            return
        known = self.recall(cookie.id)
        if (known is None and cookie.is_new) or (known is not None and known.authid == principal.authid):
            self.remember(cookie.id, principal)
        else:
            self.forget(cookie.id)

    def forget(self, cookie_id: str) -> None:
        """Whoever has this cookie must log in again; unknown ids do nothing."""
        self._entries.pop(digest(cookie_id), None)

    def forget_holder(self, holder: Holder) -> None:
        """Whoever this holder is has other rights now, and must log in again. Cost: O(n)."""
        for each in [each for each, entry in self._entries.items() if entry.principal.holder is holder]:
            del self._entries[each]

    def kept(self) -> list[tuple[bytes, Principal, float]]:
        """Of each cookie the SHA-256 of its id, who has it, and for how many seconds; the oldest first."""
        now = self._clock.seconds()
        return [(each, entry.principal, entry.until - now) for each, entry in self._entries.items()]

    def resume(self, hashed: bytes, principal: Principal, left: float) -> None:
        """Remember what another process did, in the order of ``kept``; no longer than is allowed now."""
        if left > 0 and len(self._entries) < self._max_entries:
            until = self._clock.seconds() + min(left, self.lifetime_s)
            self._entries[hashed] = Entry(principal, until)

    def recall(self, cookie_id: str) -> Principal | None:
        """Who logged in with this cookie, as then; None: nobody, or too long ago."""
        entry = self._entries.get(digest(cookie_id))
        return entry.principal if entry is not None and entry.until > self._clock.seconds() else None

    def authenticator(self, cookie_id: str, authid: str | None = None) -> Cookie | None:
        """What lets the cookie's owner in; None: method ``cookie`` is not to be offered to this client.

        ``authid``: who it wants to be; None or empty: whoever the cookie stands for.
        """
        principal = self.recall(cookie_id)
        is_owner = principal is not None and authid in (None, "", principal.authid)
        return Cookie(self, cookie_id) if is_owner else None
