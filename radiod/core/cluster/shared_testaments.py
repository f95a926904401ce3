"""Testaments that outlive their node: claimed when made, and published by whoever releases the claim.

The claim of a session's testaments says which node it is on. When the session leaves, its node releases the
claim, and publishes; when the node is dead, another does. As only one can release a claim, they are published
once; who dies between the two takes them along. The end of a claim has the mark of whoever released it, who
may learn of that only from there. A session whose node was taken for dead has left for the
others: what it leaves was published then, and is not once more.

The claim has places: of a private channel neither its name nor its key. A node that does not know the channel
leaves what is for it to one that does, and keeps it claimed until there is one, or the channel has ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final

from radiod.core.channels.lookup import Lookup
from radiod.core.channels.memberships import Memberships
from radiod.core.cluster.claim import LOST, Claim, Decide, cannot_agree
from radiod.core.cluster.claim_jobs import ClaimJobs
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.places import Places, private_place
from radiod.core.cluster.testament_records import Estate, LastWill, read_estate, write_estate, write_rest
from radiod.core.ids import digest
from radiod.core.promises import Promise
from radiod.core.pubsub.testaments import Scope, Testament, Testaments, in_order
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import CANCELED, QUOTA, STORE_UNAVAILABLE, RadiodError, Refused

__all__ = ["MAX_CLAIM_BYTES", "SharedTestaments"]

MAX_CLAIM_BYTES: Final = 256 << 10
"""Bytes that what is claimed of one session may have."""

SHARE_S: Final = 0.5
"""Between two nodes that would publish what the same sessions leave."""

RETRY_S: Final = 2.0
"""Before what could not be released is tried again; and between two looks at claims that nobody minds."""


Then = Callable[["RadiodError | None"], None]
"""Takes why something could not be done; None: it was."""


class _Published(Refused):
    """Somebody has published what a session leaves."""


class SharedTestaments(Testaments):
    """The testaments of this node's sessions; a ``ClaimWatcher``, and a ``PeerWatcher``.

    Set before anybody comes: ``publish``, which publishes what a session of a node that is dead leaves;
    ``lookup``, ``memberships``: what topics mean to sessions; ``places``, ``is_there``: what is known here,
    and whether some node has the channel of a place.
    """

    publish: Callable[[Estate, list[Testament]], object]
    lookup: Lookup
    memberships: Memberships
    places: Places
    is_there: Callable[[str], bool]

    def attach(
        self,
        realm: str,
        peers: Peers,
        claims: Claims,
        clock: Clock,
        timers: Timers,
        sessions: Mapping[int, Session],
        dead_after_s: float,
    ) -> None:
        """Have the other nodes, before anybody joins."""
        self._about = f"{realm} testaments"
        self._peers = peers
        self._claims = claims
        self._clock = clock
        self._timers = timers
        self._sessions = sessions
        self._dead_after_s = dead_after_s
        self._jobs: ClaimJobs[int] = ClaimJobs(clock, timers, self._look)
        # Sessions of this node that have a claim, as far as is known.
        self._claimed: set[int] = set()
        # What this process writes at the end of a claim; sessions whose claim has ended so while their job
        # goes on, and those of whose claim nobody has said whether it has.
        self._mark = secrets.token_hex(8)
        self._ended: set[int] = set()
        self._unsure: set[int] = set()
        # Whoever is claimed to be a node, and is not there -> since when that is so.
        self._missing: dict[int, float] = {}
        claims.watch(self._about, self)
        peers.watch(self)
        timers.at(clock.seconds() + RETRY_S, self._look_after)

    # --- what sessions do

    def add(self, session: Session, testament: Testament) -> Promise[None] | None:
        """As ``Testaments.add``, later. Raises, or comes to: Refused, too: ``unavailable``."""
        if self._place(session, testament) is None:
            return super().add(session, testament)
        self.check(session, testament)
        if self._peers.is_isolated:
            raise cannot_agree("this node is cut off from the others")
        done: Promise[None] = Promise()
        self._jobs.add(session.id, lambda: self._begin_adding(session, testament, done))
        return done

    def _begin_adding(self, session: Session, testament: Testament, done: Promise[None]) -> None:
        try:
            self.check(session, testament)
            if not session.is_open:
                raise Refused(CANCELED, "the caller left")
            wanted = self._shared(session, [*self.of(session), testament])
            size = len(write_estate(self._peers.me, session, wanted))
            if size > MAX_CLAIM_BYTES:
                raise Refused(QUOTA, f"a session's testaments may have {MAX_CLAIM_BYTES} bytes in a cluster")
        except Refused as refusal:
            done.settle(refusal)
            self._jobs.end(session.id)
            return
        self._claim(session, testament, partial(self._added, session, testament, done))

    def _added(
        self, session: Session, testament: Testament, done: Promise[None], outcome: RadiodError | None
    ) -> None:
        if outcome is None and session.is_open:
            super().add(session, testament)
        elif outcome is None:
            outcome = Refused(CANCELED, "the caller left")
        done.settle(outcome)

    def flush(self, session: Session, scope: Scope) -> Promise[None] | None:
        """As ``Testaments.flush``, later. Raises, or comes to: Refused: ``unavailable``."""
        if not any(one.scope == scope for _, one in self._shared(session, self.of(session))):
            return super().flush(session, scope)
        if self._peers.is_isolated:
            raise cannot_agree("this node is cut off from the others")
        done: Promise[None] = Promise()
        flushed = partial(self._flushed, session, scope, done)
        self._jobs.add(session.id, lambda: self._claim(session, scope, flushed))
        return done

    def _flushed(
        self, session: Session, scope: Scope, done: Promise[None], outcome: RadiodError | None
    ) -> None:
        if outcome is None:
            super().flush(session, scope)
        done.settle(outcome)

    def take_all(self, session: Session) -> list[Testament] | Promise[list[Testament]]:
        """As ``take``, when no other node can publish them: later, where they are claimed."""
        left = self.take(session)
        alone = [one for one in left if self._place(session, one) is None]
        if session.id not in self._claimed and not self._jobs.has(session.id):
            return left
        taken: Promise[list[Testament]] = Promise()

        def released(failure: RadiodError | None) -> None:
            # Else somebody has published them, or whoever agrees with others first will.
            taken.settle(left if failure is None else alone)

        self._jobs.add(session.id, lambda: self._release(session.id, released))
        return taken

    def _place(self, session: Session, testament: Testament) -> str | None:
        """What a testament is for, as all nodes call it; None: of a channel that is gone, or of this node."""
        topic, key = testament.topic, testament.options.key
        if key is not None:
            return private_place(topic, digest(key))
        if topic not in session.principal.memberships and topic not in self.memberships.of(session):
            return topic
        try:
            channel = self.lookup.channel(session, topic)
        except Refused:
            return None
        return None if channel is None else self.places.of(channel.space.broker, topic)

    def _shared(self, session: Session, testaments: list[Testament]) -> list[tuple[str, Testament]]:
        """Those that other nodes may have to publish, with their places."""
        placed = [(self._place(session, one), one) for one in testaments]
        return [(place, one) for place, one in placed if place is not None]

    # --- claims of this node

    def _claim(self, session: Session, change: Testament | Scope | None, then: Then) -> None:
        """Claim what a session leaves, with one more, or without those of a scope; and end the job."""
        decide, done = partial(self._decide, session, change), partial(self._decided, session, change, then)
        self._claims.update(self._about, str(session.id), decide).then(done)

    def _decide(
        self, session: Session, change: Testament | Scope | None, current: Claim | None
    ) -> bytes | None:
        if current is None and session.id in self._claimed:
            raise _Published(STORE_UNAVAILABLE, "what the session had left is published")
        left = self.of(session)
        if isinstance(change, Testament):
            left = [*left, change]
        elif change is not None:
            left = [one for one in left if one.scope != change]
        wanted = self._shared(session, left)
        return write_estate(self._peers.me, session, wanted) if wanted else None

    def _decided(
        self,
        session: Session,
        change: Testament | Scope | None,
        then: Then,
        outcome: Claim | RadiodError | None,
    ) -> None:
        if isinstance(outcome, _Published):
            self._forget(session)
            self._claim(session, change, then)
            return
        if outcome is None:
            self._claimed.discard(session.id)
        elif isinstance(outcome, Claim):
            self._claimed.add(session.id)
        then(outcome if isinstance(outcome, RadiodError) else None)
        self._jobs.end(session.id)

    def _forget(self, session: Session) -> None:
        """What a session had left was published by another node."""
        self._claimed.discard(session.id)
        for _, testament in self._shared(session, self.of(session)):
            self.drop(session, testament)

    def _release(self, session: int, then: Then) -> None:
        """Release the claim of a session that has left; comes to an error, if that was not ours to do."""
        self.update(session, _given_up).then(partial(self._released, session, then))

    def _released(self, session: int, then: Then, outcome: Claim | RadiodError | None) -> None:
        failure = self._failure(session, outcome)
        self._note_end(session, failure)
        then(failure)
        self._jobs.end(session)

    def _failure(self, session: int, outcome: Claim | RadiodError | None) -> RadiodError | None:
        """Why a claim was not released; None: it was, by us, though nobody may have said so."""
        if session in self._ended:
            self._ended.discard(session)
            return None
        return outcome if isinstance(outcome, RadiodError) else None

    def _note_end(self, session: int, failure: RadiodError | None) -> None:
        if failure is None or isinstance(failure, _Published):
            self._claimed.discard(session)
            self._unsure.discard(session)
        else:
            self._unsure.add(session)
            self._jobs.look_in(RETRY_S, [session])

    # --- claims that nobody minds

    def _look(self, session: int) -> None:
        """See whether somebody must publish what a session leaves."""
        claim = self._claims.get(self._about, str(session))
        estate = None if claim is None else read_estate(claim.value)
        if estate is None or self._jobs.has(session):
            return
        if estate.node == self._peers.me or self._peers.is_gone(estate.node):
            ours = self._sessions.get(session)
            if ours is not None:
                self._jobs.add(session, lambda: self._claim(ours, None, _nothing))
            elif any(self.is_due(will) for will in estate.wills):
                self._jobs.add(session, lambda: _Taking(session, self).begin())

    def is_due(self, will: LastWill) -> bool:
        """Whether this node may publish it, or nobody can any more."""
        return self.places.at(will.topic) is not None or not self.is_there(will.topic)

    def update(self, session: int, decide: Decide) -> Promise[Claim | None]:
        """Change the claim of a session's testaments, or release it."""
        return self._claims.update(self._about, str(session), decide, self._mark)

    def took(
        self,
        session: int,
        estate: Estate | None,
        wills: list[LastWill],
        outcome: Claim | RadiodError | None,
    ) -> None:
        """These are ours to publish."""
        failure = self._failure(session, outcome)
        if failure is None and estate is not None:
            self._publish(estate, wills)
        self._note_end(session, failure)
        self._jobs.end(session)

    def _publish(self, estate: Estate, wills: Iterable[LastWill]) -> None:
        known = [will for will in wills if self.places.at(will.topic) is not None]
        self.publish(estate, in_order([will.testament() for will in known]))

    def _look_after(self) -> None:
        """Find what sessions leave whose node was not known to be there, and what could not be released."""
        now = self._clock.seconds()
        self._timers.at(now + RETRY_S, self._look_after)
        if self._peers.is_isolated or not self._claims.is_ready:
            self._missing.clear()
            return
        live = self._peers.live()
        missing: dict[int, list[int]] = {}
        for claim in self._claims.of(self._about):
            estate = read_estate(claim.value)
            if estate is None or estate.node in live:
                continue
            if estate.node != self._peers.me:
                missing.setdefault(estate.node, []).append(estate.session)
            elif estate.session not in self._sessions:
                self._jobs.look_in(0, [estate.session])
        self._missing = {node: self._missing.get(node, now) for node in missing}
        for node, since in self._missing.items():
            # A node that begins does not know all others at once.
            if now - since >= self._dead_after_s:
                self._jobs.look_in(0, missing[node])

    # --- ClaimWatcher

    def claimed(self, claim: Claim) -> None:
        """Its node minds it."""
        if read_estate(claim.value) is None:
            self._peers.note_malformed(self._about)

    def released(self, claim: Claim) -> None:
        """Somebody has published what a session leaves, or it has taken that back."""
        id = int(claim.key) if claim.key.isdecimal() else 0
        if claim.end == LOST:
            self._lost(id, read_estate(claim.value))
            return
        is_ours, has_job, session = claim.end == self._mark, self._jobs.has(id), self._sessions.get(id)
        estate = read_estate(claim.value) if is_ours and id in self._unsure else None
        self._unsure.discard(id)
        if has_job and is_ours:
            self._ended.add(id)
        elif estate is not None:
            self._publish(estate, estate.wills)
        elif session is not None and not has_job:
            self._forget(session)

    def _lost(self, id: int, estate: Estate | None) -> None:
        """Nobody has published what a session leaves: the node where it is, or was, knows what that is.

        The claim may name that node as others knew it before.
        """
        session = self._sessions.get(id)
        is_ours = id in self._claimed or (estate is not None and estate.node == self._peers.me)
        self._claimed.discard(id)
        self._unsure.discard(id)
        if session is not None:
            self._claim_again(session)
        elif is_ours and self._jobs.has(id):
            self._ended.add(id)
        elif is_ours and estate is not None:
            self._publish(estate, estate.wills)

    def _claim_again(self, session: Session) -> None:
        def told(failure: RadiodError | None) -> None:
            if failure is not None and session.is_open:
                self._timers.at(self._clock.seconds() + RETRY_S, lambda: self._claim_again(session))

        self._jobs.add(session.id, lambda: self._claim(session, None, told))

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """It may have claims, which it minds."""

    def left(self, node: int) -> None:
        """A node is dead: what its sessions leave is published by one node after the other, until one has."""
        estates = [read_estate(claim.value) for claim in self._claims.of(self._about)]
        sessions = [one.session for one in estates if one is not None and one.node == node]
        rank = sum(other < self._peers.me for other in self._peers.live())
        self._jobs.look_in(SHARE_S * rank, sessions)

    def gap(self, node: int) -> None:
        """Claims come another way."""

    def isolated(self) -> None:
        """Nothing can be released."""

    def healed(self) -> None:
        """What has waited for this is looked at soon."""

    def reborn(self) -> None:
        """We are another node: what our sessions leave is claimed by that, unless it is published."""
        self._jobs.look_in(0, list(self._claimed))


class _Taking:
    """Taking what a session of a node that is gone leaves, as far as this node may publish it."""

    __slots__ = ("_estate", "_session", "_testaments", "_wills")

    def __init__(self, session: int, testaments: SharedTestaments) -> None:
        self._session = session
        self._testaments = testaments
        self._estate: Estate | None = None
        self._wills: list[LastWill] = []

    def begin(self) -> None:
        """Take it out of the claim."""
        self._testaments.update(self._session, self._decide).then(self._done)

    def _decide(self, current: Claim | None) -> bytes | None:
        """What is left of the claim; it may be asked several times."""
        estate = None if current is None else read_estate(current.value)
        if current is None or estate is None:
            raise _Published(STORE_UNAVAILABLE, "what the session had left is published")
        self._estate = estate
        self._wills = [will for will in estate.wills if self._testaments.is_due(will)]
        if not self._wills:
            return current.value
        rest = tuple([will for will in estate.wills if will not in self._wills])
        return write_rest(estate, rest) if rest else None

    def _done(self, outcome: Claim | RadiodError | None) -> None:
        self._testaments.took(self._session, self._estate, self._wills, outcome)


def _given_up(current: Claim | None) -> None:
    """What becomes of the claim of a session that has left."""
    if current is None:
        raise _Published(STORE_UNAVAILABLE, "what the session had left is published")


def _nothing(failure: RadiodError | None) -> None:
    """It is claimed again, or somebody has published it, or this is looked at again."""
