"""The dealer: calls on their way from caller to callee and back.

Every call ends exactly once: with the callee's result or error, by cancelling, at its deadline, or when the
callee leaves. A caller that leaves takes its calls along; what the callee answers to those afterwards is
dropped, and a callee that announced call canceling is told; streams of those that did not are in ``unheard``.

Source: WAMP specification, "Remote Procedure Calls" and the chapters on RPC of its Advanced Profile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from radiod.core.delivery.holdings import Holdings
from radiod.core.disclosure import CALLER, identity
from radiod.core.ids import Ids
from radiod.core.limits import Limits
from radiod.core.rights import Actor
from radiod.core.rpc.calls import Calls, CallTally, PendingCall
from radiod.core.rpc.features import (
    CANCELING,
    PASSTHRU,
    PROGRESSIVE_RESULTS,
    REROUTE,
    check_callee,
)
from radiod.core.rpc.registrations import Registration, Registrations
from radiod.core.rpc.unheard import Unheard
from radiod.core.sessions.outbox import Sender
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.errors import (
    CANCELED,
    FEATURE_NOT_SUPPORTED,
    NO_AVAILABLE_CALLEE,
    QUOTA,
    TIMEOUT,
    UNAVAILABLE,
    Exceeded,
    PeerError,
    Refused,
)
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Interrupt, Invocation, Message, Result
from radiod.wire.options import CallOptions, CancelMode, YieldOptions

__all__ = ["CALL", "Dealer"]

CALL: Final = 48
"""The message code of CALL, as ERROR names it."""


class Dealer:
    """Registrations and pending calls of one realm."""

    def __init__(
        self,
        outbox: Sender,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        holdings: Holdings | None = None,
    ) -> None:
        self._holdings = Holdings.of(limits) if holdings is None else holdings
        self._outbox = outbox
        self._clock = clock
        self._timers = timers
        self._limits = limits
        self.registrations = Registrations(clock, ids, limits)
        self.unheard = Unheard(clock, limits.call_timeout_s)
        self._calls: dict[Session, Calls] = {}
        self.tally = CallTally()
        self._own = Calls()  # those that the router makes itself

    def __len__(self) -> int:
        """Registrations with at least one callee."""
        return len(self.registrations)

    # --- calling

    def calls_of(self, session: Session) -> Calls:
        """A session's part in calls, made when first needed; ``leave`` ends it."""
        calls = self._calls.get(session)
        if calls is None:
            calls = self._calls[session] = Calls()
        return calls

    def expect_chunks(self, caller: Session, request: int) -> None:
        """A progressive call has come in: chunks of it may follow, though the dealer has not seen it yet."""
        self.calls_of(caller).remember_progressive(request, False)

    def forget_chunks(self, caller: Session, request: int) -> None:
        """A progressive call was answered before it reached a callee: its chunks are answered by nothing."""
        self.calls_of(caller).remember_progressive(request, True)

    def takes_chunks(self, caller: Session, request: int) -> bool:
        """Whether a CALL of this id, used before, may go on with a call."""
        calls = self._calls.get(caller)
        if calls is None:
            return False
        call = calls.made.get(request)
        return request in calls.progressive if call is None else call.options.progress

    def is_chunk(self, caller: Session, request: int) -> bool:
        """Whether a CALL goes on with one that was allowed, or refused, when it began."""
        calls = self._calls.get(caller)
        return calls is not None and (request in calls.made or calls.progressive.get(request, False))

    def is_opaque(self, caller: Session, request: int) -> bool:
        """Whether nobody looks at the payload of a call's chunks: passed through, or of no call any more."""
        call = self._made(caller, request)
        return call is None or call.options.enc_algo is not None

    def _made(self, caller: Session, request: int) -> PendingCall | None:
        """A pending call that a session made, which may have made none, or have left."""
        calls = self._calls.get(caller)
        return None if calls is None else calls.made.get(request)

    def call(
        self,
        caller: Session,
        request: int,
        procedure: str,
        options: CallOptions,
        payload: Payload,
        details: dict[str, Any],
        is_nameable: bool = False,
    ) -> None:
        """Invoke a callee of ``procedure``, or pass on the next chunk of a progressive call.

        Args:
            details: what the callee learns about the caller.
            is_nameable: who calls is not among them, and may be told to a callee that asks.
        Raises:
            Refused: ``no_such_procedure``, ``quota`` (too many pending for this caller or callee),
                ``feature_not_supported`` (by the callee), ``max_concurrency``, or as ``Sender.send``.
            PeerError: the call may not be continued.
        """
        calls = self.calls_of(caller)
        pending = calls.made.get(request)
        if pending is not None:
            self._continue(pending, options, payload)
            return
        if calls.progressive.get(request):
            # A chunk that was on its way when the call ended, or was refused.
            return
        if options.progress:
            calls.remember_progressive(request, True)
        call = PendingCall(caller, calls, request, options, {**details, **options.passthru()}, payload, None)
        call.nameable = caller if is_nameable else None
        self._begin(call, procedure)
        calls.made[request] = call

    def ask(
        self,
        procedure: str,
        payload: Payload,
        options: CallOptions,
        details: dict[str, Any],
        on_end: Callable[[Message, Payload], None],
        nameable: Actor | None = None,
    ) -> PendingCall:
        """Call ``procedure`` for no session; ``on_end`` gets RESULT or ERROR, and its payload.

        ``nameable``: as ``PendingCall`` has it. Raises: Refused: as ``call``.
        """
        call = PendingCall(None, self._own, 0, options, {**details, **options.passthru()}, payload, on_end)
        call.nameable = nameable
        self._begin(call, procedure)
        return call

    def _begin(self, call: PendingCall, procedure: str) -> None:
        if call.options.traceparent is not None:
            self.tally.follow(call, procedure)
        try:
            if call.caller is not None and len(call.calls.made) >= self._limits.max_pending_calls:
                raise Refused(QUOTA, f"{self._limits.max_pending_calls} calls are pending already")
            registration = self.registrations.best(procedure)
            if registration.match != "exact":
                call.details["procedure"] = procedure
            self._invoke(call, registration)
        except Refused as refusal:
            self.tally.refused(call, refusal.uri)
            raise
        self._start_deadline(call)
        self.tally.has_begun(call)

    def _invoke(self, call: PendingCall, registration: Registration) -> None:
        """Give a call to the callee whose turn it is. Raises: Refused."""
        assert call.payload is not None
        callee = self.registrations.pick(registration, call.unavailable)
        session, options = callee.session, call.options
        at = self.calls_of(session)
        if len(at.answering) >= self._limits.max_pending_calls:
            raise Refused(QUOTA, f"{self._limits.max_pending_calls} calls are pending for the callee already")
        features = session.features
        check_callee(features, options)
        is_kept = not options.progress and len(registration.callees) > 1 and REROUTE in features
        if is_kept:
            self._check_room(call)
        details = call.details
        if options.receive_progress and PROGRESSIVE_RESULTS in features and not self.unheard.is_full(session):
            details = {**details, "receive_progress": True}
        if callee.wants_callers and call.nameable is not None:
            details = {**details, **identity(CALLER, call.nameable)}
        if callee.wants_timeouts and options.timeout and call.caller is not None:
            details = {**details, "timeout": options.timeout}
        call.details = details
        invocation = at.invocation_ids.upcoming
        self._outbox.send(
            session, Invocation(invocation, registration.id, call.invocation_details()), call.payload
        )
        at.invocation_ids.next()
        at.answering[invocation] = call
        call.callee, call.at, call.invocation = callee, at, invocation
        callee.running += 1
        if not is_kept:
            call.payload = None
        elif call.caller is not None:
            call.held = len(call.payload)
            self._holdings.account(call.caller).change(call.held)

    def _check_room(self, call: PendingCall) -> None:
        """Whether the payload of a call may be kept for another callee. Raises: Refused: ``quota``."""
        assert call.payload is not None
        if call.caller is not None:
            account = self._holdings.account(call.caller)
            exceeded = account.exceeded(len(call.payload))
            if exceeded is not None:
                raise Exceeded(exceeded, "too much is held for pending calls, and events that wait, already")

    def _let_go(self, call: PendingCall) -> None:
        """The payload is not held for the caller any more."""
        assert call.caller is not None
        self._holdings.account(call.caller).change(-call.held)
        call.held = 0

    def _continue(self, call: PendingCall, options: CallOptions, payload: Payload) -> None:
        if not call.is_sending:
            raise PeerError(f"CALL.Request {call.request} is still pending")
        call.is_sending = options.progress
        if call.is_canceled:
            return
        callee = call.callee
        invocation = Invocation(call.invocation, callee.registration.id, call.invocation_details())
        try:
            self._outbox.send(callee.session, invocation, payload)
        except Refused as refusal:
            self._stop(call, refusal.uri, refusal.text)  # without one chunk the rest means nothing
        else:
            # The caller's own time runs from result to result, whatever it sends.
            if not call.options.timeout or "timeout" in call.details:
                self._restart_deadline(call)

    def cancel(self, caller: Session, request: int, mode: CancelMode) -> None:
        """End a call, or ask its callee to; a call that has ended meanwhile is left alone."""
        call = self._made(caller, request)
        if call is not None:
            self.cancel_call(call, mode)

    def cancel_call(self, call: PendingCall, mode: CancelMode) -> None:
        """The same for one that is pending."""
        if mode == "skip" or CANCELING not in call.callee.session.features:
            self._note_stream(call)
            self._refuse(call, CANCELED, "the caller canceled the call")
        elif mode == "killnowait":
            self._stop(call, CANCELED, "the caller canceled the call")
        elif not call.is_canceled:
            call.is_canceled = True
            self._interrupt(call, mode)

    def give_up(self, caller: Session, request: int, refusal: Refused) -> None:
        """End a progressive call of which a chunk was refused: without it the rest means nothing."""
        call = self._made(caller, request)
        if call is not None:
            self._stop(call, refusal.uri, refusal.text)

    # --- answering

    def answer(self, callee: Session, invocation: int, options: YieldOptions, payload: Payload) -> None:
        """Return a callee's result to the caller; an answer that nobody waits for any more is dropped.

        Raises: PeerError: it uses what the callee did not announce, or there never was this invocation.
        """
        details = options.passthru()
        if details:
            callee.check_announced(PASSTHRU)
        calls = self.calls_of(callee)
        call = calls.answering.get(invocation)
        if call is None:
            calls.check_invoked(invocation)
            self.unheard.heard(callee, invocation, is_over=not options.progress)
            return
        if details and not call.takes_passthru:
            end = self._stop if options.progress else self._refuse
            end(call, FEATURE_NOT_SUPPORTED, "the caller takes no payload in passthru mode")
        elif not options.progress:
            self._end(call)
            self._reply(call, Result(call.request, details), payload)
        elif "receive_progress" in call.details:
            # Nobody else can go on where this callee began.
            call.payload = None
            if call.held:
                self._let_go(call)
            self._restart_deadline(call)
            self._progress(call, Result(call.request, {**details, "progress": True}), payload)

    def _progress(self, call: PendingCall, result: Result, payload: Payload) -> None:
        if call.caller is None:
            assert call.on_progress is not None
            call.on_progress(payload)
            return
        try:
            self._outbox.send(call.caller, result, payload)
        except Refused as refusal:
            self._stop(call, refusal.uri, refusal.text)

    def fail(
        self, callee: Session, invocation: int, error: str, payload: Payload, details: dict[str, Any]
    ) -> None:
        """Return a callee's error to the caller; an answer that nobody waits for any more is dropped.

        ``wamp.error.unavailable`` makes the dealer ask another callee, if this one announced call rerouting.

        Args:
            details: what the error says about a payload in passthru mode.
        Raises: PeerError: it uses what the callee did not announce, or there never was this invocation.
        """
        if details:
            callee.check_announced(PASSTHRU)
        calls = self.calls_of(callee)
        call = calls.answering.get(invocation)
        if call is None:
            calls.check_invoked(invocation)
            self.unheard.heard(callee, invocation, is_over=True)
            return
        self._end(call)
        if error == UNAVAILABLE and REROUTE in callee.features:
            self._reroute(call)
        elif details and not call.takes_passthru:
            # What went wrong matters more than a payload that the caller cannot read.
            self._reply(call, Error(CALL, call.request, {}, error), Payload.of())
        else:
            self._reply(call, Error(CALL, call.request, details, error), payload)

    def _reroute(self, call: PendingCall) -> None:
        """Ask the next callee, within what is left of the call's time."""
        registration = call.callee.registration
        call.forget_callee()
        try:
            if call.payload is None or not registration.callees or call.is_canceled:
                raise Refused(
                    NO_AVAILABLE_CALLEE, f"no callee of {registration.procedure} can take this call"
                )
            self._invoke(call, registration)
        except Refused as refusal:
            self._reply(call, Error(CALL, call.request, {}, refusal.uri), Payload.of(refusal.text))
        else:
            if call.caller is not None:
                call.calls.made[call.request] = call
            self._set_deadline(call, is_forwarded=False)

    # --- ending

    def leave(self, session: Session) -> list[Registration]:
        """End the calls that the session made and those it was answering, and its registrations.

        Returns: the registrations it had.
        """
        registrations = self.registrations.leave(session)
        calls = self._calls.get(session)
        if calls is None:
            return registrations
        # Its own calls first: what it asked of itself must not be answered any more.
        for call in list(calls.made.values()):
            self._end(call)
            self.tally.left(call)
            if call.callee.session is not session:
                self._interrupt(call, "killnowait")
        # Whoever hears of an end may end others.
        while calls.answering:
            call = next(iter(calls.answering.values()))
            self._refuse(call, CANCELED, "the callee left before it answered")
        del self._calls[session]
        self.unheard.forget(session)
        return registrations

    def _start_deadline(self, call: PendingCall) -> None:
        call.since = self._clock.seconds()
        self._set_deadline(call, "timeout" in call.details)

    def _set_deadline(self, call: PendingCall, is_forwarded: bool) -> None:
        seconds = call.allowed(self._limits.call_timeout_s, is_forwarded)
        late = partial(self._stop, call, TIMEOUT, "the callee did not answer in time", TIMEOUT)
        call.deadline = self._timers.at(call.since + seconds, late)

    def _restart_deadline(self, call: PendingCall) -> None:
        call.deadline.cancel()
        self._start_deadline(call)

    def _stop(self, call: PendingCall, uri: str, text: str, reason: str = CANCELED) -> None:
        """End a call whose callee is still at work."""
        self._interrupt(call, "killnowait", reason)
        self._refuse(call, uri, text)

    def _interrupt(self, call: PendingCall, mode: CancelMode, reason: str = CANCELED) -> None:
        """Tell the callee, if it announced that it listens."""
        session = call.callee.session
        if CANCELING in session.features:
            self._outbox.send(session, Interrupt(call.invocation, {"mode": mode, "reason": reason}))
        else:
            self._note_stream(call)

    def _note_stream(self, call: PendingCall) -> None:
        """A call ends whose callee may go on sending results, and is not told."""
        if "receive_progress" in call.details:
            self.unheard.begin(call.callee.session, call.invocation)

    def _refuse(self, call: PendingCall, uri: str, text: str) -> None:
        self._end(call)
        self._reply(call, Error(CALL, call.request, {}, uri), Payload.of(text))

    def _reply(self, call: PendingCall, message: Message, payload: Payload) -> None:
        """Give the last answer to whoever called."""
        self.tally.answered(call, message, self._clock.seconds())
        if call.caller is None:
            assert call.on_end is not None
            call.on_end(message, payload)
            return
        try:
            self._outbox.send(call.caller, message, payload)
        except Refused as refusal:
            self._outbox.send(
                call.caller, Error(CALL, call.request, {}, refusal.uri), Payload.of(refusal.text)
            )

    def _end(self, call: PendingCall) -> None:
        """Take a call out of both tables."""
        del call.at.answering[call.invocation]
        call.callee.running -= 1
        if call.held:
            self._let_go(call)
        if call.caller is not None:
            del call.calls.made[call.request]
            if call.options.progress:
                call.calls.remember_progressive(call.request, True)
        call.deadline.cancel()
