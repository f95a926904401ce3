"""Follows subjects of streams: every record once, in order, whatever became of messages that tell of them.

What is told live is handed on if it follows on the last one, dropped if it is not above it, and else waits
until what lies between has been read. Every read has a target, a record that is known to be there, and is
repeated until it has come: any replica may lag behind, by minutes. Where several reads in a row bring
nothing, the leader reads. The end of a subject that has fallen silent is looked at now and then, since
nothing else tells of a record that was lost there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from radiod.core.cluster.ports import MOST_AT_ONCE, Failure, Stored, Streams
from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["AUDIT_S", "Followed", "Follower", "RecordTaker"]

AUDIT_S: Final = 2.0
"""Between two looks at the ends of all that is followed."""

BATCH: Final = 256
"""Records asked for at once."""

MOST_WAITING: Final = 1024
MOST_WAITING_BYTES: Final = 4 << 20
"""What may wait for a gap to be filled; beyond it all is read from the stream."""

PAUSES_S: Final[tuple[float, ...]] = (0.02, 0.1, 0.25, 1.0)
"""Before a read that came to nothing is repeated, the last one again and again."""

MOST_TRIES: Final = 3
"""Reads in a row that come to nothing before the leader is asked to read."""

MOST_LOOKS: Final = 6
"""Reads of the leader that come to nothing, a second apart, before that is believed.

Whoever has just been elected tells what it had before, and may not have worked through all that was stored.
"""

SOON_S: Final = 0.1
"""Until somebody who has begun to follow looks for what was stored before all servers knew of it."""


class RecordTaker(Protocol):
    """Whoever is handed the records of one subject."""

    def begun(self, first: int) -> None:
        """All that was there has been handed over, up to number ``first``; 0: nothing was there."""

    def took(self, record: Stored, is_past: bool) -> None:
        """The next record. ``is_past``: it was there before the subject was followed."""

    def broken(self, seq: int) -> None:
        """Records before this number may be gone that were never handed over."""


class Followed:
    """One subject that is followed.

    ``last``: the number of the record that was handed over last; ``target``: that of one that is known to be
    there; ``has_begun``: whether all that was there at first has been handed over.
    """

    __slots__ = (
        "catching",
        "has_begun",
        "is_ended",
        "is_reading",
        "last",
        "looks",
        "most",
        "read",
        "stream",
        "subject",
        "taker",
        "target",
        "tries",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, stream: str, subject: str, taker: RecordTaker, most: int) -> None:
        self.stream = stream
        self.subject = subject
        self.taker = taker
        self.most = most
        self.last = 0
        self.target = 0
        self.has_begun = False
        self.is_reading = False
        self.is_ended = False
        # Records that the gap now read had, and reads in a row that came to nothing.
        self.read = 0
        self.tries = 0
        # Those of them that the leader made.
        self.looks = 0
        # Told live, above what is being read, in order.
        self.waiting: list[Stored] = []
        self.waiting_bytes = 0
        # Who waits for a record: its number, and what to do once it has been handed over.
        self.catching: list[tuple[int, Callable[[], None]]] = []

    def wait(self, record: Stored) -> None:
        """Have a record wait for those before it."""
        if self.waiting and record.seq <= self.waiting[-1].seq:
            return
        self.waiting.append(record)
        self.waiting_bytes += len(record.data)
        if len(self.waiting) > MOST_WAITING or self.waiting_bytes > MOST_WAITING_BYTES:
            self.target = max(self.target, record.seq)
            self.let_go()

    def let_go(self) -> None:
        """Have nothing wait."""
        self.waiting = []
        self.waiting_bytes = 0


class Follower:
    """Follows any number of subjects; ``repairs``: gaps that were read; ``repeats``: records told twice.

    ``is_sure``: whether the records of a stream are those that they were: nothing is taken before.
    """

    def __init__(
        self,
        streams: Streams,
        clock: Clock,
        timers: Timers,
        is_sure: Callable[[str], bool] = lambda stream: True,
    ) -> None:
        self._is_sure = is_sure
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._followed: dict[str, Followed] = {}
        self._audit: Deadline | None = None
        # Those who have begun lately.
        self._fresh: list[Followed] = []
        self.repairs = 0
        self.repeats = 0

    def __len__(self) -> int:
        """Subjects that are followed."""
        return len(self._followed)

    def follow(
        self, stream: str, subject: str, taker: RecordTaker, most: int, first: Stored | None = None
    ) -> Followed:
        """Have ``taker`` handed all records on one subject, the past first, then ``begun``, then the rest.

        Args:
            most: how many of a subject's records the stream keeps.
            first: a record by which one learnt of the subject, and the first that is not of the past; None:
                the past is what is there when the stream's leader is asked, which comes first of all.
        """
        followed = self._followed[subject] = Followed(stream, subject, taker, most)
        self._streams.follow(subject)
        if first is None:
            self._ask_end(followed)
        else:
            followed.target = first.previous
            followed.wait(first)
            self._read_on(followed)
        if self._audit is None:
            self._audit = self._timers.at(self._clock.seconds() + AUDIT_S, self._audit_again)
        return followed

    def unfollow(self, followed: Followed) -> None:
        """Have no more of a subject, which must be followed, and may be so anew."""
        followed.is_ended = True
        followed.let_go()
        del self._followed[followed.subject]
        self._streams.unfollow(followed.subject)

    def stored(self, record: Stored) -> bool:
        """A record was told live. Returns: whether its subject is followed."""
        followed = self._followed.get(record.subject)
        if followed is None:
            return False
        if not self._is_sure(followed.stream):
            # It is read as soon as we are.
            return True
        if record.seq <= followed.last:
            self.repeats += 1
        elif followed.is_reading or not followed.has_begun:
            followed.wait(record)
        elif record.previous <= followed.last:
            self._hand(followed, record)
        else:
            followed.target = max(followed.target, record.previous)
            followed.wait(record)
            self._read_on(followed)
        return True

    def expect(self, followed: Followed, seq: int) -> None:
        """A record of this number is there: if it does not come by itself, it is read."""
        if seq > followed.last and not followed.is_ended:
            followed.target = max(followed.target, seq)
            if followed.has_begun and not followed.is_reading:
                self._read_on(followed)

    def catch_up(self, followed: Followed, then: Callable[[], None]) -> None:
        """Call ``then`` when all has been handed over that the leader has now; never, if it is unfollowed."""

        def told(end: Stored | Failure | None) -> None:
            if followed.is_ended:
                return
            if isinstance(end, Failure):
                when = self._clock.seconds() + PAUSES_S[-1]
                self._timers.at(when, lambda: None if followed.is_ended else self.catch_up(followed, then))
            elif end is None or end.seq <= followed.last:
                then()
            else:
                followed.catching.append((end.seq, then))
                self.expect(followed, end.seq)

        self._streams.last(followed.stream, followed.subject, told)

    def audit(self) -> None:
        """Look whether something was stored at the end of what is followed that nobody has told of."""
        self._look(self._followed.values())

    def _look_soon(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._look([followed for followed in fresh if not followed.is_ended])

    def _look(self, at_all: Iterable[Followed]) -> None:
        by_stream: dict[str, list[Followed]] = {}
        for followed in at_all:
            if followed.has_begun and not followed.is_reading:
                by_stream.setdefault(followed.stream, []).append(followed)
        for stream, all in by_stream.items():
            for at in range(0, len(all), MOST_AT_ONCE):
                subjects = [followed.subject for followed in all[at : at + MOST_AT_ONCE]]
                self._streams.last_many(stream, subjects, self._found_ends)

    def _audit_again(self) -> None:
        self._audit = None
        if self._followed:
            self.audit()
            self._audit = self._timers.at(self._clock.seconds() + AUDIT_S, self._audit_again)

    def _found_ends(self, found: list[Stored] | Failure) -> None:
        if isinstance(found, Failure):
            # It is asked again soon.
            return
        for record in found:
            followed = self._followed.get(record.subject)
            if followed is not None:
                self.expect(followed, record.seq)

    # --- reading

    def _ask_end(self, followed: Followed) -> None:
        """Have the leader tell how far the past goes."""

        def told(end: Stored | Failure | None) -> None:
            if followed.is_ended:
                return
            if isinstance(end, Failure):
                self._later(followed, lambda: self._ask_end(followed))
            else:
                followed.tries = 0
                followed.target = 0 if end is None else end.seq
                self._read_on(followed)

        self._streams.last(followed.stream, followed.subject, told)

    def _later(self, followed: Followed, what: Callable[[], None]) -> None:
        """Do something again, behind the next pause, if it is still wanted."""
        pause = PAUSES_S[min(followed.tries, len(PAUSES_S) - 1)]
        followed.tries += 1
        self._timers.at(self._clock.seconds() + pause, lambda: None if followed.is_ended else what())

    def _read_on(self, followed: Followed) -> None:
        """Read until the target has come; then hand over what waits."""
        if followed.last >= followed.target:
            self._go_live(followed)
            return
        if not followed.is_reading:
            followed.is_reading = True
            followed.read = 0
            self.repairs += followed.has_begun

        def came(records: list[Stored] | Failure) -> None:
            if not followed.is_ended:
                self._came(followed, records, is_leaders)

        is_leaders = followed.tries >= MOST_TRIES
        self._streams.read(
            followed.stream, followed.subject, followed.last, BATCH, came, by_leader=is_leaders
        )

    def _came(self, followed: Followed, records: list[Stored] | Failure, is_leaders: bool) -> None:
        if isinstance(records, Failure) or not self._is_sure(followed.stream):
            self._later(followed, lambda: self._read_on(followed))
            return
        if not records:
            followed.looks += is_leaders
            if followed.looks < MOST_LOOKS:
                self._later(followed, lambda: self._read_on(followed))
                return
            # What was known to be there is gone: nobody will ever have it.
            followed.taker.broken(followed.target + 1)
            followed.last = max(followed.last, followed.target)
            self._caught_up(followed)
        followed.tries = followed.looks = 0
        self._hand_read(followed, records)
        if not followed.is_ended:
            self._read_on(followed)

    def _hand_read(self, followed: Followed, records: Iterable[Stored]) -> None:
        for record in records:
            if record.seq <= followed.last or followed.is_ended:
                continue
            followed.read += 1
            if followed.read >= followed.most and followed.has_begun:
                # The stream has as many, and may have had more between.
                followed.taker.broken(record.seq)
            self._hand(followed, record)

    def _hand(self, followed: Followed, record: Stored) -> None:
        is_past = not followed.has_begun and record.seq <= followed.target
        if not is_past and not followed.has_begun:
            self._begin(followed)
        followed.last = record.seq
        followed.taker.took(record, is_past)
        if followed.catching:
            self._caught_up(followed)

    def _caught_up(self, followed: Followed) -> None:
        """Tell those whose record has been handed over."""
        catching, followed.catching = followed.catching, []
        for seq, then in catching:
            if seq <= followed.last:
                then()
            else:
                followed.catching.append((seq, then))

    def _begin(self, followed: Followed) -> None:
        followed.has_begun = True
        if not self._fresh:
            self._timers.at(self._clock.seconds() + SOON_S, self._look_soon)
        self._fresh.append(followed)
        followed.taker.begun(followed.last)

    def _go_live(self, followed: Followed) -> None:
        """The target has come: hand over what has waited, as far as it follows."""
        followed.is_reading = False
        if not followed.has_begun:
            self._begin(followed)
        waiting = followed.waiting
        followed.let_go()
        for at, record in enumerate(waiting):
            if followed.is_ended:
                return
            if record.previous > followed.last:
                followed.target = max(followed.target, record.previous)
                for later in waiting[at:]:
                    followed.wait(later)
                self._read_on(followed)
                return
            if record.seq > followed.last:
                self._hand(followed, record)
