"""What each message of an open session does, once its right is known, and what it is answered.

A refusal is raised: ``inbox`` makes an ERROR of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.allowances import Allowance
from radiod.core.disclosure import CALLER, NO_DETAILS, disclosed
from radiod.core.procedures.dispatch import Procedures
from radiod.core.promises import Promise
from radiod.core.pubsub.broker import SessionSubscriptions
from radiod.core.realm.charging import within
from radiod.core.realm.departures import Departures
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.realm.publications import Publications
from radiod.core.realm.subscribers import Subscribers
from radiod.core.rights import Disclose, Verdict
from radiod.core.rpc.dealer import Dealer
from radiod.core.sessions.outbox import SessionOutbox
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.core.uris import check_free, check_uri, is_reserved
from radiod.errors import CLOSE_GOODBYE, FEATURE_NOT_SUPPORTED, Refused
from radiod.wire.codecs import Codec, Payload
from radiod.wire.messages import (
    Call,
    Cancel,
    Goodbye,
    InvocationError,
    Publish,
    Published,
    Register,
    Registered,
    Result,
    Subscribe,
    Subscribed,
    Unregister,
    Unregistered,
    Unsubscribe,
    Unsubscribed,
    Yield,
)

__all__ = ["Messages"]

TAKEN_OVER: Final = "wamp.error.unregistered"
"""Crossbar's reason for a registration that ``force_reregister`` took away."""


class Messages:
    """Does what the messages of one realm's sessions ask for."""

    def __init__(
        self,
        *,
        publications: Publications,
        subscribers: Subscribers,
        subscriptions: SessionSubscriptions,
        dealer: Dealer,
        procedures: Procedures,
        departures: Departures,
        events: MetaEvents,
        outbox: SessionOutbox,
        slices: Slices,
        max_nesting: int,
    ) -> None:
        self._publications = publications
        self._subscribers = subscribers
        self._subscriptions = subscriptions
        self._dealer = dealer
        self._procedures = procedures
        self._departures = departures
        self._events = events
        self._outbox = outbox
        self._slices = slices
        self._nesting = max_nesting

    # --- with a right; what they return is still to come, and the session's answer with it

    def publish(
        self, session: Session, message: Publish, codec: Codec, verdict: Verdict
    ) -> Promise[Any] | None:
        """PUBLISH; later: PUBLISHED waits, but the session goes on."""
        options = message.options
        payload = codec.payload(message.args, message.kwargs, options.enc_algo is not None, self._nesting)
        publication = self._publications.publish(session, message.topic, payload, options, verdict)
        if isinstance(publication, Promise):
            return publication
        if options.acknowledge:
            self._outbox.send(session, Published(message.request, publication.id))
        return None

    def acknowledge(self, session: Session, message: Publish, id: int) -> None:
        """Answer a publish whose receipt was kept back."""
        if message.options.acknowledge:
            self._outbox.send(session, Published(message.request, id))

    def subscribe(
        self, session: Session, message: Subscribe, codec: Codec, verdict: Verdict
    ) -> Promise[Callable[[], None]] | None:
        """SUBSCRIBE; later: others are to agree first, and what comes then does it."""
        self._subscribe(session, message)
        return None

    def _subscribe(self, session: Session, message: Subscribe) -> None:
        done = self._subscribers.subscribe(session, message.topic, message.options)
        self._outbox.send(session, Subscribed(message.request, done.subscription.id))
        if message.options.get_retained:
            self._slices.run(self._subscribers.send_late(session, done.subscription))
        self._subscribers.added(session, done)

    def call(
        self, session: Session, message: Call, codec: Codec, verdict: Verdict, is_paid: bool = False
    ) -> Promise[Payload] | None:
        """CALL; later: what the router itself answers takes its time, and the session waits for it.

        ``is_paid``: the plan of its account, if that has one, has been asked.
        """
        options, procedure = message.options, message.procedure
        holder = session.principal.holder
        if holder is not None and holder.account.allowances is not None and not is_paid:
            return self._call_within(holder.account.allowances.call, session, message, codec, verdict)
        payload = codec.payload(message.args, message.kwargs, options.enc_algo is not None, self._nesting)
        if is_reserved(procedure):
            if options.progress:
                raise Refused(FEATURE_NOT_SUPPORTED, "the router takes no progressive call invocations")
            result = self._procedures.call(session, procedure, payload)
            self._publications.meter.called(session, procedure)
            if isinstance(result, Promise):
                return result
            self.result(session, message, result)
            return None
        details = disclosed(CALLER, session, options.disclose_me, verdict)
        is_nameable = CALLER[0] not in details and verdict.disclose is not Disclose.NEVER
        self._dealer.call(session, message.request, procedure, options, payload, details, is_nameable)
        self._publications.meter.called(session, procedure)
        return None

    def _call_within(
        self, allowance: Allowance, session: Session, message: Call, codec: Codec, verdict: Verdict
    ) -> Promise[Payload] | None:
        """CALL, if a plan has one more."""

        def call() -> Promise[Payload] | None:
            return self.call(session, message, codec, verdict, is_paid=True)

        return within(allowance, self._publications.meter, session, message.procedure, call)

    def result(self, session: Session, message: Call, result: Payload) -> None:
        """Send the result of one of the router's own procedures, unless that has killed its caller.

        Raises: Refused: the caller cannot take it.
        """
        if session.is_open:
            self._outbox.send(session, Result(message.request, {}), result)

    def register(
        self, session: Session, message: Register, codec: Codec, verdict: Verdict
    ) -> Promise[Callable[[], None]] | None:
        """REGISTER; later: as ``subscribe``."""
        check_free(message.procedure)
        self._register(session, message, verdict)
        return None

    def _register(self, session: Session, message: Register, verdict: Verdict) -> None:
        options = message.options
        if options.force_reregister:
            self._take_over(session, message, verdict)
            return
        registration, is_new = self._dealer.registrations.add(session, message.procedure, options)
        self._outbox.send(session, Registered(message.request, registration.id))
        self._events.registered(session, registration, is_new)

    def _take_over(self, session: Session, message: Register, verdict: Verdict) -> None:
        """Register in the place of whoever has the procedure."""
        registration, replaced = self._dealer.registrations.take_over(
            session, message.procedure, message.options, verdict.may_take_over
        )
        for callee in replaced:
            self._departures.tell_of_revocation(callee.session, callee.registration, TAKEN_OVER)
        self._outbox.send(session, Registered(message.request, registration.id))
        self._events.taken_over(replaced)
        self._events.registered(session, registration, True)

    # --- without one

    def chunk(self, session: Session, message: Call, codec: Codec) -> None:
        """Pass on more of a call; it goes where the first part went, under the first part's options."""
        # A call that has ended is not known any more, and what is late is dropped, whatever it is.
        is_opaque = self._dealer.is_opaque(session, message.request)
        try:
            payload = codec.payload(message.args, message.kwargs, is_opaque, self._nesting)
        except Refused as refusal:
            self._dealer.give_up(session, message.request, refusal)
            return
        self._dealer.call(session, message.request, message.procedure, message.options, payload, NO_DETAILS)

    def unsubscribe(self, session: Session, message: Unsubscribe, codec: Codec) -> None:
        """UNSUBSCRIBE."""
        subscription = self._subscriptions.find(session, message.subscription)
        subscription.broker.unsubscribe(session, subscription)
        self._outbox.send(session, Unsubscribed(message.request))
        self._subscribers.removed(session, subscription)

    def unregister(self, session: Session, message: Unregister, codec: Codec) -> None:
        """UNREGISTER."""
        registration = self._dealer.registrations.remove(session, message.registration)
        self._outbox.send(session, Unregistered(message.request))
        self._events.unregistered(session, registration)

    def cancel(self, session: Session, message: Cancel, codec: Codec) -> None:
        """CANCEL, which has no answer of its own."""
        self._dealer.cancel(session, message.request, message.options.mode)

    def yielded(self, session: Session, message: Yield, codec: Codec) -> None:
        """YIELD."""
        options = message.options
        try:
            payload = codec.payload(message.args, message.kwargs, options.enc_algo is not None, self._nesting)
        except Refused as refusal:
            # Whoever called is told instead.
            self._dealer.fail(session, message.request, refusal.uri, Payload.of(refusal.text), {})
        else:
            self._dealer.answer(session, message.request, options, payload)

    def failed(self, session: Session, message: InvocationError, codec: Codec) -> None:
        """ERROR of an INVOCATION."""
        error, details = message.error, message.details.passthru()
        is_opaque = message.details.enc_algo is not None
        try:
            payload = codec.payload(message.args, message.kwargs, is_opaque, self._nesting)
            check_uri(error)
        except Refused as refusal:
            # There are clients that take it for the router's fault, and leave.
            error, payload, details = refusal.uri, Payload.of(refusal.text), {}
        self._dealer.fail(session, message.request, error, payload, details)

    def goodbye(self, session: Session, message: Goodbye, codec: Codec) -> None:
        """GOODBYE."""
        self._outbox.confirm(session, Goodbye({}, CLOSE_GOODBYE))
        self._departures.leave(session)
