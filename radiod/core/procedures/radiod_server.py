"""``radiod.server.*``: the server itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radiod import __version__
from radiod.core.arguments import Signature
from radiod.core.build import BUILD

if TYPE_CHECKING:
    from radiod.core.realm.realm import Realm
    from radiod.core.sessions.session import Session

__all__ = ["ServerProcedures"]


class ServerProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.procedures: dict[str, tuple[Signature, Callable[..., dict[str, Any]]]] = {
            "radiod.server.info": ({}, self.info),
            "radiod.server.stats": ({}, self.stats),
        }

    def info(self, session: Session) -> dict[str, Any]:
        """What this server is → ``{name, version, build}``; see ``core.build``."""
        return {"name": "radiod", "version": __version__, "build": BUILD}

    def stats(self, session: Session) -> dict[str, Any]:
        """Counts, rates, queues and lag → ``Realm.describe_load``."""
        return self._realm.describe_load()
