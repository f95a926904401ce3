"""Patterns of logged topics that somebody listens to: their topics are found by their records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from radiod.core.cluster.appender import HAS_NOT
from radiod.core.cluster.log_stream import LogStream
from radiod.core.cluster.logged import Birth, Logged, decode
from radiod.core.cluster.ports import Failure, Stored
from radiod.core.cluster.realm_streams import RealmStreams
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.cluster.subjects import listened
from radiod.core.promises import Promise
from radiod.core.pubsub.broker import Broker
from radiod.core.uris import selects
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.wire.options import MatchPolicy

__all__ = ["LogPatterns"]

AGAIN_S: Final = 0.25
"""Between two questions to a stream that nobody leads."""

UNUSED_S: Final = 60.0
"""How long a pattern is followed that nobody listens to."""


class _Pattern:
    """A pattern of logged topics that is listened to.

    ``since``: stream -> its last record of the pattern when that began: what is above it has happened.
    """

    __slots__ = ("match", "missing", "since", "subject", "topic", "used", "waiting")

    def __init__(self, match: MatchPolicy, topic: str, subject: str, used: float) -> None:
        self.match: MatchPolicy = match
        self.topic = topic
        self.subject = subject
        self.used = used
        self.since: dict[str, int] = {}
        # Streams that have not told yet.
        self.missing: set[str] = set()
        self.waiting: list[Promise[None]] = []

    def takes(self, topic: str) -> bool:
        return selects(self.match, self.topic, topic)


class LogPatterns:
    """The patterns of one topic space.

    Args:
        place: of the space, in subjects; has: whether a topic is followed already; begin: follows one: from
            this record on it is new; None: it is not known from where on.
    """

    def __init__(
        self,
        realm: RealmStreams,
        place: str,
        histories: SharedHistories,
        broker: Broker,
        has: Callable[[str], bool],
        begin: Callable[[str, Stored | None], None],
    ) -> None:
        self._realm = realm
        self._place = place
        self._histories = histories
        self._broker = broker
        self._has = has
        self._begin = begin
        self._patterns: dict[tuple[MatchPolicy, str], _Pattern] = {}

    def __len__(self) -> int:
        """Patterns that are followed."""
        return len(self._patterns)

    def since(self, stream: str, topic: str) -> list[int]:
        """Where the listeners of each pattern that takes a topic have begun in a stream."""
        patterns = self._patterns.values()
        return [one.since[stream] for one in patterns if stream in one.since and one.takes(topic)]

    def happened(self, stream: str, topic: str, seq: int) -> None:
        """A topic is followed no more, whose records up to this have happened: they must not do so twice."""
        for pattern in self._patterns.values():
            if pattern.takes(topic):
                pattern.since[stream] = max(pattern.since.get(stream, 0), seq)

    def tidy(self, now: float) -> None:
        """Follow no more what nobody has listened to for long, and find what was missed of the rest."""
        for (match, topic), pattern in list(self._patterns.items()):
            if self._has_listeners(pattern) or pattern.waiting:
                pattern.used = now
            elif now >= pattern.used + UNUSED_S:
                del self._patterns[match, topic]
                self._realm.streams.unfollow(pattern.subject)
        self.look_for_unknown()

    def end(self) -> None:
        """The space is gone."""
        for pattern in self._patterns.values():
            self._realm.streams.unfollow(pattern.subject)
        self._patterns.clear()

    def ready(self, match: MatchPolicy, topic: str) -> Promise[None] | None:
        """Follow all logged topics that a pattern matches, whichever of them there are."""
        pattern = self._patterns.get((match, topic))
        if pattern is None:
            subject = listened(f"{self._realm.base}.*.topic.{self._place}", match, topic)
            pattern = _Pattern(match, topic, subject, self._realm.clock.seconds())
            self._patterns[match, topic] = pattern
            self._realm.streams.follow(subject)
            self._realm.tick_soon()
        elif not self._has_listeners(pattern) and not pattern.waiting:
            # What has happened since the last one left is not for the next one.
            pattern.since.clear()
        wanted = {stream.name: stream for stream in map(self._realm.stream_for, self._histories.kept())}
        missing = [stream for name, stream in wanted.items() if name not in pattern.since]
        if not missing:
            return None
        later: Promise[None] = Promise()
        pattern.waiting.append(later)
        pattern.missing.update(stream.name for stream in missing)
        for stream in missing:
            stream.when_open(partial(self._ask_since, pattern, stream))
        give_up = partial(later.settle, Refused(STORE_UNAVAILABLE, HAS_NOT))
        self._realm.timers.at(self._realm.clock.seconds() + self._realm.hold_s, give_up)
        return later

    def _has_listeners(self, pattern: _Pattern) -> bool:
        return self._broker.lookup(pattern.match, pattern.topic) is not None

    def _ask_since(self, pattern: _Pattern, stream: LogStream) -> None:
        """Learn where the pattern's listener begins in a stream."""

        def told(last: Stored | Failure | None) -> None:
            if isinstance(last, Failure):
                # Nobody leads it: nothing is stored now, and what is then is the listener's.
                self._realm.timers.at(self._realm.clock.seconds() + AGAIN_S, again)
                return
            pattern.since.setdefault(stream.name, 0 if last is None else last.seq)
            pattern.missing.discard(stream.name)
            if not pattern.missing:
                waiting, pattern.waiting = pattern.waiting, []
                for later in waiting:
                    later.settle(None)

        def again() -> None:
            if self._patterns.get((pattern.match, pattern.topic)) is pattern:
                self._ask_since(pattern, stream)

        root = f"{stream.root}.{self._place}"
        self._realm.streams.last(stream.name, listened(root, pattern.match, pattern.topic), told)

    def stored(self, record: Stored) -> bool:
        """A record came that no tail follows. Returns: whether it is of this space."""
        if not self._patterns:
            return False
        if not self._is_ours(record.subject):
            return False
        self._discover(record, record)
        return True

    def _discover(self, record: Stored, first: Stored | None) -> None:
        """Begin a topic that one learns of by a record, if a pattern of ours takes it."""
        found = decode(record.data)
        if isinstance(found, Logged | Birth):
            topic = found.topic
            is_new = not self._has(topic) and self.covers(topic)
            if is_new and self._histories.is_logged(topic):
                self._begin(topic, first)

    def _is_ours(self, subject: str) -> bool:
        # Behind the base come the kind of the stream, "topic", and the place.
        parts = subject[len(self._realm.base) + 1 :].split(".", 3)
        return len(parts) > 3 and parts[2] == self._place

    def covers(self, topic: str) -> bool:
        return any(pattern.takes(topic) for pattern in self._patterns.values())

    def look_for_unknown(self) -> None:
        """Look for topics of patterns whose first records nobody has told of."""
        for pattern in self._patterns.values():
            for stream in self._realm.opened():
                since = pattern.since.get(stream.name)
                if since is None:
                    continue
                subject = listened(f"{stream.root}.{self._place}", pattern.match, pattern.topic)
                self._realm.streams.last_many(stream.name, [subject], self._finder(since))

    def _finder(self, since: int) -> Callable[[list[Stored] | Failure], None]:
        def found(records: list[Stored] | Failure) -> None:
            if not isinstance(records, Failure):
                for record in records:
                    if record.seq > since:
                        self._discover(record, None)

        return found
