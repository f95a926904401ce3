"""The dealer: calls on their way from caller to callee and back.

Every call ends exactly once: with the callee's result or error, by cancelling, at its deadline, or when the
callee leaves. A caller that leaves takes its calls along; what the callee answers to those afterwards is
dropped, and a callee that announced call canceling is told; streams of those that did not are in ``unheard``.

Source: WAMP specification, "Remote Procedure Calls" and the chapters on RPC of its Advanced Profile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.delivery.holdings import Holdings
from radiod.core.disclosure import CALLER, identity
from radiod.core.ports import Clock, Ids, Limits, Outbox
from radiod.core.rpc.registrations import Callee, Registration, Registrations
from radiod.core.rpc.unheard import Unheard
from radiod.core.sessions.session import UNSTOPPABLE_CHUNKS, Session
from radiod.core.timers import Deadline, Timers
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
from radiod.wire.messages import (
    CallOptions,
    CancelMode,
    Error,
    Interrupt,
    Invocation,
    Message,
    RegisterOptions,
    Result,
    YieldOptions,
)

__all__ = ["CALL", "Dealer", "PendingCall"]

CALL: Final = 48
"""The message code of CALL, as ERROR names it."""


class PendingCall:
    """A call that was invoked and is not answered yet.

    ``caller``: None for a call of the router itself, whose end is given to ``on_end``; ``details``: what
    every INVOCATION of it carries; ``is_sending``: more chunks of its arguments are to come; ``is_canceled``:
    the callee was told to end it; ``is_nameable``: a callee that asks who calls is told;
    ``payload``: kept where another callee may have to be asked, whom ``unavailable`` does not have; ``held``:
    bytes of it that count for the caller; ``since``: monotonic seconds, what its time is counted from. What
    is not set at first is set once the callee was asked.
    """

    __slots__ = (
        "callee",
        "caller",
        "deadline",
        "details",
        "held",
        "invocation",
        "is_canceled",
        "is_nameable",
        "is_sending",
        "on_end",
        "options",
        "payload",
        "request",
        "since",
        "unavailable",
    )

    callee: Callee
    invocation: int
    since: float
    deadline: Deadline

    def __init__(
        self,
        caller: Session | None,
        request: int,
        options: CallOptions,
        details: dict[str, Any],
        payload: Payload,
        on_end: Callable[[Message, Payload], None] | None,
    ) -> None:
        self.caller = caller
        self.request = request
        self.options = options
        self.details = details
        self.payload: Payload | None = payload
        self.on_end = on_end
        self.is_sending = options.progress
        self.is_canceled = False
        self.is_nameable = False
        self.unavailable: set[Session] = set()
        self.held = 0


class Dealer:
    """Registrations and pending calls of one realm."""

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        holdings: Holdings | None = None,
    ) -> None:
        self._holdings = holdings or Holdings(limits.max_session_bytes, limits.max_buffered_bytes)
        self._outbox = outbox
        self._clock = clock
        self._timers = timers
        self._limits = limits
        self.registrations = Registrations(clock, ids, limits)
        self.unheard = Unheard(clock, limits.call_timeout_s)

    def __len__(self) -> int:
        """Registrations with at least one callee."""
        return len(self.registrations)

    # --- registering

    def register(
        self, session: Session, procedure: str, options: RegisterOptions
    ) -> tuple[Registration, bool]:
        """As ``Registrations.add``."""
        return self.registrations.add(session, procedure, options)

    def take_over(
        self, session: Session, procedure: str, options: RegisterOptions, may_act_on_others: bool
    ) -> tuple[Registration, list[Callee]]:
        """As ``Registrations.take_over``; calls that those before are answering go on."""
        return self.registrations.take_over(session, procedure, options, may_act_on_others)

    def unregister(self, session: Session, registration_id: int) -> Registration:
        """As ``Registrations.remove``; calls that the session is answering go on."""
        return self.registrations.remove(session, registration_id)

    # --- calling

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
            Refused: ``no_such_procedure``, ``quota`` (too many calls pending for this caller or callee),
                ``feature_not_supported`` (by the callee), ``max_concurrency``, or what ``Outbox.send`` says
                of a payload that the callee cannot take.
            PeerError: the call may not be continued.
        """
        pending = caller.calls.get(request)
        if pending is not None:
            self._continue(pending, options, payload)
            return
        if caller.progressive.get(request):
            # A chunk that was on its way when the call ended, or was refused.
            return
        if options.progress:
            caller.remember_progressive(request, True)
        if len(caller.calls) >= self._limits.max_pending_calls:
            raise Refused(QUOTA, f"{self._limits.max_pending_calls} calls are pending already")
        call = PendingCall(caller, request, options, {**details, **options.passthru()}, payload, None)
        call.is_nameable = is_nameable
        self._begin(call, procedure)
        caller.calls[request] = call

    def ask(
        self,
        procedure: str,
        payload: Payload,
        timeout_ms: int,
        on_end: Callable[[Message, Payload], None],
    ) -> None:
        """Call ``procedure`` for the router itself; ``on_end`` gets RESULT or ERROR, and its payload.

        Raises: Refused: as ``call``.
        """
        self._begin(PendingCall(None, 0, CallOptions(timeout=timeout_ms), {}, payload, on_end), procedure)

    def _begin(self, call: PendingCall, procedure: str) -> None:
        registration = self.registrations.best(procedure)
        if registration.match != "exact":
            call.details["procedure"] = procedure
        self._invoke(call, registration)
        self._start_deadline(call)

    def _invoke(self, call: PendingCall, registration: Registration) -> None:
        """Give a call to the callee whose turn it is. Raises: Refused."""
        assert call.payload is not None
        callee = self.registrations.pick(registration, call.unavailable)
        session, options = callee.session, call.options
        if len(session.invocations) >= self._limits.max_pending_calls:
            raise Refused(QUOTA, f"{self._limits.max_pending_calls} calls are pending for the callee already")
        features = session.features
        if options.progress and not (features >= CHUNKS or UNSTOPPABLE_CHUNKS in features):
            raise Refused(FEATURE_NOT_SUPPORTED, "the callee takes no progressive call invocations")
        if options.passthru() and PASSTHRU not in features:
            raise Refused(FEATURE_NOT_SUPPORTED, "the callee takes no payload in passthru mode")
        is_kept = not options.progress and len(registration.callees) > 1 and REROUTE in features
        if is_kept:
            self._check_room(call)
        details = call.details
        if options.receive_progress and PROGRESSIVE_RESULTS in features and not self.unheard.is_full(session):
            details = {**details, "receive_progress": True}
        if callee.wants_callers and call.is_nameable and call.caller is not None:
            details = {**details, **identity(CALLER, call.caller)}
        if callee.wants_timeouts and options.timeout and call.caller is not None:
            details = {**details, "timeout": options.timeout}
        call.details = details
        invocation = session.invocation_ids.upcoming
        self._outbox.send(
            session, Invocation(invocation, registration.id, _with_progress(call)), call.payload
        )
        session.invocation_ids.next()
        session.invocations[invocation] = call
        call.callee, call.invocation = callee, invocation
        callee.running += 1
        if not is_kept:
            call.payload = None
        elif call.caller is not None:
            call.held = len(call.payload)
            call.caller.made_account(self._holdings).change(call.held)

    def _check_room(self, call: PendingCall) -> None:
        """Whether the payload of a call may be kept for another callee. Raises: Refused: ``quota``."""
        assert call.payload is not None
        if call.caller is not None:
            account = call.caller.made_account(self._holdings)
            exceeded = account.exceeded(len(call.payload))
            if exceeded is not None:
                raise Exceeded(exceeded, "too much is held for pending calls, and events that wait, already")

    def _let_go(self, call: PendingCall) -> None:
        """The payload is not held for the caller any more."""
        assert call.caller is not None
        call.caller.made_account(self._holdings).change(-call.held)
        call.held = 0

    def _continue(self, call: PendingCall, options: CallOptions, payload: Payload) -> None:
        if not call.is_sending:
            raise PeerError(f"CALL.Request {call.request} is still pending")
        call.is_sending = options.progress
        if call.is_canceled:
            return
        callee = call.callee
        invocation = Invocation(call.invocation, callee.registration.id, _with_progress(call))
        try:
            self._outbox.send(callee.session, invocation, payload)
        except Refused as refusal:
            # Without one chunk the rest means nothing.
            self._stop(call, refusal.uri, refusal.text)
        else:
            # The caller's own time runs from result to result, whatever it sends.
            if not call.options.timeout or "timeout" in call.details:
                self._restart_deadline(call)

    def cancel(self, caller: Session, request: int, mode: CancelMode) -> None:
        """End a call, or ask its callee to; a call that has ended meanwhile is left alone."""
        call = caller.calls.get(request)
        if call is None:
            return
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
        call = caller.calls.get(request)
        if call is not None:
            self._stop(call, refusal.uri, refusal.text)

    # --- answering

    def answer(self, callee: Session, invocation: int, options: YieldOptions, payload: Payload) -> None:
        """Return a callee's result to the caller; an answer that nobody waits for any more is dropped.

        Raises: PeerError: it uses what the callee did not announce, or there never was this invocation.
        """
        details = options.passthru()
        callee.check_announced(PASSTHRU, bool(details))
        call = callee.invocations.get(invocation)
        if call is None:
            callee.check_invoked(invocation)
            self.unheard.heard(callee, invocation, is_over=not options.progress)
            return
        if details and not _takes_passthru(call):
            text = "the caller takes no payload in passthru mode"
            if options.progress:
                self._stop(call, FEATURE_NOT_SUPPORTED, text)
            else:
                self._refuse(call, FEATURE_NOT_SUPPORTED, text)
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
        assert call.caller is not None
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
        callee.check_announced(PASSTHRU, bool(details))
        call = callee.invocations.get(invocation)
        if call is None:
            callee.check_invoked(invocation)
            self.unheard.heard(callee, invocation, is_over=True)
            return
        self._end(call)
        if error == UNAVAILABLE and REROUTE in callee.features:
            self._reroute(call, callee)
        elif details and not _takes_passthru(call):
            # What went wrong matters more than a payload that the caller cannot read.
            self._reply(call, Error(CALL, call.request, {}, error), Payload.of())
        else:
            self._reply(call, Error(CALL, call.request, details, error), payload)

    def _reroute(self, call: PendingCall, callee: Session) -> None:
        """Ask the next callee, within what is left of the call's time."""
        call.unavailable.add(callee)
        registration = call.callee.registration
        # The next callee may have announced, or asked for, others.
        own = (*CALLEES_OWN, *CALLER) if call.is_nameable else CALLEES_OWN
        call.details = {name: call.details[name] for name in call.details if name not in own}
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
                call.caller.calls[call.request] = call
            self._set_deadline(call, is_forwarded=False)

    # --- ending

    def leave(self, session: Session) -> list[Registration]:
        """End the calls that the session made and those it was answering, and its registrations.

        Returns: the registrations it had.
        """
        registrations = [self.unregister(session, id) for id in list(session.registrations)]
        # Its own calls first: what it asked of itself must not be answered any more.
        for call in list(session.calls.values()):
            self._end(call)
            if call.callee.session is not session:
                self._interrupt(call, "killnowait")
        # Whoever hears of an end may end others.
        while session.invocations:
            call = next(iter(session.invocations.values()))
            self._refuse(call, CANCELED, "the callee left before it answered")
        self.unheard.forget(session)
        return registrations

    def _start_deadline(self, call: PendingCall) -> None:
        call.since = self._clock.seconds()
        self._set_deadline(call, "timeout" in call.details)

    def _set_deadline(self, call: PendingCall, is_forwarded: bool) -> None:
        # A callee that ends its calls itself gets the caller's time; the server's own limit holds for all.
        seconds = self._limits.call_timeout_s
        if call.options.timeout and not is_forwarded:
            seconds = min(call.options.timeout / 1000, seconds)
        call.deadline = self._timers.at(call.since + seconds, lambda: self._time_out(call))

    def _restart_deadline(self, call: PendingCall) -> None:
        call.deadline.cancel()
        self._start_deadline(call)

    def _time_out(self, call: PendingCall) -> None:
        self._stop(call, TIMEOUT, "the callee did not answer in time", TIMEOUT)

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
        del call.callee.session.invocations[call.invocation]
        call.callee.running -= 1
        if call.held:
            self._let_go(call)
        if call.caller is not None:
            del call.caller.calls[call.request]
            if call.options.progress:
                call.caller.remember_progressive(call.request, True)
        call.deadline.cancel()


CANCELING: Final = "callee.call_canceling"
PROGRESSIVE_RESULTS: Final = "callee.progressive_call_results"
CHUNKS: Final = frozenset({"callee.progressive_call_invocations", CANCELING})
REROUTE: Final = "callee.call_reroute"
PASSTHRU: Final = "callee.payload_passthru_mode"
CALLEES_OWN: Final = ("receive_progress", "timeout")
"""Details of an INVOCATION that depend on what its callee announced."""


def _with_progress(call: PendingCall) -> dict[str, Any]:
    return {**call.details, "progress": True} if call.is_sending else call.details


def _takes_passthru(call: PendingCall) -> bool:
    return call.caller is None or "caller.payload_passthru_mode" in call.caller.features
