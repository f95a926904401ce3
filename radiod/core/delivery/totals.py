"""What went through each public topic of one realm since the server began, for whoever watches the server.

There are bounds: a client may name as many topics as it likes. What has no room counts as the rest.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

__all__ = ["MAX_TOPICS", "Total", "Totals"]

MAX_TOPICS: Final = 20_000


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
