"""Writing claims: one record each, until it is decided what became of it.

A try that was not answered may be stored, or be stored yet: so it is tried again under the same id, by which
the engine stores it once, until there is an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.claim import Claim, ClaimSettings, Node, Taken, cannot_agree, subject_of
from radiod.core.cluster.claim_audit import ClaimAudit
from radiod.core.cluster.claim_mirror import ClaimMirror
from radiod.core.cluster.claim_records import ClaimRecord, write_claim
from radiod.core.cluster.ports import Appended, Failure, Streams
from radiod.core.timers import Clock, Timers
from radiod.errors import QUOTA, RadiodError, Refused

__all__ = ["MAX_WRITES", "ClaimWrites"]

MAX_WRITES: Final = 10_000
"""Writes on their way; more are refused."""

RETRY_S: Final = 0.25
"""Between two tries."""

Done = Callable[["Claim | RadiodError | None"], None]


class Write:
    """One record that is to be stored. ``is_unknown``: a try was not answered; ``ttl_s``: 0: it stays."""

    __slots__ = ("data", "done", "expected", "is_unknown", "record", "subject", "ttl_s", "until")

    def __init__(
        self, subject: str, record: ClaimRecord, expected: int, until: float, ttl_s: float, done: Done
    ) -> None:
        self.subject = subject
        self.record = record
        self.data = write_claim(record)
        self.expected = expected
        self.until = until
        self.ttl_s = ttl_s
        self.done = done
        self.is_unknown = False


class ClaimWrites:
    """The writes of one node."""

    def __init__(
        self,
        mirror: ClaimMirror,
        audit: ClaimAudit,
        streams: Streams,
        clock: Clock,
        timers: Timers,
        node: Node,
        settings: ClaimSettings,
    ) -> None:
        self._mirror = mirror
        self._audit = audit
        self._streams = streams
        self._clock = clock
        self._timers = timers
        self._node = node
        self._settings = settings
        self._writes: set[Write] = set()
        self._tokens = 0

    def __len__(self) -> int:
        """Those on their way."""
        return len(self._writes)

    def put(
        self,
        about: str,
        key: str,
        value: bytes | None,
        current: Claim | None,
        done: Done,
        ttl_s: float = 0.0,
        why: str = "",
    ) -> None:
        """Store one record in the place of ``current``; ``value``: None: it ends, and ``why``.

        ``ttl_s``: for how long; 0: until it is changed.

        ``done`` takes the claim as it is then, None: it has ended; ``Taken``; or ``Refused``.
        """
        refusal = self._refusal(is_new=current is None)
        if refusal is not None:
            done(refusal)
            return
        self._tokens += 1
        token = f"{self._node.me:x}-{self._tokens:x}"
        subject = subject_of(self._settings.prefix, about, key)
        expected = self._mirror.revision(subject) if current is None else current.revision
        until = self._clock.seconds() + self._settings.patience_s
        record = ClaimRecord(about, key, value, self._node.me, token, why if value is None else "")
        ttl_s = self._settings.ended_s if value is None else ttl_s
        write = Write(subject, record, expected, until, ttl_s, done)
        self._writes.add(write)
        self._try(write)

    def _refusal(self, *, is_new: bool) -> Refused | None:
        if self._node.is_isolated:
            return cannot_agree(CUT_OFF)
        if len(self._writes) >= MAX_WRITES:
            return cannot_agree("too much is about to be claimed already")
        if is_new and len(self._mirror) >= self._settings.most:
            return Refused(QUOTA, f"the cluster has {self._settings.most} claims already")
        return None

    def _try(self, write: Write) -> None:
        if self._node.is_isolated:
            self._fail(write, CUT_OFF)
            return

        def told(outcome: Appended | Failure) -> None:
            self._told(write, outcome)

        self._streams.append(
            self._settings.stream,
            write.subject,
            write.data,
            told,
            id=write.record.token,
            expected=write.expected,
            ttl_s=write.ttl_s,
        )

    def _told(self, write: Write, outcome: Appended | Failure) -> None:
        if isinstance(outcome, Appended):
            if outcome.seq > self._mirror.revision(write.subject):
                self._mirror.note(write.subject, outcome.seq, write.record)
            self._finish(write, self._mirror.at(write.subject))
        elif outcome is Failure.TAKEN:
            self._look(write)
        else:
            write.is_unknown = write.is_unknown or outcome is Failure.UNKNOWN
            self._again(write, self._try)

    def _look(self, write: Write) -> None:
        """What was expected is not there: find out what is, which may be what we wrote."""

        def learnt(said: ClaimRecord | Failure | None) -> None:
            if isinstance(said, Failure):
                self._again(write, self._look)
                return
            current = self._mirror.at(write.subject)
            is_ours = said is not None and said.token == write.record.token
            self._finish(write, current if is_ours else Taken(current))

        self._audit.learn(write.subject, learnt)

    def _again(self, write: Write, what: Callable[[Write], None]) -> None:
        now = self._clock.seconds()
        if now + RETRY_S > write.until:
            self._fail(write, "most of the engine's servers do not answer")
            return
        self._timers.at(now + RETRY_S, lambda: what(write))

    def _fail(self, write: Write, why: str) -> None:
        self._finish(write, cannot_agree(f"{why}; it may be done all the same" if write.is_unknown else why))

    def _finish(self, write: Write, outcome: Claim | RadiodError | None) -> None:
        self._writes.discard(write)
        write.done(outcome)


CUT_OFF: Final = "this node is cut off from the others"
