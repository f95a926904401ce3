"""The broker: subscriptions, and who receives a publication.

Every public method does all of its work or, raising, none of it. Rights are checked before (``realm``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from radiod.core.buffers import Buffer
from radiod.core.ids import Counter
from radiod.core.ports import Ids, Limits, Outbox
from radiod.core.sessions import Session
from radiod.errors import FEATURE_NOT_SUPPORTED, NO_SUCH_SUBSCRIPTION, QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.messages import PublishOptions, SubscribeOptions

__all__ = ["Broadcast", "Broker", "Listener", "Subscription"]

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
    """A topic that somebody listens to. ``listeners``: session -> listener, in order of subscribing."""

    __slots__ = ("id", "listeners", "topic")

    def __init__(self, id: int, topic: str) -> None:
        self.id = id
        self.topic = topic
        self.listeners: dict[Session, Listener] = {}


class Retained:
    """The last event of a topic that was published to be kept."""

    __slots__ = ("options", "payload", "publication")

    def __init__(self, publication: int, payload: Payload, options: PublishOptions) -> None:
        self.publication = publication
        self.payload = payload
        self.options = options


class Broker:
    """Subscriptions of one realm."""

    def __init__(self, outbox: Outbox, ids: Ids, limits: Limits) -> None:
        self._outbox = outbox
        self._ids = ids
        self._limits = limits
        self._subscription_ids = Counter()
        # topic -> subscription, exact match; the same objects by id are in each session's table.
        self._by_topic: dict[str, Subscription] = {}
        # topic -> its retained event, and their payload bytes
        self._retained: dict[str, Retained] = {}
        self._retained_bytes = 0

    def __len__(self) -> int:
        """Subscriptions with at least one listener."""
        return len(self._by_topic)

    def readers(self, topic: str) -> int:
        """How many sessions would receive an event on ``topic``."""
        subscription = self._by_topic.get(topic)
        return len(subscription.listeners) if subscription else 0

    def subscribe(self, session: Session, topic: str, options: SubscribeOptions) -> int:
        """Let ``session`` listen to ``topic``; again and again is the same subscription.

        Returns: the subscription id, shared by all who listen to the topic.
        Raises: Refused: ``feature_not_supported``, ``quota``.
        """
        if options.match != "exact":
            raise Refused(FEATURE_NOT_SUPPORTED, "pattern-based subscriptions are not supported")
        subscription = self._by_topic.get(topic)
        if subscription is None or session not in subscription.listeners:
            if len(session.subscriptions) >= self._limits.max_subscriptions:
                raise Refused(QUOTA, f"a session may hold {self._limits.max_subscriptions} subscriptions")
            if subscription is None:
                subscription = Subscription(self._subscription_ids.next(), topic)
                self._by_topic[topic] = subscription
            listener = Listener(session, subscription)
            subscription.listeners[session] = listener
            session.subscriptions[subscription.id] = listener
        return subscription.id

    def send_retained(self, session: Session, subscription_id: int) -> None:
        """Send the topic's retained event, if there is one the session may have, to that session alone."""
        listener = session.subscriptions[subscription_id]
        topic = listener.subscription.topic
        retained = self._retained.get(topic)
        if retained is not None and _is_eligible(session, retained.options):
            broadcast = Broadcast(
                subscription_id, retained.publication, topic, {"retained": True}, retained.payload
            )
            self._outbox.fan_out((listener,), broadcast)

    def unsubscribe(self, session: Session, subscription_id: int) -> None:
        """End one subscription of ``session``. Raises: Refused: ``no_such_subscription``."""
        listener = session.subscriptions.get(subscription_id)
        if listener is None:
            raise Refused(NO_SUCH_SUBSCRIPTION, f"no subscription {subscription_id} in this session")
        self._drop(listener)

    def leave(self, session: Session) -> None:
        """End every subscription of ``session``."""
        for listener in list(session.subscriptions.values()):
            self._drop(listener)

    def _drop(self, listener: Listener) -> None:
        subscription, session = listener.subscription, listener.session
        # The outbox may still hold the listener among those it owes something: it is owed nothing now.
        listener.buffer = None
        del session.subscriptions[subscription.id]
        del subscription.listeners[session]
        if not subscription.listeners:
            del self._by_topic[subscription.topic]

    def publish(
        self, publisher: Session | None, topic: str, payload: Payload, options: PublishOptions
    ) -> int:
        """Give one event to everybody who listens to ``topic``.

        Args:
            publisher: excluded from receiving, unless the options say otherwise; None: the router itself.
        Returns: the publication id.
        Raises: Refused: ``quota``: too many topics have a retained event already; nothing was delivered.
        """
        publication = self._ids.next()
        if options.retain:
            self._retain(topic, Retained(publication, payload, options))
        subscription = self._by_topic.get(topic)
        if subscription is not None:
            broadcast = Broadcast(subscription.id, publication, topic, {}, payload)
            self._outbox.fan_out(_receivers(subscription, publisher, options), broadcast)
        return publication

    def _retain(self, topic: str, retained: Retained) -> None:
        old = self._retained.get(topic)
        if old is None and len(self._retained) >= self._limits.max_retained_topics:
            raise Refused(QUOTA, f"{self._limits.max_retained_topics} topics hold a retained event already")
        size = self._retained_bytes + len(retained.payload) - (len(old.payload) if old else 0)
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
            self._retained_bytes -= len(old.payload)


def _receivers(
    subscription: Subscription, publisher: Session | None, options: PublishOptions
) -> Iterable[Listener]:
    listeners = subscription.listeners
    leave_out = options.exclude_me and publisher in listeners
    if options.narrows():
        return [
            listener
            for session, listener in listeners.items()
            if not (leave_out and session is publisher) and _is_eligible(session, options)
        ]
    if leave_out:
        return [listener for session, listener in listeners.items() if session is not publisher]
    return listeners.values()


def _is_eligible(session: Session, options: PublishOptions) -> bool:
    """Subscriber black- and whitelisting: on every given whitelist, on no blacklist."""
    principal = session.principal
    return (
        _passes(session.id, options.eligible, options.exclude)
        and _passes(principal.authid, options.eligible_authid, options.exclude_authid)
        and _passes(principal.authrole, options.eligible_authrole, options.exclude_authrole)
    )


def _passes(value: Any, eligible: list[Any] | None, exclude: list[Any] | None) -> bool:
    return (eligible is None or value in eligible) and (exclude is None or value not in exclude)
