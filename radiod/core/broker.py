"""The broker: subscriptions, and who receives a publication.

Every public method does all of its work or, raising, none of it. Rights are checked before (``realm``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from radiod.core.buffers import Buffer
from radiod.core.ids import Counter
from radiod.core.patterns import PatternIndex
from radiod.core.ports import Clock, Ids, Limits, Outbox, Permissions
from radiod.core.sessions import Session
from radiod.core.uris import is_reserved, selects
from radiod.errors import NO_SUCH_SUBSCRIPTION, QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import MatchPolicy, PublishOptions, SubscribeOptions

__all__ = ["Audience", "Broadcast", "Broker", "Listener", "Subscription"]

BUFFER_SIZE: Final = 100
BUFFER_BYTES: Final = 1 << 20


class Broadcast:
    """One publication on its way to the listeners of one subscription.

    ``frames`` is the outbox's: wire format -> bytes, so that each format is made once for all receivers.
    """

    __slots__ = ("details", "frames", "payload", "publication", "subscription", "topic")

    def __init__(
        self, subscription: int, publication: int, topic: str, details: dict[str, Any], payload: Payload
    ) -> None:
        self.subscription = subscription
        self.publication = publication
        self.topic = topic
        self.details = details
        self.payload = payload
        self.frames: dict[Any, bytes] = {}


class Listener:
    """One session's part in one subscription, with the buffer that holds what it could not take yet."""

    __slots__ = ("buffer", "outlet", "session", "subscription")

    def __init__(self, session: Session, subscription: Subscription) -> None:
        self.session = session
        self.subscription = subscription
        # Copied here because fan-out reads it once for every listener and event.
        self.outlet = session.outlet
        self.buffer: Buffer | None = None

    def hold(self, broadcast: Broadcast) -> int:
        """Keep an event until the session reads again. Returns: how many events were dropped for it."""
        if self.buffer is None:
            self.buffer = Buffer(BUFFER_SIZE, BUFFER_BYTES)
        return self.buffer.offer(broadcast)


class Subscription:
    """A topic, or pattern of topics, that somebody listens to.

    ``listeners``: session -> listener, in order of subscribing; ``created``: seconds since 1970.
    """

    __slots__ = ("created", "id", "listeners", "match", "topic")

    def __init__(self, id: int, match: MatchPolicy, topic: str, created: float) -> None:
        self.id = id
        self.match: MatchPolicy = match
        self.topic = topic
        self.created = created
        self.listeners: dict[Session, Listener] = {}

    def takes(self, topic: str) -> bool:
        """True when events on ``topic`` go to this subscription: ``Broker.matching`` asked of one."""
        is_open = is_reserved(self.topic) or not is_reserved(topic)
        return is_open and selects(self.match, self.topic, topic)


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
        self.size = len(payload) + options.lists_size()

    def is_for(self, session: Session) -> bool:
        """Whether ``session`` would have received it, had it listened then."""
        return session.id != self.excluded and session in self._audience


class Broker:
    """Subscriptions of one realm."""

    def __init__(self, outbox: Outbox, clock: Clock, ids: Ids, limits: Limits) -> None:
        self._outbox = outbox
        self._clock = clock
        self._ids = ids
        self._limits = limits
        self._subscription_ids = Counter()
        self._by_pattern: PatternIndex[Subscription] = PatternIndex()
        self._by_id: dict[int, Subscription] = {}
        # topic -> its retained event, and the bytes of all
        self._retained: dict[str, Retained] = {}
        self._retained_bytes = 0

    def __len__(self) -> int:
        """Subscriptions with at least one listener."""
        return len(self._by_id)

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
        self, session: Session, topic: str, options: SubscribeOptions
    ) -> tuple[Subscription, bool, bool]:
        """Let ``session`` listen to ``topic``; again and again is the same subscription.

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
            id = self._subscription_ids.next()
            subscription = Subscription(id, options.match, topic, self._clock.time())
            self._by_pattern.add(options.match, topic, subscription)
            self._by_id[id] = subscription
        listener = Listener(session, subscription)
        subscription.listeners[session] = listener
        session.subscriptions[subscription.id] = listener
        return subscription, is_new, True

    def send_retained(self, session: Session, subscription: Subscription) -> None:
        """Send the retained events of the subscription's topics that the session may have to it alone."""
        listener = session.subscriptions[subscription.id]
        permissions = session.principal.permissions
        for topic, retained in self._retained_for(subscription):
            if retained.is_for(session) and not permissions.hides(topic):
                details = _details(subscription, topic, {**retained.details, "retained": True})
                broadcast = Broadcast(subscription.id, retained.publication, topic, details, retained.payload)
                self._outbox.fan_out((listener,), broadcast)

    def _retained_for(self, subscription: Subscription) -> list[tuple[str, Retained]]:
        if subscription.match == "exact":
            retained = self._retained.get(subscription.topic)
            return [] if retained is None else [(subscription.topic, retained)]
        return [item for item in self._retained.items() if subscription.takes(item[0])]

    def unsubscribe(self, session: Session, subscription_id: int) -> Subscription:
        """End one subscription of ``session``. Raises: Refused: ``no_such_subscription``."""
        listener = session.subscriptions.get(subscription_id)
        if listener is None:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {subscription_id} in this session")
        self._drop(listener)
        return listener.subscription

    def leave(self, session: Session) -> list[Subscription]:
        """End every subscription of ``session``. Returns: those it had."""
        listeners = list(session.subscriptions.values())
        for listener in listeners:
            self._drop(listener)
        return [listener.subscription for listener in listeners]

    def _drop(self, listener: Listener) -> None:
        subscription, session = listener.subscription, listener.session
        # The outbox may still hold the listener among those it owes something: it is owed nothing now.
        listener.buffer = None
        del session.subscriptions[subscription.id]
        del subscription.listeners[session]
        if not subscription.listeners:
            self._by_pattern.remove(subscription.match, subscription.topic)
            del self._by_id[subscription.id]

    # --- publishing

    def publish(
        self,
        publisher: Session | None,
        topic: str,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> tuple[int, int]:
        """Give one event to everybody who listens to ``topic``.

        Args:
            publisher: excluded from receiving, unless the options say otherwise; None: the router itself.
            details: what every receiver learns about the event.
        Returns: the publication id, and how many listeners the topic has.
        Raises: Refused: ``quota``: too many topics have a retained event already; nothing was delivered.
        """
        publication = self._ids.next()
        if options.retain:
            self._retain(topic, Retained(publication, publisher, payload, options, details))
        readers = 0
        for subscription in self.matching(topic):
            readers += len(subscription.listeners)
            receivers = _receivers(subscription, publisher, options, topic)
            broadcast = Broadcast(
                subscription.id, publication, topic, _details(subscription, topic, details), payload
            )
            self._outbox.fan_out(receivers, broadcast)
        return publication, readers

    def _retain(self, topic: str, retained: Retained) -> None:
        old = self._retained.get(topic)
        if old is None and len(self._retained) >= self._limits.max_retained_topics:
            raise Refused(QUOTA, f"{self._limits.max_retained_topics} topics hold a retained event already")
        size = self._retained_bytes + retained.size - (old.size if old else 0)
        if size > self._limits.max_retained_bytes:
            raise Refused(
                QUOTA, f"retained events would hold more than {self._limits.max_retained_bytes} bytes"
            )
        self._retained[topic] = retained
        self._retained_bytes = size

    def forget(self, topic: str) -> None:
        """Drop the topic's retained event."""
        old = self._retained.pop(topic, None)
        if old is not None:
            self._retained_bytes -= old.size


def _details(subscription: Subscription, topic: str, details: dict[str, Any]) -> dict[str, Any]:
    """EVENT.Details for one subscription: with a pattern, only they tell the topic."""
    return details if subscription.match == "exact" else {**details, "topic": topic}


def _receivers(
    subscription: Subscription, publisher: Session | None, options: PublishOptions, topic: str
) -> Iterable[Listener]:
    listeners = subscription.listeners
    leave_out = options.exclude_me and publisher in listeners
    is_pattern = subscription.match != "exact"
    audience = Audience(options) if options.narrows() else None
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
        is_hidden = known[permissions] = permissions.hides(topic)
    return is_hidden


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


Lists = tuple[frozenset[Any] | None, frozenset[Any]]


def _lists(eligible: list[Any] | None, exclude: list[Any] | None) -> Lists:
    """As sets, since each is asked for every listener."""
    return None if eligible is None else frozenset(eligible), frozenset(exclude or ())


def _passes(value: Any, eligible: frozenset[Any] | None, exclude: frozenset[Any]) -> bool:
    return (eligible is None or value in eligible) and value not in exclude
