"""One stream of logged topics: its epoch, and what shows that its numbers mean what they meant.

The epoch is a record in the stream, made by compare and set, so that it is lost with what it names. Who has
lost the connection looks, once it is back, whether the last record that it knows is still the one with that
number. If it is not, the end of the stream was lost, and numbers are given out again: a new epoch begins.

Whoever has just been elected tells what it had before, and may not have worked through all that was stored,
for seconds where much has begun anew. So what it lacks is not believed: it is given one more record, whose
number says where the stream ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.appender import Appender
from radiod.core.cluster.logged import Epoch, decode, encode
from radiod.core.cluster.ports import Appended, Failure, Stored, Streams, StreamSettings
from radiod.core.history.positions import SKIPPING
from radiod.core.ids import Ids
from radiod.core.timers import Clock, Timers

__all__ = ["AGAIN_S", "SIZES", "LogStream", "most_for"]

SIZES: Final[tuple[int, ...]] = (64, 512, 4096, 32768, 262144)
"""Records of each topic that streams keep: a topic is in the first with room for its history and two more."""

AGAIN_S: Final = 1.0
"""Between two tries of what found no leader."""

EPOCH_CHARACTERS: Final = 11


def most_for(size: int) -> int:
    """How many records of each topic the stream keeps that is for histories of so many events."""
    return next((most for most in SIZES if most >= size + 2), SIZES[-1])


class LogStream:
    """One stream. ``epoch``: empty until it is known; ``root``: below it are the subjects of its topics;
    ``is_sure``: whether it is the stream's for all we know.

    From the moment at which the connection is back until the leader has said that the epoch is what it was,
    nothing may be appended or taken: it could be of another one.

    Args:
        base: what its subjects begin with; on_epoch: called when a new epoch has taken the place of another.
        is_renewed: whether an epoch that is found at first is to be replaced: nobody answers for it.
    """

    def __init__(
        self,
        streams: Streams,
        name: str,
        base: str,
        most: int,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        hold_s: float,
        on_epoch: Callable[[LogStream], None],
        is_renewed: Callable[[], bool],
    ) -> None:
        self.name = name
        self.most = most
        self.root = f"{base}.topic"
        self.epoch = ""
        self.appender = Appender(streams, name, clock, timers, hold_s)
        self._streams = streams
        self._settings = StreamSettings(name, (f"{base}.>",), most)
        self._base = base
        self._epoch_subject = f"{base}.epoch"
        self._end_subject = f"{base}.end"
        self._epoch_seq = 0
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self._on_epoch = on_epoch
        self._is_renewed = is_renewed
        self._waiting: list[Callable[[], None]] = []
        self.is_sure = True
        # The record to compare with, while we are not sure.
        self._known: Stored | None = None
        # Who wants to know whether it still is the epoch.
        self._agreeing: list[Callable[[], None]] = []
        self._is_opening = False
        # What is asked now; answers to what was asked before count no more.
        self._round = 0

    def when_open(self, then: Callable[[], None]) -> None:
        """Call ``then`` as soon as the stream is there, and its epoch known: at once, if they are."""
        if self.epoch:
            then()
            return
        self._waiting.append(then)
        if not self._is_opening:
            self._is_opening = True
            self._streams.follow(self._epoch_subject)
            self._ensure()

    def check(self, known: Stored | None) -> None:
        """The connection was lost, and is back. ``known``: the record taken that has the highest number."""
        if self._is_opening:
            if self.is_sure:
                self.is_sure, self._known = False, known
                self.appender.hold()
            self._ensure()

    def agree(self, then: Callable[[], None]) -> None:
        """Call ``then`` once the leader has said which epoch this is."""
        self._agreeing.append(then)
        # While we are not sure it is asked anyway, and is not to begin anew for whoever wants to know.
        if len(self._agreeing) == 1 and self.is_sure:
            self._find(self._next_round())

    def _agreed(self) -> None:
        agreeing, self._agreeing = self._agreeing, []
        for then in agreeing:
            then()

    def took(self, record: Stored) -> bool:
        """Whether a record is the stream's own, of its epoch."""
        if record.subject != self._epoch_subject:
            return False
        found = decode(record.data)
        if isinstance(found, Epoch) and found.epoch != self.epoch:
            # It may be an old one that comes again: the leader knows.
            self._find(self._next_round())
        return True

    # --- asking

    def _next_round(self) -> int:
        self._round += 1
        return self._round

    def _ensure(self) -> None:
        round = self._next_round()

        def done(failure: Failure | None) -> None:
            if failure is None:
                self._find(round)
            else:
                self._again(round, self._ensure)

        self._streams.ensure(self._settings, done)

    def _again(self, round: int, what: Callable[[], None]) -> None:
        self._timers.at(self._clock.seconds() + AGAIN_S, lambda: what() if round == self._round else None)

    def _find(self, round: int, *, is_proven: bool = False) -> None:
        """Have the leader tell the epoch. ``is_proven``: it has shown where the stream ends."""

        def told(found: Stored | Failure | None) -> None:
            if round != self._round:
                return
            if isinstance(found, Failure):
                self._again(round, lambda: self._find(round))
            elif found is None and self.epoch and not is_proven:
                self._prove(round, lambda end: self._find(round, is_proven=True))
            elif found is None:
                self._begin(round, 0)
            elif not self.epoch and self._is_renewed():
                self._begin(round, found.seq)
            else:
                self._found(found)

        self._streams.last(self.name, self._epoch_subject, told)

    def _begin(self, round: int, instead_of: int) -> None:
        """Begin a new epoch, unless somebody else was faster."""
        # Other topics' records take numbers, too.
        epoch = SKIPPING + self._ids.secret()[-EPOCH_CHARACTERS:]

        def done(outcome: Appended | Failure) -> None:
            if round != self._round:
                return
            if isinstance(outcome, Appended):
                self._set(epoch, outcome.seq)
            else:
                self._again(round, lambda: self._find(round))

        self._streams.append(self.name, self._epoch_subject, encode(Epoch(epoch)), done, expected=instead_of)

    def _found(self, found: Stored) -> None:
        record = decode(found.data)
        if not isinstance(record, Epoch):
            self._begin(self._round, found.seq)
        elif record.epoch != self.epoch:
            self._set(record.epoch, found.seq)
        else:
            self._epoch_seq = found.seq
            self._agreed()
            if self._known is not None:
                self._compare_end(self._round, self._known)
            else:
                self._be_sure()

    def _set(self, epoch: str, seq: int) -> None:
        is_another = self.epoch != ""
        self.epoch, self._epoch_seq = epoch, seq
        waiting, self._waiting = self._waiting, []
        if is_another:
            self._on_epoch(self)
        for then in waiting:
            then()
        self._agreed()
        self._be_sure()

    def _be_sure(self) -> None:
        """Go on with what waits."""
        if not self.is_sure:
            self.is_sure, self._known = True, None
            self.appender.go_on()
            self._agreed()

    # --- the end

    def _compare_end(self, round: int, known: Stored) -> None:
        """See whether the last record that is known is still what its number stands for."""

        def told(last: Stored | Failure | None) -> None:
            if round != self._round:
                return
            if isinstance(last, Failure):
                self._again(round, lambda: self._compare_end(round, known))
            elif last is not None and last.seq == known.seq:
                self._compare(round, last, known)
            elif last is not None and last.seq > known.seq:
                self._read_end(round, known)
            else:
                self._prove(round, lambda end: self._look_at_end(round, known, end))

        self._streams.last(self.name, known.subject, told)

    def _prove(self, round: int, then: Callable[[int], None]) -> None:
        """Call ``then`` with the number of one more record: all that was stored has a lower one."""

        def done(outcome: Appended | Failure) -> None:
            if round != self._round:
                return
            if isinstance(outcome, Appended):
                then(outcome.seq)
            else:
                self._again(round, lambda: self._prove(round, then))

        self._streams.append(self.name, self._end_subject, b"", done)

    def _look_at_end(self, round: int, known: Stored, end: int) -> None:
        """The leader does not tell of the last record that is known; one more has the number ``end``."""
        if end <= known.seq:
            self._begin(round, self._epoch_seq)
            return

        def came(records: list[Stored] | Failure) -> None:
            if round != self._round:
                return
            if isinstance(records, Failure) or not records:
                # The leader is not where it ends yet, or is another one.
                self._again(round, lambda: self._compare_end(round, known))
            elif records[0].seq == known.seq:
                self._compare(round, records[0], known)
            else:
                # It was removed, with its topic.
                self._be_sure()

        self._streams.read(self.name, f"{self._base}.>", known.seq - 1, 1, came, by_leader=True)

    def _read_end(self, round: int, known: Stored) -> None:
        def came(records: list[Stored] | Failure) -> None:
            if round != self._round:
                return
            if isinstance(records, Failure):
                self._again(round, lambda: self._read_end(round, known))
            elif records and records[0].seq == known.seq:
                self._compare(round, records[0], known)
            else:
                self._be_sure()

        # What is gone, since more came behind it than are kept, can be compared with nothing.
        self._streams.read(self.name, known.subject, known.seq - 1, 1, came, by_leader=True)

    def _compare(self, round: int, found: Stored, known: Stored) -> None:
        if (found.subject, found.data) != (known.subject, known.data):
            self._begin(round, self._epoch_seq)
        else:
            self._be_sure()
