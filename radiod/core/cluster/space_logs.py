"""The logs of one topic space: where its events go, and what its histories are filled from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.appender import HAS_NOT
from radiod.core.cluster.log_patterns import LogPatterns
from radiod.core.cluster.log_stream import AGAIN_S, LogStream
from radiod.core.cluster.logged import Birth, Logged, encode
from radiod.core.cluster.ports import MOST_AT_ONCE, Appended, Failure, Stored
from radiod.core.cluster.realm_streams import RealmStreams
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.cluster.subjects import of_topic
from radiod.core.cluster.tails import MOST_HELD_BACK, Done, Pending, Tail
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.events import KeptEvent
from radiod.core.history.positions import Position
from radiod.core.history.written import write_details, write_options
from radiod.core.promises import Promise, gather
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.publishing import Publishing
from radiod.core.rights import Actor
from radiod.errors import CHANNEL_CLOSED, PAYLOAD_SIZE_EXCEEDED, STORE_UNAVAILABLE, Refused
from radiod.wire.options import MatchPolicy

__all__ = ["SpaceLogs", "ttl_of"]

LINGER_S: Final = 60.0
"""How long a topic is followed that nobody here wants any more."""

OWED_S: Final = 0.25
"""How long a record that is stored may take to come by itself."""

ENDS_S: Final = 2.0
"""How long it may take to find how far logs go."""

FOREVER_S: Final = 3650 * 86400.0
MARGIN_S: Final = 60.0
"""Records stay so much longer than their history says: clocks differ."""


class SpaceLogs:
    """The logs of one topic space: a ``Log``, ``TopicLogs`` and ``TailOwner``.

    ``called``: what its only topic is called in the log; empty: there are many, called by their names.
    """

    def __init__(
        self,
        realm: RealmStreams,
        place: str,
        histories: SharedHistories,
        publishing: Publishing,
        broker: Broker,
        called: str = "",
    ) -> None:
        self._realm = realm
        self._place = place
        self._called = called
        # topic -> where the log of what it is now begins: what is before was something else of this name
        self._births: dict[str, Position] = {}
        self._broker = broker
        self.histories = histories
        self.publishing = publishing
        self.clock = realm.clock
        self.tails: dict[str, Tail] = {}
        self.patterns = LogPatterns(
            realm, place, histories, broker, self.tails.__contains__, self._discovered
        )

    # --- Log

    def append(self, record: KeptEvent, done: Done) -> None:
        """As ``Log.append``."""
        tail = self._tail(record.topic)
        tail.used = self.clock.seconds()
        if tail.is_ready:
            self.send(tail, record, done)
        elif len(tail.held_back) < MOST_HELD_BACK:
            tail.held_back.append(Pending(record, done))
        else:
            raise Refused(STORE_UNAVAILABLE, "too much waits for the log: it did not happen")

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """As ``Log.trim``: streams do that by themselves."""

    def forget(self, topic: str) -> None:
        """As ``Log.forget``: on all nodes. Of those who know that a topic is gone one is to say so."""
        tail = self.tails.get(topic)
        history = None if tail is None else tail.history
        self.close(topic)
        if history is not None and tail is not None:
            self._realm.streams.purge(tail.stream.name, tail.subject, _purged)

    # --- TopicLogs

    def ready(self, topic: str, match: MatchPolicy, after: Position | None) -> Promise[None] | None:
        """As ``Histories.ready``."""
        if match != "exact":
            return self.patterns.ready(match, topic)
        return self._tail(topic).ready(after) if self.histories.is_logged(topic) else None

    def close(self, topic: str) -> None:
        """As ``TopicLogs.close``."""
        tail = self.tails.pop(topic, None)
        if tail is not None:
            if tail.last is not None:
                self.patterns.happened(tail.stream.name, topic, tail.last.seq)
            self._unfollow(tail)
            tail.close(Refused(CHANNEL_CLOSED, f"channel {topic} is closed"))

    def begin(self, topic: str, at: Position | None) -> None:
        """Only what the log has from here on is the topic's; None: all of it."""
        if at is None:
            self._births.pop(topic, None)
        else:
            self._births[topic] = at

    def _first(self, tail: Tail) -> int:
        at = self._births.get(tail.topic)
        return 0 if at is None or at.epoch != tail.stream.epoch else at.seq

    # --- TailOwner

    def actor(self, session: int) -> Actor | None:
        """As ``TailOwner.actor``."""
        return self._realm.actor(session)

    def note_malformed(self) -> None:
        """As ``TailOwner.note_malformed``."""
        self._realm.note_malformed()

    def past_until(self, tail: Tail, first: int) -> int:
        """As ``TailOwner.past_until``."""
        return min([first, *self.patterns.since(tail.stream.name, tail.topic)])

    def bear(self, tail: Tail) -> None:
        """As ``TailOwner.bear``."""

        def done(outcome: Appended | Failure) -> None:
            if isinstance(outcome, Failure) and outcome is not Failure.TAKEN:
                self._realm.timers.at(self.clock.seconds() + OWED_S, again)
            elif isinstance(outcome, Appended):
                self._owe(tail, outcome.seq)

        def again() -> None:
            if not (tail.is_closed or tail.is_ready):
                self.bear(tail)

        data = encode(Birth(self._called or tail.topic))
        # It is to go before any event does.
        ttl_s = ttl_of(tail.history.keep)
        self._realm.streams.append(tail.stream.name, tail.subject, data, done, expected=0, ttl_s=ttl_s)

    def catch_up(self, tail: Tail) -> None:
        """As ``TailOwner.catch_up``."""

        self._look_at_end(tail)
        now, refusal = self.clock.seconds(), Refused(STORE_UNAVAILABLE, HAS_NOT)
        self._realm.timers.at(now + self._realm.hold_s, lambda: tail.stop_catching(now, refusal))

    def _look_at_end(self, tail: Tail) -> None:
        def agreed() -> None:
            if tail.followed is not None and tail.is_ready:
                self._realm.follower.catch_up(tail.followed, caught_up)

        def caught_up() -> None:
            if not tail.caught_up() and not tail.is_looking:
                tail.is_looking = True
                self._realm.timers.at(self.clock.seconds() + AGAIN_S, again)

        def again() -> None:
            tail.is_looking = False
            if tail.catching and not tail.is_closed:
                self._look_at_end(tail)

        tail.stream.agree(agreed)

    def send(self, tail: Tail, record: KeptEvent, done: Done) -> None:
        """As ``TailOwner.send``."""
        realm, payload, keep = self._realm, record.payload, tail.history.keep
        id = realm.next_id()
        data = encode(
            Logged(
                id,
                self._called or record.topic,
                record.publication,
                record.publisher,
                record.role,
                record.time,
                payload.codec.name,
                payload.args,
                payload.kwargs,
                write_options(record.options),
                write_details(record.details),
                record.is_end_mark,
            )
        )
        if len(data) > realm.max_bytes:
            raise Refused(PAYLOAD_SIZE_EXCEEDED, f"the log takes {realm.max_bytes} bytes with all details")
        tail.pending[id] = Pending(record, done)
        try:
            tail.stream.appender.append(
                tail.subject,
                data,
                id,
                lambda outcome: self._appended(tail, id, outcome),
                ttl_of(keep),
                record.publisher,
            )
        except Refused:
            del tail.pending[id]
            raise

    def _appended(self, tail: Tail, id: str, outcome: Appended | Refused) -> None:
        """The log has an event of ours, or has not: it happens when it comes."""
        if isinstance(outcome, Appended):
            tail.stored_at(id, outcome.seq)
            self._owe(tail, outcome.seq)
            return
        pending = tail.pending.pop(id, None)
        if pending is not None:
            pending.done(outcome)

    def _owe(self, tail: Tail, seq: int) -> None:
        """A record is stored that should come by itself."""
        if tail.followed is not None and seq > tail.followed.last:
            tail.owed = max(tail.owed, seq)
            if not tail.is_owed:
                tail.is_owed = True
                self._realm.timers.at(self.clock.seconds() + OWED_S, lambda: self._claim(tail))

    def _claim(self, tail: Tail) -> None:
        tail.is_owed = False
        if tail.followed is not None and not tail.is_closed:
            self._realm.follower.expect(tail.followed, tail.owed)

    # --- tails

    def stored(self, record: Stored) -> bool:
        """A record came that no tail follows. Returns: whether it is of this space."""
        return self.patterns.stored(record)

    def _discovered(self, topic: str, first: Stored | None) -> None:
        self._tail(topic, first)

    def _tail(self, topic: str, first: Stored | None = None) -> Tail:
        """That of a logged topic, which begins now if it has not."""
        tail = self.tails.get(topic)
        if tail is None:
            history = self.histories.find(topic)
            assert history is not None
            assert history.is_logged
            stream = self._realm.stream_for(history.keep)
            subject = of_topic(f"{stream.root}.{self._place}", self._called or topic)
            tail = self.tails[topic] = Tail(self, topic, subject, history, stream)
            self._begin(tail, first)
            self._realm.tick_soon()
        return tail

    def _begin(self, tail: Tail, first: Stored | None) -> None:
        realm = self._realm

        def follow() -> None:
            if not tail.is_closed:
                tail.first = self._first(tail)
                tail.followed = realm.follower.follow(
                    tail.stream.name, tail.subject, tail, tail.stream.most, first
                )

        tail.stream.when_open(follow)
        if not tail.is_ready:
            realm.timers.at(self.clock.seconds() + realm.hold_s, lambda: self._give_up(tail))

    def _give_up(self, tail: Tail) -> None:
        """The past did not come in time: who waits is told, and it is tried on."""
        if not (tail.is_ready or tail.is_closed):
            tail.give_up(Refused(STORE_UNAVAILABLE, HAS_NOT))
            self._realm.timers.at(self.clock.seconds() + self._realm.hold_s, lambda: self._give_up(tail))

    def begin_anew(self, tail: Tail) -> None:
        """Its stream has a new epoch."""
        tail.reset()
        self._unfollow(tail)
        self._begin(tail, None)

    def _unfollow(self, tail: Tail) -> None:
        if tail.followed is not None:
            self._realm.follower.unfollow(tail.followed)
            tail.followed = None

    def tidy(self, now: float) -> None:
        """Follow no more what nobody has wanted for long."""
        for topic, tail in list(self.tails.items()):
            if not tail.is_idle or self._broker.matching(topic):
                tail.used = now
            elif now >= tail.used + LINGER_S:
                del self.tails[topic]
                self._unfollow(tail)
                tail.close(Refused(STORE_UNAVAILABLE, HAS_NOT))
        self.patterns.tidy(now)

    # --- how far they go

    def has_read(self, topic: str) -> bool:
        """Whether this node has what the log of a topic has."""
        tail = self.tails.get(topic)
        return tail is not None and tail.is_ready

    def ends(self, topics: list[str], found: Callable[[str, Position], None]) -> Promise[None] | None:
        """Find the ends of those topics' logs that this node has not read, as some replica has them.

        Returns: kept when ``found`` was called with each that there is, or it took too long; None: there is
            nothing to find.
        """
        by_stream: dict[LogStream, dict[str, str]] = {}
        for topic in topics:
            history = self.histories.find(topic)
            if history is not None and history.is_logged and not self.has_read(topic):
                stream = self._realm.stream_for(history.keep)
                subject = of_topic(f"{stream.root}.{self._place}", self._called or topic)
                by_stream.setdefault(stream, {})[subject] = topic
        waits = [
            self._find_ends(stream, dict(some), found)
            for stream, all in by_stream.items()
            for some in _pages(list(all.items()))
        ]
        return gather(waits)

    def _find_ends(
        self, stream: LogStream, subjects: dict[str, str], found: Callable[[str, Position], None]
    ) -> Promise[None]:
        done: Promise[None] = Promise()

        def told(records: list[Stored] | Failure) -> None:
            for record in [] if isinstance(records, Failure) else records:
                if record.subject in subjects:
                    found(subjects[record.subject], Position(stream.epoch, record.seq))
            done.settle(None)

        def ask() -> None:
            self._realm.streams.last_many(stream.name, list(subjects), told)

        stream.when_open(ask)
        self._realm.timers.at(self.clock.seconds() + ENDS_S, lambda: done.settle(None))
        return done

    def make_ready(self, topic: str) -> Promise[None] | None:
        """Have the log of a topic read here, or begun if it has nothing yet.

        Returns: kept when it is, or it took too long; None: there is nothing to wait for.
        """
        history = self.histories.find(topic)
        ready = None if history is None or not history.is_logged else self.histories.ready(topic)
        if ready is None:
            return None
        done: Promise[None] = Promise()
        ready.then(lambda _: done.settle(None))
        self._realm.timers.at(self.clock.seconds() + ENDS_S, lambda: done.settle(None))
        return done

    def end(self) -> None:
        """The space is gone."""
        for topic in list(self.tails):
            self.close(topic)
        self.patterns.end()


def _pages(all: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    return [all[start : start + MOST_AT_ONCE] for start in range(0, len(all), MOST_AT_ONCE)]


def ttl_of(keep: HistoryBounds) -> float:
    """How long a record stays; 0: for ever."""
    return 0.0 if keep.seconds >= FOREVER_S else keep.seconds + MARGIN_S


def _purged(failure: Failure | None) -> None:
    """What could not be purged goes by its age and number."""
