"""What became of events since the server began: of all of one broker, and of each public topic of one realm.

The latter is for whoever watches the server, and has bounds: a client may name as many topics as it likes.
What has no room counts as the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from radiod.core.delivery.settings import POLICIES, Policy

__all__ = ["MAX_TOPICS", "Tally", "Total", "Totals"]

MAX_TOPICS: Final = 20_000


class Tally:
    """Counts what became of events, one for each listener; bytes are those of their payload.

    ``delivered``, ``delivered_bytes``: given to its connection, up to the last ``Readerships.settle``;
    ``queued``, ``queued_bytes``: waiting in its buffer; ``by_policy``: lost; ``undeliverable``: lost, since
    its form has no word for it, or it is too long for the listener; ``overtaken``: lost, since the history
    dropped it before a listener that came back read it; ``conflated``: replaced by a newer one while it
    waited, and ``skipped``: left out by ``every``, as the listener wished.
    """

    __slots__ = (
        "by_policy",
        "conflated",
        "delivered",
        "delivered_bytes",
        "overtaken",
        "queued",
        "queued_bytes",
        "skipped",
        "undeliverable",
    )

    def __init__(self) -> None:
        self.delivered = 0
        self.delivered_bytes = 0
        self.by_policy: dict[Policy, int] = dict.fromkeys(POLICIES, 0)
        self.undeliverable = 0
        self.overtaken = 0
        self.conflated = 0
        self.skipped = 0
        self.queued = 0
        self.queued_bytes = 0

    @property
    def lost(self) -> int:
        """All that was lost, by any policy."""
        return sum(self.by_policy.values())


class Total:
    """Events of one topic. ``dropped``: that listeners lost; ``is_told``: somebody has read it."""

    __slots__ = ("delivered", "dropped", "is_told", "published")

    def __init__(self) -> None:
        self.published = 0
        self.delivered = 0
        self.dropped = 0
        self.is_told = False

    @property
    def all(self) -> tuple[int, int, int]:
        """``published``, ``delivered``, ``dropped``."""
        return self.published, self.delivered, self.dropped


class Totals:
    """All of one realm. ``by_topic``: topic, or pattern that somebody listens to -> its total;
    ``rest``: of what has no room there.
    """

    __slots__ = ("_max_topics", "by_topic", "rest")

    def __init__(self, max_topics: int = MAX_TOPICS) -> None:
        self.by_topic: dict[str, Total] = {}
        self.rest = Total()
        self._max_topics = max_topics

    def of(self, topic: str) -> Total:
        """Where to count now: whoever counts asks each time, since ``shrink`` may take it away."""
        total = self.by_topic.get(topic)
        if total is None:
            if len(self.by_topic) >= self._max_topics:
                return self.rest
            total = self.by_topic[topic] = Total()
        return total

    @property
    def is_full(self) -> bool:
        """Whether topics that come now are the rest."""
        return len(self.by_topic) >= self._max_topics

    def shrink(self, kept: Collection[str]) -> None:
        """Count all but these as the rest from now on."""
        rest = self.rest
        for topic in [topic for topic in self.by_topic if topic not in kept]:
            total = self.by_topic.pop(topic)
            rest.published += total.published
            rest.delivered += total.delivered
            rest.dropped += total.dropped
