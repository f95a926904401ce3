"""How a mirror of claims becomes whole: at first, now and then, and after any incident.

The leader says how far to read; reading, from any replica, goes on until that has come. What is read is a
prefix of what is stored, so that all below it is known. A stream in the place of one that was wiped is
another one, and says so. One that was put back to what it had before is told by its numbers: its last one is
below one that was known before the leader was asked. Since somebody who led the stream a moment ago may have
answered, that is believed when it is said again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from radiod.core.cluster.claim import LOST, ClaimSettings
from radiod.core.cluster.claim_mirror import ClaimMirror
from radiod.core.cluster.claim_records import ClaimRecord
from radiod.core.cluster.ports import Failure, Stored, Streams, StreamSettings
from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["ClaimAudit"]

T = TypeVar("T")

PAGE: Final = 1000
"""Records in one read."""

RETRY_S: Final = 0.25
"""Before the next try, when nobody answers, or a replica lags behind."""

DOUBT_S: Final = 1.0
"""Before the leader is asked again that says that the stream counts anew."""

WINDOW_S: Final = 60.0
"""How long the stream knows the ids of what was stored."""


class ClaimAudit:
    """Keeps one mirror whole.

    ``is_whole``: it was so once; ``on_whole``: called each time that it was found to be.
    """

    def __init__(
        self, mirror: ClaimMirror, streams: Streams, clock: Clock, timers: Timers, settings: ClaimSettings
    ) -> None:
        self._mirror = mirror
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._settings = settings
        self._subjects = f"{settings.prefix}.>"
        self._next: Deadline | None = None
        self._is_running = False
        self._is_due = False
        # Which stream the mirror has; empty: none yet.
        self._stream = ""
        # Whether the leader said last that the stream counts anew.
        self._is_doubted = False
        # Of a reading from the start: the subjects that have come.
        self._seen: set[str] | None = None
        self._whole_since = 0.0
        self.is_whole = False
        self.on_whole: list[Callable[[], None]] = []

    def start(self) -> None:
        """Have the stream, and read all it has."""
        self._is_running = True
        settings = StreamSettings(
            self._settings.stream, (self._subjects,), max_per_subject=1, window_s=WINDOW_S
        )
        self._streams.ensure(settings, self._ensured)

    def hurry(self) -> None:
        """Something may have been missed: look at once, or again."""
        if self._is_running:
            self._is_due = True
        else:
            self._begin()

    def learn(self, subject: str, done: Callable[[ClaimRecord | Failure | None], None]) -> None:
        """Have the mirror know a claim as the leader has it now.

        ``done`` takes what its record says, None: there is none; or why nobody tells. What a leader says that
        knows less than the mirror is worth nothing if its stream is another one.
        """
        known = self._mirror.revision(subject)

        def found(last: Stored | Failure | None) -> None:
            if isinstance(last, Failure):
                done(last)
            elif known and (last is None or last.seq < known):
                self._streams.identify(self._settings.stream, partial(identified, last))
            else:
                done(self._mirror.learn(subject, last, known))

        def identified(last: Stored | None, stream: str | Failure) -> None:
            if isinstance(stream, Failure):
                done(stream)
            elif self._is_another(stream):
                self.hurry()
                done(Failure.REFUSED)
            else:
                done(self._mirror.learn(subject, last, known))

        self._streams.last(self._settings.stream, subject, found)

    def _ensured(self, failure: Failure | None) -> None:
        if failure is None:
            self._begin()
        else:
            self._later(RETRY_S, self.start)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        self._next = self._timers.at(self._clock.seconds() + seconds, what)

    def _begin(self) -> None:
        if self._next is not None:
            self._next.cancel()
        self._is_running = True
        self._streams.identify(self._settings.stream, self._or_again(self._identified))

    def _or_again(self, then: Callable[[T], None]) -> Callable[[T | Failure], None]:
        """Takes what the leader tells; if nobody does the stream may be gone: all begins again soon."""

        def told(outcome: T | Failure) -> None:
            if isinstance(outcome, Failure):
                self._later(RETRY_S, self.start)
            else:
                then(outcome)

        return told

    def _identified(self, stream: str) -> None:
        if self._is_another(stream):
            self._mirror.forget(LOST)
        self._stream = stream
        self._look_at_oldest()

    def _is_another(self, stream: str) -> bool:
        return self._stream not in ("", stream)

    def _look_at_oldest(self) -> None:
        oldest = self._mirror.oldest()
        if oldest is None:
            self._ask()
            return
        subject, revision = oldest

        def found(last: Stored | None) -> None:
            if last is None or last.seq < revision:
                # It may have ended, and that be forgotten; or its stream counts anew.
                self._seen = set()
            self._ask()

        self._streams.last(self._settings.stream, subject, self._or_again(found))

    def _ask(self) -> None:
        """Ask how far to read."""
        # What is stored meanwhile may be told before the answer comes.
        known = self._mirror.latest
        told = self._or_again(partial(self._read_to, known))
        self._streams.last(self._settings.stream, self._subjects, told)

    def _read_to(self, known: int, last: Stored | None) -> None:
        target = 0 if last is None else last.seq
        if known <= target:
            self._is_doubted = False
        elif not self._is_doubted:
            self._is_doubted = True
            self._later(DOUBT_S, self._ask)
            return
        else:
            self._is_doubted = False
            self._mirror.forget()
        age = self._clock.seconds() - self._whole_since
        if self._seen is None and (not self.is_whole or age > self._settings.ended_s / 2):
            # Ends of claims may be forgotten by now: what is not there any more is told by nobody.
            self._seen = set()
        self._read(self._mirror.whole_to if self._seen is None else 0, target)

    def _read(self, after: int, target: int) -> None:
        if after >= target:
            self._end(target)
            return

        def came(records: list[Stored] | Failure) -> None:
            if isinstance(records, Failure) or not records:
                # Nobody there, or one that lags behind; or the last one has ended since.
                self._later(RETRY_S, self._ask)
                return
            for record in records:
                self._mirror.apply(record)
                if self._seen is not None:
                    self._seen.add(record.subject)
            self._read(records[-1].seq, target)

        self._streams.read(self._settings.stream, self._subjects, after, PAGE, came)

    def _end(self, target: int) -> None:
        """All up to ``target`` is known."""
        if self._seen is not None:
            self._mirror.sweep(self._seen, target)
            self._seen = None
        self._mirror.whole_to = max(self._mirror.whole_to, target)
        self._whole_since = self._clock.seconds()
        self.is_whole = True
        self._is_running = False
        if self._is_due:
            self._is_due = False
            self._begin()
        else:
            self._later(self._settings.audit_s, self._begin)
        for told in self.on_whole:
            told()
