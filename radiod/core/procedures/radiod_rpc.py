"""``radiod.rpc.*``: what can be called, and how."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Final

import msgspec

from radiod.core.arguments import REQUIRED, optional, text, whole
from radiod.core.procedures.family import Procedure
from radiod.core.procedures.visible import sees_registration
from radiod.core.promises import Promise
from radiod.core.rpc.registrations import Callee, Registration, Registrations
from radiod.core.rpc.signatures import read_signature
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices, smallest
from radiod.errors import NO_SUCH_PROCEDURE, NO_SUCH_REGISTRATION, Refused

__all__ = ["RpcProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

POLICIES: Final = 3
"""Registrations there can be of one name: one for each way to match."""

MAX_PAGE: Final = 1000
"""Procedures in one answer."""


class RpcProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, registrations: Registrations, slices: Slices) -> None:
        self._registrations = registrations
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "radiod.rpc.list": ({"prefix": "", "limit": 100, "after": None}, self.list),
            "radiod.rpc.describe": ({"procedure": REQUIRED}, self.describe),
            "radiod.rpc.document": ({"procedure": REQUIRED, "signature": REQUIRED}, self.document),
        }

    def list(self, session: Session, *, prefix: Any, limit: Any, after: Any) -> Answer:
        """Registrations by procedure → ``{procedures: [{procedure, match, invoke, callees}, …], next}``.

        A page ends with everything that is registered under its last procedure, so that ``next``, a
        procedure, is enough to continue. Cost: O(n) in the registrations.
        """
        text("prefix", prefix)
        limit = whole("limit", limit, 1, MAX_PAGE)
        start = optional(text, "after", after)
        return self._slices.run(self._list(session, prefix, limit, start))

    def _list(
        self, session: Session, prefix: str, limit: int, start: str | None
    ) -> Generator[None, None, dict[str, Any]]:
        found = yield from _below(session, self._registrations, prefix, start, limit + POLICIES)
        end = limit
        while end < len(found) and found[end].procedure == found[end - 1].procedure:
            end += 1
        return {
            "procedures": [_brief(registration) for registration in found[:end]],
            "next": found[end - 1].procedure if end < len(found) else None,
        }

    def describe(self, session: Session, *, procedure: Any) -> Answer:
        """What answers calls to a procedure, and what is registered below its name.

        Returns: ``{procedure, match, invoke, callees, signature, children}``; ``procedure`` and ``match`` as
            registered; without a registration they are the name and null; ``children``: procedures whose
            names go on with a dot, the first ``MAX_PAGE`` by name.
        Raises: Refused: ``no_such_procedure``: there is neither.
        """
        return self._slices.run(self._describe(session, text("procedure", procedure)))

    def _describe(self, session: Session, procedure: str) -> Generator[None, None, dict[str, Any]]:
        below = yield from _below(session, self._registrations, procedure + ".", None, POLICIES * MAX_PAGE)
        children = sorted({child.procedure for child in below})[:MAX_PAGE]
        try:
            registration = self._best(session, procedure)
        except Refused:
            if not children:
                told = f"nothing is registered as {procedure[:255]!r}, nor below that"
                raise Refused(NO_SUCH_PROCEDURE, told) from None
            nothing = {"match": None, "invoke": None, "callees": 0, "signature": None}
            return {"procedure": procedure, **nothing, "children": children}
        signature = registration.signature
        return {
            **_brief(registration),
            "signature": msgspec.Raw(signature) if signature else None,
            "children": children,
        }

    def _best(self, session: Session, procedure: str) -> Registration:
        """What would answer the session's calls. Raises: Refused: ``no_such_procedure``, to it."""
        if session.principal.permissions.hides_procedure(procedure):
            raise Refused(NO_SUCH_PROCEDURE, f"nothing is registered as {procedure[:255]!r}")
        return self._registrations.best(procedure)

    def document(self, session: Session, *, procedure: Any, signature: Any) -> dict[str, Any]:
        """Tell how a procedure is called that this session has registered; None: no more → ``{procedure}``.

        Raises: Refused: ``no_such_registration``, ``invalid_argument``, ``quota``.
        """
        callee = _callee(self._registrations.of(session), text("procedure", procedure))
        callee.document(b"" if signature is None else read_signature("signature", signature))
        return {"procedure": procedure}


def _below(
    session: Session, registrations: Registrations, prefix: str, after: str | None, count: int
) -> Generator[None, None, list[Registration]]:
    """The first registrations, by procedure, that begin with ``prefix`` and sort after ``after``.

    Of those that the session may know of.
    """
    sees = sees_registration(session)

    def holds(registration: Registration) -> bool:
        procedure = registration.procedure
        return procedure.startswith(prefix) and (after is None or procedure > after) and sees(registration)

    return (yield from smallest(registrations, count, lambda one: one.procedure, holds))


def _brief(registration: Registration) -> dict[str, Any]:
    return {
        "procedure": registration.procedure,
        "match": registration.match,
        "invoke": registration.invoke,
        "callees": len(registration.callees),
    }


def _callee(held: Mapping[int, Callee], procedure: str) -> Callee:
    """The session's part in a procedure; in the exact one, if it has registered a pattern so named too."""
    found = {
        callee.registration.match: callee
        for callee in held.values()
        if callee.registration.procedure == procedure
    }
    if not found:
        raise Refused(NO_SUCH_REGISTRATION, f"this session has not registered {procedure[:255]!r}")
    return found.get("exact") or next(iter(found.values()))
