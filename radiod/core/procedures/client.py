"""``radiod.client.*``: who is there."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from radiod.core.arguments import REQUIRED, Signature, identifier, optional, whole
from radiod.core.meta import describe_session
from radiod.core.sight import registrations
from radiod.errors import NO_SUCH_SESSION, Refused

if TYPE_CHECKING:
    from radiod.core.realm import Realm
    from radiod.core.sessions import Session

__all__ = ["ClientProcedures"]

MAX_PAGE: Final = 1000
"""Clients, or anything else of one client, in one answer."""


class ClientProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, realm: Realm) -> None:
        # session id -> session, in order of joining
        self._sessions = realm.sessions
        self.procedures: dict[str, tuple[Signature, Callable[..., dict[str, Any]]]] = {
            "radiod.client.list": ({"limit": 100, "after": None}, self.list),
            "radiod.client.get": ({"id": REQUIRED}, self.get),
        }

    def list(self, session: Session, *, limit: Any, after: Any) -> dict[str, Any]:
        """Sessions by id → ``{clients: [{id, authid, authrole, agent}, …], next}``.

        ``next`` is the ``after`` of the next page. Cost: O(n) in the sessions, for one page.
        """
        limit = whole("limit", limit, 1, MAX_PAGE)
        start = optional(identifier, "after", after) or 0
        page = heapq.nsmallest(limit + 1, (id for id in self._sessions if id > start))
        shown = page[:limit]
        return {
            "clients": [_brief(self._sessions[id]) for id in shown],
            "next": shown[-1] if len(page) > limit else None,
        }

    def get(self, session: Session, *, id: Any) -> dict[str, Any]:
        """One client, by session id, or by authid: of several sessions the one that joined last.

        Returns: what ``wamp.session.get`` tells, ``agent``, ``procedures`` (names it has registered, sorted)
            and ``sessions`` (ids of all with its authid, oldest first); at most ``MAX_PAGE`` of each.
        Raises: Refused: ``no_such_session``. Cost: O(n) in the sessions.
        """
        found = self._newest(id) if isinstance(id, str) else self._sessions.get(identifier("id", id))
        if found is None:
            raise Refused(NO_SUCH_SESSION, f"no client {str(id)[:64]!r}")
        authid = found.principal.authid
        same = [one.id for one in self._sessions.values() if one.principal.authid == authid]
        held = (callee.registration for callee in found.registrations.values())
        names = {registration.procedure for registration in registrations(session, held)}
        return {
            **describe_session(found),
            "agent": found.agent,
            "procedures": sorted(names)[:MAX_PAGE],
            "sessions": same[:MAX_PAGE],
        }

    def _newest(self, authid: str) -> Session | None:
        newest = reversed(self._sessions.values())
        return next((one for one in newest if one.principal.authid == authid), None)


def _brief(session: Session) -> dict[str, Any]:
    principal = session.principal
    return {
        "id": session.id,
        "authid": principal.authid,
        "authrole": principal.authrole,
        "agent": session.agent,
    }
