"""Claims: what must be unique among all nodes, or outlives its node. One record of a stream for each.

A claim is changed by compare and set, which most of the engine's servers agree on; every node mirrors all of
them. So a node may be behind, and is not for long: whoever acts on what the mirror says acts by compare and
set, and whoever refuses because of it asks the leader first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from radiod.core.cluster.claim import (
    Claim,
    ClaimSettings,
    ClaimWatcher,
    Decide,
    Node,
    Taken,
    cannot_agree,
    subject_of,
)
from radiod.core.cluster.claim_audit import ClaimAudit
from radiod.core.cluster.claim_mirror import ClaimMirror
from radiod.core.cluster.claim_records import ClaimRecord, write_claim
from radiod.core.cluster.claim_survey import survey
from radiod.core.cluster.claim_writes import ClaimWrites
from radiod.core.cluster.ports import Appended, Failure, Stored, Streams
from radiod.core.cluster.sums import Sum
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import RadiodError

__all__ = ["MAX_TRIES", "Claims"]

MAX_TRIES: Final = 100
"""How often an update is decided anew because others were faster."""

PROOF: Final = "reached"
"""What a node writes to find out whether it can."""

RETRY_S: Final = 0.25
"""Seconds after which the leader is asked again."""


class Claims:
    """All claims of the cluster, for all realms of one node.

    ``subjects``: what they are stored on; ``mirror``: as far as this node knows.
    """

    def __init__(
        self, streams: Streams, clock: Clock, timers: Timers, node: Node, settings: ClaimSettings
    ) -> None:
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._node = node
        self._settings = settings
        self.subjects = f"{settings.prefix}.>"
        self.mirror = ClaimMirror(lambda: node.note_malformed(settings.stream))
        self._audit = ClaimAudit(self.mirror, streams, clock, timers, settings)
        self.writes = ClaimWrites(self.mirror, self._audit, streams, clock, timers, node, settings)

    @property
    def is_ready(self) -> bool:
        """Whether the mirror was whole once."""
        return self._audit.is_whole

    @property
    def on_whole(self) -> list[Callable[[], None]]:
        """Called each time that the mirror was found, or made, whole."""
        return self._audit.on_whole

    def __len__(self) -> int:
        """Claims, as far as the mirror knows."""
        return len(self.mirror)

    # --- the engine

    def start(self) -> None:
        """Have the stream, follow it, and read what it has. There must be a connection, or be one soon."""
        self._streams.follow(self.subjects)
        self._audit.start()

    def up(self) -> None:
        """There is a connection to the engine again: something may have been missed."""
        self._audit.hurry()

    def stored(self, record: Stored) -> None:
        """A record was stored on one of ``subjects``."""
        if record.seq <= self.mirror.whole_to:
            return  # it came again, or late
        if record.previous > self.mirror.revision(record.subject):
            # What was before it has not come: others may be missing.
            self._audit.hurry()
        self.mirror.apply(record)

    # --- looking

    def watch(self, about: str, watcher: ClaimWatcher) -> None:
        """As ``ClaimMirror.watch``."""
        self.mirror.watch(about, watcher)

    def get(self, about: str, key: str) -> Claim | None:
        """A claim, as far as the mirror knows."""
        return self.mirror.get(about, key)

    def of(self, about: str) -> Iterator[Claim]:
        """All claims of one part, as far as the mirror knows."""
        return self.mirror.of(about)

    def revision(self, about: str, key: str) -> int:
        """The number of a claim, or of its end, as far as the mirror knows; 0: it knows of none."""
        return self.mirror.revision(subject_of(self._settings.prefix, about, key))

    def refresh(self, about: str, key: str) -> Promise[Claim | None]:
        """A claim as the leader has it now. Comes to ``Refused`` (``unavailable``) if nobody tells."""
        outcome: Promise[Claim | None] = Promise()
        subject = subject_of(self._settings.prefix, about, key)

        def learnt(said: ClaimRecord | Failure | None) -> None:
            if isinstance(said, Failure):
                outcome.settle(cannot_agree("nobody tells what is claimed"))
            else:
                outcome.settle(self.mirror.at(subject))

        self._audit.learn(subject, learnt)
        return outcome

    def reach(self, about: str, key: str, revision: int) -> Promise[None]:
        """Kept when the mirror knows what a claim was at this number, or later; asked for until it does."""
        reached: Promise[None] = Promise()

        def look() -> None:
            if self.mirror.revision(subject_of(self._settings.prefix, about, key)) >= revision:
                reached.settle(None)
            else:
                self.refresh(about, key).then(looked)

        def looked(found: Claim | RadiodError | None) -> None:
            if isinstance(found, RadiodError):
                self._timers.at(self._clock.seconds() + RETRY_S, look)
            else:
                # What the leader says is as new as it gets.
                reached.settle(None)

        look()
        return reached

    def survey(self) -> Promise[tuple[Sum, Sum]]:
        """What the stream has, and what the mirror has of it; see ``claim_survey``."""
        return survey(self.mirror, self._streams, self._clock, self._timers, self._settings)

    def prove(self, name: str, reached: Callable[[], None]) -> None:
        """Call ``reached`` if most of the servers that have the claims agree to one more record.

        What is read proves nothing: a leader that was cut off goes on answering for some seconds.
        ``name``: of this node, which has one such record.
        """
        record = write_claim(ClaimRecord(PROOF, name, b"", self._node.me, ""))
        subject = subject_of(self._settings.prefix, PROOF, name)

        def told(outcome: Appended | Failure) -> None:
            if isinstance(outcome, Appended):
                reached()

        self._streams.append(self._settings.stream, subject, record, told)

    # --- changing

    def create(self, about: str, key: str, value: bytes) -> Promise[Claim | None]:
        """Claim what nobody has. Comes to ``Taken``, or ``Refused`` (``unavailable``)."""

        def decide(current: Claim | None) -> bytes | None:
            if current is not None:
                raise Taken(current)
            return value

        return self.update(about, key, decide)

    def change(self, claim: Claim, value: bytes | None) -> Promise[Claim | None]:
        """Give a claim another value, None: release it, if it is still this one; as ``create``."""

        def decide(current: Claim | None) -> bytes | None:
            if current is None or current.revision != claim.revision:
                raise Taken(current)
            return value

        return self.update(claim.about, claim.key, decide)

    def release(self, claim: Claim) -> Promise[Claim | None]:
        """Let a claim go, if it is still this one; as ``create``."""
        return self.change(claim, None)

    def expire(self, claim: Claim) -> None:
        """A claim that had a time to live is over, though nobody has said so: forget it here."""
        self.mirror.drop(subject_of(self._settings.prefix, claim.about, claim.key), claim.revision)

    def update(
        self, about: str, key: str, decide: Decide, why: str = "", *, ttl_s: float = 0.0
    ) -> Promise[Claim | None]:
        """Change a claim to what ``decide`` makes of it, again whenever somebody was faster.

        ``why``: if that is its end: what watchers are told (``Claim.end``).

        What is decided by the mirror is tried; what ``decide`` refuses by it is decided anew by what the
        leader has. ``ttl_s``: whoever has a time to live gets that, and ``expire`` is for its watcher to call
        on every node; 0: it stays.

        Comes to the claim as it is then, None: it is released; to what ``decide`` raises; to ``Refused``:
            ``unavailable``: no majority of the engine's servers, or nobody, has agreed in time; where the
            text says so it may be done all the same, and the mirror tells; ``quota``.
        """
        outcome: Promise[Claim | None] = Promise()
        _Update(self, about, key, decide, why, outcome, ttl_s).go_on(self.get(about, key))
        return outcome


class _Update:
    """One change of a claim, however often it must be decided."""

    __slots__ = ("_about", "_claims", "_decide", "_is_fresh", "_key", "_outcome", "_tries", "_ttl_s", "_why")

    def __init__(
        self,
        claims: Claims,
        about: str,
        key: str,
        decide: Decide,
        why: str,
        outcome: Promise[Claim | None],
        ttl_s: float,
    ) -> None:
        self._claims = claims
        self._about = about
        self._key = key
        self._decide = decide
        self._why = why
        self._outcome = outcome
        self._ttl_s = ttl_s
        self._tries = 0
        # What is decided on is what the leader has said.
        self._is_fresh = False

    def go_on(self, current: Claim | None) -> None:
        """Decide on what is there, and try that."""
        self._tries += 1
        if self._tries > MAX_TRIES:
            self._outcome.settle(cannot_agree("others change the same again and again"))
            return
        try:
            value = self._decide(current)
        except RadiodError as refusal:
            if self._is_fresh:
                self._outcome.settle(refusal)
            else:
                self._claims.refresh(self._about, self._key).then(self._refreshed)
            return
        if value == (None if current is None else current.value):
            self._outcome.settle(current)
        else:
            writes = self._claims.writes
            writes.put(self._about, self._key, value, current, self._done, self._ttl_s, self._why)

    def _refreshed(self, current: Claim | RadiodError | None) -> None:
        if isinstance(current, RadiodError):
            self._outcome.settle(current)
        else:
            self._is_fresh = True
            self.go_on(current)

    def _done(self, outcome: Claim | RadiodError | None) -> None:
        if isinstance(outcome, Taken):
            self._is_fresh = True
            self.go_on(outcome.current)
        else:
            self._outcome.settle(outcome)
