"""Channels of sessions over all nodes: each is claimed, under its place, and every node mirrors all claims.

So two nodes never create the same, and whoever has the control key, or is the owner, changes a channel from
any node by compare and set. A channel with a history is claimed first, then its log begins, then it is open:
nobody has events of another channel that had the name. Creating is answered when all nodes that are alive
have it.

Lifetimes are dates. Every node sees them pass, and sees when an owner is gone, with its node perhaps; one
after the other would say so, and compare and set makes that happen once. Whoever owned a channel, and is
told by the claim that somebody else has it since its node was taken for dead, is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import structs

from radiod.core.cluster.agreement import Agreement
from radiod.core.cluster.births import Births
from radiod.core.cluster.channel_owners import ChannelOwners
from radiod.core.cluster.channel_records import ChannelRecord, read_channel, write_channel
from radiod.core.cluster.channel_rules import (
    DELETED,
    EXPIRED,
    OWNER_LEFT,
    disowned,
    gives_way,
    next_look,
)
from radiod.core.cluster.claim import LOST, Claim
from radiod.core.cluster.claim_jobs import LOOK_S, ClaimJobs
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.logs import PUBLIC
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.shared_channels import Held, SharedChannels
from radiod.core.history.positions import Position
from radiod.core.promises import Promise, after
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import CANCELED, CHANNEL_CLOSED, CHANNEL_EXISTS, RadiodError, Refused

__all__ = ["ChannelClaims"]

SHARE_S: Final = 0.5
"""Between two nodes that would say the same."""

RETRY_S: Final = 2.0
"""Before what could not be agreed on is tried again."""

GIVEN_UP_S: Final = 120.0
"""For so long a channel whose creator was refused may appear all the same."""


class ChannelClaims:
    """The claims of one realm's channels; a ``ClaimWatcher`` and ``PeerWatcher``.

    ``ended``: called behind the end of a channel with what was known of it, why, and whether this node is the
    one that has said so; ``supersede``: closes a session whose channel, the name of which it takes, somebody
    else has. Both are set before the cluster starts.
    """

    ended: Callable[[Held, str, bool], None]
    supersede: Callable[[Session, str], None]

    def __init__(
        self,
        realm: str,
        *,
        peers: Peers,
        claims: Claims,
        channels: SharedChannels,
        sessions: Mapping[int, Session],
        births: Births,
        clock: Clock,
        timers: Timers,
    ) -> None:
        self._about = f"{realm} channels"
        self._peers = peers
        self._claims = claims
        self._channels = channels
        self._sessions = sessions
        self._births = births
        self._clock = clock
        self._timers = timers
        self._jobs: ClaimJobs[str] = ClaimJobs(clock, timers, self._look)
        self._owners = ChannelOwners(peers, claims, sessions, clock, timers, self._jobs)
        self._owners.reclaim = self._reclaim
        self._owners.superseded = self._superseded
        # Ids of channels whose creators were refused.
        self._given_up: set[str] = set()
        # id of a channel that nobody owns -> its owner, whom others took for dead
        self._former: dict[str, Session] = {}
        # Places whose end this node has said.
        self._ending: set[str] = set()
        self._agreement = Agreement(self._about, peers, claims, clock, timers)
        peers.watch(self)
        claims.watch(self._about, self)

    def __len__(self) -> int:
        """Channels about which something is done."""
        return len(self._jobs)

    # --- what is asked for

    def create(self, place: str, record: ChannelRecord) -> Promise[None]:
        """Claim a channel, and open it: then it is entered here.

        Comes to ``Refused``: ``channel_exists``, ``unavailable``, ``quota``; ``canceled``: its owner left.
        """

        def decide(current: Claim | None) -> bytes:
            if current is not None:
                there = read_channel(current.value)
                if there is None or not gives_way(there, record):
                    raise Refused(CHANNEL_EXISTS, "there is such a channel already")
            return write_channel(record)

        def claimed(claim: Claim | None) -> Promise[None]:
            keep = record.settings.history
            assert keep is not None
            born = self._births.bear(_log(place), place, keep)
            return after(born, lambda at: self._open(place, record, at))

        made = self._claims.update(self._about, place, decide)
        return after(made, _nothing if record.is_open else claimed)

    def _open(self, place: str, record: ChannelRecord, at: Position) -> Promise[None]:
        keep = record.settings.history
        assert keep is not None
        if record.session not in self._sessions:
            raise Refused(CANCELED, "the caller left")

        def opened(_: None) -> None:
            self._births.clear(_log(place), place, keep, at.seq)

        born = (at.epoch, at.seq)
        opening = self._update(place, record.id, lambda now: structs.replace(now, is_open=True, born=born))
        return after(opening, opened)

    def give_up(self, place: str, id: str) -> None:
        """Whoever created it was refused: it must not be there, now or later."""
        self._given_up.add(id)
        self._timers.at(self._clock.seconds() + GIVEN_UP_S, lambda: self._given_up.discard(id))
        self._jobs.look_in(0, [place])

    def agree(self, place: str) -> Promise[None]:
        """As ``Agreement.agree``."""
        return self._agreement.agree(place)

    def change(self, held: Held, change: Callable[[ChannelRecord], ChannelRecord]) -> Promise[None]:
        """Change a channel, whoever else does. Comes to ``Refused``: ``channel_closed``, ``unavailable``."""
        return self._update(held.place, held.record.id, change)

    def end(self, held: Held) -> Promise[None]:
        """Delete a channel. Comes to ``Refused``: as ``change``."""
        return self._update(held.place, held.record.id, lambda record: None, DELETED)

    def _update(
        self, place: str, id: str, change: Callable[[ChannelRecord], ChannelRecord | None], why: str = ""
    ) -> Promise[None]:
        def decide(current: Claim | None) -> bytes | None:
            there = None if current is None else read_channel(current.value)
            if there is None or there.id != id:
                raise Refused(CHANNEL_CLOSED, "the channel has ended")
            changed = change(there)
            return None if changed is None else write_channel(changed)

        done: Promise[None] = Promise()

        def settle(outcome: Claim | RadiodError | None) -> None:
            self._ending.discard(place)
            done.settle(outcome if isinstance(outcome, RadiodError) else None)

        if why:
            self._ending.add(place)
        self._claims.update(self._about, place, decide, why).then(settle)
        return done

    # --- what becomes of claims

    def claimed(self, claim: Claim) -> None:
        """As ``ClaimWatcher``."""
        place, record = claim.key, read_channel(claim.value)
        if record is None:
            self._peers.note_malformed(self._about)
            return
        held = self._channels.held.get(place)
        if held is not None and held.record.id != record.id:
            self._owners.mind(held.record, record, held)
            self._end(held, OWNER_LEFT)
            held = None
        before = None if held is None else held.record
        self._owners.enter(place, before, record)
        held = self._channels.hold(place, record)
        if record.session:
            self._former.pop(record.id, None)
        if before is not None:
            self._owners.mind(before, record, held)
        if record.is_open and (before is None or not before.is_open):
            self._channels.enter(held)
        self._plan(held)

    def released(self, claim: Claim) -> None:
        """As ``ClaimWatcher``."""
        held = self._channels.held.get(claim.key)
        if held is not None:
            self._end(held, claim.end or LOST)

    def _end(self, held: Held, reason: str) -> None:
        if held.deadline is not None:
            held.deadline.cancel()
        self._former.pop(held.record.id, None)
        self._owners.enter(held.place, held.record, None)
        self.ended(held, reason, held.place in self._ending)

    def _plan(self, held: Held) -> None:
        """Look again when its time is over, and now if something is due already."""
        if held.deadline is not None:
            held.deadline.cancel()
            held.deadline = None
        if self._due(held.record) is not None:
            self._jobs.look_in(LOOK_S if held.record.id not in self._given_up else 0, [held.place])
            return
        then = next_look(held.record)
        if then is not None:
            place = held.place
            left = max(0.0, then - self._clock.time()) + SHARE_S * self._owners.rank()
            held.deadline = self._timers.at(
                self._clock.seconds() + left, lambda: self._jobs.look_in(0, [place])
            )

    def _due(self, record: ChannelRecord) -> ChannelRecord | str | None:
        """What is to become of a channel now: another record; why it ends; or None: nothing."""
        now = self._clock.time()
        if record.id in self._given_up:
            return DELETED
        if record.expires is not None and record.expires <= now:
            return EXPIRED
        if record.session in self._sessions:
            is_ours = record.node == self._peers.me
            return None if is_ours else structs.replace(record, node=self._peers.me)
        if record.session and self._owners.is_gone(record.node):
            return disowned(record, now, is_away=record.session in self._owners.away)
        former = None if record.session else self._former.get(record.id)
        if former is not None and former.is_open:
            return self.take_over(record, former.id)
        return OWNER_LEFT if record.waits is not None and record.waits <= now else None

    def _look(self, place: str) -> None:
        held = self._channels.held.get(place)
        if held is None:
            return
        if self._due(held.record) is None:
            self._plan(held)
        elif not self._peers.is_isolated:
            # When we hear the others again, all is looked at.
            self._jobs.add(place, lambda: self._put_right(place))

    def _put_right(self, place: str) -> None:
        held = self._channels.held.get(place)
        due = None if held is None else self._due(held.record)
        if due is None:
            self._jobs.end(place)
            return
        why = due if isinstance(due, str) else ""

        def decide(current: Claim | None) -> bytes | None:
            if current is None:
                return None
            record = read_channel(current.value)
            wanted = None if record is None else self._due(record)
            if isinstance(wanted, str):
                return None if wanted == why else current.value
            return current.value if wanted is None else write_channel(wanted)

        if why:
            self._ending.add(place)
        self._claims.update(self._about, place, decide, why).then(lambda outcome: self._put(place, outcome))

    def _put(self, place: str, outcome: Claim | RadiodError | None) -> None:
        self._ending.discard(place)
        held = self._channels.held.get(place)
        if held is not None and self._due(held.record) is not None:
            self._jobs.look_in(RETRY_S if isinstance(outcome, RadiodError) else LOOK_S, [place])
        self._jobs.end(place)

    # --- sessions

    def owner_left(self, session_id: int, *, is_away: bool = False) -> None:
        """A session has left; ``is_away``: since its node stops: it may come back to another."""
        self._owners.left(session_id, is_away=is_away)

    def take_over(self, record: ChannelRecord, session_id: int) -> ChannelRecord:
        """A channel with a session of this node as its owner."""
        return structs.replace(record, node=self._peers.me, session=session_id, waits=None)

    def _reclaim(self, held: Held, session: Session) -> None:
        """Others took the owner for dead, and it is not: it is the owner again, if nobody else is."""
        self._former[held.record.id] = session
        self._jobs.look_in(0, [held.place])

    def _superseded(self, session: Session, held: Held) -> None:
        name = held.place if held.channel is None else held.channel.name
        self._soon(session, lambda: self.supersede(session, name))

    def _soon(self, session: Session, what: Callable[[], object]) -> None:
        """In a turn of its own: what claims say is taken in first."""

        def act() -> None:
            if session.is_open:
                what()

        self._timers.at(self._clock.seconds(), act)

    # --- other nodes

    def rank(self) -> int:
        """Which of all nodes we are."""
        return self._owners.rank()

    def is_over(self, place: str) -> Promise[bool]:
        """Whether there is no channel of this place, as the leader says."""
        return after(self._claims.refresh(self._about, place), lambda claim: claim is None)

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """Of no concern: what it owns, it says by claims."""

    def left(self, node: int) -> None:
        self._owners.node_left(node)

    def gap(self, node: int) -> None:
        """Of no concern: claims come another way."""

    def isolated(self) -> None:
        """What is there goes on; nothing is agreed on."""

    def healed(self) -> None:
        """Look at all whose time was over meanwhile."""
        due = [held.place for held in self._channels.held.values() if self._due(held.record) is not None]
        self._jobs.look_in(SHARE_S * self._owners.rank(), due)

    def reborn(self) -> None:
        """We are another node to the others: say so of what our sessions own."""
        self._owners.reborn()


def _nothing(claim: Claim | None) -> None:
    """What a claim has become is known by the mirror."""


def _log(place: str) -> str:
    """The place of a channel's log."""
    return place if place.startswith("#") else PUBLIC
