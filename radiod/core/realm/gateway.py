"""What anything that is not a WAMP session may ask of a realm: HTTP, plain listeners, webhooks.

Rights are asked here, once. Whoever asks is an ``Actor``: a visitor, or a session that a listener holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.budgets.bounds import Bounds, count_refusal
from radiod.core.channels.descriptions import Descriptions
from radiod.core.channels.lookup import Lookup
from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.listeners import Listener
from radiod.core.disclosure import CALLER, Visitor, disclosed
from radiod.core.ids import Ids
from radiod.core.procedures.dispatch import Procedures
from radiod.core.promises import Promise, chain
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.charging import within
from radiod.core.realm.departures import Departures
from radiod.core.realm.publications import Publications
from radiod.core.realm.subscribers import Subscribers
from radiod.core.rights import Action, Actor, Disclose, Permissions, Principal, Verdict
from radiod.core.rpc.router_calls import OngoingCall, RouterCalls
from radiod.core.sessions.session import Session
from radiod.core.uris import check_uri, is_reserved
from radiod.errors import AUTHORIZATION_FAILED, CANCELED, NOT_AUTHORIZED, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import CallOptions, MatchPolicy, PublishOptions, SubscribeOptions

__all__ = ["Gateway", "GatewayCall", "check_verdict"]

PUBLISH_OPTIONS: Final = PublishOptions()
SUBSCRIBE_OPTIONS: Final = SubscribeOptions()
CALL_OPTIONS: Final = CallOptions()


class GatewayCall:
    """A call that came in by a gateway. ``outcome``: the whole result, or what will be known later."""

    __slots__ = ("_is_canceled", "_ongoing", "outcome")

    outcome: Payload | Promise[Payload]

    def __init__(self) -> None:
        self._ongoing: OngoingCall | None = None
        self._is_canceled = False

    def began(self, ongoing: OngoingCall) -> Promise[Payload]:
        """It is allowed, and on its way. Returns: its outcome."""
        self._ongoing = ongoing
        return ongoing.outcome

    @property
    def was_refused(self) -> bool:
        """Whether it was allowed, and no callee got it."""
        return self._ongoing is not None and not self._ongoing.has_begun

    def cancel(self) -> None:
        """Nobody waits for it any more: if it has a callee, that is told to stop (mode ``kill``)."""
        self._is_canceled = True
        if self._ongoing is not None:
            self._ongoing.cancel()

    def check_wanted(self) -> None:
        """Raises: Refused: ``canceled``: before it began."""
        if self._is_canceled:
            raise Refused(CANCELED, "the caller left")


class Gateway:
    """The way into one realm without WAMP.

    ``max_nesting``: of payloads that come in by it.
    """

    def __init__(
        self,
        *,
        publications: Publications,
        subscribers: Subscribers,
        lookup: Lookup,
        descriptions: Descriptions,
        bounds: Bounds,
        router_calls: RouterCalls,
        procedures: Procedures,
        ids: Ids,
        max_nesting: int,
        join: Callable[[Principal, Any], Session],
        departures: Departures,
    ) -> None:
        self._join = join
        self._departures = departures
        self._router_calls = router_calls
        self._procedures = procedures
        self._publications = publications
        self._subscribers = subscribers
        self._lookup = lookup
        self._descriptions = descriptions
        self._bounds = bounds
        self._ids = ids
        self.max_nesting = max_nesting

    # --- publishing

    def may_publish(self, publisher: Actor, topic: str, options: PublishOptions = PUBLISH_OPTIONS) -> Verdict:
        """The right to publish, for ``publish``.

        Raises: Refused: ``not_authorized``, ``invalid_uri``; ``authorization_failed``: it cannot be known at
            once.
        """
        check_uri(topic)
        verdict = publisher.principal.permissions.decide(publisher, Action.PUBLISH, topic, options)
        if isinstance(verdict, Promise):
            raise Refused(AUTHORIZATION_FAILED, "the right to publish cannot be decided at once")
        check_verdict(verdict, publisher, Action.PUBLISH, topic)
        return verdict

    def publish(
        self,
        publisher: Actor,
        topic: str,
        payload: Payload,
        options: PublishOptions = PUBLISH_OPTIONS,
        verdict: Verdict | None = None,
    ) -> Publication | Promise[Publication]:
        """Publish; ``verdict``: what ``may_publish`` has found already.

        Returns: what became of it; later, perhaps as ``Refused`` (``overrun``, ``unavailable``), where
            ``options`` ask for an acknowledgement, or the channel is durable.
        Raises: Refused: as ``may_publish``; ``invalid_uri``, ``channel_closed``, ``no_such_channel``,
            ``bad_key``, ``quota``, ``overrun``, ``unavailable``.
        """
        if verdict is None:
            verdict = self.may_publish(publisher, topic, options)
        try:
            return self._publications.publish(publisher, topic, payload, options, verdict)
        except Refused as refusal:
            count_refusal(self._bounds, refusal, publisher)
            raise

    # --- listening

    def may_listen(
        self, principal: Principal, topic: str, key: str | None = None, match: MatchPolicy = "exact"
    ) -> Promise[TopicSpace] | TopicSpace:
        """Find out, perhaps later, whether somebody may listen to ``topic``, or to a pattern of topics.

        Args:
            key: of a private channel.
        Returns: where that topic is.
        Raises, or settles with: Refused: ``not_authorized``, ``invalid_uri``, ``bad_key``,
            ``channel_closed``, ``no_such_channel``, ``authorization_failed``.
        """
        check_uri(topic, match)
        visitor = Visitor(self._ids.next(), principal)
        options = SubscribeOptions(match=match, key=key)

        def proceed(verdict: Verdict) -> TopicSpace:
            check_verdict(verdict, visitor, Action.SUBSCRIBE, topic)
            return self._lookup.space_for(visitor, topic, options)

        return chain(principal.permissions.decide(visitor, Action.SUBSCRIBE, topic, options), proceed)

    def fits(self, topic: str, key: str) -> bool:
        """As ``Lookup.fits``."""
        return self._lookup.fits(topic, key)

    def check_buffer(self, given: Any) -> None:
        """Raises: Refused: ``invalid_argument``: these are no settings of a buffer."""
        self._lookup.space_of(None).tuning.check(given)

    def listen(self, session: Session, topic: str, options: SubscribeOptions = SUBSCRIBE_OPTIONS) -> Listener:
        """Have a session that speaks no WAMP listen, which ``may_listen`` has found to be allowed.

        Returns: its part in the subscription.
        Raises: Refused: ``channel_closed``, ``no_such_channel``, ``bad_key``, ``quota``,
            ``invalid_argument``.
        """
        done = self._subscribers.subscribe(session, topic, options)
        self._subscribers.added(session, done)
        return done.subscription.listeners[session]

    def observe_demand(self, session: Session, names: tuple[str, ...]) -> None:
        """Give a session ``radiod.channel.on_demand`` as writers get it, if it listens to that topic.

        Args:
            names: channels, or patterns of public ones. Of one whose name is given whole it is told also
                while nobody has opened it for writing; a private one is that which the session is in.
        """
        self._subscribers.observe_demand(session, names)

    def join(self, principal: Principal, outlet: Any) -> Session:
        """Open a session for events to be sent to, as ``Realm.join``.

        Raises: NoAccess: access has ended since it was known who that is; OverLimit: as ``Realm.join``.
        """
        if principal.holder is not None:
            principal.holder.check_open()
        return self._join(principal, outlet)

    def ignore(self, session: Session, subscription: int) -> None:
        """End one subscription of such a session, unless it has ended already."""
        self._departures.end_subscription(session, subscription)

    def expel(self, session: Session, reason: str) -> None:
        """As ``Departures.expel``."""
        self._departures.expel(session, reason)

    def leave(self, session: Session) -> None:
        """End a session. Leaving twice does nothing."""
        self._departures.leave(session)

    def retold(self, actor: Actor, channel: str, events: int, size: int) -> None:
        """As ``Meter.retold``: what somebody is told of the past who has no subscription."""
        self._publications.meter.retold(actor, channel, events, size)

    # --- calling

    def call(
        self,
        caller: Actor,
        procedure: str,
        payload: Payload,
        options: CallOptions = CALL_OPTIONS,
        on_progress: Callable[[Payload], None] | None = None,
    ) -> GatewayCall:
        """Call a procedure that some session has registered, or one of the router's own.

        Comes to the whole result, or to ``CallFailed``, or ``Refused`` as ``Dealer.call``;
            ``not_authorized``, ``invalid_uri``, ``authorization_failed``; ``feature_not_supported``: it is
            about what the calling session holds.
        Args:
            on_progress: takes progressive results; None: none are asked for.
        Raises: Refused: the same, if that is known at once.
        """
        check_uri(procedure)
        call = GatewayCall()

        def proceed(verdict: Verdict) -> Payload | Promise[Payload]:
            check_verdict(verdict, caller, Action.CALL, procedure)
            call.check_wanted()
            return self._charged(caller, procedure, call, lambda: begin(verdict))

        def begin(verdict: Verdict) -> Payload | Promise[Payload]:
            if is_reserved(procedure):
                answer = self._procedures.call_for_visitor(caller, procedure, payload)
                self._publications.meter.called(caller, procedure)
                return answer
            details = disclosed(CALLER, caller, options.disclose_me, verdict)
            nameable = caller if verdict.disclose is not Disclose.NEVER else None
            ongoing = self._router_calls.call(procedure, payload, options, details, on_progress, nameable)
            if ongoing.has_begun:
                self._publications.meter.called(caller, procedure)
            return call.began(ongoing)

        verdict = caller.principal.permissions.decide(caller, Action.CALL, procedure, options)
        call.outcome = chain(verdict, proceed)
        return call

    def _charged(
        self,
        caller: Actor,
        procedure: str,
        call: GatewayCall,
        begin: Callable[[], Payload | Promise[Payload]],
    ) -> Payload | Promise[Payload]:
        """What ``begin`` comes to, if the caller's plan has one more call; what fails to begin is none."""
        holder = caller.principal.holder
        if holder is None or holder.account.allowances is None:
            return begin()
        allowance = holder.account.allowances.call
        outcome = within(allowance, self._publications.meter, caller, procedure, begin)
        if call.was_refused:
            allowance.give_back()
        return outcome

    # --- looking

    def describe(
        self, name: str, permissions: Permissions | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """One channel, to somebody with these permissions, perhaps later.

        Raises: Refused: as ``Lookup.known``.
        """
        return self._descriptions.get(None, name, permissions)

    def page(
        self, prefix: str, limit: int, after: str | None, permissions: Permissions | None
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """As ``Descriptions.page``."""
        return self._descriptions.page(prefix, limit, after, permissions)


def check_verdict(verdict: Verdict, actor: Actor, action: Action, uri: str) -> None:
    """Whether what was decided is that ``actor`` may. Raises: Refused: ``not_authorized``."""
    if not verdict.is_allowed:
        raise Refused(NOT_AUTHORIZED, f"role {actor.principal.authrole} may not {action.value} {uri}")
