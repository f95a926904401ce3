"""``radiod.admin.key.*``: keys that are issued, looked at, changed and ended."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from radiod.access.by import By
from radiod.access.keys import Entry, KeyBook
from radiod.access.procedures import checks
from radiod.access.procedures.checks import PAGING, UNCHANGED, given
from radiod.access.standing import ACTIVE, REVOKED, SUSPENDED
from radiod.core.arguments import REQUIRED, optional, text
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices

__all__ = ["KeyProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_OVERLAP: Final = 366 * 86_400.0
"""Seconds that an old secret may live beside the new one."""

RIGHTS: Final = ("publish", "listen", "call", "register")


class KeyProcedures:
    """``procedures``: name -> parameters and handler.

    ``realm``: of the sessions that call; keys are for that one if none is named.
    """

    def __init__(self, book: KeyBook, realm: str, slices: Slices) -> None:
        self._book = book
        self._realm = realm
        self._slices = slices
        rights: dict[str, Any] = {"account": None, **{name: [] for name in RIGHTS}, "label": ""}
        dates: dict[str, Any] = {"valid_from": None, "valid_until": None}
        places: dict[str, Any] = {"origins": [], "addresses": []}
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.key.issue": (
                {**rights, "realm": None, **dates, **places, "signed": False},
                self.issue,
            ),
            "radiod.admin.key.list": ({"account": None, "state": None, **PAGING}, self.list),
            "radiod.admin.key.get": ({"id": REQUIRED}, self.get),
            "radiod.admin.key.update": (
                {"id": REQUIRED, **dict.fromkeys((*rights, *dates, *places, "signed"), UNCHANGED)},
                self.update,
            ),
            "radiod.admin.key.rotate": ({"id": REQUIRED, "overlap": 86_400}, self.rotate),
            "radiod.admin.key.suspend": ({"id": REQUIRED, "reason": ""}, self.suspend),
            "radiod.admin.key.resume": ({"id": REQUIRED}, self.resume),
            "radiod.admin.key.revoke": ({"id": REQUIRED, "reason": ""}, self.revoke),
        }

    def issue(self, session: Session, *, realm: Any, signed: Any, **asked: Any) -> Answer:
        """Make a key → its description, ``key`` and ``signing``: shown this once."""
        name = optional(checks.name, "realm", realm)
        fields = {**_checked(asked), "realm": self._realm if name is None else name}
        return self._book.issue(By.of(session), fields, is_signed=checks.boolean("signed", signed))

    def list(self, session: Session, *, account: Any, state: Any, limit: Any, after: Any) -> Answer:
        """Keys by id → ``{keys, next}``. Cost: O(n) in the keys, for one page."""
        self._book.tell_used()
        of = optional(checks.name, "account", account)
        if state is not None:
            state = checks.state("state", state, ACTIVE, SUSPENDED, REVOKED)
        return self._slices.run(self._list(of, state, *checks.page(limit, after)))

    def _list(
        self, account: str | None, state: str | None, limit: int, after: str
    ) -> Generator[None, None, dict[str, Any]]:
        def holds(entry: Entry) -> bool:
            record = entry.record
            return account in (None, record.account) and state in (None, record.state)

        found, more = yield from checks.page_of(self._book, limit, after, holds)
        return {"keys": [self._book.describe(entry) for entry in found], "next": more}

    def get(self, session: Session, *, id: Any) -> Answer:
        """One key → its description."""
        self._book.tell_used()
        return self._book.describe(self._book.find(text("id", id)))

    def update(self, session: Session, *, id: Any, signed: Any, **asked: Any) -> Answer:
        """Give a key other properties → its description, and ``signing`` if it has a new one."""
        signs = given(checks.boolean, signed=signed).get("signed")
        return self._book.update(By.of(session), text("id", id), _checked(asked), is_signed=signs)

    def rotate(self, session: Session, *, id: Any, overlap: Any) -> Answer:
        """A new secret beside the old ones, which end → ``{id, key, expires}``."""
        lives = checks.seconds("overlap", overlap, MAX_OVERLAP)
        return self._book.rotate(By.of(session), text("id", id), lives)

    def suspend(self, session: Session, *, id: Any, reason: Any) -> Answer:
        """Let nobody in with it, and end what it has open → ``{id, state, ended}``."""
        return self._book.suspend(By.of(session), text("id", id), checks.reason("reason", reason))

    def resume(self, session: Session, *, id: Any) -> Answer:
        """Let it in again → its description."""
        return self._book.resume(By.of(session), text("id", id))

    def revoke(self, session: Session, *, id: Any, reason: Any) -> Answer:
        """As ``suspend``, for good."""
        return self._book.revoke(By.of(session), text("id", id), checks.reason("reason", reason))


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    """Fields of a record, of those that were given."""
    fields: dict[str, Any] = {}
    for name, value in asked.items():
        if value is UNCHANGED:
            continue
        fields[name] = CHECKS[name](name, value)
    return fields


def _account(name: str, value: Any) -> str | None:
    return optional(checks.name, name, value)


CHECKS: Final = {
    "account": _account,
    **dict.fromkeys(RIGHTS, checks.patterns),
    "label": checks.label,
    "valid_from": checks.date,
    "valid_until": checks.date,
    "origins": checks.origins,
    "addresses": checks.networks,
}
"""Parameter -> what checks it."""
