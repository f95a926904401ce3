"""Event history: how topics count their events, and the last events of those configured to keep them.

A topic that is *tracked* counts its events, and each event tells its place (``positions``). What is
kept is bounded for each topic by number, age and bytes; the oldest go first. Who asks to go on behind a
position gets everything that came after it, or is told that this is not to be had any more.

Events that were published to, or kept from, certain sessions are kept with these lists; since session ids
mean nothing later, only ``replay`` goes by them, and no other answer holds such events.

Source: WAMP specification, "Event History"; positions as in Mercure and Centrifugo.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import count
from typing import Any, Final

from radiod.core.budgets.bounds import Bounds
from radiod.core.history.blocks import Undecoded
from radiod.core.history.bounds import NOTHING, RECORD_BYTES, HistoryBounds
from radiod.core.history.events import KeptEvent
from radiod.core.history.log import Log
from radiod.core.history.positions import Position
from radiod.core.history.room import Room
from radiod.core.history.topic_history import History
from radiod.core.ids import Ids
from radiod.core.promises import Promise
from radiod.core.rights import Principal
from radiod.core.timers import Clock
from radiod.core.uris import is_pattern, matches
from radiod.errors import Exceeded
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, PublishOptions

__all__ = ["Histories"]

EPOCH_CHARACTERS: Final = 12

SWEEP_S: Final = 10.0
"""Seconds between two looks through all durable histories for what is too old."""


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
        self._bounds = Bounds() if bounds is None else bounds
        # Set when there is a store.
        self.log: Log | None = None
        self._orders = count(1)
        self._patterns: dict[str, HistoryBounds] = {}
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
    def bytes(self) -> int:
        """What all that is kept takes. Cost: O(n) in the topics."""
        return sum(history.bytes for history in self._histories.values())

    @property
    def is_idle(self) -> bool:
        """True while no topic can be tracked."""
        return not (self._histories or self._patterns)

    # --- which topics

    def keep(self, pattern: str, keep: HistoryBounds) -> None:
        """Keep events of a topic, or of every topic that a pattern matches and no exact name does."""
        if is_pattern(pattern):
            self._patterns[pattern] = keep
            self._wanted.clear()
        else:
            self.forget(pattern)
            self._track(pattern, keep)

    def resize(self, pattern: str, keep: HistoryBounds) -> None:
        """Keep more or less of what ``keep`` was called with before; what is beyond that goes at once."""
        if is_pattern(pattern):
            self._patterns[pattern] = keep
            resized = [history for history in self._histories.values() if history.pattern == pattern]
        else:
            resized = [self._histories[pattern]]
        for history in resized:
            history.keep = keep
            history.is_logged = keep.is_durable
            history.expire(self._clock.seconds())

    def find(self, topic: str) -> History | None:
        """Where events of ``topic`` are counted; None: nowhere."""
        history = self._histories.get(topic)
        if history is None and self._patterns:
            pattern = self._wanted_by_pattern(topic)
            if pattern is not None:
                history = self._track(topic, self._patterns[pattern], self._silent, pattern)
        return history

    def track(self, topic: str) -> History:
        """Where events of ``topic`` are counted, from now on at the latest."""
        history = self.find(topic)
        return self._track(topic, NOTHING, self._counted) if history is None else history

    def wanted(self, topic: str) -> HistoryBounds | None:
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
            # Of one that was merely asked about the log knows nothing.
            is_known = not history.pattern or _is_begun(history)
            if history.is_logged and is_known and self.log is not None:
                self.log.forget(topic)

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
        self, topic: str, keep: HistoryBounds, pool: dict[str, History] | None = None, pattern: str = ""
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
            self.make_way(next(iter(pool)))

    def make_way(self, topic: str) -> None:
        """Let a topic go that was silent for longest."""
        self.forget(topic)

    def unlisted(self, topic: str, keep: HistoryBounds | None) -> History:
        """A history that nobody finds but its owner; None: events are counted only."""
        return History(topic, keep or NOTHING, self._ids.secret()[-EPOCH_CHARACTERS:])

    # --- durable ones

    def reserve(self, history: History, record: KeptEvent, role: str) -> None:
        """Keep room for an event of a topic that goes to the log now; ``settle`` must follow.

        ``role``: of the publisher, for whom a topic without events is a new one.
        Raises: Refused: ``quota``: there are too many topics, or too many bytes, of durable histories that
            patterns have kept.
        """
        room = history.room
        if room is self._durable_room:
            if history.pool is self._silent:
                self._list(history, self._admit(history, role))
            self._make_room(history, record, room)
            room.reserved += record.size + RECORD_BYTES
        history.on_way += 1

    def settle(self, history: History, record: KeptEvent) -> None:
        """The event came to the log, or did not: the room kept for it is free again."""
        history.on_way -= 1
        room = history.room
        if room is self._durable_room:
            room.reserved -= record.size + RECORD_BYTES

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
            self.make_way(oldest.topic)
        return pool

    def _make_room(self, history: History, record: KeptEvent, room: Room) -> None:
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

    def number(
        self,
        history: History,
        publication: int,
        publisher: int,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
    ) -> KeptEvent:
        """The next event of a topic, which is to be added as soon as it has happened.

        Args:
            publisher: id of the session; 0: the router itself.
            details: what every receiver learns about it, but for its position.
        """
        return KeptEvent(
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

    def restore(self, topic: str, at: Position, records: list[KeptEvent], lost: Collection[int] = ()) -> None:
        """Go on with a durable topic where the log says that it had come; others begin anew.

        ``records``: what the log holds, oldest first; ``lost``: the numbers of events that it held, and
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

    # --- those of another process

    def __iter__(self) -> Iterator[History]:
        """All that no log has whole; of those that make room the first to go comes first."""
        for history in self._histories.values():
            if history.pool is None:
                yield history
        for pool in (self._counted, self._silent, self._matched):
            yield from pool.values()

    def next_order(self) -> int:
        """What the next event is numbered with, among all of the realm; it then is not."""
        return next(self._orders)

    def resume(self, topic: str, at: Position, unheld: int, past: Undecoded, *, is_counted: bool) -> bool:
        """Go on with a topic where another process stopped, as far as it is still kept, or counted.

        Called for each topic in the order of ``__iter__``. A durable one has only its epoch from there, and
        where the log knows none.

        Args:
            unheld: as ``History`` has it; past: its last events, oldest first.
            is_counted: nothing was kept of it: it is tracked though nothing is kept of it now.
        Returns: whether it goes on.
        """
        history = self.track(topic) if is_counted else self.find(topic)
        if history is None or (history.keep.is_durable and (_is_begun(history) or at.seq)):
            return False
        history.resume(at, unheld, past)
        if history.pool is self._silent and at.seq:
            self._list(history, self._matched)
        self.expire(history)
        return True

    def settled(self, next_order: int) -> None:
        """All of them have been resumed: go on numbering there, and keep no more than there is room for."""
        self._orders = count(next_order)
        self._shrink()

    def _date(self, records: list[KeptEvent]) -> None:
        """Tell the age of what another process kept, oldest first: dates are all that is known of it.

        No event is older than one before it, nor younger than now, whatever the clock said when it was kept.
        """
        now, date = self._clock.seconds(), self._clock.time()
        latest = 0.0
        for record in records:
            latest = max(latest, record.time)
            record.since = now - max(0.0, date - latest)

    def add(self, history: History, record: KeptEvent) -> None:
        """Count an event, and keep it as far as its topic does."""
        history.add(record)
        if history.is_logged and self.log is not None:
            self.log.trim(history.topic, history.epoch, history.unheld + 1)
        pool = history.pool
        if pool is not None:
            self._list(history, self._matched if pool is self._silent else pool)
        if history.room is self._room:
            self._shrink()

    def _shrink(self) -> None:
        """Keep no more than there is room for."""
        room = self._room
        if room.bytes > room.max_bytes:
            self._bounds.met("max_history_bytes", times=room.shrink())

    def ready(
        self, topic: str, match: MatchPolicy = "exact", after: Position | None = None
    ) -> Promise[None] | None:
        """Have the past of a topic, or of all that a pattern matches, here; a listener has what comes then.

        ``after``: where somebody wants to go on, who may have been told of more than is known here yet.
        Returns: kept when it is, or comes to ``Refused`` (``unavailable``); None: it is, as on a server that
            is alone.
        """
        return None

    def of(self, topic: str, principal: Principal | None = None) -> list[KeptEvent]:
        """What is held of one topic, oldest first; of that what somebody's plan lets them read."""
        history = self._histories.get(topic)
        if history is None:
            return []
        self.expire(history)
        return list(history.since(history.first if principal is None else self.first_for(history, principal)))

    def expire(self, history: History) -> None:
        """Drop what has grown too old since the last event."""
        history.expire(self._clock.seconds())

    def first_for(self, history: History, principal: Principal) -> int:
        """Index of the oldest event that somebody's plan lets them read; ``history.end``: none."""
        holder = principal.holder
        allowances = None if holder is None else holder.account.allowances
        seconds = None if allowances is None else allowances.plan.history_seconds
        return history.first if seconds is None else history.index_since(self._clock.seconds() - seconds)


def _is_begun(history: History) -> bool:
    """Whether there was an event, or is one on its way."""
    return history.seq > 0 or history.on_way > 0
