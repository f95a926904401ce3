"""Retained events of one realm on all nodes: one record of a stream for each topic, the last one counts.

Whoever publishes one sends it like any event, and has it stored. A node keeps those that it sees, as a node
that is alone does, and looks into the stream when a late listener asks: there is what it has not seen. An
event that it has seen a moment ago may be on its way into the stream, and is not replaced by an older one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.envelope import Crossing, decode, encode
from radiod.core.cluster.places import Places
from radiod.core.cluster.ports import Appended, Failure, Stored, Streams
from radiod.core.cluster.subjects import escape, listened, of_topic
from radiod.core.promises import Promise
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.retention import Retained
from radiod.core.timers import Clock, Timers
from radiod.core.uris import is_reserved, selects
from radiod.errors import Refused
from radiod.wire.options import MatchPolicy

__all__ = ["RetainedRecords"]

FRESH_S: Final = 2.0
"""Seconds for which an event that was seen may be on its way into the stream."""

AGAIN_S: Final = 0.5
"""Seconds after which is stored, or read, again what failed."""

HOLD_S: Final = 15.0
"""Seconds for which an event is tried to be stored; then others do not get it, if nobody stores it anew."""

PATIENCE_S: Final = 3.0
"""Seconds for which a late listener waits for what a replica that lags behind does not have."""

PAGE: Final = 200
"""Records read at once."""

MAX_WAITING: Final = 10_000
"""Topics whose event waits to be stored."""


class Waiting:
    """An event that is to be stored; ``until``: when that is given up."""

    __slots__ = ("data", "until")

    def __init__(self, data: bytes, until: float) -> None:
        self.data = data
        self.until = until


class Fetching:
    """What one late listener waits for. ``end``: the number up to which is read, None: not known yet."""

    __slots__ = ("after", "asked", "done", "end", "match", "topic", "until")

    def __init__(self, match: MatchPolicy, topic: str, now: float) -> None:
        self.match: MatchPolicy = match
        self.topic = topic
        self.asked = now
        self.until = now + PATIENCE_S
        self.after = 0
        self.end = 0
        self.done: Promise[None] = Promise()


class RetainedRecords:
    """The retained events of one realm, by place. ``lost``: events that could not be stored.

    ``places``, ``note_malformed``: set before any event.
    """

    places: Places
    note_malformed: Callable[[], object]

    def __init__(
        self, realm: str, prefix: str, stream: str, streams: Streams, clock: Clock, timers: Timers
    ) -> None:
        self._root = f"{prefix}.retained.{escape(realm)}"
        self._stream = stream
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._waiting: dict[str, Waiting] = {}
        # topic -> when its event was last seen here; only the fresh ones.
        self._seen: dict[str, float] = {}
        self.lost = 0

    # --- storing

    def saw(self, topic: str) -> None:
        """An event to be retained was published here, or came."""
        now = self._clock.seconds()
        self._seen.pop(topic, None)
        self._seen[topic] = now
        while (oldest := next(iter(self._seen))) != topic and self._seen[oldest] < now - FRESH_S:
            del self._seen[oldest]

    def store(self, crossing: Crossing) -> None:
        """Have an event stored that was published here, in the place of the topic's last one."""
        topic = crossing.topic
        old = self._waiting.get(topic)
        if old is None and len(self._waiting) >= MAX_WAITING:
            self.lost += 1
            return
        waiting = Waiting(encode(crossing), self._clock.seconds() + HOLD_S)
        self._waiting[topic] = waiting
        if old is None:
            self._append(topic, waiting)

    def _append(self, topic: str, waiting: Waiting) -> None:
        self._streams.append(
            self._stream,
            of_topic(self._root, topic),
            waiting.data,
            lambda outcome: self._appended(topic, waiting, outcome),
        )

    def _appended(self, topic: str, waiting: Waiting, outcome: Appended | Failure) -> None:
        latest = self._waiting[topic]
        if not isinstance(outcome, Failure):
            if latest is waiting:
                del self._waiting[topic]
            else:
                # One behind another: several on their way may be stored in another order.
                self._append(topic, latest)
        elif self._clock.seconds() >= latest.until:
            del self._waiting[topic]
            self.lost += 1
        else:
            # Whatever is on its way still, through a server that this node has left, is to be stored before.
            self._timers.at(
                self._clock.seconds() + AGAIN_S, lambda: self._append(topic, self._waiting[topic])
            )

    def pending(self, wanted: list[tuple[MatchPolicy, str]]) -> list[bytes]:
        """The events among those that are wanted, at most ``PAGE``, that are not stored yet."""
        return [
            waiting.data
            for topic, waiting in self._waiting.items()
            if any(selects(match, pattern, topic) for match, pattern in wanted)
        ][:PAGE]

    def forget(self, topic: str) -> None:
        """A topic has ended: nothing is retained of it."""
        stream, subject = self.where(topic)
        self._streams.purge(stream, subject, lambda failure: None)

    def where(self, topic: str) -> tuple[str, str]:
        """The stream and the subject of what is retained of a topic."""
        return self._stream, of_topic(self._root, topic)

    # --- fetching

    def fetch(self, match: MatchPolicy, topic: str) -> Promise[None]:
        """Have here what is retained of a topic, or pattern; also kept when it cannot be had."""
        fetching = Fetching(match, topic, self._clock.seconds())
        self._streams.last(
            self._stream,
            listened(self._root, match, topic),
            lambda found: self._found_last(fetching, found),
        )
        return fetching.done

    def _found_last(self, fetching: Fetching, found: Stored | Failure | None) -> None:
        if isinstance(found, Failure):
            # What has been seen is better than nothing.
            fetching.done.settle(None)
        elif found is None or fetching.match == "exact":
            if found is not None:
                self._take(fetching, found)
            elif fetching.match == "exact" and self._is_stale(fetching, fetching.topic):
                self._drop(fetching.topic)
            fetching.done.settle(None)
        else:
            fetching.end = found.seq
            self._read(fetching)

    def _read(self, fetching: Fetching) -> None:
        self._streams.read(
            self._stream,
            listened(self._root, fetching.match, fetching.topic),
            fetching.after,
            PAGE,
            lambda found: self._read_page(fetching, found),
        )

    def _read_page(self, fetching: Fetching, found: list[Stored] | Failure) -> None:
        page = [] if isinstance(found, Failure) else found
        for record in page:
            self._take(fetching, record)
            fetching.after = max(fetching.after, record.seq)
        now = self._clock.seconds()
        if fetching.after >= fetching.end or now >= fetching.until:
            fetching.done.settle(None)
        elif page:
            self._read(fetching)
        else:
            self._timers.at(now + AGAIN_S, lambda: self._read(fetching))

    def _take(self, fetching: Fetching, record: Stored) -> None:
        crossing = decode(record.data)
        if not isinstance(crossing, Crossing):
            self.note_malformed()
            return
        topic = crossing.topic
        is_wanted = selects(fetching.match, fetching.topic, topic) and not is_reserved(topic)
        if is_wanted and self._is_stale(fetching, topic):
            self.take(crossing)

    def _is_stale(self, fetching: Fetching, topic: str) -> bool:
        """Whether what is retained here is not newer than what is stored."""
        seen = self._seen.get(topic)
        return seen is None or seen < fetching.asked - FRESH_S

    def _drop(self, place: str) -> None:
        topic = self.places.at(place)
        if topic is not None:
            # What is stored stays.
            Broker.forget(topic.broker, topic.topic)

    def take(self, crossing: Crossing) -> None:
        """Retain an event that was stored, or is about to be; one that has no room here is left out."""
        topic = self.places.at(crossing.topic)
        if topic is None:
            return  # of a private channel for which nobody has come here
        broker, name = topic
        retained = Retained(
            crossing.publication, None, crossing.payload(), crossing.narrowed(), crossing.told()
        )
        old = broker.retained.get(name)
        if old is not None and old.publication == retained.publication:
            return
        self._drop(crossing.topic)
        try:
            broker.resume(name, retained)
        except Refused:
            self.lost += 1
