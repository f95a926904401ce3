"""The broker: subscriptions, and who receives a publication.

Every public method does all of its work or, raising, none of it. Rights are checked before (``realm``).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from radiod.core.access.ledger import Ledger
from radiod.core.budgets.bounds import Bounds
from radiod.core.dates import date
from radiod.core.delivery.broadcast import Broadcast, Publication
from radiod.core.delivery.flow import EventOutbox, Flow
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.listeners import Listener, ListenerGroup
from radiod.core.delivery.pacing import Pacer
from radiod.core.delivery.readership import Readerships
from radiod.core.delivery.receipts import Receipt
from radiod.core.delivery.settings import DEFAULTS, BufferSettings
from radiod.core.delivery.totals import Tally, Totals
from radiod.core.ids import Counter, Ids
from radiod.core.limits import Limits
from radiod.core.patterns import PatternIndex
from radiod.core.promises import Promise
from radiod.core.pubsub.audience import Audience, hides, is_hidden
from radiod.core.pubsub.retention import Retained, Retention, retained_size
from radiod.core.rights import Actor, Permissions
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers
from radiod.core.uris import is_reserved
from radiod.errors import NO_SUCH_SUBSCRIPTION, OVERRUN, QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, PublishOptions, SubscribeOptions

__all__ = ["Broker", "SessionSubscriptions", "Subscribing", "Subscription", "describe_subscription"]

HALF_OF_IDS: Final = 1 << 52

RETAINED_IN_A_STEP: Final = 20
"""Topics whose retained events a late listener is sent without a pause."""


class Subscription(ListenerGroup):
    """A topic, or pattern of topics, that somebody listens to. ``broker``: the one that has it."""

    __slots__ = ("broker",)

    def __init__(
        self, id: int, match: MatchPolicy, topic: str, created: float, flow: Flow, broker: Broker
    ) -> None:
        super().__init__(id, match, topic, created, flow)
        self.broker = broker


def describe_subscription(subscription: Subscription) -> dict[str, Any]:
    """What the meta API tells of a subscription."""
    return {
        "id": subscription.id,
        "created": date(subscription.created),
        "uri": subscription.topic,
        "match": subscription.match,
    }


class Subscribing(NamedTuple):
    """What became of a subscribe. ``is_new``: the subscription is; ``is_added``: the session is, in it."""

    subscription: Subscription
    is_new: bool
    is_added: bool


class SessionSubscriptions:
    """The subscriptions of each session of one realm, whichever of its brokers have them."""

    def __init__(self) -> None:
        self._by_session: dict[Session, dict[int, Subscription]] = {}

    def __len__(self) -> int:
        """Sessions that have any."""
        return len(self._by_session)

    def of(self, session: Session) -> Mapping[int, Subscription]:
        """Those of one session: id -> subscription."""
        return self._by_session.get(session, NONE)

    def find(self, session: Session, id: int) -> Subscription:
        """One of them. Raises: Refused: ``no_such_subscription``."""
        found = self.of(session).get(id)
        if found is None:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {id} in this session")
        return found

    def add(self, session: Session, subscription: Subscription) -> None:
        """One more; for the broker only."""
        held = self._by_session.get(session)
        if held is None:
            self._by_session[session] = {subscription.id: subscription}
        else:
            held[subscription.id] = subscription

    def remove(self, session: Session, subscription: Subscription) -> None:
        """One less; for the broker only."""
        held = self._by_session[session]
        del held[subscription.id]
        if not held:
            del self._by_session[session]

    def end(self, session: Session) -> list[Subscription]:
        """End every subscription of a session. Returns: those it had."""
        subscriptions = list(self.of(session).values())
        for subscription in subscriptions:
            subscription.broker.unsubscribe(session, subscription)
        return subscriptions


NONE: Final[Mapping[int, Subscription]] = {}


class Broker:
    """Subscriptions of one realm, or of one private channel in it.

    ``tally`` counts what became of its clients' events; of the router's own it tells nothing.

    Args:
        subscriptions, retention: shared by all brokers of a realm.
        private_ids: where the ids of a private channel's subscriptions come from; None: it is not private.
        holdings, readerships: of the server; bounds: those of the realm that were met.
        tally: shared by the realm's private channels; totals: as ``Flow`` has them.
    """

    def __init__(
        self,
        outbox: EventOutbox[Listener],
        clock: Clock,
        timers: Timers,
        limits: Limits,
        *,
        subscriptions: SessionSubscriptions | None = None,
        retention: Retention | None = None,
        private_ids: Ids | None = None,
        holdings: Holdings | None = None,
        bounds: Bounds | None = None,
        readerships: Readerships | None = None,
        tally: Tally | None = None,
        totals: Totals | None = None,
    ) -> None:
        self._outbox = outbox
        self._held = SessionSubscriptions() if subscriptions is None else subscriptions
        self._private_ids = private_ids
        self._retention = Retention(limits) if retention is None else retention
        self._clock = clock
        self.tally = Tally() if tally is None else tally
        holdings = Holdings.of(limits) if holdings is None else holdings
        bounds = Bounds() if bounds is None else bounds
        readerships = Readerships(Ledger(clock)) if readerships is None else readerships
        shared = limits.wait_timeout_s, holdings, bounds, readerships
        self._flow = Flow(outbox, clock, timers, self.tally, *shared, totals)
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

    def of(self, session: Session) -> list[Subscription]:
        """Those of its subscriptions that a session is in."""
        return [one for one in self._held.of(session).values() if one.broker is self]

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
    ) -> Subscribing:
        """Let ``session`` listen to ``topic``; again and again is the same subscription.

        ``settings`` are those of a new listener; one that is there keeps its own.

        Returns: the subscription, shared by all who asked for the same, and what is new.
        Raises: Refused: ``quota``.
        """
        subscription = self._by_pattern.get(options.match, topic)
        if subscription is not None and session in subscription.listeners:
            return Subscribing(subscription, False, False)
        self.check_room(session)
        is_new = subscription is None
        if subscription is None:
            id = self._new_id(options.match, topic)
            flow = self._router_flow if is_reserved(topic) else self._flow
            subscription = Subscription(id, options.match, topic, self._clock.time(), flow, self)
            self._by_pattern.add(options.match, topic, subscription)
            self._by_id[id] = subscription
        listener = Listener(session, subscription, settings)
        if listener.is_paced:
            listener.pace()
        subscription.listeners[session] = listener
        self._held.add(session, subscription)
        return Subscribing(subscription, is_new, True)

    def check_room(self, session: Session) -> None:
        """Whether a session may hold one more subscription. Raises: Refused: ``quota``."""
        if len(self._held.of(session)) >= self._limits.max_subscriptions:
            raise Refused(QUOTA, f"a session may hold {self._limits.max_subscriptions} subscriptions")

    def send_retained(self, session: Session, subscription: Subscription) -> Generator[None, None, None]:
        """Send the retained events of the subscription's topics that the session may have to it alone.

        A topic that gets an event meanwhile is left out: what is retained must not come behind that.
        """
        listener = subscription.listeners[session]
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
                    if subscription.listeners.get(session) is not listener:
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
        if not hides(listener.session.principal.permissions, topic):
            subscription = listener.subscription
            told = {**details, "retained": True}
            if subscription.match != "exact":
                told["topic"] = topic
            broadcast = Broadcast(subscription.id, publication, topic, told, payload)
            listener.give(broadcast)
            self._outbox.fan_out((listener,), broadcast)

    def _new_id(self, match: MatchPolicy, topic: str) -> int:
        """A subscription's id: consecutive, but at random for a private channel.

        There, consecutive ids would tell how many have subscribed. They have the highest bit of an id set, so
        that the others, counted from 1, stay apart from them.
        """
        if self._private_ids is None:
            return self._subscription_ids.next()
        return (self._private_ids.next() - 1) | HALF_OF_IDS

    def unsubscribe(self, session: Session, subscription: Subscription) -> None:
        """End the part of ``session`` in one of this broker's subscriptions; it must have one."""
        listener = subscription.listeners.pop(session)
        # The outbox may still hold the listener among those it owes something: it is owed nothing now.
        listener.stop()
        self._held.remove(session, subscription)
        if not subscription.listeners:
            self._by_pattern.remove(subscription.match, subscription.topic)
            del self._by_id[subscription.id]

    # --- publishing

    def check(
        self,
        publisher: Actor | None,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        is_end_mark: bool = False,
    ) -> None:
        """Find out what stands against a publication, before anything is done for it.

        Raises: Refused: ``quota``: too many topics, or bytes, are retained already; ``overrun``: a listener
            of policy ``raise`` has no room for an event that asks for an acknowledgement.
        """
        if options.retain:
            self._check_retained(topic, retained_size(payload, options))
        if options.acknowledge and self._flow.paced:
            probe = Broadcast(0, 0, topic, {}, payload, is_end_mark)
            audience = Audience(options) if options.narrows() else None
            for subscription in self.matching(topic):
                if subscription.paced:
                    receivers = _receivers(subscription, publisher, options, topic, audience)
                    if any(pacer.refuses(probe) for pacer in _pacers(receivers)):
                        raise Refused(OVERRUN, "a listener refuses events that it has no room for")

    def publish(
        self,
        publication: int,
        publisher: Actor | None,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        is_end_mark: bool = False,
    ) -> Publication | Promise[Publication]:
        """Give one event, of this id, which ``check`` has found nothing against, to those who listen.

        ``publisher``: does not hear it, unless the options say otherwise; None: the router; ``details``: what
        every receiver learns; ``is_end_mark``: it ends something, and passes rates and full buffers.
        Returns: what became of it; later, where an acknowledgement was asked for and a listener of policy
            ``wait`` has no room yet: then ``Refused`` (``overrun``) if that listener is too slow.
        """
        if options.retain:
            self._retain(topic, Retained(publication, publisher, payload, options, details))
        for overtaken in self._late:
            overtaken.add(topic)
        readers, size = 0, payload.size
        paced: list[tuple[list[Pacer], Broadcast]] = []
        # Once for all subscriptions: its lists may be long, and the patterns that match many.
        audience = Audience(options) if options.narrows() else None
        for subscription in self.matching(topic):
            listeners = subscription.listeners
            readers += len(listeners)
            told = details if subscription.match == "exact" else {**details, "topic": topic}
            broadcast = Broadcast(subscription.id, publication, topic, told, payload, is_end_mark)
            subscription.offered.offer(size)
            excluded = publisher if options.exclude_me and publisher in listeners else None
            receivers: Collection[Listener] = listeners.values()
            if excluded is not None or audience is not None or told is not details or subscription.paced:
                # Seldom: not all of them, or not all at once.
                receivers = _receivers(subscription, publisher, options, topic, audience)
                if subscription.paced:
                    paced.append((_pacers(receivers), broadcast))
                    receivers = [listener for listener in receivers if listener.pacer is None]
                subscription.leave_out(receivers, excluded, size)
            self._outbox.fan_out(receivers, broadcast)
        published = Publication(publication, readers)
        return self._offer(paced, options, published) if paced else published

    def _offer(
        self, paced: list[tuple[list[Pacer], Broadcast]], options: PublishOptions, publication: Publication
    ) -> Publication | Promise[Publication]:
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
        self._drop(topic)
        self._retention.change(1, retained.size)
        self._retained[topic] = retained

    @property
    def retained(self) -> Mapping[str, Retained]:
        """Topic -> its retained event, the latest last."""
        return self._retained

    def resume(self, topic: str, retained: Retained) -> None:
        """Retain what another process did. Raises: Refused: ``quota``."""
        self._retention.check(1, retained.size)
        self._retain(topic, retained)

    def forget(self, topic: str) -> None:
        """Drop the topic's retained event."""
        self._drop(topic)

    def _drop(self, topic: str) -> None:
        old = self._retained.pop(topic, None)
        if old is not None:
            self._retention.change(-1, -old.size)


def _pacers(listeners: Iterable[Listener]) -> list[Pacer]:
    """Those of the listeners that have one."""
    return [listener.pacer for listener in listeners if listener.pacer is not None]


def _receivers(
    subscription: Subscription,
    publisher: Actor | None,
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
        and not (is_pattern and is_hidden(session, topic, hidden))
    ]
