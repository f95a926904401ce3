"""``radiod.admin.backup``: a copy of the store, as it is now, while it is used."""

from __future__ import annotations

from typing import Any, Final

from radiod.access.by import By
from radiod.access.changes import Desk, then
from radiod.core.arguments import REQUIRED, text
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["BackupProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_PATH: Final = 4095


class BackupProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.backup": ({"path": REQUIRED}, self.backup),
        }

    def backup(self, session: Session, *, path: Any) -> Answer:
        """Copy the store into a new file on the server's machine, for its user only → ``{path, bytes}``.

        The audit tells of it, after the copy was made: not in the copy itself.
        Raises, or settles with: Refused: ``invalid_argument``: the path is not whole, the file is there
            already, or cannot be made; ``unavailable``; ``feature_not_supported``: there is no store.
        """
        where = _whole(path)
        act = By.of(session).act(self._clock, "backup", where)

        def enter(count: int) -> Promise[dict[str, Any]]:
            return then(self._desk.store.change([], act), lambda: {"path": where, "bytes": count})

        return chain(self._desk.store.backup(where), enter)


def _whole(path: Any) -> str:
    where = text("path", path)
    if not where.startswith("/") or len(where) > MAX_PATH or "\0" in where:
        # The server's working directory is nobody's business.
        raise Refused(INVALID_ARGUMENT, f"path must begin with /, and have at most {MAX_PATH} characters")
    return where
