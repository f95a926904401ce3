"""The slots of single-writer channels over all nodes: each is claimed by the session that writes there.

Who has the slot is known on every node, so that others are refused where they are. It is free when its
session closes it or leaves, or its node is gone. A session that has lost it since its node was taken for dead
has it again, if nobody else does, and is closed otherwise; one that lost it to somebody with the control key
writes no more, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from radiod.core.cluster.agreement import Agreement
from radiod.core.cluster.channel_owners import ChannelOwners
from radiod.core.cluster.channel_records import WriterRecord, read_writer, write_writer
from radiod.core.cluster.claim import Claim, cannot_agree
from radiod.core.cluster.claim_jobs import LOOK_S, ClaimJobs
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.promises import Promise, after
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import NOT_AUTHORIZED, RadiodError, Refused

__all__ = ["WriterSlots"]

RETRY_S: Final = 2.0
"""Before what could not be agreed on is tried again."""


class Taking:
    """One session that would have a slot. ``me``: the incarnation for which it is claimed."""

    __slots__ = ("is_forced", "me", "name", "outcome", "place", "session")

    def __init__(self, place: str, session: Session, name: str, is_forced: bool) -> None:
        self.place = place
        self.session = session
        self.name = name
        self.is_forced = is_forced
        self.outcome: Promise[None] = Promise()
        self.me = 0


class WriterSlots:
    """The slots of one realm; a ``ClaimWatcher`` and ``PeerWatcher``.

    ``writes``: whether a session of this node writes at a place; ``lost``: called with a session that does,
    the place, and whether it was taken by the control key. Both are set before the cluster starts.
    """

    writes: Callable[[Session, str], bool]
    lost: Callable[[Session, str, bool], None]

    def __init__(
        self,
        realm: str,
        *,
        peers: Peers,
        claims: Claims,
        sessions: Mapping[int, Session],
        clock: Clock,
        timers: Timers,
    ) -> None:
        self._about = f"{realm} writers"
        self._peers = peers
        self._claims = claims
        self._sessions = sessions
        self._clock = clock
        self._timers = timers
        self._jobs: ClaimJobs[str] = ClaimJobs(clock, timers, self._look)
        self._owners = ChannelOwners(peers, claims, sessions, clock, timers, self._jobs)
        self._agreement = Agreement(self._about, peers, claims, clock, timers)
        self._held: dict[str, WriterRecord] = {}
        # (place, session) -> how often it is about to write there
        self._taking: dict[tuple[str, int], int] = {}
        # Places whose slot a session has lost that others took for dead.
        self._bereft: dict[str, Session] = {}
        peers.watch(self)
        claims.watch(self._about, self)

    def __len__(self) -> int:
        """Slots that somebody has."""
        return len(self._held)

    def holder(self, place: str) -> int | None:
        """The session that has a slot, as far as is known here; None: it is free."""
        record = self._held.get(place)
        return None if record is None else record.session

    # --- what sessions do

    def take(self, place: str, session: Session, name: str, *, is_forced: bool) -> Promise[None]:
        """Have the slot for a session, and all nodes know it; whoever waits for that lets it write at once.

        ``is_forced``: it has shown the control key. Comes to ``Refused``: ``not_authorized``: somebody else
        has it. Raises, or comes to: ``unavailable``.
        """
        if self._peers.is_isolated:
            # Also for whoever has it as far as is known here.
            raise cannot_agree("this node is cut off from the others")
        key = place, session.id
        self._taking[key] = self._taking.get(key, 0) + 1
        taking = Taking(place, session, name, is_forced)
        self._claim(taking)
        return taking.outcome

    def _claim(self, taking: Taking) -> None:
        me = taking.me = self._peers.me
        place, session = taking.place, taking.session

        def decide(current: Claim | None) -> bytes:
            there = None if current is None else read_writer(current.value)
            is_ours = there is not None and there.session == session.id
            if not (there is None or is_ours or taking.is_forced or self._is_gone(there)):
                raise Refused(NOT_AUTHORIZED, f"channel {taking.name} has a writer, and only one")
            return write_writer(WriterRecord(me, session.id, taking.is_forced))

        claimed = self._claims.update(self._about, place, decide)
        known: Promise[None] = after(claimed, lambda _: self._agreement.agree(place))
        known.then(lambda outcome: self._taken(taking, outcome))

    def _taken(self, taking: Taking, outcome: RadiodError | None) -> None:
        if taking.me != self._peers.me and taking.session.is_open:
            # Meanwhile we are another node: nothing of that counts.
            self._claim(taking)
            return
        if outcome is None and self.holder(taking.place) != taking.session.id:
            outcome = Refused(NOT_AUTHORIZED, f"channel {taking.name} has another writer by now")
        taking.outcome.settle(outcome)
        key = taking.place, taking.session.id
        left = self._taking.pop(key) - 1
        if left:
            self._taking[key] = left
        # It may have left meanwhile, or not write for another reason.
        self._jobs.look_in(0, [taking.place])

    def closed(self, place: str, session_id: int) -> None:
        """A session does not write at a place any more."""
        record = self._held.get(place)
        if record is not None and record.session == session_id:
            self._jobs.add(place, lambda: self._put_right(place))

    def settled(self, place: str) -> Promise[None]:
        """Kept when all that is done about a slot now has been done."""
        done: Promise[None] = Promise()

        def end() -> None:
            done.settle(None)
            self._jobs.end(place)

        self._jobs.add(place, end)
        return done

    # --- what becomes of claims

    def claimed(self, claim: Claim) -> None:
        """As ``ClaimWatcher``."""
        place, record = claim.key, read_writer(claim.value)
        if record is None:
            self._peers.note_malformed(self._about)
            return
        before = self._held.get(place)
        self._owners.enter(place, before, record)
        self._held[place] = record
        self._bereft.pop(place, None)
        if before is not None and before.session != record.session:
            self._mind(place, before, record)
        if self._wanted(place, record) != record:
            self._jobs.look_in(LOOK_S, [place])

    def released(self, claim: Claim) -> None:
        """As ``ClaimWatcher``."""
        place = claim.key
        before = self._held.pop(place, None)
        self._owners.enter(place, before, None)
        session = None if before is None else self._writer(place, before.session)
        if session is not None:
            self._bereft[place] = session
            self._jobs.look_in(0, [place])

    def _writer(self, place: str, session_id: int) -> Session | None:
        """A session of this node, if it writes at a place, or is about to."""
        session = self._sessions.get(session_id)
        if session is None or not session.is_open:
            return None
        is_writer = (place, session_id) in self._taking or self.writes(session, place)
        return session if is_writer else None

    def _mind(self, place: str, before: WriterRecord, record: WriterRecord) -> None:
        session = self._writer(place, before.session)
        if session is not None:
            # In a turn of its own: what claims say is taken in first.
            self._timers.at(
                self._clock.seconds(), lambda: self._lose(session, place, is_forced=record.is_forced)
            )

    def _lose(self, session: Session, place: str, *, is_forced: bool) -> None:
        if session.is_open and self.holder(place) != session.id:
            self.lost(session, place, is_forced)

    def _is_gone(self, record: WriterRecord) -> bool:
        return record.session not in self._sessions and self._owners.is_gone(record.node)

    def _wanted(self, place: str, record: WriterRecord | None) -> WriterRecord | None:
        """What the claim of a slot should say, by who is alive and who writes."""
        if record is None:
            former = self._bereft.get(place)
            is_there = former is not None and self._writer(place, former.id) is not None
            return WriterRecord(self._peers.me, former.id, False) if former is not None and is_there else None
        if record.session in self._sessions:
            if self._writer(place, record.session) is None:
                return None
            return WriterRecord(self._peers.me, record.session, record.is_forced)
        return None if self._is_gone(record) else record

    def _look(self, place: str) -> None:
        record = self._held.get(place)
        if self._wanted(place, record) != record:
            self._jobs.add(place, lambda: self._put_right(place))

    def _put_right(self, place: str) -> None:
        if self._peers.is_isolated:
            self._jobs.end(place)  # when we hear the others again, all is looked at
            return

        def decide(current: Claim | None) -> bytes | None:
            there = None if current is None else read_writer(current.value)
            wanted = self._wanted(place, there)
            if wanted == there:
                return None if current is None else current.value
            return None if wanted is None else write_writer(wanted)

        self._claims.update(self._about, place, decide).then(lambda outcome: self._put(place, outcome))

    def _put(self, place: str, outcome: Claim | RadiodError | None) -> None:
        if isinstance(outcome, RadiodError):
            self._jobs.look_in(RETRY_S, [place])
        else:
            self._bereft.pop(place, None)
        self._jobs.end(place)

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """Of no concern: what it has, it says by claims."""

    def left(self, node: int) -> None:
        self._owners.node_left(node)

    def gap(self, node: int) -> None:
        """Of no concern: claims come another way."""

    def isolated(self) -> None:
        """Who writes goes on; nobody else begins."""

    def healed(self) -> None:
        """Look at all that should be otherwise."""
        places = [*self._held, *self._bereft]
        self._jobs.look_in(0, [place for place in places if self._wants_a_look(place)])

    def _wants_a_look(self, place: str) -> bool:
        record = self._held.get(place)
        return self._wanted(place, record) != record

    def reborn(self) -> None:
        """We are another node to the others: say so of what our sessions have."""
        self._owners.reborn()
