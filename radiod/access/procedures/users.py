"""``radiod.admin.user.*``: who may log in."""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from radiod.access.by import By
from radiod.access.procedures import checks
from radiod.access.procedures.checks import PAGING
from radiod.access.standing import ACTIVE, SUSPENDED
from radiod.access.users import UserBook, UserEntry
from radiod.auth.dynamic import ScramAnswer
from radiod.core.arguments import REQUIRED, a_list, dictionary, optional, text
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["UserProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_TICKET: Final = 1024
"""Characters."""

Pubkeys = Annotated[
    list[Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$", max_length=64)]], Meta(max_length=100)
]


class UserProcedures:
    """``procedures``: name -> parameters and handler.

    ``realm``: of the sessions that call; users are of that one if none is named.
    """

    def __init__(self, book: UserBook, realm: str, slices: Slices) -> None:
        self._book = book
        self._realm = realm
        self._slices = slices
        who: dict[str, Any] = {"authid": REQUIRED, "realm": None}
        proofs: dict[str, Any] = {"ticket": None, "scram": None, "cryptosign": None}
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.user.set": (
                {"authid": REQUIRED, "role": REQUIRED, "account": None, **proofs, "realm": None},
                self.set,
            ),
            "radiod.admin.user.list": (
                {"account": None, "state": None, "realm": None, **PAGING},
                self.list,
            ),
            "radiod.admin.user.suspend": ({**who, "reason": ""}, self.suspend),
            "radiod.admin.user.resume": (who, self.resume),
            "radiod.admin.user.delete": (who, self.delete),
        }

    def set(
        self,
        session: Session,
        *,
        authid: Any,
        role: Any,
        account: Any,
        ticket: Any,
        scram: Any,
        cryptosign: Any,
        realm: Any,
    ) -> Answer:
        """Add a user, or change one; of what proves who it is only what is given → its description."""
        fields: dict[str, Any] = {
            "role": checks.name("role", role),
            "account": optional(checks.name, "account", account),
        }
        if scram is not None:
            fields["scram"] = _scram(scram)
        if cryptosign is not None:
            fields["cryptosign"] = _cryptosign(cryptosign)
        name, proof = checks.name("authid", authid), optional(_ticket, "ticket", ticket)
        return self._book.set(By.of(session), self._of(realm), name, fields, proof)

    def list(
        self, session: Session, *, account: Any, state: Any, realm: Any, limit: Any, after: Any
    ) -> Answer:
        """Users by authid → ``{users, next}``. Cost: O(n) in the users, for one page."""
        of, where = optional(checks.name, "account", account), optional(checks.name, "realm", realm)
        if state is not None:
            state = checks.state("state", state, ACTIVE, SUSPENDED)
        return self._slices.run(self._list(of, state, where, *checks.page(limit, after)))

    def _list(
        self, account: str | None, state: str | None, realm: str | None, limit: int, after: str
    ) -> Generator[None, None, dict[str, Any]]:
        def holds(entry: UserEntry) -> bool:
            record = entry.record
            return (
                account in (None, record.account)
                and state in (None, record.state)
                and realm in (None, record.realm)
            )

        found, more = yield from checks.page_of(self._book, limit, after, holds)
        return {"users": [self._book.describe(entry) for entry in found], "next": more}

    def suspend(self, session: Session, *, authid: Any, realm: Any, reason: Any) -> Answer:
        """Let a user in no more, and end what it has open → ``{authid, realm, state, ended}``."""
        why = checks.reason("reason", reason)
        return self._book.suspend(By.of(session), self._of(realm), text("authid", authid), why)

    def resume(self, session: Session, *, authid: Any, realm: Any) -> Answer:
        """Let it in again → its description."""
        return self._book.resume(By.of(session), self._of(realm), text("authid", authid))

    def delete(self, session: Session, *, authid: Any, realm: Any) -> Answer:
        """Forget a user, and end what it has open → ``{authid, realm, ended}``."""
        return self._book.delete(By.of(session), self._of(realm), text("authid", authid))

    def _of(self, realm: Any) -> str:
        return self._realm if realm is None else text("realm", realm)


def _ticket(name: str, value: Any) -> str:
    told = text(name, value)
    if len(told) > MAX_TICKET:
        raise Refused(INVALID_ARGUMENT, f"{name} has at most {MAX_TICKET} characters")
    return told


def _scram(value: Any) -> str | None:
    """A verifier as JSON; None: none."""
    given = dictionary("scram", value)
    if not given:
        return None
    try:
        known = msgspec.convert(given, ScramAnswer)
    except msgspec.ValidationError as error:
        # Without what was given: it is secret.
        raise Refused(INVALID_ARGUMENT, f"scram: {str(error).rpartition(' - at ')[2]} is wrong") from None
    if (known.memory is None) is (known.kdf == "argon2id13"):
        raise Refused(INVALID_ARGUMENT, "scram: memory goes with kdf argon2id13, and only with it")
    return msgspec.json.encode(known).decode()


def _cryptosign(value: Any) -> str | None:
    """Public keys in hex, with spaces between; None: none."""
    try:
        known = msgspec.convert(a_list("cryptosign", value), Pubkeys)
    except msgspec.ValidationError:
        raise Refused(INVALID_ARGUMENT, "cryptosign must be a list of keys of 64 hex digits each") from None
    return " ".join(known).lower() or None
