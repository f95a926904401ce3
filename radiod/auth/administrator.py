"""Authentication method ``socket``: whoever may open the admin socket's file."""

from __future__ import annotations

from typing import Final

from radiod.auth.roles import ADMIN, StaticPermissions
from radiod.core.holders import Account, Holder
from radiod.core.rights import Action, Principal
from radiod.wire.options import HelloDetails

__all__ = ["ADMINISTRATOR", "Administrator"]

ROLE: Final = "admin"

ADMINISTRATOR: Final = StaticPermissions({**dict.fromkeys(Action, ("*",)), Action.CALL: ("*", f"{ADMIN}*")})
"""The built-in role ``admin``: everything."""


class Administrator:
    """Lets one user of this machine in, who has shown by opening a file that nobody else may.

    Args:
        uid: the number of that user.
        memberships: as ``Principal`` has them.
        account: what its calls and deliveries are counted on.
    """

    method: Final = "socket"

    def __init__(self, uid: int, memberships: tuple[str, ...], account: Account) -> None:
        self._uid = uid
        self._account = account
        self._memberships = memberships

    def begin(self, details: HelloDetails) -> Principal:
        """Let the client in, as what the kernel says it is, whatever it would like to be."""
        authid = f"socket:{self._uid}"
        return Principal(
            authid=authid,
            authrole=ROLE,
            authmethod=self.method,
            authprovider="static",
            permissions=ADMINISTRATOR,
            memberships=self._memberships,
            holder=Holder(authid, self._account),
        )
