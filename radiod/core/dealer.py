"""The dealer: registrations, and calls on their way from caller to callee and back.

Every call ends exactly once: with the callee's result or error, at its deadline, or when the callee leaves.
A caller that leaves takes its calls along; what the callee answers to those afterwards is dropped.
"""

from __future__ import annotations

from typing import Final

from radiod.core.ids import Counter
from radiod.core.ports import Clock, Limits, Outbox
from radiod.core.sessions import Session
from radiod.core.timers import Deadline, Timers
from radiod.errors import (
    CANCELED,
    FEATURE_NOT_SUPPORTED,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    PROCEDURE_ALREADY_EXISTS,
    QUOTA,
    TIMEOUT,
    PeerError,
    Refused,
)
from radiod.wire.codecs import Payload
from radiod.wire.messages import (
    CallOptions,
    Error,
    Invocation,
    Message,
    RegisterOptions,
    Result,
)

__all__ = ["CALL", "Dealer", "PendingCall", "Registration"]

CALL: Final = 48
"""The message code of CALL, as ERROR names it."""


class Registration:
    """A procedure and the session that answers it."""

    __slots__ = ("callee", "id", "procedure")

    def __init__(self, id: int, procedure: str, callee: Session) -> None:
        self.id = id
        self.procedure = procedure
        self.callee = callee


class PendingCall:
    """A call that was invoked and is not answered yet; ``deadline`` is set once the callee was asked."""

    __slots__ = ("callee", "caller", "deadline", "invocation", "request")

    deadline: Deadline

    def __init__(self, caller: Session, request: int, callee: Session, invocation: int) -> None:
        self.caller = caller
        self.request = request
        self.callee = callee
        self.invocation = invocation


class Dealer:
    """Registrations and pending calls of one realm."""

    def __init__(self, outbox: Outbox, clock: Clock, timers: Timers, limits: Limits) -> None:
        self._outbox = outbox
        self._clock = clock
        self._timers = timers
        self._limits = limits
        self._registration_ids = Counter()
        # procedure -> registration; the same objects by id are in each callee's table.
        self._by_procedure: dict[str, Registration] = {}

    def __len__(self) -> int:
        """Procedures registered."""
        return len(self._by_procedure)

    def register(self, callee: Session, procedure: str, options: RegisterOptions) -> int:
        """Let ``callee`` answer calls to ``procedure``.

        Returns: the registration id.
        Raises: Refused: ``procedure_already_exists``, ``feature_not_supported``, ``quota``.
        """
        if options.match != "exact" or options.invoke != "single":
            raise Refused(FEATURE_NOT_SUPPORTED, "only exact, single registrations are supported")
        if procedure in self._by_procedure:
            raise Refused(PROCEDURE_ALREADY_EXISTS, f"{procedure} is registered already")
        if len(callee.registrations) >= self._limits.max_registrations:
            raise Refused(QUOTA, f"a session may hold {self._limits.max_registrations} registrations")
        registration = Registration(self._registration_ids.next(), procedure, callee)
        self._by_procedure[procedure] = registration
        callee.registrations[registration.id] = registration
        return registration.id

    def unregister(self, callee: Session, registration_id: int) -> None:
        """End one registration of ``callee``; calls that it is answering go on.

        Raises: Refused: ``no_such_registration``.
        """
        registration = callee.registrations.pop(registration_id, None)
        if registration is None:
            raise Refused(NO_SUCH_REGISTRATION, f"no registration {registration_id} in this session")
        del self._by_procedure[registration.procedure]

    def call(
        self, caller: Session, request: int, procedure: str, options: CallOptions, payload: Payload
    ) -> None:
        """Invoke the callee of ``procedure``.

        Raises:
            Refused: ``no_such_procedure``, ``quota`` (too many calls pending for this caller or callee), or
                what ``Outbox.send`` says of a payload that the callee cannot take.
            PeerError: ``request`` is the id of a call that is still pending.
        """
        registration = self._by_procedure.get(procedure)
        if registration is None:
            raise Refused(NO_SUCH_PROCEDURE, f"nobody has registered {procedure}")
        if request in caller.calls:
            raise PeerError(f"CALL.Request {request} is still pending")
        callee = registration.callee
        if max(len(caller.calls), len(callee.invocations)) >= self._limits.max_pending_calls:
            raise Refused(QUOTA, f"{self._limits.max_pending_calls} calls are pending already")
        call = PendingCall(caller, request, callee, callee.invocation_ids.next())
        self._outbox.send(callee, Invocation(call.invocation, registration.id, {}), payload)
        caller.calls[request] = call
        callee.invocations[call.invocation] = call
        seconds = options.timeout / 1000 if options.timeout else self._limits.call_timeout_s
        when = self._clock.seconds() + min(seconds, self._limits.call_timeout_s)
        call.deadline = self._timers.at(when, lambda: self._time_out(call))

    def answer(self, callee: Session, invocation: int, payload: Payload) -> None:
        """Return a callee's result to the caller; an answer that nobody waits for any more is dropped."""
        call = self._end(callee, invocation)
        if call is not None:
            self._reply(call, Result(call.request, {}), payload)

    def fail(self, callee: Session, invocation: int, error: str, payload: Payload) -> None:
        """Return a callee's error to the caller; an answer that nobody waits for any more is dropped."""
        call = self._end(callee, invocation)
        if call is not None:
            self._reply(call, Error(CALL, call.request, {}, error), payload)

    def leave(self, session: Session) -> None:
        """Drop the session's registrations; end the calls it made and those it was answering."""
        for registration_id in list(session.registrations):
            self.unregister(session, registration_id)
        # Its own calls first: what it asked of itself must not be answered any more.
        for call in list(session.calls.values()):
            self._end(call.callee, call.invocation)
        for call in list(session.invocations.values()):
            self._refuse(call, CANCELED, "the callee left before it answered")

    def _reply(self, call: PendingCall, message: Message, payload: Payload) -> None:
        try:
            self._outbox.send(call.caller, message, payload)
        except Refused as refusal:
            self._outbox.send(
                call.caller, Error(CALL, call.request, {}, refusal.uri), Payload.of(refusal.text)
            )

    def _time_out(self, call: PendingCall) -> None:
        self._refuse(call, TIMEOUT, "the callee did not answer in time")

    def _refuse(self, call: PendingCall, uri: str, text: str) -> None:
        self._end(call.callee, call.invocation)
        self._outbox.send(call.caller, Error(CALL, call.request, {}, uri), Payload.of(text))

    def _end(self, callee: Session, invocation: int) -> PendingCall | None:
        """Take a call out of both tables; None when it has ended before."""
        call = callee.invocations.pop(invocation, None)
        if call is not None:
            del call.caller.calls[call.request]
            call.deadline.cancel()
        return call
