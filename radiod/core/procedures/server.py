"""``radiod.server.*``: the server itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radiod import __version__
from radiod.core.arguments import Signature

if TYPE_CHECKING:
    from radiod.core.sessions import Session

__all__ = ["ServerProcedures"]


class ServerProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self) -> None:
        self.procedures: dict[str, tuple[Signature, Callable[..., dict[str, Any]]]] = {
            "radiod.server.info": ({}, self.info),
        }

    def info(self, session: Session) -> dict[str, Any]:
        """What this server is → ``{name, version}``."""
        return {"name": "radiod", "version": __version__}
