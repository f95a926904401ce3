"""What the handshake needs of an authentication method, and of those who remember logins.

Source: WAMP specification, "Authentication".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from radiod.core.promises import Promise
from radiod.core.rights import Principal
from radiod.wire.options import HelloDetails

__all__ = ["AuthChallenge", "Authenticator", "BrowserCookie", "Cookies"]


class AuthChallenge(Struct, frozen=True, kw_only=True):
    """What an authenticator asks the client before it decides.

    ``extra`` goes out with CHALLENGE; ``answer`` takes the signature and extra of AUTHENTICATE and returns
    the principal, perhaps later, or raises ``Denied``; it may be asked once. ``session``: the id that
    CHALLENGE says the session will have; None: it says nothing of it.
    """

    extra: dict[str, Any]
    answer: Callable[[str, dict[str, Any]], Principal | Promise[Principal]]
    session: int | None = None


class Authenticator(Protocol):
    """One authentication method of one realm."""

    @property
    def method(self) -> str:
        """Its name in HELLO, CHALLENGE and WELCOME."""

    def begin(self, details: HelloDetails) -> Principal | AuthChallenge | Promise[Principal | AuthChallenge]:
        """Decide on a HELLO, or ask; perhaps later.

        Whether a principal exists must show neither in the answer nor in its timing.
        Raises: Denied: these details can never lead to a session.
        """


class BrowserCookie(Struct, frozen=True):
    """The cookie of one connection; ``is_new``: this connection's own answer brought it to the client."""

    id: str
    is_new: bool


class Cookies(Protocol):
    """Who has logged in with which cookie on one realm."""

    @property
    def lifetime_s(self) -> float:
        """Seconds for which a login is remembered."""

    def issue(self) -> str:
        """A new cookie's id: 32 hexadecimal digits nobody can guess."""

    def authenticator(self, cookie_id: str, authid: str | None = None) -> Authenticator | None:
        """What lets a cookie's owner in again; None: there is none, or it is not ``authid``."""

    def bind(self, cookie: BrowserCookie, principal: Principal) -> None:
        """``principal`` has got in on a connection with this cookie."""

    def forget(self, cookie_id: str) -> None:
        """Nobody shall be behind this cookie any more."""
