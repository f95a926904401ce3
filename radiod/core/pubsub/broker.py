"""The broker: subscriptions, and who receives a publication.

Every public method does all of its work or, raising, none of it. Rights are checked before (``realm``).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator
from typing import Any, Final

from radiod.core.budgets.bounds import Bounds
from radiod.core.channels.headcount import watched
from radiod.core.delivery.buffers import DEFAULTS, BufferSettings, Tally
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.listeners import Broadcast, Listener, Subscription
from radiod.core.delivery.pacing import Flow, Pacer
from radiod.core.delivery.receipts import Publication, Receipt
from radiod.core.ids import Counter
from radiod.core.patterns import PatternIndex
from radiod.core.ports import Clock, Ids, Limits, Outbox, Permissions
from radiod.core.promises import Later
from radiod.core.sessions.session import Session
from radiod.core.timers import Timers
from radiod.core.uris import is_reserved
from radiod.errors import NO_SUCH_SUBSCRIPTION, OVERRUN, QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import MatchPolicy, PublishOptions, SubscribeOptions

__all__ = ["Audience", "Broker", "Retention"]

HALF_OF_IDS: Final = 1 << 52

RETAINED_IN_A_STEP: Final = 20
"""Topics whose retained events a late listener is sent without a pause."""


class Retained:
    """The last event of a topic that was published to be kept.

    ``excluded``: id of the session that published it, if it may not receive it: the event outlives sessions;
    ``size``: what it counts for, in bytes.
    """

    __slots__ = ("_audience", "details", "excluded", "payload", "publication", "size")

    def __init__(
        self,
        publication: int,
        publisher: Session | None,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> None:
        self.publication = publication
        self.excluded = publisher.id if publisher is not None and options.exclude_me else None
        self.payload = payload
        self._audience = Audience(options)
        self.details = details
        self.size = retained_size(payload, options)

    def is_for(self, session: Session) -> bool:
        """Whether ``session`` would have received it, had it listened then."""
        return session.id != self.excluded and session in self._audience


def retained_size(payload: Payload, options: PublishOptions) -> int:
    """What a retained event counts for, in bytes."""
    return len(payload) + options.lists_size()


class Retention:
    """How much the retained events of one realm take; its brokers share it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.topics = 0
        self.bytes = 0

    def check(self, topics: int, size: int) -> None:
        """Whether so many topics and bytes may come. Raises: Refused: ``quota``."""
        limits = self._limits
        if topics > 0 and self.topics + topics > limits.max_retained_topics:
            raise Refused(QUOTA, f"{limits.max_retained_topics} topics hold a retained event already")
        if self.bytes + size > limits.max_retained_bytes:
            raise Refused(QUOTA, f"retained events would hold more than {limits.max_retained_bytes} bytes")

    def change(self, topics: int, size: int) -> None:
        """So many come, or go."""
        self.topics += topics
        self.bytes += size


class Broker:
    """Subscriptions of one realm, or of one private channel in it.

    ``tally`` counts what became of its clients' events; of the router's own it tells nothing.

    Args:
        retention: shared by all brokers of a realm.
        private_ids: where the ids of a private channel's subscriptions come from; None: it is not private.
        holdings: of the server; bounds: those of the realm that were met.
    """

    def __init__(
        self,
        outbox: Outbox,
        clock: Clock,
        timers: Timers,
        limits: Limits,
        *,
        retention: Retention | None = None,
        private_ids: Ids | None = None,
        holdings: Holdings | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._outbox = outbox
        self._private_ids = private_ids
        self._retention = retention or Retention(limits)
        self._clock = clock
        self.tally = Tally()
        holdings = holdings or Holdings(limits.max_session_bytes, limits.max_buffered_bytes)
        shared = limits.wait_timeout_s, holdings, bounds or Bounds()
        self._flow = Flow(outbox, clock, timers, self.tally, *shared)
        # Some of what the router tells is for the members of private channels: it is counted apart.
        self._router_flow = Flow(outbox, clock, timers, Tally(), *shared)
        self._limits = limits
        self._subscription_ids = Counter()
        self._by_pattern: PatternIndex[Subscription] = PatternIndex()
        self._by_id: dict[int, Subscription] = {}
        # topic -> its retained event
        self._retained: dict[str, Retained] = {}
        # For each listener that is being sent what is retained: topics with an event since that began.
        self._late: list[set[str]] = []

    def __len__(self) -> int:
        """Subscriptions with at least one listener."""
        return len(self._by_id)

    @property
    def is_private(self) -> bool:
        """Whether its subscriptions are for nobody else to know of."""
        return self._private_ids is not None

    # --- who listens

    def find(self, subscription_id: int) -> Subscription:
        """The subscription of that id. Raises: Refused: ``no_such_subscription``."""
        subscription = self._by_id.get(subscription_id)
        if subscription is None:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {subscription_id}")
        return subscription

    def lookup(self, match: MatchPolicy, topic: str) -> Subscription | None:
        """The subscription made for exactly this policy and topic."""
        return self._by_pattern.get(match, topic)

    def matching(self, topic: str) -> list[Subscription]:
        """Every subscription that an event on ``topic`` goes to.

        What the router itself publishes reaches only those who asked for its topics: a pattern that does not
        begin with the reserved component does not include them.
        """
        found = self._by_pattern.matching(topic)
        if self._by_pattern.has_patterns and is_reserved(topic):
            return [subscription for subscription in found if is_reserved(subscription.topic)]
        return found

    def subscriptions(self, match: MatchPolicy) -> Iterator[Subscription]:
        """All subscriptions of one policy, oldest first."""
        return self._by_pattern.items(match)

    def readers(self, topic: str) -> int:
        """How many sessions listen to ``topic``; one that does so in two ways counts twice."""
        return sum(len(subscription.listeners) for subscription in self.matching(topic))

    # --- subscribing

    def subscribe(
        self,
        session: Session,
        topic: str,
        options: SubscribeOptions,
        settings: BufferSettings = DEFAULTS,
    ) -> tuple[Subscription, bool, bool]:
        """Let ``session`` listen to ``topic``; again and again is the same subscription.

        ``settings`` are those of a new listener; one that is there keeps its own.

        Returns: the subscription, shared by all who asked for the same; whether it is new; whether the
            session is new in it.
        Raises: Refused: ``quota``.
        """
        subscription = self._by_pattern.get(options.match, topic)
        if subscription is not None and session in subscription.listeners:
            return subscription, False, False
        if len(session.subscriptions) >= self._limits.max_subscriptions:
            raise Refused(QUOTA, f"a session may hold {self._limits.max_subscriptions} subscriptions")
        is_new = subscription is None
        if subscription is None:
            id = self._new_id()
            flow = self._router_flow if is_reserved(topic) else self._flow
            subscription = Subscription(id, options.match, topic, self._clock.time(), flow, self)
            self._by_pattern.add(options.match, topic, subscription)
            self._by_id[id] = subscription
        listener = Listener(session, subscription, settings)
        if settings.is_paced:
            listener.pace()
        subscription.listeners[session] = listener
        session.subscriptions[subscription.id] = listener
        return subscription, is_new, True

    def send_retained(self, session: Session, subscription: Subscription) -> Generator[None, None, None]:
        """Send the retained events of the subscription's topics that the session may have to it alone.

        A topic that gets an event meanwhile is left out: what is retained must not come behind that.
        """
        listener = session.subscriptions[subscription.id]
        if subscription.match == "exact":
            self._send_retained(listener, subscription.topic)
            return
        overtaken: set[str] = set()
        self._late.append(overtaken)
        try:
            for count, topic in enumerate(list(self._retained), 1):
                if subscription.takes(topic) and topic not in overtaken:
                    self._send_retained(listener, topic)
                if count % RETAINED_IN_A_STEP == 0:
                    yield
                    if session.subscriptions.get(subscription.id) is not listener:
                        return
        finally:
            self._late.remove(overtaken)

    def _send_retained(self, listener: Listener, topic: str) -> None:
        retained = self._retained.get(topic)
        if retained is not None and retained.is_for(listener.session):
            self.send_late(listener, topic, retained.publication, retained.payload, retained.details)

    def send_late(
        self, listener: Listener, topic: str, publication: int, payload: Payload, details: dict[str, Any]
    ) -> None:
        """Send what a topic tells late listeners, as retained, to one that may have it."""
        if not _hides(listener.session.principal.permissions, topic):
            subscription = listener.subscription
            told = _details(subscription, topic, {**details, "retained": True})
            broadcast = Broadcast(subscription.id, publication, topic, told, payload)
            self._outbox.fan_out((listener,), broadcast)

    def _new_id(self) -> int:
        """A subscription's id: consecutive, but at random for a private channel.

        There, consecutive ids would tell how many have subscribed. They have the highest bit of an id set, so
        that the others, counted from 1, stay apart from them.
        """
        if self._private_ids is None:
            return self._subscription_ids.next()
        return (self._private_ids.next() - 1) | HALF_OF_IDS

    def unsubscribe(self, session: Session, subscription_id: int) -> Subscription:
        """End one subscription of ``session``, whichever broker has it.

        Raises: Refused: ``no_such_subscription``.
        """
        listener = session.subscriptions.get(subscription_id)
        if listener is None:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {subscription_id} in this session")
        self._drop(listener)
        return listener.subscription

    def leave(self, session: Session) -> list[Subscription]:
        """End every subscription of ``session``, whichever brokers have them. Returns: those it had."""
        listeners = list(session.subscriptions.values())
        for listener in listeners:
            self._drop(listener)
        return [listener.subscription for listener in listeners]

    def _drop(self, listener: Listener) -> None:
        subscription, session = listener.subscription, listener.session
        # The outbox may still hold the listener among those it owes something: it is owed nothing now.
        listener.stop()
        del session.subscriptions[subscription.id]
        del subscription.listeners[session]
        if not subscription.listeners:
            subscription.broker._forget_subscription(subscription)

    def _forget_subscription(self, subscription: Subscription) -> None:
        self._by_pattern.remove(subscription.match, subscription.topic)
        del self._by_id[subscription.id]

    # --- publishing

    def check(
        self,
        publisher: Session | None,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        is_mark: bool = False,
    ) -> None:
        """Find out what stands against a publication, before anything is done for it.

        Raises: Refused: ``quota``: too many topics, or bytes, are retained already; ``overrun``: a listener
            of policy ``raise`` has no room for an event that asks for an acknowledgement.
        """
        if options.retain:
            self._check_retained(topic, retained_size(payload, options))
        if options.acknowledge and self._flow.paced:
            probe = Broadcast(0, 0, topic, {}, payload, is_mark)
            audience = _audience(options)
            for subscription in self.matching(topic):
                if subscription.paced:
                    receivers = _receivers(subscription, publisher, options, topic, audience)
                    if any(pacer.refuses(probe) for pacer in _pacers(receivers)):
                        raise Refused(OVERRUN, "a listener refuses events that it has no room for")

    def publish(
        self,
        publication: int,
        publisher: Session | None,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        is_mark: bool = False,
    ) -> Publication | Later[Publication]:
        """Give one event, which ``check`` has found nothing against, to everybody who listens to ``topic``.

        Args:
            publication: its id.
            publisher: excluded from receiving, unless the options say otherwise; None: the router itself.
            details: what every receiver learns about the event.
            is_mark: it marks the end of something, and passes rates and full buffers.
        Returns: what became of it; later, where an acknowledgement was asked for and a listener of policy
            ``wait`` has no room yet: then ``Refused`` (``overrun``) if that listener is too slow.
        """
        if options.retain:
            self._retain(topic, Retained(publication, publisher, payload, options, details))
        if self._late:
            for overtaken in self._late:
                overtaken.add(topic)
        readers = 0
        paced: list[tuple[list[Pacer], Broadcast]] = []
        # Once for all subscriptions: its lists may be long, and the patterns that match many.
        audience = _audience(options)
        for subscription in self.matching(topic):
            readers += len(subscription.listeners)
            receivers = _receivers(subscription, publisher, options, topic, audience)
            broadcast = Broadcast(
                subscription.id, publication, topic, _details(subscription, topic, details), payload, is_mark
            )
            if subscription.paced:
                paced.append((_pacers(receivers), broadcast))
                receivers = [listener for listener in receivers if listener.pacer is None]
            self._outbox.fan_out(receivers, broadcast)
        published = Publication(publication, readers)
        return self._offer(paced, options, published) if paced else published

    def _offer(
        self, paced: list[tuple[list[Pacer], Broadcast]], options: PublishOptions, publication: Publication
    ) -> Publication | Later[Publication]:
        """Give an event to those who do not simply get every one."""
        receipt = Receipt(self._flow) if options.acknowledge else None
        for pacers, broadcast in paced:
            for pacer in pacers:
                pacer.offer(broadcast, receipt)
        return publication if receipt is None else receipt.issue(publication)

    def _check_retained(self, topic: str, size: int) -> None:
        old = self._retained.get(topic)
        self._retention.check(0 if old else 1, size - (old.size if old else 0))

    def _retain(self, topic: str, retained: Retained) -> None:
        self.forget(topic)
        self._retention.change(1, retained.size)
        self._retained[topic] = retained

    def forget(self, topic: str) -> None:
        """Drop the topic's retained event."""
        old = self._retained.pop(topic, None)
        if old is not None:
            self._retention.change(-1, -old.size)


def _details(subscription: Subscription, topic: str, details: dict[str, Any]) -> dict[str, Any]:
    """EVENT.Details for one subscription: with a pattern, only they tell the topic."""
    return details if subscription.match == "exact" else {**details, "topic": topic}


def _pacers(listeners: Iterable[Listener]) -> list[Pacer]:
    """Those of the listeners that have one."""
    return [listener.pacer for listener in listeners if listener.pacer is not None]


def _receivers(
    subscription: Subscription,
    publisher: Session | None,
    options: PublishOptions,
    topic: str,
    audience: Audience | None,
) -> Collection[Listener]:
    listeners = subscription.listeners
    leave_out = options.exclude_me and publisher in listeners
    is_pattern = subscription.match != "exact"
    if not (leave_out or is_pattern or audience):
        return listeners.values()
    hidden: dict[Permissions, bool] = {}
    return [
        listener
        for session, listener in listeners.items()
        if not (leave_out and session is publisher)
        and (audience is None or session in audience)
        and not (is_pattern and _is_hidden(session, topic, hidden))
    ]


def _is_hidden(session: Session, topic: str, known: dict[Permissions, bool]) -> bool:
    """Whether the session's role hides the topic; ``known``: what was found out for this event already."""
    permissions = session.principal.permissions
    is_hidden = known.get(permissions)
    if is_hidden is None:
        is_hidden = known[permissions] = _hides(permissions, topic)
    return is_hidden


def _hides(permissions: Permissions, topic: str) -> bool:
    """Whether a role may not have events of ``topic``; who is present where it may not listen is one."""
    channel = watched(topic)
    return permissions.hides(topic) or (channel is not None and permissions.hides(channel))


class Audience:
    """Subscriber black- and whitelisting: on every given whitelist, on no blacklist."""

    __slots__ = ("_authids", "_authroles", "_ids")

    def __init__(self, options: PublishOptions) -> None:
        self._ids = _lists(options.eligible, options.exclude)
        self._authids = _lists(options.eligible_authid, options.exclude_authid)
        self._authroles = _lists(options.eligible_authrole, options.exclude_authrole)

    def __contains__(self, session: Session) -> bool:
        principal = session.principal
        return (
            _passes(session.id, *self._ids)
            and _passes(principal.authid, *self._authids)
            and _passes(principal.authrole, *self._authroles)
        )


def _audience(options: PublishOptions) -> Audience | None:
    """Who may receive the event; None: everybody who listens."""
    return Audience(options) if options.narrows() else None


Lists = tuple[frozenset[Any] | None, frozenset[Any]]


def _lists(eligible: list[Any] | None, exclude: list[Any] | None) -> Lists:
    """As sets, since each is asked for every listener."""
    return None if eligible is None else frozenset(eligible), frozenset(exclude or ())


def _passes(value: Any, eligible: frozenset[Any] | None, exclude: frozenset[Any]) -> bool:
    return (eligible is None or value in eligible) and value not in exclude
