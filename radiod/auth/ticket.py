"""Authentication method ``ticket``: a shared secret, sent in clear (WAMP, "Ticket-based Authentication")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from radiod.core.ports import Permissions, Principal, Question
from radiod.errors import AUTHENTICATION_FAILED, Denied
from radiod.wire.messages import HelloDetails

__all__ = ["Ticket", "TicketUser"]


class TicketUser(Struct, frozen=True):
    """A user who has a ticket. ``matches`` compares a candidate with it in constant time."""

    role: str
    permissions: Permissions
    matches: Callable[[str], bool]


class Ticket:
    """Asks for the ticket of the authid in HELLO."""

    method: Final = "ticket"

    def __init__(self, users: Mapping[str, TicketUser]) -> None:
        self._users = users

    def begin(self, details: HelloDetails) -> Question:
        """Ask, whoever it is: unknown users are refused only with their answer, in the same words."""
        authid = details.authid or ""

        def answer(signature: str, extra: dict[str, Any]) -> Principal:
            return self._check(authid, signature)

        return Question(extra={}, answer=answer)

    def _check(self, authid: str, ticket: str) -> Principal:
        user = self._users.get(authid)
        # Somebody's ticket is compared even for nobody, so that both answers take as long.
        candidate = user or next(iter(self._users.values()))
        if not candidate.matches(ticket) or user is None:
            raise Denied(AUTHENTICATION_FAILED, "unknown authid or wrong ticket")
        return Principal(
            authid=authid,
            authrole=user.role,
            authmethod=self.method,
            authprovider="static",
            permissions=user.permissions,
        )
