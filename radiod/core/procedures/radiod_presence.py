"""``radiod.presence.*``: who listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radiod.core.arguments import REQUIRED, Signature, optional, text
from radiod.core.channels.headcount import PAGE
from radiod.core.procedures.radiod_channel import page_size

if TYPE_CHECKING:
    from radiod.core.realm.realm import Realm
    from radiod.core.sessions.session import Session

__all__ = ["PresenceProcedures"]


class PresenceProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, realm: Realm) -> None:
        self._desk = realm.desk
        self.procedures: dict[str, tuple[Signature, Callable[..., dict[str, Any]]]] = {
            "radiod.presence.get": ({"name": REQUIRED, "limit": PAGE, "after": None}, self.get),
        }

    def get(self, session: Session, *, name: Any, limit: Any, after: Any) -> dict[str, Any]:
        """Who listens to a channel → ``{name, users: {authid: sessions}, count, total, next}``."""
        return self._desk.present(
            session, text("name", name), page_size(limit), optional(text, "after", after)
        )
