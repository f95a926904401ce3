"""``radiod.client.*``: who is there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from radiod.core.arguments import REQUIRED, identifier, optional, whole
from radiod.core.procedures.family import Procedure
from radiod.core.procedures.visible import registrations
from radiod.core.promises import Promise
from radiod.core.rpc.registrations import Registrations
from radiod.core.sessions.session import Session, describe_session
from radiod.core.slices import Slices, in_steps, smallest
from radiod.errors import NO_SUCH_SESSION, Refused

__all__ = ["ClientProcedures"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_PAGE: Final = 1000
"""Clients, or anything else of one client, in one answer."""


class ClientProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, sessions: dict[int, Session], registrations: Registrations, slices: Slices) -> None:
        # session id -> session, in order of joining
        self._sessions = sessions
        self._registrations = registrations
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "radiod.client.list": ({"limit": 100, "after": None}, self.list),
            "radiod.client.get": ({"id": REQUIRED}, self.get),
        }

    def list(self, session: Session, *, limit: Any, after: Any) -> Answer:
        """Sessions by id → ``{clients: [{id, authid, authrole, agent}, …], next}``.

        ``next`` is the ``after`` of the next page. Cost: O(n) in the sessions, for one page.
        """
        limit = whole("limit", limit, 1, MAX_PAGE)
        start = optional(identifier, "after", after) or 0
        return self._slices.run(self._list(limit, start))

    def _list(self, limit: int, start: int) -> Generator[None, None, dict[str, Any]]:
        page = yield from smallest(
            self._sessions.values(), limit + 1, lambda one: one.id, lambda one: one.id > start
        )
        shown = page[:limit]
        return {
            "clients": [_brief(one) for one in shown if one.is_open],
            "next": shown[-1].id if len(page) > limit else None,
        }

    def get(self, session: Session, *, id: Any) -> Answer:
        """One client, by session id, or by authid: of several sessions the one that joined last.

        Returns: what ``wamp.session.get`` tells, ``agent``, ``procedures`` (names it has registered, sorted)
            and ``sessions`` (ids of all with its authid, oldest first); at most ``MAX_PAGE`` of each.
        Raises: Refused: ``no_such_session``. Cost: O(n) in the sessions.
        """
        found = self._newest(id) if isinstance(id, str) else self._sessions.get(identifier("id", id))
        if found is None:
            raise Refused(NO_SUCH_SESSION, f"no client {str(id)[:64]!r}")
        return self._slices.run(self._get(session, found))

    def _get(self, session: Session, found: Session) -> Generator[None, None, dict[str, Any]]:
        authid = found.principal.authid
        same: list[int] = []
        yield from in_steps(
            self._sessions.values(),
            lambda some: same.extend(one.id for one in some if one.principal.authid == authid),
        )
        held = (callee.registration for callee in self._registrations.of(found).values())
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
