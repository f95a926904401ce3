"""Who owns which channels, on which nodes; and when an owner is gone, with its node perhaps.

A node that is dead, or that has stopped, is gone a moment later: until then sessions that others have taken
for dead may say that they are there. One that nobody here has ever known is given longer, since a node that
begins does not know all others at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from radiod.core.cluster.channel_records import ChannelRecord
from radiod.core.cluster.claim_jobs import ClaimJobs
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.shared_channels import Held
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers

__all__ = ["ChannelOwners"]

GONE_S: Final = 2.0
"""Behind the death of a node, for its sessions to say that they are alive, or for it to say that it stops."""

UNKNOWN_S: Final = 10.0
"""How long an owner's node may be unknown."""

LOOK_AFTER_S: Final = 2.0
SHARE_S: Final = 0.5


class Owned(Protocol):
    """What a session of some node has."""

    @property
    def node(self) -> int:
        """Its incarnation."""

    @property
    def session(self) -> int:
        """The session; 0: nobody has it."""


class ChannelOwners:
    """The owners of one realm's channels.

    ``away``: sessions that have left since this node stops; ``reclaim``: called with a channel that nobody
    owns, whose owner is alive here; ``superseded``: with a session, and a channel that somebody else has.
    """

    def __init__(
        self,
        peers: Peers,
        claims: Claims,
        sessions: Mapping[int, Session],
        clock: Clock,
        timers: Timers,
        jobs: ClaimJobs[str],
    ) -> None:
        self._peers = peers
        self._claims = claims
        self._sessions = sessions
        self._clock = clock
        self._timers = timers
        self._jobs = jobs
        # incarnation -> session -> places of what it owns
        self._places: dict[int, dict[int, set[str]]] = {}
        # Incarnations that are not there -> when their sessions are gone.
        self._gone: dict[int, float] = {}
        self.away: set[int] = set()
        self.reclaim: Callable[[Held, Session], None] = _nobody
        self.superseded: Callable[[Session, Held], None] = _nobody_either
        self._plan()

    def enter(self, place: str, before: Owned | None, record: Owned | None) -> None:
        """A channel has become another; None: it was not there, or is no more."""
        if before is not None and before.session:
            owned = self._places[before.node]
            owned[before.session].discard(place)
            if not owned[before.session]:
                del owned[before.session]
                self.away.discard(before.session)
            if not owned:
                del self._places[before.node]
                self._gone.pop(before.node, None)
        if record is not None and record.session:
            self._places.setdefault(record.node, {}).setdefault(record.session, set()).add(place)

    def rank(self) -> int:
        """Which of all nodes we are: those that would say the same do so one after the other."""
        me = self._peers.me
        return sum(other < me for other in self._peers.live())

    def is_gone(self, node: int) -> bool:
        """Whether a session of this node, which is not here, is gone."""
        if node == self._peers.me:
            return True
        # Who was taken for dead may be back, and not looked after yet.
        return self._peers.is_gone(node) and self._gone.get(node, float("inf")) <= self._clock.seconds()

    def mind(self, before: ChannelRecord, record: ChannelRecord, held: Held) -> None:
        """See whether a session of ours has lost its channel since we were taken for dead."""
        owner = self._sessions.get(before.session)
        if owner is None or not owner.is_open or record.session == before.session:
            return
        if record.id == before.id and record.orphaned == before.orphaned:
            return  # somebody has come with the control key
        if record.id == before.id and not record.session:
            self.reclaim(held, owner)
        else:
            self.superseded(owner, held)

    # --- who is gone

    def left(self, session_id: int, *, is_away: bool) -> None:
        """A session of this node has left."""
        places = self._owned_by(session_id)
        if places:
            if is_away:
                self.away.add(session_id)
            self._jobs.look_in(0, places)

    def _owned_by(self, session_id: int) -> list[str]:
        return [place for owned in self._places.values() for place in owned.get(session_id, ())]

    def _of(self, node: int) -> list[str]:
        return [place for places in self._places.get(node, {}).values() for place in places]

    def node_left(self, node: int) -> None:
        """A node is dead, or has stopped."""
        if node in self._places:
            self._expect(node, GONE_S)

    def _expect(self, node: int, seconds: float) -> None:
        then = self._clock.seconds() + seconds + SHARE_S * self.rank()
        self._gone[node] = then
        self._timers.at(then, lambda: self._jobs.look_in(0, self._of(node)))

    def reborn(self) -> None:
        """We are another incarnation, and have the same sessions."""
        mine = [session for owned in self._places.values() for session in owned if session in self._sessions]
        for session in mine:
            self._jobs.look_in(0, self._owned_by(session))

    def _plan(self) -> None:
        self._timers.at(self._clock.seconds() + LOOK_AFTER_S, self._look_after)

    def _look_after(self) -> None:
        """Find owners of nodes that nobody here has known, and what could not be put right."""
        self._plan()
        if self._peers.is_isolated or not self._claims.is_ready:
            return
        live = self._peers.live()
        for node in list(self._places):
            if node == self._peers.me:
                for session, places in self._places[node].items():
                    if session not in self._sessions:
                        self._jobs.look_in(0, list(places))
            elif node in live:
                self._gone.pop(node, None)
            elif node not in self._gone:
                self._expect(node, UNKNOWN_S)
            elif self.is_gone(node):
                self._jobs.look_in(0, self._of(node))


def _nobody(held: Held, session: Session) -> None:
    """Nobody minds."""


def _nobody_either(session: Session, held: Held) -> None:
    """Nobody minds."""
