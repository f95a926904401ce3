"""All that has to do with calls in one realm of one node, and whom it minds: the other nodes.

Read: ``callees`` claims registrations, ``callee_news`` tells of them, ``callee_mirror`` has those of others;
``calls`` makes calls to these, and ``visits`` takes the calls of others.
"""

from __future__ import annotations

from typing import Final

from radiod.core.cluster.callee_letters import Want, read_callees
from radiod.core.cluster.callee_mirror import CalleeMirror
from radiod.core.cluster.callee_news import CalleeNews
from radiod.core.cluster.callees import Callees
from radiod.core.cluster.calls import ClusterDealer
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.visits import Visits
from radiod.core.promises import Promise
from radiod.core.realm.departures import Departures
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.sessions.outbox import Sender
from radiod.core.timers import Clock, Timers

__all__ = ["LOOK_AFTER_S", "ClusterRpc"]

LOOK_AFTER_S: Final = 2.0
"""Between two looks at what could not be told, has not come, or is claimed by nobody who lives."""


class ClusterRpc:
    """Registrations and calls of one realm among several nodes; a ``PeerWatcher``."""

    def __init__(
        self,
        realm: str,
        *,
        peers: Peers,
        claims: Claims,
        dealer: ClusterDealer,
        departures: Departures,
        events: MetaEvents,
        visits: Visits,
        outbox: Sender,
        clock: Clock,
        timers: Timers,
    ) -> None:
        about = self._about = f"{realm} callees"
        self._peers = peers
        self._clock = clock
        self._timers = timers
        self.visits = visits
        self.news = CalleeNews(peers, about)
        self.callees = Callees(
            realm,
            peers=peers,
            claims=claims,
            registrations=dealer.shared,
            news=self.news,
            visits=visits,
            events=events,
            departures=departures,
            outbox=outbox,
            clock=clock,
            timers=timers,
        )
        self.mirror = CalleeMirror(dealer, events, peers, about, self.callees.evict)
        dealer.on_left = self.callees.left
        peers.take(about, self._take)
        peers.watch(self)
        self._plan()

    def _take(self, node: int, data: bytes) -> Promise[bytes] | None:
        letter = read_callees(data)
        if letter is None:
            self._peers.note_malformed(self._about, node)
            return None
        if isinstance(letter, Want):
            self.news.snapshot(node)
            return None
        return self.mirror.take(node, letter)

    def _plan(self) -> None:
        self._timers.at(self._clock.seconds() + LOOK_AFTER_S, self._look_after)

    def _look_after(self) -> None:
        self.news.look_after()
        self.mirror.look_after()
        self.callees.look_after()
        self._plan()

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        self.mirror.joined(node)
        self.news.snapshot(node)

    def left(self, node: int) -> None:
        self.visits.left(node)
        self.mirror.left(node)
        self.callees.node_left(node)

    def gap(self, node: int) -> None:
        self.visits.gap(node)
        self.mirror.gap(node)

    def isolated(self) -> None:
        """What is there goes on; nothing is claimed."""

    def healed(self) -> None:
        self.callees.look_at_all()

    def reborn(self) -> None:
        """We are another node to the others: they know nothing of us, and we are to tell it again."""
        self.news.begin_anew()
        self.callees.look_at_all()
