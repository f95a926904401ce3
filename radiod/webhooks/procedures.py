"""``radiod.admin.webhook.*``: what becomes of the webhooks of one realm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from radiod.core.procedures.family import Procedure
from radiod.core.sessions.session import Session
from radiod.webhooks.hook import Hook

__all__ = ["WebhookProcedures"]


class WebhookProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, hooks: Iterable[Hook]) -> None:
        self._hooks = tuple(hooks)
        self.procedures: dict[str, Procedure] = {"radiod.admin.webhook.list": ({}, self.list)}

    def list(self, session: Session) -> dict[str, Any]:
        """All of this realm → ``{webhooks}``, each as ``Hook.describe``."""
        return {"webhooks": [hook.describe() for hook in self._hooks]}
