"""Events that topics keep for late listeners: one each, and how much they take together.

Source: WAMP specification, "Event Retention".
"""

from __future__ import annotations

from typing import Any

from radiod.core.limits import Limits
from radiod.core.pubsub.audience import Audience
from radiod.core.rights import Actor
from radiod.errors import QUOTA, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

__all__ = ["Retained", "Retention", "retained_size"]


class Retained:
    """The last event of a topic that was published to be kept.

    ``excluded``: id of the session that published it, if it may not receive it: the event outlives sessions;
    ``size``: what it counts for, in bytes.
    """

    __slots__ = ("_audience", "details", "excluded", "options", "payload", "publication", "size")

    def __init__(
        self,
        publication: int,
        publisher: Actor | None,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> None:
        self.publication = publication
        self.excluded = publisher.id if publisher is not None and options.exclude_me else None
        self.payload = payload
        self.options = options
        self._audience = Audience(options)
        self.details = details
        self.size = retained_size(payload, options)

    def is_for(self, session: Actor) -> bool:
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
