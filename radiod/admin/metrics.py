"""``radiod.admin.metrics``: what Prometheus reads, for whoever has no endpoint that serves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session

__all__ = ["MetricsView"]


class MetricsView:
    """``procedures``: name -> parameters and handler. ``read``: makes the text, perhaps later."""

    def __init__(self, read: Callable[[], bytes | Promise[bytes]]) -> None:
        self._read = read
        self.procedures: dict[str, Procedure] = {"radiod.admin.metrics": ({}, self.metrics)}

    def metrics(self, session: Session) -> dict[str, Any] | Promise[dict[str, Any]]:
        """The text of ``GET /metrics`` → ``{text}``."""
        return chain(self._read(), lambda text: {"text": text.decode()})
