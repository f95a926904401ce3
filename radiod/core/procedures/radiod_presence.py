"""``radiod.presence.*``: who listens."""

from __future__ import annotations

from typing import Any

from radiod.core.arguments import REQUIRED, optional, text
from radiod.core.channels.headcount import PAGE
from radiod.core.channels.presence import Presence
from radiod.core.procedures.family import Procedure
from radiod.core.procedures.radiod_channel import page_size
from radiod.core.sessions.session import Session

__all__ = ["PresenceProcedures"]


class PresenceProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self.procedures: dict[str, Procedure] = {
            "radiod.presence.get": ({"name": REQUIRED, "limit": PAGE, "after": None}, self.get),
        }

    def get(self, session: Session, *, name: Any, limit: Any, after: Any) -> dict[str, Any]:
        """Who listens to a channel → ``{name, users: {authid: sessions}, count, total, next}``."""
        return self._presence.get(
            session, text("name", name), page_size(limit), optional(text, "after", after)
        )
