"""Finds what answers a call to one of the router's own procedures, and binds its arguments.

Each takes its arguments by keyword, or by position in the order of its signature; those of ``radiod.*``
answer one dictionary. A wrong argument is refused with ``wamp.error.invalid_argument`` naming it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from radiod.core.arguments import Signature, bind
from radiod.core.procedures.radiod_channel import ChannelProcedures
from radiod.core.procedures.radiod_client import ClientProcedures
from radiod.core.procedures.radiod_history import HistoryProcedures
from radiod.core.procedures.radiod_presence import PresenceProcedures
from radiod.core.procedures.radiod_rpc import RpcProcedures
from radiod.core.procedures.radiod_server import ServerProcedures
from radiod.core.procedures.radiod_statistics import ChannelStatistics
from radiod.core.promises import Later, after
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PROCEDURE, Refused
from radiod.wire.codecs import Payload, Undecodable

if TYPE_CHECKING:
    from radiod.core.realm.realm import Realm
    from radiod.core.sessions.session import Session

__all__ = ["Procedures"]

Answer = dict[str, Any] | Payload | Later[dict[str, Any]] | Later[Payload]


class Procedures:
    """Answers calls to ``radiod.*`` and ``wamp.*`` for one realm.

    ``table``: name -> parameters and handler, of all of ``radiod.*`` but ``radiod.echo``.
    """

    def __init__(self, realm: Realm) -> None:
        self._meta = realm.meta.procedures
        self.table: dict[str, tuple[Signature, Callable[..., Answer]]] = {
            **ChannelProcedures(realm).procedures,
            **ChannelStatistics(realm).procedures,
            **ClientProcedures(realm).procedures,
            **HistoryProcedures(realm).procedures,
            **PresenceProcedures(realm).procedures,
            **RpcProcedures(realm).procedures,
            **ServerProcedures(realm).procedures,
        }

    def call(self, session: Session, procedure: str, payload: Payload) -> Payload | Later[Payload]:
        """Answer one call. Raises: Refused: whatever the procedure, or its arguments, ask for."""
        if procedure == "radiod.echo":
            return payload
        if procedure in self._meta:
            signature, meta_handler = self._meta[procedure]
            return meta_handler(session, **_arguments(signature, payload))
        if procedure not in self.table:
            raise Refused(NO_SUCH_PROCEDURE, f"the router has no procedure {procedure}")
        signature, handler = self.table[procedure]
        answer: Any = handler(session, **_arguments(signature, payload))
        return after(answer, _said)


def _said(answer: dict[str, Any] | Payload) -> Payload:
    return answer if isinstance(answer, Payload) else Payload.of(answer)


def _arguments(signature: Signature, payload: Payload) -> dict[str, Any]:
    try:
        args, kwargs = payload.values()
    except Undecodable as error:
        raise Refused(INVALID_ARGUMENT, str(error)) from None
    return bind(signature, args, kwargs)
