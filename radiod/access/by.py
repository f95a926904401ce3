"""Who asks for a change, as the audit names them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from radiod.core.access.records import Act
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock

__all__ = ["By"]


class By(Struct, frozen=True):
    """Who, and from where. ``actor``: an authid, ``socket:<uid>`` on the admin socket."""

    actor: str
    address: str

    @classmethod
    def of(cls, session: Session) -> By:
        """The one behind a session that calls."""
        outlet = session.outlet
        return cls(session.principal.authid, outlet.peer if outlet is not None else "")

    def act(self, clock: Clock, action: str, object: str, **detail: Any) -> Act:
        """That it did something now; ``detail`` holds no secret."""
        return Act(
            time=clock.time(),
            actor=self.actor,
            address=self.address,
            action=action,
            object=object,
            detail=detail,
        )
