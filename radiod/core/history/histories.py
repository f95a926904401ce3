"""Event history: how topics count their events, and the last events of those configured to keep them.

A topic that is *tracked* counts its events from 1, and each event tells its place (``positions``). What is
kept is bounded for each topic by number, age and bytes; the oldest go first. Who asks to go on behind a
position gets everything that came after it, or is told that this is not to be had any more.

Events that were published to, or kept from, certain sessions are kept with these lists; since session ids
mean nothing later, only ``replay`` goes by them, and no other answer holds such events.

Source: WAMP specification, "Event History"; positions as in Mercure and Centrifugo.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from itertools import count
from operator import attrgetter
from typing import Any, Final

from radiod.core.budgets.bounds import Bounds
from radiod.core.history.keep import NOTHING, Keep
from radiod.core.history.positions import Position
from radiod.core.history.room import RECORD_BYTES, Room
from radiod.core.ports import Clock, Ids, Journal
from radiod.core.uris import is_pattern, matches
from radiod.errors import Exceeded
from radiod.wire.codecs import Codec, Payload, Undecodable
from radiod.wire.messages import PublishOptions

__all__ = ["Damaged", "Histories", "History", "Keep", "Record"]

EPOCH_CHARACTERS: Final = 12

SWEEP_S: Final = 10.0
"""Seconds between two looks through all durable histories for what is too old."""

COMPACT_ABOVE: Final = 64
"""Dropped records leave holes in front; above this many, when they are the majority, the holes are closed."""


class Record:
    """One event that was kept.

    ``time``: seconds since 1970 in whole milliseconds, as it is told; ``since``: when that was, in monotonic
    seconds, for its age: the clock may have been set since; ``order`` counts the realm's records;
    ``publisher``: the session's id, 0 when it means nothing any more; ``role``: its role, where the journal
    is to know; ``size``: what it counts for, in bytes.
    """

    __slots__ = (
        "details",
        "epoch",
        "options",
        "order",
        "payload",
        "publication",
        "publisher",
        "role",
        "seq",
        "since",
        "size",
        "time",
        "topic",
    )

    def __init__(
        self,
        *,
        order: int,
        time: float,
        since: float,
        topic: str,
        epoch: str,
        seq: int,
        publication: int,
        publisher: int,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        role: str = "",
    ) -> None:
        self.role = role
        self.order = order
        self.time = time
        self.since = since
        self.topic = topic
        self.epoch = epoch
        self.seq = seq
        self.publication = publication
        self.publisher = publisher
        # Its own, though of the same bytes: the live one keeps what it is transcoded to.
        self.payload = type(payload)(payload.codec, payload.args, payload.kwargs)
        self.options = options
        self.size = len(payload) + options.lists_size()
        self.details = details

    @property
    def position(self) -> Position:
        """The event's own: who has received it is there."""
        return Position(self.epoch, self.seq)

    def told(self) -> dict[str, Any]:
        """EVENT.Details, with the position of the event."""
        return {**self.details, "_seq": self.seq, "_epoch": self.epoch}

    def fresh_payload(self) -> Payload:
        """Its payload as one of its own, so that what it is transcoded to goes with it."""
        payload = self.payload
        return type(payload)(payload.codec, payload.args, payload.kwargs)

    @property
    def names_sessions(self) -> bool:
        """Whether it was published to, or kept from, certain sessions."""
        return self.options.exclude is not None or self.options.eligible is not None


class Damaged(Payload):
    """A payload whose bytes cannot be believed any more: it cannot be said to anybody, so all lose it."""

    def parts(self, codec: Codec) -> tuple[bytes, bytes]:
        raise Undecodable("it is damaged in the store")

    def values(self) -> tuple[list[Any], dict[str, Any]]:
        raise Undecodable("it is damaged in the store")


_SEQ: Final = attrgetter("seq")


class History:
    """The count of one topic's events, and its past.

    Records have an index that never changes: the first one ever had 0, ``first`` is that of the oldest one
    held, ``end`` that of the next one to come. ``seq`` is that of the last event, kept or not; ``assigned``
    may be ahead of it where events are on their way to the journal. Numbers of those that fail there are
    never used again.
    """

    __slots__ = (
        "_bytes",
        "_hole",
        "_records",
        "assigned",
        "epoch",
        "first",
        "is_dropped",
        "is_ranked",
        "keep",
        "on_way",
        "pattern",
        "pool",
        "room",
        "seq",
        "spoiled",
        "topic",
        "unheld",
    )

    def __init__(
        self, topic: str, keep: Keep, epoch: str, pattern: str = "", room: Room | None = None
    ) -> None:
        self.topic = topic
        self.keep = keep
        self.epoch = epoch
        # The pattern of the configuration that has it kept; and the room it shares with others so kept.
        self.pattern = ""
        self.room: Room | None = None
        # The room's: whether it has an entry in its heap.
        self.is_ranked = False
        # Where it waits to make room for others; None: it does not.
        self.pool: dict[str, History] | None = None
        # Events that are on their way to the journal.
        self.on_way = 0
        self.seq = 0
        self.assigned = 0
        # The last event that is lost though it is within the bounds: who came so far has not missed it.
        self.spoiled = 0
        # No event up to this one is held: who has come as far has missed none that is not.
        self.unheld = 0
        self.first = 0
        self.is_dropped = False
        self._bytes = 0
        # How many records in front of the list are gone.
        self._hole = 0
        self._records: list[Any] = []

    @property
    def position(self) -> Position:
        """That of the last event."""
        return Position(self.epoch, self.seq)

    @property
    def end(self) -> int:
        """Index of the next record to come."""
        return self.first + len(self._records) - self._hole

    def __len__(self) -> int:
        return len(self._records) - self._hole

    def at(self, index: int) -> Record:
        """The record of that index, ``first`` up to but not including ``end``."""
        record: Record = self._records[self._hole + index - self.first]
        return record

    def since(self, index: int) -> Iterator[Record]:
        """The records held from that index on, oldest first."""
        for at in range(max(index, self.first), self.end):
            yield self.at(at)

    def after(self, position: Position) -> tuple[int, bool]:
        """Where to go on behind ``position``.

        Returns: the index of the next record, or of the oldest one held if more may have been between; and
            whether nothing that came after the position is missing.
        """
        if position.epoch != self.epoch or not self.unheld <= position.seq <= self.seq:
            return self.first, False
        at = bisect_right(self._records, position.seq, self._hole, key=_SEQ)
        return self.first + at - self._hole, position.seq >= self.spoiled

    def begin(self, at: Position, records: list[Record]) -> None:
        """Go on behind ``at``; ``records`` are the latest events up to there, oldest first."""
        self.epoch = at.epoch
        self.seq = self.assigned = at.seq
        self.unheld = records[0].seq - 1 if records else at.seq
        self._records = list(records)
        self._bytes = sum(record.size for record in records)
        if self.room is not None and records:
            self.room.bytes += self._bytes + len(records) * RECORD_BYTES
            self.room.begin(self, records[0].order)

    def before_last(self, count: int) -> Position:
        """The position behind which the last ``count`` records come, or as many as are held."""
        first = self.end - count
        return Position(self.epoch, self.at(first - 1).seq if first > self.first else self.unheld)

    def add(self, record: Record) -> None:
        """Count one more event, and keep it as far as the bounds allow."""
        self.seq = record.seq
        self.assigned = max(self.assigned, record.seq)
        self._records.append(record)
        self._bytes += record.size
        room = self.room
        if room is not None:
            room.bytes += record.size + RECORD_BYTES
            if len(self._records) - self._hole == 1:
                room.begin(self, record.order)
        self.expire(record.since)

    def expire(self, now: float) -> None:
        """Drop what is beyond the bounds; ``now``: monotonic seconds."""
        keep = self.keep
        while len(self) and (
            len(self) > keep.size
            or self._bytes > keep.bytes
            or self._records[self._hole].since < now - keep.seconds
        ):
            self.drop_first()

    def growth(self, size: int) -> int:
        """By how much what it holds would grow with an event of ``size`` bytes, ``RECORD_BYTES`` aside.

        Less than nothing where the event takes the place of larger ones.
        """
        keep, held, records = self.keep, self._bytes + size, len(self) + 1
        at = self._hole
        while at < len(self._records) and (records > keep.size or held > keep.bytes):
            held -= self._records[at].size
            records -= 1
            at += 1
        return held - self._bytes + (records - len(self) - 1) * RECORD_BYTES

    def clear(self) -> None:
        """Drop everything."""
        while len(self):
            self.drop_first()

    def drop_first(self) -> None:
        """Drop the oldest record; there must be one."""
        record = self._records[self._hole]
        self._bytes -= record.size
        room = self.room
        if room is not None:
            room.bytes -= record.size + RECORD_BYTES
            if len(self._records) - self._hole == 1:
                room.end()
        self.unheld = record.seq
        self._records[self._hole] = None
        self._hole += 1
        self.first += 1
        if self._hole > COMPACT_ABOVE and self._hole * 2 > len(self._records):
            del self._records[: self._hole]
            self._hole = 0


class Histories:
    """The histories of one realm.

    Topics are configured by name or by a pattern, or counted because somebody asked. Of the last two kinds at
    most ``max_topics`` each are tracked; the one that was silent longest makes room. So are, apart, as many
    that a pattern matches and that had no event yet: asking about them pushes out none that had.

    What patterns have kept takes at most ``max_bytes`` together; the oldest events go. Nothing of that holds
    for durable topics: nobody's make room for others. Those that a pattern matches may be ``max_topics`` for
    each pattern and role of whoever began them, and take ``max_bytes`` together; beyond that new events are
    refused.
    """

    def __init__(
        self, clock: Clock, ids: Ids, max_topics: int, max_bytes: int = 1 << 30, bounds: Bounds | None = None
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._max_topics = max_topics
        self._bounds = bounds or Bounds()
        # Set when there is a store.
        self.journal: Journal | None = None
        self._orders = count(1)
        self._patterns: dict[str, Keep] = {}
        # topic -> the pattern that has it kept, for topics asked about lately
        self._wanted: dict[str, str | None] = {}
        # topic -> its history: of all; then of those that make room, in order of the last event: matched by a
        # pattern, matched and without an event yet, counted.
        self._histories: dict[str, History] = {}
        self._matched: dict[str, History] = {}
        self._silent: dict[str, History] = {}
        self._counted: dict[str, History] = {}
        # (pattern, role) -> durable ones, likewise; they make room once they hold nothing any more.
        self._durable: dict[tuple[str, str], dict[str, History]] = {}
        self._room = Room(max_bytes)
        self._durable_room = Room(max_bytes, is_durable=True)
        self._swept = float("-inf")

    @property
    def is_idle(self) -> bool:
        """True while no topic can be tracked."""
        return not (self._histories or self._patterns)

    # --- which topics

    def keep(self, pattern: str, keep: Keep) -> None:
        """Keep events of a topic, or of every topic that a pattern matches and no exact name does."""
        if is_pattern(pattern):
            self._patterns[pattern] = keep
            self._wanted.clear()
        else:
            self.forget(pattern)
            self._track(pattern, keep)

    def find(self, topic: str) -> History | None:
        """Where events of ``topic`` are counted; None: nowhere."""
        history = self._histories.get(topic)
        if history is None and self._patterns:
            pattern = self._wanted_by_pattern(topic)
            if pattern is not None:
                history = self._track(topic, self._patterns[pattern], self._silent, pattern)
        return history

    def count(self, topic: str) -> History:
        """Where events of ``topic`` are counted, from now on at the latest."""
        history = self.find(topic)
        return self._track(topic, NOTHING, self._counted) if history is None else history

    def wanted(self, topic: str) -> Keep | None:
        """What is kept of ``topic``; None: nothing."""
        history = self.find(topic)
        return None if history is None or history.keep is NOTHING else history.keep

    def topics(self) -> list[str]:
        """The topics that hold events; these may have grown too old since."""
        return [topic for topic, history in self._histories.items() if len(history)]

    def forget(self, topic: str) -> None:
        """Drop the past of one topic, and its count."""
        history = self._histories.pop(topic, None)
        if history is not None:
            if history.pool is not None:
                del history.pool[topic]
                history.pool = None
            history.is_dropped = True
            history.clear()
            # Of one that was merely asked about the journal knows nothing.
            is_known = not history.pattern or _is_begun(history)
            if history.keep.is_durable and is_known and self.journal is not None:
                self.journal.forget(topic)

    def is_kept(self, topic: str) -> bool:
        """Whether a pattern has the topic kept, and it had events."""
        history = self._histories.get(topic)
        return history is not None and history.pattern != "" and _is_begun(history)

    def is_promised(self, topic: str) -> bool:
        """Whether a pattern has the topic kept durably, and it had events: these are for nobody to end."""
        return self.is_kept(topic) and self._histories[topic].keep.is_durable

    def _wanted_by_pattern(self, topic: str) -> str | None:
        if topic not in self._wanted:
            if len(self._wanted) >= self._max_topics:
                self._wanted.clear()
            self._wanted[topic] = next((one for one in self._patterns if matches(one, topic)), None)
        return self._wanted[topic]

    def _track(
        self, topic: str, keep: Keep, pool: dict[str, History] | None = None, pattern: str = ""
    ) -> History:
        history = self._histories[topic] = self.unlisted(topic, keep)
        if pattern:
            history.pattern = pattern
            history.room = self._durable_room if keep.is_durable else self._room
        if pool is not None:
            self._list(history, pool)
        return history

    def _list(self, history: History, pool: dict[str, History]) -> None:
        """Put a history last among those that make room."""
        if history.pool is not None:
            del history.pool[history.topic]
        history.pool = pool
        pool[history.topic] = history
        # Of durable ones there are no more than was admitted.
        if len(pool) > self._max_topics and not (history.keep.is_durable and pool is not self._silent):
            self.forget(next(iter(pool)))

    def unlisted(self, topic: str, keep: Keep | None) -> History:
        """A history that nobody finds but its owner; None: events are counted only."""
        return History(topic, keep or NOTHING, self._ids.secret()[-EPOCH_CHARACTERS:])

    # --- durable ones

    def reserve(self, history: History, record: Record, role: str) -> None:
        """Keep room for an event of a durable topic that goes to the journal now; ``settle`` must follow.

        ``role``: of the publisher, for whom a topic without events is a new one.
        Raises: Refused: ``quota``: there are too many topics, or too many bytes, of durable histories that
            patterns have kept.
        """
        room = history.room
        if room is not None:
            if history.pool is self._silent:
                self._list(history, self._admit(history, role))
            self._make_room(history, record, room)
            room.reserved += record.size + RECORD_BYTES
        history.on_way += 1

    def settle(self, history: History, record: Record) -> None:
        """The event came to the journal, or did not: the room kept for it is free again."""
        history.on_way -= 1
        if history.room is not None:
            history.room.reserved -= record.size + RECORD_BYTES

    def _admit(self, history: History, role: str) -> dict[str, History]:
        """The pool of a new durable topic, which has room for it. Raises: Refused: ``quota``."""
        pool = self._durable.setdefault((history.pattern, role), {})
        if len(pool) >= self._max_topics:
            oldest = next(iter(pool.values()))
            self.expire(oldest)
            # What it held has been forgotten by age; its count alone is no reason to refuse others.
            if len(oldest) or oldest.on_way:
                told = f"a role may begin {self._max_topics} durable topics of {history.pattern}"
                raise Exceeded("max_channels", told)
            self.forget(oldest.topic)
        return pool

    def _make_room(self, history: History, record: Record, room: Room) -> None:
        """Raises: Refused: ``quota``."""
        if room.fits(record.size + RECORD_BYTES):
            return
        now = self._clock.seconds()
        if now >= self._swept + SWEEP_S:
            # What is too old already takes room until somebody looks at it.
            self._swept = now
            for pool in self._durable.values():
                for other in pool.values():
                    other.expire(now)
        history.expire(now)
        if not room.fits(history.growth(record.size) + RECORD_BYTES):
            told = f"durable histories would hold more than {room.max_bytes} bytes"
            raise Exceeded("max_history_bytes", told)

    # --- their events

    def next(
        self,
        history: History,
        publication: int,
        publisher: int,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> Record:
        """The next event of a topic, which is to be added as soon as it has happened.

        Args:
            publisher: id of the session; 0: the router itself.
            details: what every receiver learns about it, but for its position.
        """
        return Record(
            order=next(self._orders),
            time=round(self._clock.time(), 3),
            since=self._clock.seconds(),
            topic=history.topic,
            epoch=history.epoch,
            seq=history.assigned + 1,
            publication=publication,
            publisher=publisher,
            payload=payload,
            options=options,
            details=details,
        )

    def restore(self, topic: str, at: Position, records: list[Record], lost: Collection[int] = ()) -> None:
        """Go on with a durable topic where the journal says that it had come; others begin anew.

        ``records``: what the journal holds, oldest first; ``lost``: the numbers of events that it held, and
            that cannot be read any more. Other numbers between are of no event.
        """
        history = self.find(topic)
        if history is not None and history.keep.is_durable:
            self._date(records)
            history.begin(at, records)
            history.spoiled = max(lost, default=0)
            if history.pattern:
                role = records[-1].role if records else ""
                self._list(history, self._durable.setdefault((history.pattern, role), {}))
            self.expire(history)

    def _date(self, records: list[Record]) -> None:
        """Tell the age of what another process kept, oldest first: dates are all that is known of it.

        No event is older than one before it, nor younger than now, whatever the clock said when it was kept.
        """
        now, date = self._clock.seconds(), self._clock.time()
        latest = 0.0
        for record in records:
            latest = max(latest, record.time)
            record.since = now - max(0.0, date - latest)

    def add(self, history: History, record: Record) -> None:
        """Count an event, and keep it as far as its topic does."""
        history.add(record)
        if history.keep.is_durable and self.journal is not None:
            self.journal.trim(history.topic, history.epoch, history.unheld + 1)
        pool = history.pool
        if pool is not None:
            self._list(history, self._matched if pool is self._silent else pool)
        room = history.room
        if room is not None and room.bytes > room.max_bytes and room is self._room:
            self._bounds.met("max_history_bytes", times=room.shrink())

    def of(self, topic: str) -> list[Record]:
        """What is held of one topic, oldest first."""
        history = self._histories.get(topic)
        return [] if history is None else self.held(history)

    def expire(self, history: History) -> None:
        """Drop what has grown too old since the last event."""
        history.expire(self._clock.seconds())

    def held(self, history: History) -> list[Record]:
        """What a history holds now, oldest first."""
        self.expire(history)
        return list(history.since(history.first))


def _is_begun(history: History) -> bool:
    """Whether there was an event, or is one on its way."""
    return history.seq > 0 or history.on_way > 0
