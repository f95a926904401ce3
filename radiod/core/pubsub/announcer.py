"""The router's own events: about sessions, subscriptions, registrations, channels and itself."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from radiod.core.disclosure import NO_DETAILS
from radiod.core.ids import Ids
from radiod.core.pubsub.broker import Broker
from radiod.core.sight import MayKnow, blind, may_know
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["Announcer"]

EVERYBODY: Final = PublishOptions()


class Announcer:
    """Publishes the router's events in one realm. ``broker``: that of everything public."""

    def __init__(self, broker: Broker, ids: Ids) -> None:
        self._broker = broker
        self._ids = ids

    def has_listeners(self, topic: str) -> bool:
        """Whether anybody listens to a topic of everything public."""
        return bool(self._broker.matching(topic))

    def announce(
        self,
        topic: str,
        *args: Any,
        options: PublishOptions = EVERYBODY,
        broker: Broker | None = None,
        about: str | None = None,
        may_know: MayKnow = may_know,
    ) -> None:
        """Publish one event; costs next to nothing while nobody listens to the topic.

        Args:
            options: to whom; everybody, unless they say otherwise.
            broker: whose listeners; those of everything public, unless it is given.
            about: the event tells of this URI: it is for those who, by ``may_know``, may know of it.
        """
        broker = self._broker if broker is None else broker
        if found := broker.matching(topic):
            if about is not None:
                listeners = (session for one in found for session in one.listeners)
                options = replace(options, exclude=blind(listeners, may_know, about) or None)
            broker.publish(self._ids.next(), None, topic, Payload.of(*args), options, NO_DETAILS)
