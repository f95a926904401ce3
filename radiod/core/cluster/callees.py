"""Registrations over all nodes: each is claimed, and its callees are told to all.

The claim of a registration, (match, procedure), says how it is invoked and which nodes have callees of it:
so two nodes never have different policies, or a ``single`` each. REGISTERED is sent when all nodes that are
alive know the callee. Whatever the claim says otherwise than it should, because a node is dead, say, or was
taken for dead, whoever sees it first puts right; callees whose registration somebody else has meanwhile are
closed, since few clients understand that one was taken away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import structs

from radiod.core.cluster.agreement import SURE_S
from radiod.core.cluster.callee_claims import (
    Key,
    check_speakable,
    facts_of,
    holders_of,
    joined,
    key_of,
    text_of,
)
from radiod.core.cluster.callee_letters import CalleeFacts, Holders, write_holders
from radiod.core.cluster.callee_news import CalleeNews
from radiod.core.cluster.claim import Claim, cannot_agree
from radiod.core.cluster.claim_jobs import LOOK_S, ClaimJobs
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.proxies import RemoteSession
from radiod.core.cluster.shared_registrations import SharedRegistrations
from radiod.core.cluster.visits import Visits
from radiod.core.promises import Promise
from radiod.core.realm.departures import Departures
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.rights import Verdict
from radiod.core.rpc.registrations import Callee, Registration
from radiod.core.sessions.outbox import Sender
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import CLOSE_SUPERSEDED, PROCEDURE_ALREADY_EXISTS, RadiodError, Refused
from radiod.wire.messages import Register, Registered, Unregister, Unregistered
from radiod.wire.options import InvocationPolicy, RegisterOptions

__all__ = ["Callees"]

TAKEN_OVER: Final = "wamp.error.unregistered"
"""Crossbar's reason for a registration that ``force_reregister`` took away."""

SHARE_S: Final = 0.5
"""Between two nodes that would put the same claims right."""

UNDECIDED_S: Final = 0.25
"""Between two looks whether somebody who has what is to be registered is alive."""

RETRY_S: Final = 2.0
"""Before a claim that could not be put right is tried again."""


class Registering:
    """One REGISTER on its way.

    ``me``: the incarnation for which it is claimed; ``since``: when that began, and when the claim's leader
    last said that it is.
    """

    __slots__ = ("key", "me", "message", "outcome", "session", "since")

    def __init__(self, session: Session, message: Register) -> None:
        self.session = session
        self.message = message
        self.key: Key = (message.options.match, message.procedure)
        self.outcome: Promise[Callable[[], None]] = Promise()
        self.me = 0
        self.since = 0.0


class _Undecided(Refused):
    """Who has a registration may be alive, and has not been heard of yet."""


class _Superseded(Refused):
    """Somebody else has a registration that this node has callees of."""


class Callees:
    """Registers the callees of this node, and minds the claims of all registrations of one realm."""

    def __init__(
        self,
        realm: str,
        *,
        peers: Peers,
        claims: Claims,
        registrations: SharedRegistrations,
        news: CalleeNews,
        visits: Visits,
        events: MetaEvents,
        departures: Departures,
        outbox: Sender,
        clock: Clock,
        timers: Timers,
    ) -> None:
        self._about = f"{realm} registrations"
        self._peers = peers
        self._claims = claims
        self._registrations = registrations
        self._news = news
        self._visits = visits
        self._events = events
        self._departures = departures
        self._outbox = outbox
        self._clock = clock
        self._timers = timers
        self._jobs: ClaimJobs[Key] = ClaimJobs(clock, timers, self._look)
        # incarnation -> what it has, by the claims
        self._by_node: dict[int, set[Key]] = {}
        # How callees of this node registered: a registration is as whoever claimed it last says.
        self._policies: dict[Key, InvocationPolicy] = {}
        registrations.on_removed = self._removed
        claims.watch(self._about, self)

    # --- REGISTER

    def register(self, session: Session, message: Register, verdict: Verdict) -> Promise[Callable[[], None]]:
        """Claim what a REGISTER asks for, and tell all. Comes to what enters the callee, and answers.

        Raises, or comes to: Refused: as ``Registrations.add`` and ``take_over``; ``unavailable``.
        """
        if self._peers.is_isolated:
            raise cannot_agree("this node is cut off from the others")
        options = message.options
        check_speakable(message.procedure)
        self._registrations.check(session, message.procedure, options, may_take=verdict.may_take_over)
        job = Registering(session, message)
        # In a turn of its own: whoever asks must wait for the outcome before it comes.
        self._timers.at(self._clock.seconds(), lambda: self._jobs.add(job.key, lambda: self._claim(job)))
        return job.outcome

    def _claim(self, job: Registering) -> None:
        if not job.session.is_open:
            self._jobs.end(job.key)
            return
        job.me, job.since = self._peers.me, self._clock.seconds()
        options, key = job.message.options, job.key

        def decide(current: Claim | None) -> bytes | None:
            return write_holders(self._with_one_more(key, options, holders_of(current)))

        claimed = self._claims.update(self._about, text_of(key), decide)
        claimed.then(lambda outcome: self._claimed(job, outcome))

    def _with_one_more(self, key: Key, options: RegisterOptions, held: Holders | None) -> Holders:
        """The claim of a registration that one more callee of this node wants to have.

        Raises: Refused: ``procedure_already_exists``.
        """
        me = self._peers.me
        own = self._registrations.own(*key)
        fresh = Holders(*key, options.invoke, self._clock.time(), (me,))
        others = self._others(held)
        if options.force_reregister or not (others or own):
            return fresh
        live = self._peers.live()
        if any(node not in live for node in others):
            raise _Undecided(PROCEDURE_ALREADY_EXISTS, f"{key[1]} may be registered already")
        # By what is there.
        invoke = held.invoke if held is not None and others else self._policies[key]
        if invoke == "single":
            raise Refused(PROCEDURE_ALREADY_EXISTS, f"{key[1]} is registered already")
        if invoke != options.invoke:
            text = f"{key[1]} is registered with the invocation policy {invoke}"
            raise Refused(PROCEDURE_ALREADY_EXISTS, text)
        if held is None:
            return fresh
        return Holders(*key, invoke, held.created, joined(held.nodes, others, me))

    def _claimed(self, job: Registering, outcome: Claim | RadiodError | None) -> None:
        if isinstance(outcome, _Undecided) and job.session.is_open:
            self._timers.at(self._clock.seconds() + UNDECIDED_S, lambda: self._claim(job))
            return
        held = None if isinstance(outcome, RadiodError) else holders_of(outcome)
        if held is None or outcome is None or isinstance(outcome, RadiodError):
            failure = outcome if isinstance(outcome, RadiodError) else cannot_agree("the claim is unreadable")
            job.outcome.settle(failure)
            self._jobs.end(job.key)
            return
        if not job.session.is_open:
            self._jobs.look_in(0, [job.key])
            self._jobs.end(job.key)
            return
        id = self._registrations.id_of(*job.key)
        order = max(outcome.revision, self._registrations.last_order(id) + 1)
        facts = facts_of(job.session, job.message.options, held, order)
        self._visits.hold(job.session)
        told = self._news.added(id, facts, takes_over=job.message.options.force_reregister)
        told.then(lambda outcome: self._told(job, facts, outcome))

    def _told(self, job: Registering, facts: CalleeFacts, outcome: RadiodError | None) -> None:
        """All know it: answer, and let them call."""
        if job.me != self._peers.me and job.session.is_open:
            # Meanwhile we are another node: nothing of that counts.
            self._visits.release(job.session)
            self._claim(job)
            return
        if outcome is None and self._clock.seconds() - job.since > SURE_S:
            self._claims.refresh(self._about, text_of(job.key)).then(
                lambda claim: self._looked(job, facts, claim)
            )
            return
        id = self._registrations.id_of(*job.key)
        if isinstance(outcome, RadiodError):
            job.outcome.settle(outcome)
        elif job.session.is_open:
            job.outcome.settle(lambda: self._enter(job, facts))
        if id not in self._registrations.of(job.session):
            # It left, or was refused at last.
            self._news.removed(job.session.id, id)
            if not job.session.is_open:
                self._news.left(job.session.id)
            self._jobs.look_in(0, [job.key])
        self._visits.release(job.session)
        self._jobs.end(job.key)

    def _looked(self, job: Registering, facts: CalleeFacts, claim: Claim | RadiodError | None) -> None:
        """What took long may have been agreed on before others took us for dead: see what the leader has."""
        if isinstance(claim, RadiodError):
            self._told(job, facts, claim)
            return
        held = holders_of(claim)
        if held is None or job.me not in held.nodes:
            self._visits.release(job.session)
            self._claim(job)
            return
        job.since = self._clock.seconds()
        self._told(job, facts, None)

    def _enter(self, job: Registering, facts: CalleeFacts) -> None:
        message, session, me = job.message, job.session, self._peers.me
        replaced: list[Callee] = []
        if message.options.force_reregister:
            id = self._registrations.id_of(*job.key)
            replaced = self._registrations.before(id, (facts.order, me))
            for callee in replaced:
                self.evict(callee)
        registration, is_new = self._registrations.enter(session, facts, message.options, me)
        self._policies[job.key] = facts.invoke
        self._outbox.send(session, Registered(message.request, registration.id))
        self._events.taken_over(replaced)
        self._events.registered(session, registration, is_new)

    def evict(self, callee: Callee) -> None:
        """A callee's registration was taken over; those of other nodes are told there."""
        registration = self._registrations.remove(callee.session, callee.registration.id)
        if not isinstance(callee.session, RemoteSession):
            self._departures.tell_of_revocation(callee.session, registration, TAKEN_OVER)

    def changed(self, session: Session) -> None:
        """A session tells something else of its procedures."""
        for id, callee in self._registrations.of(session).items():
            facts = self._news.told.get((session.id, id))
            if facts is not None and facts.signature != callee.signature:
                self._news.added(id, structs.replace(facts, signature=callee.signature))

    # --- UNREGISTER, and all other ends

    def unregister(self, session: Session, message: Unregister) -> None:
        """End a registration; it is answered when anybody may claim it. Raises: Refused."""
        registration = self._registrations.remove(session, message.registration)
        self._events.unregistered(session, registration)
        key = registration.match, registration.procedure

        def answer() -> None:
            if session.is_open:
                self._outbox.send(session, Unregistered(message.request))

        def answer_at_last() -> None:
            answer()
            self._jobs.end(key)

        if self._registrations.own(*key):
            answer()
        else:
            self._jobs.add(key, answer_at_last)

    def left(self, session: Session) -> None:
        """A session of this node has left."""
        self._news.left(session.id)

    def _removed(self, session: Session, registration: Registration) -> None:
        self._news.removed(session.id, registration.id)
        key = registration.match, registration.procedure
        if not self._registrations.own(*key):
            del self._policies[key]
            self._put_right(key)

    # --- claims that are not as they should be

    def claimed(self, claim: Claim) -> None:
        """As ``ClaimWatcher``."""
        key, held = key_of(claim), holders_of(claim)
        if key is None or held is None:
            self._peers.note_malformed(self._about)
        if key is None:
            return
        self._forget(key)
        for node in () if held is None else held.nodes:
            self._by_node.setdefault(node, set()).add(key)
        if held is None or not self._fits(key, held):
            self._jobs.look_in(LOOK_S, [key])

    def released(self, claim: Claim) -> None:
        """As ``ClaimWatcher``."""
        key = key_of(claim)
        if key is None:
            return
        self._forget(key)
        if self._registrations.own(*key):
            self._jobs.look_in(LOOK_S, [key])

    def _forget(self, key: Key) -> None:
        for node in [node for node, keys in self._by_node.items() if key in keys]:
            self._by_node[node].discard(key)
            if not self._by_node[node]:
                del self._by_node[node]

    def _others(self, held: Holders | None) -> list[int]:
        """The other nodes that a claim names, and that may be alive."""
        me, peers = self._peers.me, self._peers
        return [] if held is None else [node for node in held.nodes if node != me and not peers.is_gone(node)]

    def _fits(self, key: Key, held: Holders | None) -> bool:
        """Whether a claim says what it should: that we have callees, or not, and nothing of the dead."""
        own = self._registrations.own(*key)
        if held is None:
            return not own
        me, peers = self._peers.me, self._peers
        # With the policy of the claim: somebody else may have it under another.
        is_ours = me in held.nodes and (not own or self._policies[key] == held.invoke)
        return is_ours == bool(own) and all(node == me or not peers.is_gone(node) for node in held.nodes)

    def _look(self, key: Key) -> None:
        held = holders_of(self._claims.get(self._about, text_of(key)))
        if not self._fits(key, held) or self._untold(key):
            self._put_right(key)

    def _put_right(self, key: Key) -> None:
        self._jobs.add(key, lambda: self._begin_putting_right(key))

    def _begin_putting_right(self, key: Key) -> None:
        if self._peers.is_isolated:
            self._jobs.end(key)  # when we hear the others again, all is looked at
            return

        def decide(current: Claim | None) -> bytes | None:
            wanted = self._as_it_should_be(key, holders_of(current))
            return None if wanted is None else write_holders(wanted)

        self._claims.update(self._about, text_of(key), decide).then(lambda outcome: self._put(key, outcome))

    def _as_it_should_be(self, key: Key, held: Holders | None) -> Holders | None:
        """The claim of a registration, by what is here and who is alive. Raises: _Superseded."""
        me = self._peers.me
        others, own = self._others(held), self._registrations.own(*key)
        if not own:
            if held is None or not others:
                return None
            return Holders(*key, held.invoke, held.created, tuple(others))
        created, policy = own[0].registration.created, self._policies[key]
        if held is None or not others:
            nodes: tuple[int, ...] = (me,)
        elif held.invoke != policy or (held.invoke == "single" and me not in held.nodes):
            raise _Superseded(PROCEDURE_ALREADY_EXISTS, f"{key[1]} is registered by somebody else")
        else:
            nodes = joined(held.nodes, others, me)
        return Holders(*key, policy, created, nodes)

    def _put(self, key: Key, outcome: Claim | RadiodError | None) -> None:
        if isinstance(outcome, _Superseded):
            for callee in self._registrations.own(*key):
                told = f"{key[1]} was registered by somebody else while this server was cut off"
                self._departures.kill(callee.session, CLOSE_SUPERSEDED, {"message": told})
        elif isinstance(outcome, RadiodError):
            self._jobs.look_in(RETRY_S, [key])
        elif outcome is not None:
            self._tell_again(key, outcome)
        self._jobs.end(key)

    def _untold(self, key: Key) -> list[Callee]:
        """Callees of this node that the others do not know any more."""
        id = self._registrations.id_of(*key)
        return [one for one in self._registrations.own(*key) if (one.session.id, id) not in self._news.told]

    def _tell_again(self, key: Key, claim: Claim) -> None:
        held = holders_of(claim)
        for callee in self._untold(key):
            assert held is not None
            order = max(self._registrations.order_of(callee)[0], claim.revision)
            self._registrations.move(callee, (order, self._peers.me))
            options = RegisterOptions(
                concurrency=callee.concurrency,
                forward_timeout=callee.wants_timeouts,
                disclose_caller=callee.wants_callers,
                force_reregister=callee.yields,
            )
            facts = facts_of(callee.session, options, held, order, callee.signature)
            self._news.added(callee.registration.id, facts)

    # --- nodes

    def node_left(self, node: int) -> None:
        """A node is dead: its claims are put right by one node after the other, until one has done it."""
        keys = list(self._by_node.get(node, ()))
        me = self._peers.me
        rank = sum(other < me for other in self._peers.live())
        self._jobs.look_in(SHARE_S * rank, keys)

    def look_after(self) -> None:
        """Find claims of nodes that nobody here has known."""
        if self._peers.is_isolated or not self._claims.is_ready:
            return
        for node in list(self._by_node):
            if node != self._peers.me and self._peers.is_gone(node):
                self.node_left(node)

    def look_at_all(self) -> None:
        """We hear the others again, perhaps as another node: see what is left of what we had.

        And what is claimed for us that we have no more: while we heard nobody, it could not be let go.
        """
        own: set[Key] = {
            (registration.match, registration.procedure)
            for registration in self._registrations
            if self._registrations.own(registration.match, registration.procedure)
        }
        self._jobs.look_in(SHARE_S, sorted(own | self._by_node.get(self._peers.me, set())))
