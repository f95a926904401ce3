"""The dealer of a realm that several nodes serve.

The caller's node has the call: it chooses the callee, keeps the caller's time, and answers. A callee of
another node is a session whose outbox is that node; there the call is pending, too, as one of no session,
whose answers go back. So a call ends once, at the caller's node: with what the callee says, or with
``network_failure`` when the callee's node is dead, or anything was lost between the two nodes. Only a call
that has not reached a callee, or was not taken by it, is given to another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from radiod.core.cluster.call_letters import CallLetter, Declined, Dropped, Failed, Reset, Yielded, unpack
from radiod.core.cluster.claim import cannot_agree
from radiod.core.cluster.encoding import MALFORMED
from radiod.core.cluster.foreign_calls import ForeignCall
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.proxies import Proxies, RemoteSession, RoutingOutbox, Unreachable
from radiod.core.cluster.shared_registrations import SharedRegistrations
from radiod.core.delivery.holdings import Holdings
from radiod.core.ids import Counter, Ids
from radiod.core.limits import Limits
from radiod.core.rpc.calls import Calls, PendingCall
from radiod.core.rpc.dealer import CALL, Dealer
from radiod.core.rpc.registrations import Callee, Registration
from radiod.core.sessions.outbox import Sender
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import (
    MAX_CONCURRENCY,
    NETWORK_FAILURE,
    NO_AVAILABLE_CALLEE,
    NO_SUCH_PROCEDURE,
    QUOTA,
    UNAVAILABLE,
    Refused,
)
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Invocation, Message, Result
from radiod.wire.options import CallOptions, CancelMode, YieldOptions

__all__ = ["ClusterDealer", "calls_about"]

CHUNK: Final = CallOptions(progress=True)
LAST_CHUNK: Final = CallOptions()
OWED_S: Final = 1.0
"""Before a node is told again that it misses something."""

LOST: Final = "the connection to the callee's node was lost"


def calls_about(realm: str) -> str:
    """What letters about calls of a realm go under."""
    return f"{realm}/calls"


class ClusterDealer(Dealer):
    """Registrations and pending calls of one realm on one of several nodes.

    ``shared``: its ``registrations``, as what they are; ``proxies``: callees of other nodes; ``closes``: as
    ``NodeSettings.closes``.
    """

    def __init__(
        self,
        outbox: Sender,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        holdings: Holdings | None = None,
        *,
        peers: Peers,
        realm: str,
        closes: bool = False,
    ) -> None:
        self._routing = RoutingOutbox(outbox, peers, calls_about(realm))
        super().__init__(self._routing, clock, timers, ids, limits, holdings)
        self.registrations = self.shared = SharedRegistrations(clock, ids, limits, realm)
        self.proxies = Proxies()
        # One for all callees of other nodes: a node knows by its number whether an INVOCATION is a new one.
        self._remote_ids = Counter()
        # Nodes that could not be told something of calls, and do not know that they miss it.
        self._owed: set[int] = set()
        self._peers = peers
        self._realm = realm
        self._closes = closes
        self.on_left: Callable[[Session], None] = _nobody

    def calls_of(self, session: Session) -> Calls:
        """As ``Dealer.calls_of``."""
        calls = self._calls.get(session)
        if calls is None:
            calls = self._calls[session] = Calls()
            if isinstance(session, RemoteSession):
                calls.invocation_ids = self._remote_ids
        return calls

    def tell(self, node: int, letter: CallLetter) -> None:
        """Tell another node about a call; if it cannot be told, it learns soon that something was lost."""
        if node in self._owed or not self._routing.tell(node, letter):
            self._owe(node)

    def _owe(self, node: int) -> None:
        if node in self._peers.live() and node not in self._owed:
            self._owed.add(node)
            self._timers.at(self._clock.seconds() + OWED_S, lambda: self._pay(node))

    def _pay(self, node: int) -> None:
        self._owed.discard(node)
        if not self._routing.tell(node, Reset()):
            self._owe(node)

    # --- calls of this node

    def _invoke(self, call: PendingCall, registration: Registration) -> None:
        if self._closes and self._peers.is_isolated and registration.invoke == "single":
            # Somebody else may have it by now.
            raise cannot_agree("this node is cut off from the others")
        details = call.details
        failure: Refused | None = None
        while True:
            try:
                super()._invoke(call, registration)
                return
            except Unreachable as unreachable:
                failure = unreachable
                call.unavailable.add(unreachable.session)
                call.details = details
            except Refused as refusal:
                if failure is not None and refusal.uri == NO_AVAILABLE_CALLEE:
                    raise failure from None
                raise

    def _note_stream(self, call: PendingCall) -> None:
        session = call.callee.session
        if isinstance(session, RemoteSession):
            self.tell(session.node, Dropped(call.invocation))
        else:
            super()._note_stream(call)

    def answered(self, node: int, letter: Yielded | Failed | Declined) -> None:
        """A callee's node says what came of a call; what nobody waits for any more is dropped."""
        proxy = self.proxies.get(node, letter.session)
        call = None if proxy is None else self.calls_of(proxy).answering.get(letter.request)
        if proxy is None or call is None:
            return
        if isinstance(letter, Declined):
            self._next(call, letter.error, letter.text)
        elif isinstance(letter, Yielded):
            options = _options(letter)
            if options is None:
                self._peers.note_malformed(calls_about(self._realm), node)
                return
            self.answer(proxy, letter.request, options, unpack(letter.payload))
        else:
            self._fail(call, letter.error, letter.details, unpack(letter.payload))

    def _fail(self, call: PendingCall, error: str, details: dict[str, Any], payload: Payload) -> None:
        """As ``fail``, of what the callee's node would not have another callee asked for."""
        self._end(call)
        if details and not call.takes_passthru:
            details, payload = {}, Payload.of()
        self._reply(call, Error(CALL, call.request, details, error), payload)

    def _next(self, call: PendingCall, uri: str, text: str) -> None:
        """The callee's node says that this callee does not take the call: ask the next."""
        registration = call.callee.registration
        self._end(call)
        call.forget_callee()
        try:
            if call.payload is None or not registration.callees or call.is_canceled:
                raise Refused(NO_AVAILABLE_CALLEE, NOBODY)
            self._invoke(call, registration)
        except Refused as refusal:
            if refusal.uri == NO_AVAILABLE_CALLEE and uri != UNAVAILABLE:
                refusal = Refused(uri, text)
            self._reply(call, Error(CALL, call.request, {}, refusal.uri), Payload.of(refusal.text))
        else:
            if call.caller is not None:
                call.calls.made[call.request] = call
            self._set_deadline(call, is_forwarded=False)

    def lose(self, proxy: RemoteSession, uri: str, text: str) -> list[Registration]:
        """A callee of another node is gone: its calls end so. Returns: the registrations it had."""
        return self._part(proxy, lambda call: self._refuse(call, uri, text))

    def left(self, proxy: RemoteSession) -> list[Registration]:
        """A callee of another node has left, which its node has told behind the last answers to its calls.

        Those that still wait have not reached it: the next callee gets them. Returns: as ``lose``.
        """
        return self._part(proxy, lambda call: self._next(call, NO_SUCH_PROCEDURE, "the callee has left"))

    def _part(self, proxy: RemoteSession, end: Callable[[PendingCall], None]) -> list[Registration]:
        registrations = self.registrations.leave(proxy)
        self.proxies.drop(proxy)
        calls = self._calls.pop(proxy, None)
        if calls is not None:
            # Whoever hears of an end may end others.
            while calls.answering:
                end(next(iter(calls.answering.values())))
        return registrations

    def sever(self, node: int) -> None:
        """What went between this node and another one was lost: its callees' calls end with that."""
        for proxy in self.proxies.of(node):
            calls = self._calls.get(proxy)
            for call in [] if calls is None else list(calls.answering.values()):
                if call.is_pending:
                    self._stop(call, NETWORK_FAILURE, LOST)

    def leave(self, session: Session) -> list[Registration]:
        """As ``Dealer.leave``."""
        registrations = super().leave(session)
        # Behind the last answers to calls of others.
        self.on_left(session)
        return registrations

    # --- calls of others

    def invoke(self, call: ForeignCall, callee: Callee) -> None:
        """Give a call of another node to this callee, and to no other.

        Raises: Refused: ``max_concurrency``, ``quota``, or as ``Sender.send``.
        """
        session = callee.session
        at = self.calls_of(session)
        if not callee.has_room:
            raise Refused(MAX_CONCURRENCY, f"every callee of {callee.registration.procedure} is busy")
        if len(at.answering) >= self._limits.max_pending_calls:
            raise Refused(QUOTA, f"{self._limits.max_pending_calls} calls are pending for the callee already")
        if self.unheard.is_full(session):
            call.details.pop("receive_progress", None)
        invocation = at.invocation_ids.upcoming
        self._outbox.send(
            session, Invocation(invocation, callee.registration.id, call.invocation_details()), call.payload
        )
        at.invocation_ids.next()
        at.answering[invocation] = call
        call.callee, call.at, call.invocation = callee, at, invocation
        call.payload = None
        call.table[call.request] = call
        callee.running += 1
        self._start_deadline(call)

    def go_on(self, call: ForeignCall, is_sending: bool, payload: Payload) -> None:
        """The next chunk of such a call."""
        if call.is_sending:
            self._continue(call, CHUNK if is_sending else LAST_CHUNK, payload)

    def stop(self, call: ForeignCall, mode: CancelMode, reason: str) -> None:
        """Its caller's node tells the callee to stop; ``kill``: and waits for the answer."""
        if mode == "kill":
            call.is_canceled = True
            self._interrupt(call, mode, reason)
        else:
            self._interrupt(call, mode, reason)
            self._end(call)

    def drop(self, call: ForeignCall) -> None:
        """Nobody waits for its answer any more, and its callee need not know."""
        super()._note_stream(call)
        self._end(call)

    # --- both

    def _reroute(self, call: PendingCall) -> None:
        if isinstance(call, ForeignCall):
            call.decline(UNAVAILABLE, NOBODY)
        else:
            super()._reroute(call)

    def _progress(self, call: PendingCall, result: Result, payload: Payload) -> None:
        if isinstance(call, ForeignCall):
            call.progress(result, payload)
        else:
            super()._progress(call, result, payload)

    def _reply(self, call: PendingCall, message: Message, payload: Payload) -> None:
        if isinstance(call, ForeignCall):
            call.answer(message, payload)
        else:
            super()._reply(call, message, payload)

    def _end(self, call: PendingCall) -> None:
        super()._end(call)
        if isinstance(call, ForeignCall):
            del call.table[call.request]


NOBODY: Final = "no callee can take this call"


def _options(letter: Yielded) -> YieldOptions | None:
    """What a YIELD says; None: no node of this version writes that."""
    if not letter.details:
        return YieldOptions(progress=letter.is_progress)
    try:
        return msgspec.convert({**letter.details, "progress": letter.is_progress}, YieldOptions)
    except MALFORMED:
        return None


def _nobody(session: Session) -> None:
    """Nobody minds."""
