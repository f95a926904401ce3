"""Finds what answers a call to one of the router's own procedures, and binds its arguments.

Each takes its arguments by keyword, or by position in the order of its signature; those of ``radiod.*``
answer one dictionary. A wrong argument is refused with ``wamp.error.invalid_argument`` naming it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from radiod.core.arguments import Signature, bind
from radiod.core.procedures.family import Family, Procedure
from radiod.core.promises import Promise, chain
from radiod.core.rights import Actor
from radiod.core.sessions.session import Session
from radiod.errors import FEATURE_NOT_SUPPORTED, INVALID_ARGUMENT, NO_SUCH_PROCEDURE, Refused
from radiod.wire.codecs import Payload, Undecodable

__all__ = ["FOR_SESSIONS", "Procedures"]

FOR_SESSIONS: Final = frozenset(
    {
        "radiod.channel.create",
        "radiod.channel.join",
        "radiod.channel.leave",
        "radiod.channel.open_write",
        "radiod.channel.close_write",
        "radiod.channel.tune",
        "radiod.rpc.document",
        "wamp.session.add_testament",
        "wamp.session.flush_testaments",
    }
)
"""What they give or take is held by the session that calls, and ends with it."""


class Procedures:
    """Answers calls to ``radiod.*`` and ``wamp.*`` for one realm.

    ``table``: name -> parameters and handler, of all but ``radiod.echo``.
    """

    def __init__(self, families: Iterable[Family]) -> None:
        self.table: dict[str, Procedure] = {}
        for family in families:
            self.table |= family.procedures

    def call_for_visitor(
        self, visitor: Actor, procedure: str, payload: Payload
    ) -> Payload | Promise[Payload]:
        """The same for somebody who has no session.

        Raises: Refused: as ``call``; ``feature_not_supported``: nobody would end what it is about.
        """
        if procedure in FOR_SESSIONS:
            raise Refused(FEATURE_NOT_SUPPORTED, f"{procedure} is about the session that calls it")
        # One that nobody knows: what takes sessions looks no further than who that is, and what it holds.
        return self.call(Session(visitor.id, visitor.principal, visitor.outlet), procedure, payload)

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
