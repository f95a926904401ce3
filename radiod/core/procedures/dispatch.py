"""Finds what answers a call to one of the router's own procedures, and binds its arguments.

Each takes its arguments by keyword, or by position in the order of its signature; those of ``radiod.*``
answer one dictionary. A wrong argument is refused with ``wamp.error.invalid_argument`` naming it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from radiod.core.arguments import Signature, bind
from radiod.core.procedures.family import Family, Procedure
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PROCEDURE, Refused
from radiod.wire.codecs import Payload, Undecodable

__all__ = ["Procedures"]


class Procedures:
    """Answers calls to ``radiod.*`` and ``wamp.*`` for one realm.

    ``table``: name -> parameters and handler, of all but ``radiod.echo``.
    """

    def __init__(self, families: Iterable[Family]) -> None:
        self.table: dict[str, Procedure] = {}
        for family in families:
            self.table |= family.procedures

    def call(self, session: Session, procedure: str, payload: Payload) -> Payload | Promise[Payload]:
        """Answer one call. Raises: Refused: whatever the procedure, or its arguments, ask for."""
        if procedure == "radiod.echo":
            return payload
        found = self.table.get(procedure)
        if found is None:
            raise Refused(NO_SUCH_PROCEDURE, f"the router has no procedure {procedure}")
        signature, handler = found
        answer: Any = handler(session, **_arguments(signature, payload))
        return chain(answer, _said)


def _said(answer: dict[str, Any] | Payload) -> Payload:
    return answer if isinstance(answer, Payload) else Payload.of(answer)


def _arguments(signature: Signature, payload: Payload) -> dict[str, Any]:
    try:
        args, kwargs = payload.values()
    except Undecodable as error:
        raise Refused(INVALID_ARGUMENT, str(error)) from None
    return bind(signature, args, kwargs)
