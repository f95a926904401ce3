"""``radiod.admin.sessions``: who is there, from where, and what waits for each."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from radiod.admin.views import MAX_ROWS, many
from radiod.core.arguments import identifier, optional, text
from radiod.core.delivery.listeners import Listener
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session, describe_session
from radiod.core.slices import smallest

__all__ = ["MAX_PARTS", "SessionsView", "way"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_PARTS = MAX_ROWS
"""Subscriptions of one session that are looked at for what waits there."""


class SessionsView:
    """``procedures``: name -> parameters and handler, of one realm."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.sessions": ({"limit": 100, "after": None, "find": ""}, self.sessions),
        }

    def sessions(self, session: Session, *, limit: Any, after: Any, find: Any) -> Answer:
        """Sessions by id → ``{sessions: [{session, authid, …}, …], next, total}``.

        Each has what ``wamp.session.get`` tells, ``agent``, ``peer``, ``subscriptions`` and
        ``registrations`` (how many), ``queued``, ``lost``, ``backlog_bytes``, ``is_blocked``. ``find``: only
        those with this text in their id, authid, role, agent or peer, in any case of letters. Cost: O(n) in
        the sessions.
        """
        most, start = many(limit), optional(identifier, "after", after) or 0
        return self._realm.slices.run(self._sessions(most, start, text("find", find).casefold()))

    def _sessions(self, limit: int, start: int, find: str) -> Generator[None, None, dict[str, Any]]:
        page = yield from smallest(
            self._realm.sessions.values(),
            limit + 1,
            lambda one: one.id,
            lambda one: one.id > start and (not find or find in _words(one)),
        )
        shown, told = page[:limit], []
        for one in shown:
            if one.is_open:
                told.append(self._told(one))
                yield
        return {
            "sessions": told,
            "next": shown[-1].id if len(page) > limit else None,
            "total": len(self._realm.sessions),
        }

    def _told(self, one: Session) -> dict[str, Any]:
        subscriptions = self._realm.subscriptions.of(one)
        parts = [subscription.listeners[one] for subscription in list(subscriptions.values())[:MAX_PARTS]]
        return {
            **describe_session(one),
            "agent": one.agent,
            **way(one),
            "subscriptions": len(subscriptions),
            "registrations": len(self._realm.dealer.registrations.of(one)),
            **_waiting(parts),
        }


def _waiting(parts: list[Listener]) -> dict[str, int]:
    return {"queued": sum(part.queued for part in parts), "lost": sum(part.lost for part in parts)}


def way(session: Session) -> dict[str, Any]:
    """What is known of a session's connection: ``{peer, backlog_bytes, is_blocked}``.

    ``backlog_bytes``: of answers that it has not read; ``is_blocked``: it takes nothing just now.
    """
    outlet = session.outlet
    return {
        "peer": getattr(outlet, "peer", ""),
        "backlog_bytes": getattr(outlet, "backlog_bytes", 0),
        "is_blocked": getattr(outlet, "blocked", False),
    }


def _words(session: Session) -> str:
    principal = session.principal
    peer = getattr(session.outlet, "peer", "")
    parts = (str(session.id), principal.authid, principal.authrole, session.agent or "", peer)
    return "\n".join(parts).casefold()
