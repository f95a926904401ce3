"""The end of one logged topic, as a node sees it: its history is filled from the log, and grows.

An event happens here when its record comes, whoever has published it. One of our own has its publisher wait
for that. What was published before the past is here waits for it, since its epoch is not known before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from radiod.core.cluster.appender import MAY_HAVE
from radiod.core.cluster.encoding import MALFORMED
from radiod.core.cluster.follower import Followed
from radiod.core.cluster.log_stream import LogStream
from radiod.core.cluster.logged import Birth, Logged, decode
from radiod.core.cluster.ports import Stored
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.history.events import Damaged, KeptEvent
from radiod.core.history.positions import Position
from radiod.core.history.topic_history import History
from radiod.core.history.written import read_told
from radiod.core.promises import Promise
from radiod.core.pubsub.publishing import Event, Publishing
from radiod.core.rights import Actor
from radiod.core.timers import Clock
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.wire.codecs import CODECS, Payload

__all__ = ["MOST_HELD_BACK", "Pending", "Tail", "TailOwner"]

MOST_HELD_BACK: Final = 1000
"""Events of one topic that may wait for its past."""

DOUBT_S: Final = 2.0
"""For how long the leader of a log does not tell of a position, until it counts as one that never was."""

Done = Callable[[Refused | None], None]


class Pending:
    """An event of ours on its way. ``done``: has it happen, or not; ``seq``: where it is stored, or 0."""

    __slots__ = ("done", "record", "seq")

    def __init__(self, record: KeptEvent, done: Done) -> None:
        self.record = record
        self.done = done
        self.seq = 0


class Comer:
    """Somebody who would go on behind a position, once it is known here.

    ``since``: since when its position is looked for.
    """

    __slots__ = ("after", "later", "since")

    def __init__(self, after: Position | None, since: float) -> None:
        self.after = after
        self.later: Promise[None] = Promise()
        self.since = since


class TailOwner(Protocol):
    """What a tail needs of its topic space, and of the realm's logs."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def histories(self) -> SharedHistories:
        """Those of its space."""

    @property
    def publishing(self) -> Publishing:
        """Of its space."""

    def actor(self, session: int) -> Actor | None:
        """The session of that id, if it is here."""

    def note_malformed(self) -> None:
        """A record came that is none."""

    def past_until(self, tail: Tail, first: int) -> int:
        """Records up to this number have happened for everybody who listens here.

        ``first``: as far as the log went when the tail began.
        """

    def bear(self, tail: Tail) -> None:
        """Have the topic's first record written."""

    def catch_up(self, tail: Tail) -> None:
        """Call ``tail.caught_up`` when it is as far as the log's leader is now, or the tail was reset."""

    def send(self, tail: Tail, record: KeptEvent, done: Done) -> None:
        """Hand an event to the log."""


class Tail:
    """One topic's. ``used``: when somebody last wanted it; ``last``: the record that was taken last.

    ``first``: records before it are of something else that had this name.
    """

    __slots__ = (
        "_birth",
        "_known",
        "_past",
        "catching",
        "first",
        "followed",
        "held_back",
        "history",
        "is_closed",
        "is_looking",
        "is_owed",
        "is_ready",
        "last",
        "owed",
        "owner",
        "pending",
        "stream",
        "subject",
        "topic",
        "used",
        "waiting",
    )

    def __init__(
        self, owner: TailOwner, topic: str, subject: str, history: History, stream: LogStream
    ) -> None:
        self.owner = owner
        self.topic = topic
        self.subject = subject
        self.history = history
        self.stream = stream
        self.followed: Followed | None = None
        self.first = 0
        self.is_ready = False
        self.is_closed = False
        self.used = owner.clock.seconds()
        self.last: Stored | None = None
        # id of a record -> our event in it
        self.pending: dict[str, Pending] = {}
        # Events, and others, that wait for the past.
        self.held_back: list[Pending] = []
        self.waiting: list[Comer] = []
        # Those who want to go on behind a position that is not known here yet.
        self.catching: list[Comer] = []
        # Whether its log is looked at again for them.
        self.is_looking = False
        # The number that an event of ours was stored at, which has not come yet.
        self.owed = 0
        self.is_owed = False
        self._past: list[tuple[int, Logged]] = []
        self._birth = 0
        # Publications of the epoch before; None: there was none.
        self._known: set[int] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for it."""
        return not (self.pending or self.held_back or self.waiting or self.catching)

    def ready(self, after: Position | None) -> Promise[None] | None:
        """As ``Histories.ready``."""
        self.used = self.owner.clock.seconds()
        if self.is_ready and self._knows(after):
            return None
        comer = Comer(after, self.used)
        if not self.is_ready:
            self.waiting.append(comer)
        else:
            # Another node was told of it before us; or it is none.
            self.catching.append(comer)
            self.owner.catch_up(self)
        return comer.later

    def _knows(self, place: Position | None) -> bool:
        """Whether it is as far as that."""
        history = self.history
        return place is None or (place.epoch == history.epoch and place.seq <= history.seq)

    def caught_up(self) -> bool:
        """All is here that is in the log now, as its leader has it.

        Returns: whether nobody knows of a position that its log does not have: whoever leads it since a
            moment may not have worked through all that was stored.
        """
        catching, self.catching = self.catching, []
        now = self.owner.clock.seconds()
        for comer in catching:
            is_none = comer.after is None or comer.after.epoch != self.stream.epoch
            if is_none or self._knows(comer.after) or now >= comer.since + DOUBT_S:
                comer.later.settle(None)
            else:
                self.catching.append(comer)
        return not self.catching

    def stop_catching(self, before: float, refusal: Refused) -> None:
        """Whose position has been looked for since then, or longer, is told."""
        late = [comer for comer in self.catching if comer.since <= before]
        self.catching = [comer for comer in self.catching if comer.since > before]
        for comer in late:
            comer.later.settle(refusal)

    def reset(self) -> None:
        """A new epoch began: all is read anew, and what is not known yet happens then."""
        if self.is_ready:
            self._known = {record.publication for record in self.history.since(self.history.first)}
        self.is_ready = False
        self._past = []
        self._birth = 0
        self.owed = 0
        self.last = None
        self.waiting += self.catching
        self.catching = []

    def give_up(self, refusal: Refused) -> None:
        """What waits for the past does not get it."""
        waiting, self.waiting = self.waiting + self.catching, []
        self.catching = []
        held_back, self.held_back = self.held_back, []
        for comer in waiting:
            comer.later.settle(refusal)
        for pending in held_back:
            pending.done(refusal)

    def close(self, refusal: Refused) -> None:
        """It is not wanted any more; its history is dropped already, if events of ours are on their way."""
        self.is_closed = True
        self.give_up(refusal)
        pending, self.pending = self.pending, {}
        for one in pending.values():
            one.done(None)

    # --- RecordTaker

    def took(self, record: Stored, is_past: bool) -> None:
        self.last = record
        if record.seq < self.first:
            return
        found = decode(record.data)
        if isinstance(found, Birth):
            if is_past:
                self._birth = self._birth or record.seq
            elif not self.is_ready:
                self._birth = record.seq
                self._fill(record.seq)
            else:
                self.history.seq = max(self.history.seq, record.seq)
        elif isinstance(found, Logged):
            if is_past:
                self._past.append((record.seq, found))
                if len(self._past) > self.history.keep.size + 1:
                    del self._past[0]
                    self._birth = 0
            else:
                if not self.is_ready:
                    self._fill(record.previous)
                self._happen(record.seq, found)
        else:
            self.owner.note_malformed()

    def begun(self, first: int) -> None:
        if first:
            self._fill(first)
        else:
            # Nobody has published yet: this is known by a record, which comes as all do.
            self.owner.bear(self)

    def broken(self, seq: int) -> None:
        self.owner.histories.lose(self.history, seq)
        self._miss(lambda id, pending: pending.seq < seq)

    def stored_at(self, id: str, seq: int) -> None:
        """An event of ours is stored: it happens when it comes."""
        pending = self.pending.get(id)
        if pending is not None:
            pending.seq = seq

    def _miss(self, is_gone: Callable[[str, Pending], bool]) -> None:
        """Events of ours that were stored do not come any more."""
        for id, pending in list(self.pending.items()):
            if pending.seq and is_gone(id, pending):
                del self.pending[id]
                pending.done(Refused(STORE_UNAVAILABLE, MAY_HAVE))

    # --- what happens

    def _fill(self, first: int) -> None:
        """The past is here, up to number ``first``."""
        past, self._past = self._past, []
        known, self._known = self._known, None
        until = self._known_until(past, known, first)
        held = [kept for seq, found in past if seq <= until and (kept := self._kept(seq, found)) is not None]
        at = Position(self.stream.epoch, until)
        # Who stands at the first that is left has missed nothing; what was before it is not known.
        unheld = self._birth or (held[0].seq if held else until)
        self.owner.histories.fill(self.history, at, held, unheld)
        self.is_ready = True
        if known is not None:
            there = {found.id for _, found in past}
            self._miss(lambda id, pending: id not in there)
        for seq, found in past:
            if seq > until and not self.is_closed:
                self._happen(seq, found)
        self._let_in()

    def _known_until(self, past: list[tuple[int, Logged]], known: set[int] | None, first: int) -> int:
        """How far the past has happened here, or for nobody who listens."""
        if known is None:
            return self.owner.past_until(self, first)
        ends = [seq for seq, found in past if found.publication in known]
        # Of a log that begins anew nothing is known, and all of it happens.
        until = max(ends, default=past[0][0] - 1 if past and known else first)
        ours = [seq for seq, found in past if found.id in self.pending]
        return min([until, *[seq - 1 for seq in ours]])

    def _let_in(self) -> None:
        waiting, self.waiting = self.waiting, []
        held_back, self.held_back = self.held_back, []
        for pending in held_back:
            try:
                self.owner.send(self, pending.record, pending.done)
            except Refused as refusal:
                pending.done(refusal)
        # The past goes as far as it went when it was asked for: some have heard more, elsewhere.
        now = self.owner.clock.seconds()
        for comer in waiting:
            if not self._knows(comer.after):
                comer.since = now
                self.catching.append(comer)
        known = [comer for comer in waiting if self._knows(comer.after)]
        if self.catching:
            self.owner.catch_up(self)
        for comer in known:
            comer.later.settle(None)

    def _happen(self, seq: int, found: Logged) -> None:
        ours = self.pending.pop(found.id, None)
        if ours is not None:
            record = ours.record
            self._place(record, seq)
            ours.done(None)
            return
        kept = self._kept(seq, found)
        if kept is None:
            return
        publisher = self.owner.actor(found.publisher)
        payload = kept.fresh_payload()
        # Of an event of others nobody waits to know what became of it.
        self.owner.publishing.happen(
            Event(self.history, kept, None, publisher, payload, found.is_end_mark, None)
        )

    def _place(self, record: KeptEvent, seq: int) -> None:
        record.epoch = self.stream.epoch
        record.seq = seq
        record.since = self.owner.clock.seconds()
        record.order = self.owner.histories.next_order()

    def _kept(self, seq: int, found: Logged) -> KeptEvent | None:
        """An event as it is kept; None: for whom it is cannot be read, so that nobody may have it."""
        try:
            told = read_told(found.options, found.details)
        except MALFORMED:
            self.owner.note_malformed()
            return None
        codec = CODECS.get(found.codec)
        if codec is None:
            payload: Payload = Damaged(CODECS["json"], found.args, found.kwargs)
        else:
            payload = Payload(codec, found.args, found.kwargs)
        return KeptEvent(
            order=self.owner.histories.next_order(),
            time=found.time,
            since=self.owner.clock.seconds(),
            topic=self.topic,
            epoch=self.stream.epoch,
            seq=seq,
            publication=found.publication,
            publisher=found.publisher,
            payload=payload,
            options=told.options,
            details=told.details,
            role=found.role,
        )
