"""``radiod.server.*``: the server itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod import __version__
from radiod.core.build import BUILD
from radiod.core.procedures.family import Procedure
from radiod.core.sessions.session import Session

__all__ = ["ServerProcedures"]


class ServerProcedures:
    """``procedures``: name -> parameters and handler; ``node``: its name, if it is one of several."""

    def __init__(self, describe_load: Callable[[], dict[str, Any]]) -> None:
        self._describe_load = describe_load
        self.node = ""
        self.procedures: dict[str, Procedure] = {
            "radiod.server.info": ({}, self.info),
            "radiod.server.stats": ({}, self.stats),
        }

    def info(self, session: Session) -> dict[str, Any]:
        """What this server is → ``{name, version, build}``, and ``node`` in a cluster; see ``core.build``."""
        told = {"name": "radiod", "version": __version__, "build": BUILD}
        return {**told, "node": self.node} if self.node else told

    def stats(self, session: Session) -> dict[str, Any]:
        """Counts, rates, queues and lag → ``Load.describe``."""
        return self._describe_load()
