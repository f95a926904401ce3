"""``radiod.admin.account.*``: who pays."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from radiod.access.accounts import AccountBook
from radiod.access.by import By
from radiod.access.procedures import checks
from radiod.access.procedures.checks import PAGING
from radiod.access.standing import ACTIVE, SUSPENDED
from radiod.core.access.records import AccountRecord
from radiod.core.arguments import REQUIRED, optional, text
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices

__all__ = ["AccountProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]


class AccountProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, book: AccountBook, slices: Slices) -> None:
        self._book = book
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.account.set": ({"id": REQUIRED, "plan": None, "label": ""}, self.set),
            "radiod.admin.account.get": ({"id": REQUIRED}, self.get),
            "radiod.admin.account.list": ({"state": None, **PAGING}, self.list),
            "radiod.admin.account.suspend": ({"id": REQUIRED, "reason": ""}, self.suspend),
            "radiod.admin.account.resume": ({"id": REQUIRED}, self.resume),
        }

    def set(self, session: Session, *, id: Any, plan: Any, label: Any) -> Answer:
        """Set an account up, or give it another plan and label → its description."""
        of = optional(checks.name, "plan", plan)
        return self._book.set(By.of(session), checks.name("id", id), of, checks.label("label", label))

    def get(self, session: Session, *, id: Any) -> Answer:
        """One account → ``{id, label, plan, state, reason, created, connections}``."""
        return self._book.get(text("id", id))

    def list(self, session: Session, *, state: Any, limit: Any, after: Any) -> Answer:
        """Accounts by id → ``{accounts, next}``. Cost: O(n) in the accounts, for one page."""
        if state is not None:
            state = checks.state("state", state, ACTIVE, SUSPENDED)
        return self._slices.run(self._list(state, *checks.page(limit, after)))

    def _list(self, state: str | None, limit: int, after: str) -> Generator[None, None, dict[str, Any]]:
        def holds(record: AccountRecord) -> bool:
            return state in (None, record.state)

        found, more = yield from checks.page_of(self._book, limit, after, holds)
        return {"accounts": [self._book.describe(record) for record in found], "next": more}

    def suspend(self, session: Session, *, id: Any, reason: Any) -> Answer:
        """Let nobody of it in, and end all that they have open → ``{id, state, ended}``."""
        return self._book.suspend(By.of(session), text("id", id), checks.reason("reason", reason))

    def resume(self, session: Session, *, id: Any) -> Answer:
        """Let them in again → its description."""
        return self._book.resume(By.of(session), text("id", id))
