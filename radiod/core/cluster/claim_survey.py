"""Whether a mirror of claims has what the stream has: all of it is read again, and nothing is changed."""

from __future__ import annotations

from typing import Final

from radiod.core.cluster.claim import ClaimSettings, cannot_agree
from radiod.core.cluster.claim_mirror import ClaimMirror
from radiod.core.cluster.claim_records import read_claim
from radiod.core.cluster.ports import Failure, Stored, Streams
from radiod.core.cluster.sums import NOTHING, Sum, add, sum_of
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers

__all__ = ["TRIES", "survey"]

PAGE: Final = 1000
"""Records in one read."""

RETRY_S: Final = 0.25
"""Before the next try, when a replica lags behind."""

TRIES: Final = 20
"""How often a read may come to nothing."""


def survey(
    mirror: ClaimMirror, streams: Streams, clock: Clock, timers: Timers, settings: ClaimSettings
) -> Promise[tuple[Sum, Sum]]:
    """The claims that the stream has, and those that the mirror has, up to the same number.

    What is claimed or released meanwhile may make a difference. Comes to ``Refused`` (``unavailable``).
    """
    return _Survey(mirror, streams, clock, timers, settings).begin()


class _Survey:
    """One reading."""

    __slots__ = (
        "_clock",
        "_mirror",
        "_outcome",
        "_settings",
        "_streams",
        "_sum",
        "_target",
        "_timers",
        "_tries",
    )

    def __init__(
        self, mirror: ClaimMirror, streams: Streams, clock: Clock, timers: Timers, settings: ClaimSettings
    ) -> None:
        self._mirror = mirror
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._settings = settings
        self._sum = NOTHING
        self._target = 0
        self._tries = 0
        self._outcome: Promise[tuple[Sum, Sum]] = Promise()

    def begin(self) -> Promise[tuple[Sum, Sum]]:
        """As ``survey``."""
        self._ask()
        return self._outcome

    def _ask(self) -> None:
        self._streams.last(self._settings.stream, f"{self._settings.prefix}.>", self._read_to)

    def _read_to(self, last: Stored | Failure | None) -> None:
        if isinstance(last, Failure):
            self._outcome.settle(cannot_agree("nobody tells what is claimed"))
            return
        self._sum, self._target = NOTHING, 0 if last is None else last.seq
        self._read(0)

    def _read(self, after: int) -> None:
        if after >= self._target:
            held = self._mirror.up_to(self._target)
            self._outcome.settle((self._sum, sum_of((one, (seq, value)) for one, seq, value in held)))
            return
        self._streams.read(self._settings.stream, f"{self._settings.prefix}.>", after, PAGE, self._came)

    def _came(self, records: list[Stored] | Failure) -> None:
        if isinstance(records, Failure) or not records:
            # Nobody is there, or one that lags behind; or what was last has changed since.
            self._tries += 1
            if self._tries >= TRIES:
                self._outcome.settle(cannot_agree("not all that is claimed can be read"))
            else:
                self._timers.at(self._clock.seconds() + RETRY_S, self._ask)
            return
        self._sum = add(self._sum, sum_of(_held(records, self._target)))
        self._read(records[-1].seq)


def _held(records: list[Stored], target: int) -> list[tuple[str, tuple[int, bytes]]]:
    """Those that are claims, and no ends of claims."""
    held = []
    for record in records:
        said = read_claim(record.data)
        if said is not None and said.value is not None and record.seq <= target:
            held.append((record.subject, (record.seq, said.value)))
    return held
