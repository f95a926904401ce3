"""Authentication method ``ticket``: a shared secret, sent in clear (WAMP, "Ticket-based Authentication")."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any, Final

from radiod.auth.directory import Credentials, Directory
from radiod.auth.tokens import is_token
from radiod.core.promises import Promise, chain
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import AuthChallenge
from radiod.errors import AUTHENTICATION_DENIED, Denied
from radiod.wire.options import HelloDetails

__all__ = ["Ticket"]

NOBODYS_TICKET: Final = b"What is compared with when there is nobody."


class Ticket:
    """Asks for the ticket of the authid in HELLO.

    ``spend``: where checking the tickets of some users takes time, does as much for others; else None.
    """

    method: Final = "ticket"

    def __init__(
        self, directory: Directory, spend: Callable[[str], Promise[bool] | None] = lambda ticket: None
    ) -> None:
        self._directory = directory
        self._spend = spend

    def begin(self, details: HelloDetails) -> AuthChallenge:
        """Ask, whoever it is: unknown users are refused only with their answer, in the same words."""

        def answer(ticket: str, extra: dict[str, Any]) -> Principal | Promise[Principal]:
            if not details.authid:
                return self._check(None, ticket)
            # Looked up with the ticket, so that a directory may check it itself. Ours is the last word: no
            # member of the client's extra can stand in its place.
            told = {**(details.authextra or {}), **extra, "ticket": ticket}
            found = self._directory.find(self.method, details.authid, told)
            return chain(found, lambda user: self._check(user, ticket))

        return AuthChallenge(extra={}, answer=answer)

    def _check(self, user: Credentials | None, ticket: str) -> Principal | Promise[Principal]:
        # Something is compared even for nobody, so that both answers take as long.
        if user is None:
            is_right: bool | Promise[bool] = _is_nobodys(ticket)
        else:
            is_right = user.ticket is None or user.ticket(ticket)
        if not isinstance(is_right, Promise) and not (is_right and user is not None):
            is_right = self._spend(ticket) or False
        return chain(is_right, lambda right: self._conclude(user, ticket, right))

    def _conclude(self, user: Credentials | None, ticket: str, is_right: bool) -> Principal:
        if not is_right or user is None:
            # Others' tokens may well be tickets, which somebody else knows.
            hint = "; a listen token is no ticket: it opens streams without WAMP" if is_token(ticket) else ""
            raise Denied(AUTHENTICATION_DENIED, f"unknown authid or wrong ticket{hint}")
        return user.principal(self.method)


def _is_nobodys(ticket: str) -> bool:
    return hmac.compare_digest(NOBODYS_TICKET, ticket.encode("utf-8", "surrogatepass"))
