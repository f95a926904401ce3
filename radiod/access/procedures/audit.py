"""``radiod.admin.audit``: who changed what."""

from __future__ import annotations

from typing import Any

from msgspec.structs import asdict

from radiod.access.changes import Desk
from radiod.access.procedures.checks import MAX_PAGE
from radiod.core.access.records import AuditEntry
from radiod.core.arguments import whole
from radiod.core.ids import MAX_ID
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session

__all__ = ["AuditProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]


class AuditProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, desk: Desk) -> None:
        # Which has another store when the configuration's is open.
        self._desk = desk
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.audit": ({"after": 0, "limit": 100}, self.audit),
        }

    def audit(self, session: Session, *, after: Any, limit: Any) -> Answer:
        """Entries by number → ``{entries: [{seq, time, actor, address, action, object, detail}], next}``.

        ``next`` is the ``after`` of the next page, which may be empty; None: there was no more just now.
        """
        start = 0 if after is None else whole("after", after, 0, MAX_ID)
        most = whole("limit", limit, 1, MAX_PAGE)

        def tell(entries: list[AuditEntry]) -> dict[str, Any]:
            told = [_plain(entry) for entry in entries]
            return {"entries": told, "next": entries[-1].seq if len(entries) == most else None}

        return chain(self._desk.store.audit(start, most), tell)


def _plain(entry: AuditEntry) -> dict[str, Any]:
    """An entry without what chains it to the one before: that is for who checks the store."""
    told = asdict(entry)
    del told["previous"], told["hash"]
    return told
