"""``radiod.admin.listeners``: who does not keep up, and what its buffers hold."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from radiod.admin.sessions import way
from radiod.admin.views import View, largest, many
from radiod.core.delivery.holdings import Account
from radiod.core.delivery.listeners import Listener
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.pubsub.broker import Subscription
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session

__all__ = ["ListenersView"]

Answer = dict[str, Any] | Promise[dict[str, Any]]


class ListenersView:
    """``procedures``: name -> parameters and handler, of one realm."""

    def __init__(self, realm: Realm) -> None:
        self._realm = realm
        self.procedures: dict[str, Procedure] = {"radiod.admin.listeners": ({"limit": 20}, self.listeners)}

    def listeners(self, session: Session, *, limit: Any) -> Answer:
        """Listeners for whom something waits, or was lost, those most behind first → ``{listeners}``.

        Each: ``session, authid, authrole, agent, peer, backlog_bytes, is_blocked``; ``channel``: its topic
        or pattern, None: private, and not for the caller to know; ``match``; ``queued``, ``queued_bytes``,
        ``lost``; ``size``, ``max_bytes`` and ``policy`` of its buffer. Cost: O(n) in those that ever were
        behind.
        """
        return self._realm.slices.run(self.slowest(View(self._realm, session), many(limit)))

    def slowest(self, view: View, limit: int) -> Generator[None, None, dict[str, Any]]:
        """The work of ``listeners``."""
        found: list[Listener] = []
        sessions = self._realm.sessions

        def is_slow(pair: tuple[Session, Account]) -> bool:
            # Sessions of other realms are held for as well.
            return sessions.get(pair[0].id) is pair[0] and any(_most_behind(pair[1]))

        accounts = yield from largest(
            self._realm.holdings.accounts(), limit, lambda pair: _most_behind(pair[1]), is_slow
        )
        for _, account in accounts:
            found += [one for one in account.holders if isinstance(one, Listener) and any(_behind(one))]
            yield
        found.sort(key=_behind, reverse=True)
        return {"listeners": [_told(one, view) for one in found[:limit]]}


def _most_behind(account: Account) -> tuple[int, int]:
    """Of the listeners of one session, the one that is most behind."""
    return max((_behind(one) for one in account.holders if isinstance(one, Listener)), default=(0, 0))


def _behind(listener: Listener) -> tuple[int, int]:
    return listener.queued, listener.lost


def _told(listener: Listener, view: View) -> dict[str, Any]:
    session, settings, subscription = listener.session, listener.settings, listener.subscription
    assert isinstance(subscription, Subscription)
    return {
        "session": session.id,
        "authid": session.principal.authid,
        "authrole": session.principal.authrole,
        "agent": session.agent,
        **way(session),
        "channel": view.topic(subscription),
        "match": subscription.match,
        "queued": listener.queued,
        "queued_bytes": listener.held_bytes,
        "lost": listener.lost,
        "size": settings.size,
        "max_bytes": settings.max_bytes,
        "policy": settings.policy,
    }
