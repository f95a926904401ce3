"""Event history: the last events of the topics that are configured to keep them.

Each topic's events are bounded by number, age and bytes; the oldest go first. Events that were published to,
or kept from, certain sessions are never kept: session ids mean nothing later.

Source: WAMP specification, "Event History".
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Any

from msgspec import Struct

from radiod.core.ports import Clock
from radiod.core.uris import is_pattern, matches
from radiod.wire.codecs import Payload
from radiod.wire.messages import PublishOptions

__all__ = ["Histories", "Keep", "Record"]


class Keep(Struct, frozen=True, kw_only=True):
    """How much of a topic's past is kept: at most ``size`` events, ``seconds`` old, ``bytes`` of payload."""

    size: int
    seconds: float
    bytes: int


class Record:
    """One event that was kept.

    ``time``: seconds since 1970 in whole milliseconds, as it is told; ``order`` counts the realm's records.
    """

    __slots__ = ("details", "options", "order", "payload", "publication", "time", "topic")

    def __init__(
        self,
        order: int,
        time: float,
        topic: str,
        publication: int,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> None:
        self.order = order
        self.time = time
        self.topic = topic
        self.publication = publication
        self.payload = payload
        self.options = options
        self.details = details


class History:
    """The past of one topic, oldest first."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._bytes = 0
        self.records: deque[Record] = deque()

    def add(self, record: Record) -> None:
        """Keep one more event."""
        self.records.append(record)
        self._bytes += len(record.payload)
        self.expire(record.time)

    def expire(self, now: float) -> None:
        """Drop what is beyond the bounds."""
        records, keep = self.records, self._keep
        while records and (
            len(records) > keep.size or self._bytes > keep.bytes or records[0].time < now - keep.seconds
        ):
            self._bytes -= len(records.popleft().payload)


class Histories:
    """The histories of one realm.

    ``max_topics`` bounds their number; the topic that was silent longest makes room.
    """

    def __init__(self, clock: Clock, max_topics: int) -> None:
        self._clock = clock
        self._max_topics = max_topics
        self._orders = count(1)
        # topic, and pattern of topics -> what is kept
        self._exact: dict[str, Keep] = {}
        self._patterns: dict[str, Keep] = {}
        # topic -> what is kept of it, for topics asked about lately
        self._wanted: dict[str, Keep | None] = {}
        # topic -> its past, in order of the last event
        self._histories: dict[str, History] = {}

    def keep(self, pattern: str, keep: Keep) -> None:
        """Keep events of a topic, or of every topic that a pattern matches and no exact name does."""
        (self._patterns if is_pattern(pattern) else self._exact)[pattern] = keep
        self._wanted.clear()

    def wanted(self, topic: str) -> Keep | None:
        """What is kept of ``topic``; None: nothing."""
        if topic in self._exact or not self._patterns:
            return self._exact.get(topic)
        if topic not in self._wanted:
            if len(self._wanted) >= self._max_topics:
                self._wanted.clear()
            keeps = (keep for pattern, keep in self._patterns.items() if matches(pattern, topic))
            self._wanted[topic] = next(keeps, None)
        return self._wanted[topic]

    def record(
        self,
        topic: str,
        publication: int,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> None:
        """Note an event, if its topic keeps any and it may be kept."""
        keep = self.wanted(topic)
        if keep is None or options.exclude is not None or options.eligible is not None:
            return
        history = self._histories.pop(topic, None) or History(keep)
        time = round(self._clock.time(), 3)
        history.add(Record(next(self._orders), time, topic, publication, payload, options, details))
        # An event that is longer than all that may be kept leaves nothing.
        if history.records:
            self._histories[topic] = history
            if len(self._histories) > self._max_topics:
                del self._histories[next(iter(self._histories))]

    def of(self, topic: str) -> list[Record]:
        """What is held of one topic, oldest first."""
        history = self._histories.get(topic)
        if history is None:
            return []
        history.expire(self._clock.time())
        if not history.records:
            del self._histories[topic]
        return list(history.records)

    def topics(self) -> list[str]:
        """The topics that hold events; these may have grown too old since."""
        return list(self._histories)

    def drop(self, topic: str) -> None:
        """Drop the past of one topic, and keep no more of it than a pattern asks for."""
        self._exact.pop(topic, None)
        self.forget(topic)

    def forget(self, topic: str) -> None:
        """Drop the past of one topic."""
        self._histories.pop(topic, None)
