"""``radiod.admin.plan.*``: what accounts may use."""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from radiod.access.by import By
from radiod.access.plans import PlanBook
from radiod.core.arguments import REQUIRED, text
from radiod.core.plans import Plan
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session

__all__ = ["PlanProcedures"]

LIMITS: Final = {field.name: None for field in structs.fields(Plan)}
"""None: unlimited, or the default."""


class PlanProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, book: PlanBook) -> None:
        self._book = book
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.plan.set": ({"name": REQUIRED, **LIMITS}, self.set),
            "radiod.admin.plan.list": ({}, self.list),
            "radiod.admin.plan.delete": ({"name": REQUIRED}, self.delete),
        }

    def set(self, session: Session, *, name: Any, **limits: Any) -> Promise[dict[str, Any]]:
        """As ``PlanBook.set``."""
        return self._book.set(By.of(session), text("name", name), limits)

    def list(self, session: Session) -> dict[str, Any]:
        """As ``PlanBook.list``."""
        return self._book.list()

    def delete(self, session: Session, *, name: Any) -> Promise[dict[str, Any]]:
        """As ``PlanBook.delete``."""
        return self._book.delete(By.of(session), text("name", name))
