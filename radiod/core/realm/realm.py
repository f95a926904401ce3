"""One realm: its sessions, broker, dealer and channels, and the entry point of every message.

The order for each message is: rights, which may take their time, then one change that succeeds or fails as a
whole, then the answers, then the events that tell others. While a session waits for its rights, its later
messages queue behind. A refusal becomes ERROR here, and nowhere else.

Only the end of a call that the router made (``ask``) sets others going in the middle of something: who waited
for it acts at once, or, when a session that leaves ended it, as soon as that session has left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Final, TypeVar

from msgspec.structs import replace

from radiod.core.budgets.bounds import Bounds
from radiod.core.budgets.rates import Bucket
from radiod.core.channels.desk import Desk
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.listeners import Subscription
from radiod.core.delivery.receipts import Publication
from radiod.core.disclosure import CALLER, NO_DETAILS, PUBLISHER, disclosed
from radiod.core.history.histories import Histories
from radiod.core.ports import Action, Clock, Disclose, Ids, Limits, Outbox, Principal, Verdict
from radiod.core.procedures import Procedures
from radiod.core.procedures.wamp_meta import MetaApi
from radiod.core.promises import Later, after
from radiod.core.pubsub.broker import Broker, Retention
from radiod.core.pubsub.streams import step
from radiod.core.pubsub.topic_space import Space
from radiod.core.rpc.dealer import Dealer
from radiod.core.rpc.registrations import Registration
from radiod.core.rpc.router_calls import Questions
from radiod.core.sessions.session import NO_FEATURES, Session
from radiod.core.sessions.testaments import last_will
from radiod.core.sight import MayKnow, blind, may_know
from radiod.core.slices import Slices
from radiod.core.statistics import Rate, Statistics
from radiod.core.timers import Timers
from radiod.core.uris import check_uri, is_reserved
from radiod.errors import (
    AUTHORIZATION_FAILED,
    CLOSE_GOODBYE,
    CLOSE_SHUTDOWN,
    FEATURE_NOT_SUPPORTED,
    INVALID_URI,
    NOT_AUTHORIZED,
    QUOTA,
    RATE_LIMITED,
    Exceeded,
    PeerError,
    RadiodError,
    Refused,
    WrongSecret,
)
from radiod.wire.codecs import Codec, Payload
from radiod.wire.messages import (
    Call,
    Cancel,
    Error,
    Goodbye,
    InvocationError,
    Message,
    Publish,
    Published,
    PublishOptions,
    Register,
    Registered,
    RegistrationRevoked,
    Result,
    Subscribe,
    Subscribed,
    SubscribeOptions,
    SubscriptionRevoked,
    Unregister,
    Unregistered,
    Unsubscribe,
    Unsubscribed,
    Yield,
    name_of,
)

__all__ = ["Realm"]

T = TypeVar("T")

DEFAULT_OPTIONS: Final = PublishOptions()
SUBSCRIBE_OPTIONS: Final = SubscribeOptions()

TOLD_IN_A_STEP: Final = 20
"""Subscriptions, or registrations, of a session that leaves whose end is told without a pause."""


class Realm:
    """One realm of the router."""

    def __init__(
        self,
        name: str,
        *,
        outbox: Outbox,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        undeclared_topics: bool = True,
        statistics: Statistics | None = None,
        holdings: Holdings | None = None,
    ) -> None:
        self.name = name
        self.limits = limits
        self._nesting = limits.max_nesting
        self._outbox = outbox
        self._clock = clock
        self._timers = timers
        self._ids = ids
        # Apart, since who fills up the one would learn of the other.
        self._retention = Retention(limits)
        self._private_retention = Retention(limits)
        self.bounds = Bounds()
        self._holdings = holdings or Holdings(limits.max_session_bytes, limits.max_buffered_bytes)
        self._is_closing = False
        # session id -> session
        self.sessions: dict[int, Session] = {}
        self._slices = Slices(clock, timers)
        self.statistics = statistics or Statistics(clock, timers)
        self.statistics.watch(self._round_ended)
        self.space = self.make_space()
        self.broker = self.space.broker
        self.histories = self.space.histories
        self.dealer = Dealer(outbox, clock, timers, ids, limits, self._holdings)
        self._published = 0
        self._publish_rate = Rate()
        self._delivery_rate = Rate()
        self._bytes_rate = Rate()
        self.desk = Desk(
            self,
            outbox=outbox,
            clock=clock,
            timers=timers,
            ids=ids,
            undeclared_topics=undeclared_topics,
        )
        self.channels = self.desk.channels
        self._questions = Questions(self.dealer)
        self.meta = MetaApi(self)
        self.procedures = Procedures(self)
        # Messages that need a right, and what does them once it is there.
        self._guarded: dict[type, tuple[Action, Callable[[Session, Any, Codec, Verdict], None]]] = {
            Publish: (Action.PUBLISH, self._on_publish),
            Subscribe: (Action.SUBSCRIBE, self._on_subscribe),
            Call: (Action.CALL, self._on_call),
            Register: (Action.REGISTER, self._on_register),
        }
        self._free: dict[type, Callable[[Session, Any, Codec], None]] = {
            Unsubscribe: self._on_unsubscribe,
            Unregister: self._on_unregister,
            Cancel: self._on_cancel,
            Yield: self._on_yield,
            InvocationError: self._on_invocation_error,
            Goodbye: self._on_goodbye,
        }

    def make_space(self, *, is_private: bool = False) -> Space:
        """Room for topics on this realm's ports and limits."""
        broker = Broker(
            self._outbox,
            self._clock,
            self._timers,
            self.limits,
            retention=self._private_retention if is_private else self._retention,
            private_ids=self._ids if is_private else None,
            holdings=self._holdings,
            bounds=self.bounds,
        )
        limits = self.limits
        max_topics = 1 if is_private else limits.max_channels
        histories = Histories(self._clock, self._ids, max_topics, limits.max_history_bytes, self.bounds)
        return Space(broker, histories, self._ids, self.limits, self.statistics)

    # --- sessions

    def join(
        self,
        principal: Principal,
        outlet: Any,
        features: frozenset[str] = NO_FEATURES,
        is_revocable: bool = False,
        agent: str | None = None,
        *,
        wants_goodbye: bool = False,
        id: int | None = None,
    ) -> Session:
        """Open a session for ``principal``; ``outlet`` is the outbox's way to it.

        Args:
            id: what the client was told that it would be; taken only by the most unlikely chance.
        """
        if id is None:
            id = self._ids.next()
        while id in self.sessions:
            id = self._ids.next()
        session = self.sessions[id] = Session(
            id, principal, outlet, features, is_revocable, agent, wants_goodbye
        )
        limit = principal.permissions.rate_limit
        if limit is not None:
            session.bucket = Bucket(limit, self._clock.seconds())
        self.desk.grant(session)
        self.meta.joined(session)
        return session

    def leave(self, session: Session, *, is_realm_closing: bool = False) -> None:
        """Remove every trace of ``session``; leaving twice does nothing.

        Args:
            is_realm_closing: everybody leaves: testaments and the event of leaving are for nobody.
        """
        if self.sessions.pop(session.id, None) is None:
            return
        session.is_open = False
        if session.waiting is not None:
            session.waiting = None
            self._outbox.hold(session, False)
        with self._questions.hold():
            self._remove(session, is_realm_closing)

    def _remove(self, session: Session, is_realm_closing: bool) -> None:
        subscriptions = self.broker.leave(session)
        registrations = self.dealer.leave(session)
        self.in_slices(self._tell_of_leaving(session, subscriptions, registrations, is_realm_closing))

    def in_slices(self, work: Generator[None, None, T]) -> T | Later[T]:
        """Do work that may take long, as ``Slices.run``."""
        return self._slices.run(work)

    def _tell_of_leaving(
        self,
        session: Session,
        subscriptions: list[Subscription],
        registrations: list[Registration],
        is_realm_closing: bool,
    ) -> Generator[None, None, None]:
        """Tell everybody concerned what has ended with a session, which is gone already."""
        for testament in () if is_realm_closing else last_will(session):
            # Its channel may have ended, say; there is nobody left to tell.
            with suppress(Refused):
                self._publish(
                    session, testament.topic, testament.payload, testament.options, testament.verdict
                )
            yield
        session.runs = None
        for count, subscription in enumerate(subscriptions, 1):
            self._unsubscribed(session, subscription)
            if count % TOLD_IN_A_STEP == 0:
                yield
        for count, registration in enumerate(registrations, 1):
            self.meta.unregistered(session, registration)
            if count % TOLD_IN_A_STEP == 0:
                yield
        self.desk.left(session, is_realm_closing=self._is_closing)
        if not is_realm_closing:
            self.meta.left(session)

    def kill(
        self, session: Session, reason: str, details: dict[str, Any], *, is_realm_closing: bool = False
    ) -> None:
        """Say GOODBYE to a session, and end it; one that has left already is left alone."""
        self._end(session, Goodbye(details, reason), is_realm_closing=is_realm_closing)

    def drain(self) -> None:
        """Send what waits in sessions' buffers: the server is about to stop.

        Publishers that waited for room there are answered in the next turn.
        """
        for session in list(self.sessions.values()):
            self._outbox.drain(session)

    def close(self) -> None:
        """End every session, since the server stops; the channels stay.

        GOODBYE comes to those that asked for it: stock clients would take it for the end of everything.
        """
        self._is_closing = True
        self.drain()
        for session in list(self.sessions.values()):
            goodbye = Goodbye({}, CLOSE_SHUTDOWN) if session.wants_goodbye else None
            self._end(session, goodbye, is_realm_closing=True)

    def _end(self, session: Session, goodbye: Goodbye | None, *, is_realm_closing: bool) -> None:
        if not session.is_open:
            return
        if goodbye is None:
            self._outbox.stop(session)
        else:
            self._outbox.close(session, goodbye)
        self.leave(session, is_realm_closing=is_realm_closing)

    # --- messages

    def receive(self, session: Session, message: Message, codec: Codec) -> None:
        """Do what one message of ``session`` asks for; ``codec`` is the serializer it came in.

        A session that left, or was closed, while the message was on its way gets neither deed nor answer.
        Raises: PeerError: the message has no place here; the session must be ended.
        """
        if not session.is_open:
            return
        if session.waiting is not None:
            session.waiting.append((message, codec))
            return
        kind = type(message)
        guarded = self._guarded.get(kind)
        if guarded is None:
            handler = self._free.get(kind)
            if handler is None:
                raise PeerError(f"{name_of(message)} is not expected in an open session")
            handler(session, message, codec)
            return
        if session.bucket is not None and not session.bucket.take(self._clock.seconds()):
            self._drop(session, message)
            return
        if kind is Publish or kind is Call:
            _check_announced(session, message)
            if kind is Call and _is_chunk(session, message):
                self._on_chunk(session, message, codec)
                return
        action, _ = guarded
        try:
            verdict = self._decide(session, action, message)
        except Refused as refusal:
            self._refuse(session, message, refusal)
            return
        if isinstance(verdict, Later):
            self._wait(session, verdict, lambda outcome: self._proceed(session, message, codec, outcome))
        else:
            self._perform(session, message, codec, verdict)

    def _drop(self, session: Session, message: Any) -> None:
        """A message is one too many; who asked for an answer gets one."""
        refusal = Exceeded("rate", f"role {session.principal.authrole} may not send so fast", RATE_LIMITED)
        if type(message) is Call and _is_chunk(session, message):
            self._count(refusal, session)
            self.dealer.give_up(session, message.request, refusal)
        else:
            self._refuse(session, message, refusal)

    def _decide(self, session: Session, action: Action, message: Any) -> Verdict | Later[Verdict]:
        options = message.options
        uri = message.uri
        check_uri(uri, options.match if action in PATTERN_ACTIONS else "exact")
        return session.principal.permissions.decide(session, action, uri, options)

    def _perform(self, session: Session, message: Any, codec: Codec, verdict: Verdict) -> None:
        action, handler = self._guarded[type(message)]
        try:
            if not verdict.is_allowed:
                role = session.principal.authrole
                raise Refused(NOT_AUTHORIZED, f"role {role} may not {action.value} {message.uri}")
            handler(session, message, codec, verdict)
        except Refused as refusal:
            self._refuse(session, message, refusal)

    def _wait(self, session: Session, value: Later[T], proceed: Callable[[T | RadiodError], None]) -> None:
        """Have ``proceed`` go on with ``value`` when it comes; the session's later messages stay behind."""
        session.waiting = deque()
        self._outbox.hold(session, True)
        value.then(lambda outcome: self._resume(session, outcome, proceed))

    def _resume(
        self, session: Session, outcome: T | RadiodError, proceed: Callable[[T | RadiodError], None]
    ) -> None:
        """Do what waited for ``outcome``, and what came behind, unless the session has left."""
        if not session.is_open:
            return
        waiting, session.waiting = session.waiting or deque(), None
        self._outbox.hold(session, False)
        try:
            proceed(outcome)
        except PeerError as error:
            self._abort(session, error)
        self.in_slices(self._take_waiting(session, waiting))

    def _take_waiting(
        self, session: Session, waiting: deque[tuple[Message, Codec]]
    ) -> Generator[None, None, None]:
        """Take what came behind a message that had to wait, until one has to wait again."""
        while waiting and _goes_on(session):
            message, codec = waiting.popleft()
            try:
                self.receive(session, message, codec)
            except PeerError as error:
                self._abort(session, error)
            if waiting and _goes_on(session):
                # What comes in a pause stays behind.
                session.waiting = waiting
                self._outbox.hold(session, True)
                yield
                if session.is_open:
                    session.waiting = None
                    self._outbox.hold(session, False)
        if session.is_open and session.waiting is not None:
            session.waiting = waiting

    def _abort(self, session: Session, error: PeerError) -> None:
        self._outbox.abort(session, error)
        self.leave(session)

    def _proceed(self, session: Session, message: Any, codec: Codec, outcome: Verdict | RadiodError) -> None:
        if isinstance(outcome, RadiodError):
            self._refuse(session, message, outcome)
        else:
            self._perform(session, message, codec, outcome)

    def _refuse(self, session: Session, message: Any, refusal: RadiodError) -> None:
        _note_chunks(session, message)
        self._count(refusal, session)
        if isinstance(refusal, WrongSecret):
            self._outbox.suspect(session, refusal)
        # WAMP answers nothing at all to a PUBLISH that did not ask for an acknowledgement.
        if type(message) is Publish and not message.options.acknowledge:
            if not isinstance(refusal, Exceeded):
                self._outbox.unpublished(session, message.topic, refusal)
        else:
            error = Error(type(message).__struct_config__.tag, message.request, {}, refusal.uri)
            self._outbox.send(session, error, Payload.of(refusal.text))

    def _count(self, refusal: RadiodError, session: Session) -> None:
        """Note a refusal if it is for a bound."""
        if isinstance(refusal, Exceeded):
            self.bounds.met(refusal.limit, session)
        elif refusal.uri == QUOTA:
            self.bounds.met("quota", session)

    def _on_publish(self, session: Session, message: Publish, codec: Codec, verdict: Verdict) -> None:
        options = message.options
        payload = codec.payload(message.args, message.kwargs, options.enc_algo is not None, self._nesting)
        publication = self._publish(session, message.topic, payload, options, verdict)
        if isinstance(publication, Later):
            # Only the answer waits: the session goes on.
            publication.then(lambda outcome: self._acknowledge(session, message, outcome))
        elif options.acknowledge:
            self._outbox.send(session, Published(message.request, publication.id))

    def _acknowledge(self, session: Session, message: Publish, outcome: Publication | RadiodError) -> None:
        """Answer a publish whose receipt was kept back, unless its session has left meanwhile."""
        if not session.is_open:
            return
        if isinstance(outcome, RadiodError):
            self._refuse(session, message, outcome)
        elif message.options.acknowledge:
            self._outbox.send(session, Published(message.request, outcome.id))

    def _on_subscribe(self, session: Session, message: Subscribe, codec: Codec, verdict: Verdict) -> None:
        options = message.options
        space = self.desk.space_for(session, message.topic, options)
        behind = space.recovery.behind(session, message.topic, options)
        subscription, is_new, is_added = _subscribe(space, session, message.topic, options)
        self._outbox.send(session, Subscribed(message.request, subscription.id))
        if options.get_retained:
            self.in_slices(self.desk.send_late(session, subscription))
        if behind is not None:
            space.recovery.go_on(session, subscription, behind)
        if is_added:
            self._subscribed(session, subscription, is_new)

    def _on_unsubscribe(self, session: Session, message: Unsubscribe, codec: Codec) -> None:
        try:
            subscription = self.broker.unsubscribe(session, message.subscription)
        except Refused as refusal:
            self._refuse(session, message, refusal)
        else:
            self._outbox.send(session, Unsubscribed(message.request))
            self._unsubscribed(session, subscription)

    def _on_call(self, session: Session, message: Call, codec: Codec, verdict: Verdict) -> None:
        options = message.options
        payload = codec.payload(message.args, message.kwargs, options.enc_algo is not None, self._nesting)
        procedure = message.procedure
        if is_reserved(procedure):
            if options.progress:
                raise Refused(FEATURE_NOT_SUPPORTED, "the router takes no progressive call invocations")
            result = self.procedures.call(session, procedure, payload)
            if isinstance(result, Later):
                self._wait(session, result, lambda outcome: self._answer(session, message, outcome))
            else:
                self._answer(session, message, result)
        else:
            details = disclosed(CALLER, session, options.disclose_me, verdict)
            is_nameable = CALLER[0] not in details and verdict.disclose is not Disclose.NEVER
            self.dealer.call(session, message.request, procedure, options, payload, details, is_nameable)

    def _on_chunk(self, session: Session, message: Any, codec: Codec) -> None:
        """Pass on more of a call; it goes where the first part went, under the first part's options."""
        call = session.calls.get(message.request)
        # A call that has ended is not known any more, and what is late is dropped, whatever it is.
        is_opaque = call is None or call.options.enc_algo is not None
        try:
            payload = codec.payload(message.args, message.kwargs, is_opaque, self._nesting)
        except Refused as refusal:
            self.dealer.give_up(session, message.request, refusal)
            return
        self.dealer.call(session, message.request, message.procedure, message.options, payload, NO_DETAILS)

    def _answer(self, session: Session, message: Call, result: Payload | RadiodError) -> None:
        """Send the result of one of the router's own procedures."""
        if not session.is_open:
            # Somebody killed it because of what it did just now.
            return
        if isinstance(result, RadiodError):
            self._refuse(session, message, result)
            return
        try:
            self._outbox.send(session, Result(message.request, {}), result)
        except Refused as refusal:
            self._refuse(session, message, refusal)

    def _on_cancel(self, session: Session, message: Cancel, codec: Codec) -> None:
        self.dealer.cancel(session, message.request, message.options.mode)

    def _on_register(self, session: Session, message: Register, codec: Codec, verdict: Verdict) -> None:
        self._not_reserved(message.procedure)
        options = message.options
        if options.force_reregister:
            self._take_over(session, message, verdict)
            return
        registration, is_new = self.dealer.register(session, message.procedure, options)
        self._outbox.send(session, Registered(message.request, registration.id))
        self.meta.registered(session, registration, is_new)

    def _take_over(self, session: Session, message: Register, verdict: Verdict) -> None:
        """Register in the place of whoever has the procedure."""
        registration, replaced = self.dealer.take_over(
            session, message.procedure, message.options, verdict.may_take_over
        )
        for callee in replaced:
            self._tell_of_revocation(callee.session, callee.registration, TAKEN_OVER)
        self._outbox.send(session, Registered(message.request, registration.id))
        self.meta.taken_over(replaced)
        self.meta.registered(session, registration, True)

    def _on_unregister(self, session: Session, message: Unregister, codec: Codec) -> None:
        try:
            registration = self.dealer.unregister(session, message.registration)
        except Refused as refusal:
            self._refuse(session, message, refusal)
        else:
            self._outbox.send(session, Unregistered(message.request))
            self.meta.unregistered(session, registration)

    def _on_yield(self, session: Session, message: Yield, codec: Codec) -> None:
        options = message.options
        try:
            payload = codec.payload(message.args, message.kwargs, options.enc_algo is not None, self._nesting)
        except Refused as refusal:
            # Whoever called is told instead.
            self.dealer.fail(session, message.request, refusal.uri, Payload.of(refusal.text), {})
        else:
            self.dealer.answer(session, message.request, options, payload)

    def _on_invocation_error(self, session: Session, message: InvocationError, codec: Codec) -> None:
        error, details = message.error, message.details.passthru()
        try:
            payload = codec.payload(
                message.args, message.kwargs, message.details.enc_algo is not None, self._nesting
            )
            check_uri(error)
        except Refused as refusal:
            # There are clients that take it for the router's fault, and leave.
            error, payload, details = refusal.uri, Payload.of(refusal.text), {}
        self.dealer.fail(session, message.request, error, payload, details)

    def _on_goodbye(self, session: Session, message: Goodbye, codec: Codec) -> None:
        self._outbox.confirm(session, Goodbye({}, CLOSE_GOODBYE))
        self.leave(session)

    # --- what messages and HTTP both ask for

    def publish(
        self, publisher: Session, topic: str, payload: Payload, options: PublishOptions = DEFAULT_OPTIONS
    ) -> Publication | Later[Publication]:
        """Publish for ``publisher``, whose session need not be joined.

        Returns: what became of it; later, perhaps as ``Refused`` (``overrun``, ``unavailable``), where
            ``options`` ask for an acknowledgement, or the channel is durable.
        Raises: Refused: ``not_authorized``, ``invalid_uri``, ``channel_closed``, ``no_such_channel``,
            ``bad_key``, ``quota``, ``overrun``, ``unavailable``, ``authorization_failed`` (its rights cannot
            be known at once).
        """
        check_uri(topic)
        verdict = publisher.principal.permissions.decide(publisher, Action.PUBLISH, topic, options)
        if isinstance(verdict, Later):
            raise Refused(AUTHORIZATION_FAILED, "the right to publish cannot be decided at once")
        if not verdict.is_allowed:
            raise Refused(NOT_AUTHORIZED, f"role {publisher.principal.authrole} may not publish {topic}")
        try:
            return self._publish(publisher, topic, payload, options, verdict)
        except Refused as refusal:
            self._count(refusal, publisher)
            raise

    def _publish(
        self, publisher: Session, topic: str, payload: Payload, options: PublishOptions, verdict: Verdict
    ) -> Publication | Later[Publication]:
        """Publish what is allowed."""
        self._not_reserved(topic)
        if options.key is None and publisher.memberships is None:
            channel = self.channels.admit(topic)
        else:
            channel = self.desk.find(publisher, topic, options.key)
            # It has done what it is for; what is kept of the event must not hold it.
            options.key = None
        if channel is not None:
            self.desk.check_writer(channel, publisher)
        space = self.space if channel is None else channel.space
        details = disclosed(PUBLISHER, publisher, options.disclose_me, verdict)
        if options.is_passed_through:
            details = {**details, **options.passthru()}
        run = None if options.stream is None else step(publisher, topic, options.stream)
        if run is None:
            published = space.publishing.publish(topic, channel, publisher, payload, options, details)
        else:
            details = {**details, "_stream": run.place}
            published = space.publishing.publish(
                topic, channel, publisher, payload, options, details, run.is_end
            )
            run.take()
        if space is self.space:
            # Of private channels, statistics that everybody may read tell nothing.
            self._published += 1
        return published

    def subscribe(self, session: Session, topic: str, options: SubscribeOptions = SUBSCRIBE_OPTIONS) -> None:
        """Subscribe a listener that speaks no WAMP, and that ``may_subscribe`` has found to be allowed.

        Raises: Refused: ``channel_closed``, ``no_such_channel``, ``bad_key``, ``quota``,
            ``invalid_argument``.
        """
        space = self.desk.space_for(session, topic, options)
        behind = space.recovery.behind(session, topic, options)
        subscription, is_new, is_added = _subscribe(space, session, topic, options)
        if behind is not None:
            space.recovery.go_on(session, subscription, behind)
        if is_added:
            self._subscribed(session, subscription, is_new)

    def _subscribed(self, session: Session, subscription: Subscription, is_new: bool) -> None:
        self.meta.subscribed(session, subscription, is_new)
        self.desk.heard(session, subscription)

    def _unsubscribed(self, session: Session, subscription: Subscription) -> None:
        self.meta.unsubscribed(session, subscription)
        self.desk.unheard(session, subscription)

    def may_subscribe(self, principal: Principal, topic: str, key: str | None = None) -> Later[Space] | Space:
        """Find out, perhaps later, whether a listener that speaks no WAMP may listen to ``topic``.

        Args:
            key: of a private channel.
        Returns: where that topic is.
        Raises, or settles with: Refused: ``not_authorized``, ``invalid_uri``, ``bad_key``,
            ``channel_closed``, ``no_such_channel``, ``authorization_failed``.
        """
        check_uri(topic)

        def proceed(verdict: Verdict) -> Space:
            if not verdict.is_allowed:
                raise Refused(NOT_AUTHORIZED, f"role {principal.authrole} may not subscribe {topic}")
            return self.desk.space_of_visitor(principal, topic, key)

        # Whoever decides is told of a session, which does not exist before the decision.
        asking = Session(self._ids.next(), principal, None)
        verdict = principal.permissions.decide(asking, Action.SUBSCRIBE, topic, SUBSCRIBE_OPTIONS)
        return after(verdict, proceed)

    def _not_reserved(self, uri: str) -> None:
        if is_reserved(uri):
            raise Refused(INVALID_URI, f"{uri} belongs to the router")

    # --- what the router itself does

    def announce(
        self,
        topic: str,
        *args: Any,
        options: PublishOptions = DEFAULT_OPTIONS,
        broker: Broker | None = None,
        about: str | None = None,
        may_know: MayKnow = may_know,
    ) -> None:
        """Publish an event of the router; costs next to nothing while nobody listens to the topic.

        Args:
            options: to whom; everybody, unless they say otherwise.
            broker: whose listeners; those of everything public, unless it is given.
            about: the event tells of this URI: it is for those who, by ``may_know``, may know of it.
        """
        broker = self.broker if broker is None else broker
        if found := broker.matching(topic):
            if about is not None:
                listeners = (session for one in found for session in one.listeners)
                options = replace(options, exclude=blind(listeners, may_know, about) or None)
            broker.publish(self._ids.next(), None, topic, Payload.of(*args), options, NO_DETAILS)

    def ask(self, procedure: str, *args: Any, timeout_s: float) -> Later[Any]:
        """As ``Questions.ask``."""
        return self._questions.ask(procedure, *args, timeout_s=timeout_s)

    def revoke_subscription(self, session: Session, subscription: Subscription, reason: str | None) -> None:
        """Take a subscription away; the session is told if it asked for that."""
        self.broker.unsubscribe(session, subscription.id)
        if session.is_revocable:
            details = {"subscription": subscription.id, **({"reason": reason} if reason else {})}
            self._outbox.send(session, SubscriptionRevoked(0, details))
        self._unsubscribed(session, subscription)

    def revoke_registration(self, session: Session, registration: Registration, reason: str | None) -> None:
        """Take a registration away; the session is told if it can be."""
        self.dealer.unregister(session, registration.id)
        self._tell_of_revocation(session, registration, reason)
        self.meta.unregistered(session, registration)

    def _tell_of_revocation(self, session: Session, registration: Registration, reason: str | None) -> None:
        if session.hears_of_lost_registrations:
            details = {"registration": registration.id, **({"reason": reason} if reason else {})}
            self._outbox.send(session, RegistrationRevoked(0, details))

    # --- statistics

    def describe_load(self) -> dict[str, Any]:
        """Statistics of this realm, and of the whole server; ``Statistics.describe`` says which are those."""
        tally = self.broker.tally
        return {
            "sessions": len(self.sessions),
            "subscriptions": len(self.broker),
            "registrations": len(self.dealer),
            "channels": self.channels.public,
            "published": self._published,
            "published_per_s": self._publish_rate.per_s,
            "queued": tally.queued,
            "queued_bytes": tally.queued_bytes,
            "dropped": dict(tally.by_policy),
            "undeliverable": tally.undeliverable,
            "overtaken": tally.overtaken,
            "conflated": tally.conflated,
            "skipped": tally.skipped,
            "delivered": tally.delivered,
            "delivered_per_s": self._delivery_rate.per_s,
            "bytes_out": tally.delivered_bytes,
            "bytes_out_per_s": self._bytes_rate.per_s,
            "limits": dict(self.bounds.counts),
            "held_bytes": self._holdings.bytes,
            **self.statistics.describe(),
        }

    def _round_ended(self, seconds: float) -> None:
        tally = self.broker.tally
        self._publish_rate.turn(self._published, seconds)
        self._delivery_rate.turn(tally.delivered, seconds)
        self._bytes_rate.turn(tally.delivered_bytes, seconds)
        self.bounds.turn()
        self.desk.check_date()
        if self.broker.matching(ON_STATS):
            self.announce(ON_STATS, self.describe_load())


TAKEN_OVER: Final = "wamp.error.unregistered"
"""Crossbar's reason for a registration that ``force_reregister`` took away."""

ON_STATS: Final = "radiod.server.on_stats"
PATTERN_ACTIONS: Final = frozenset({Action.SUBSCRIBE, Action.REGISTER})


def _subscribe(
    space: Space, session: Session, topic: str, options: SubscribeOptions
) -> tuple[Subscription, bool, bool]:
    """As ``Broker.subscribe``, with the buffer and the count that the options ask for."""
    settings = space.tuning.settings(session, options.match, topic, options.buffer)
    subscription, is_new, is_added = space.broker.subscribe(session, topic, options, settings)
    if options.buffer is not None and not is_added:
        session.subscriptions[subscription.id].tune(settings)
    if options.wants_position:
        space.histories.count(topic)
    return subscription, is_new, is_added


def _goes_on(session: Session) -> bool:
    """Whether it is there and none of its messages has to wait. A function: every call may change it."""
    return session.is_open and session.waiting is None


def _check_announced(session: Session, message: Any) -> None:
    """Raises: PeerError: a PUBLISH or CALL uses a feature that the session did not announce."""
    options = message.options
    if type(message) is Call:
        session.check_announced("caller.progressive_call_invocations", options.progress)
        session.check_announced("caller.payload_passthru_mode", options.is_passed_through)
    else:
        session.check_announced("publisher.payload_passthru_mode", options.is_passed_through)


def _is_chunk(session: Session, message: Any) -> bool:
    """Whether a CALL goes on with one that was allowed, or refused, when it began."""
    return message.request in session.calls or session.progressive.get(message.request, False)


def _note_chunks(session: Session, message: Any) -> None:
    """A call has been answered before it reached a callee: more chunks of it are answered by nothing."""
    if type(message) is Call and message.options.progress:
        session.remember_progressive(message.request, True)
