"""``radiod.presence.*`` where other nodes have listeners, too: who asks waits until these are known."""

from __future__ import annotations

from typing import Any

from radiod.core.arguments import REQUIRED, optional, text
from radiod.core.channels.headcount import PAGE
from radiod.core.cluster.shared_presence import SharedPresence
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.procedures.radiod_channel import page_size
from radiod.core.promises import chain
from radiod.core.sessions.session import Session
from radiod.wire.codecs import Payload

__all__ = ["SharedPresenceProcedures"]


class SharedPresenceProcedures:
    """As ``PresenceProcedures``, of all nodes."""

    def __init__(self, presence: SharedPresence) -> None:
        self._presence = presence
        self.procedures: dict[str, Procedure] = {
            "radiod.presence.get": ({"name": REQUIRED, "limit": PAGE, "after": None}, self.get),
        }

    def get(self, session: Session, *, name: Any, limit: Any, after: Any) -> Payloads:
        """As ``PresenceProcedures.get``; ``unanswered``, beside it: names of nodes that have not told."""
        given = self._presence.get_everywhere(
            session, text("name", name), page_size(limit), optional(text, "after", after)
        )
        return chain(given, _told)


def _told(given: tuple[dict[str, Any], tuple[str, ...]]) -> Payload:
    present, unanswered = given
    return Payload.of(present, unanswered=list(unanswered)) if unanswered else Payload.of(present)
