"""Authentication method ``anonymous``: anybody, under a role of the realm's choice."""

from __future__ import annotations

from typing import Final

from radiod.core.holders import Holder
from radiod.core.ids import Ids
from radiod.core.rights import Permissions, Principal
from radiod.wire.options import HelloDetails

__all__ = ["Anonymous"]


class Anonymous:
    """Gives every session an authid of its own and one common role, which has ``permissions``.

    ``holder``: all of them together.
    """

    method: Final = "anonymous"

    def __init__(self, role: str, permissions: Permissions, ids: Ids, holder: Holder | None = None) -> None:
        self._role = role
        self.permissions: Final = permissions
        self._ids = ids
        self._holder = holder

    def begin(self, details: HelloDetails) -> Principal:
        """Let the client in; the authid it asks for is not taken, since it proves nothing."""
        return self.principal()

    def principal(self) -> Principal:
        """One more anonymous principal."""
        return Principal(
            authid=self._ids.secret(),
            authrole=self._role,
            authmethod=self.method,
            authprovider="static",
            permissions=self.permissions,
            holder=self._holder,
        )
