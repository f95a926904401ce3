"""Requests with an ``Idempotency-Key``, each done by one node: claimed before, and its answer kept behind.

One record of a stream for each request, which goes by itself when it is old. Nobody mirrors them: whoever
gets a request claims it by compare and set, and who is too late reads what became of it. A request that is
claimed by a node that is gone may have been done, or not: nobody does it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Final

from radiod.core.budgets.idempotency import Answers, Begun, Kept, Name, Running, Table
from radiod.core.cluster.answer_records import (
    ANSWERED,
    FREE,
    RUNNING,
    AnswerRecord,
    procedure_of,
    read_answer,
    write_answer,
)
from radiod.core.cluster.claim import cannot_agree
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.ports import Appended, Failure, Stored, Streams, StreamSettings
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import IDEMPOTENCY_MISMATCH, STILL_RUNNING, RadiodError, Refused
from radiod.wire.answer import Answer

__all__ = ["MAX_CLAIMED", "SharedAnswers"]

RETRY_S: Final = 0.25
"""Seconds between two tries."""

PATIENCE_S: Final = 5.0
"""For which a request waits until it is claimed."""

HOLD_S: Final = 30.0
"""For which it is tried to store what became of one."""

MAX_CLAIMED: Final = 10_000
"""Requests that are being claimed, or done, at this node."""

STREAM_BYTES: Final = 256 << 20
"""Of all that is kept; then the oldest go."""

TRIES: Final = 20
"""How often a request is claimed anew because others were faster, and came to nothing."""

SECRET: Final = "radiod."
"""What procedures begin with whose answers may show a secret: they stay with the node that has them."""


class _Claimed:
    """One request that this node is about to do, or does. ``seq``: of its record; 0: it is not stored yet."""

    __slots__ = ("digest", "is_secret", "is_unknown", "seq", "subject", "token", "tries", "until")

    def __init__(self, subject: str, digest: bytes, token: str, until: float, is_secret: bool) -> None:
        self.subject = subject
        self.digest = digest
        self.token = token
        self.until = until
        self.is_secret = is_secret
        self.is_unknown = False
        self.seq = 0
        self.tries = 0


class SharedAnswers(Answers):
    """Those of all nodes, as one of them has them.

    Args:
        prefix: of all subjects of the cluster; name: of this node.
        most_bytes: what a record may have: a longer answer is kept by the node alone that gave it.
        most: requests that are being claimed, or done, at this node.
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        keep: float,
        *,
        streams: Streams,
        peers: Peers,
        prefix: str,
        name: str,
        most_bytes: int,
        most: int = MAX_CLAIMED,
    ) -> None:
        super().__init__(clock, timers, keep)
        self._now = clock.seconds
        self._at = timers.at
        self._ttl_s = keep
        self._streams = streams
        self._peers = peers
        self._root = f"{prefix}.once"
        self._stream = f"{prefix.replace('.', '-')}-once"
        self._node = name
        self._most_bytes = most_bytes
        self._most = most
        self._tokens = 0
        # (holder, path, key) -> what is claimed of it
        self._claimed: dict[tuple[Hashable, str, str], _Claimed] = {}
        # Whether the stream was there once.
        self.is_ready = False

    # --- the engine

    def up(self) -> None:
        """There is a connection to the engine: have the stream, some time."""
        settings = StreamSettings(self._stream, (f"{self._root}.>",), 1, bytes=STREAM_BYTES)
        self._streams.ensure(settings, self._ensured)

    def _ensured(self, failure: Failure | None) -> None:
        if failure is None:
            self.is_ready = True
        else:
            self._at(self._now() + 1.0, self.up)

    # --- requests

    def begin(self, holder: Hashable, path: str, key: str, body: bytes) -> Begun:
        """As ``Answers.begin``; on whichever node it came before."""
        begun = self.begin_here(holder, path, key, body)
        if isinstance(begun, Kept):
            return begun
        if self._peers.is_isolated or len(self._claimed) >= self._most:
            begun.release()
            why = (
                "it is cut off from the others" if self._peers.is_isolated else "too much is claimed already"
            )
            raise cannot_agree(f"this node does not know whether the request was done: {why}")
        self._tokens += 1
        token = f"{self._peers.me:x}-{self._tokens:x}"
        subject = f"{self._root}.{_digest(holder, path, key)}"
        is_secret = path == "/call" and procedure_of(body).startswith(SECRET)
        digest = hashlib.sha256(body).digest()
        claimed = _Claimed(subject, digest, token, self._now() + PATIENCE_S, is_secret)
        self._claimed[holder, path, key] = claimed
        outcome: Promise[Running | Kept] = Promise()
        self._claim(claimed, begun, outcome, 0)
        return outcome

    def _claim(
        self, claimed: _Claimed, running: Running, outcome: Promise[Running | Kept], expected: int
    ) -> None:
        record = self._record(claimed, RUNNING)

        def told(stored: Appended | Failure) -> None:
            if isinstance(stored, Appended):
                claimed.seq = stored.seq
                outcome.settle(running)
            elif stored is Failure.TAKEN:
                self._look(claimed, running, outcome)
            else:
                claimed.is_unknown = claimed.is_unknown or stored is Failure.UNKNOWN
                self._again(
                    claimed, running, outcome, lambda: self._claim(claimed, running, outcome, expected)
                )

        # Each try of the same is stored once; behind another's end it is another try.
        id = f"{claimed.token}-{expected}"
        self._append(claimed.subject, record, told, id, expected)

    def _look(self, claimed: _Claimed, running: Running, outcome: Promise[Running | Kept]) -> None:
        """Somebody has it: see who, and what became of it."""

        def found(last: Stored | Failure | None) -> None:
            if isinstance(last, Failure):
                self._again(claimed, running, outcome, lambda: self._look(claimed, running, outcome))
                return
            record = None if last is None else read_answer(last.data)
            if record is None and last is not None:
                self._peers.note_malformed(self._stream)
            if record is None or record.state == FREE:
                claimed.tries += 1
                if claimed.tries > TRIES:
                    self._give_up(claimed, running, outcome, cannot_agree("others make this request, too"))
                else:
                    self._claim(claimed, running, outcome, 0 if last is None else last.seq)
            elif record.token == claimed.token and last is not None:
                claimed.seq = last.seq
                outcome.settle(running)
            else:
                running.release()
                outcome.settle(self._of(record, claimed.digest))

        self._streams.last(self._stream, claimed.subject, found)

    def _of(self, record: AnswerRecord, digest: bytes) -> Kept | Refused:
        """What another's request comes to here."""
        if record.digest != digest:
            return Refused(IDEMPOTENCY_MISMATCH, "Idempotency-Key was used for a request with another body")
        if record.state == ANSWERED:
            answer = record.answer if record.answer is not None else record.reply
            if answer is not None:
                return Kept(digest, answer, record.size, 0.0)
            return Refused(
                STILL_RUNNING, f"this request was done by node {record.name}, which alone has its answer"
            )
        if record.node == self._peers.me or not self._peers.is_gone(record.node):
            return Refused(STILL_RUNNING, "a request with this Idempotency-Key is still running")
        return Refused(
            STILL_RUNNING,
            f"node {record.name} took this request and is gone: nobody knows whether it was done",
        )

    def _again(
        self,
        claimed: _Claimed,
        running: Running,
        outcome: Promise[Running | Kept],
        what: Callable[[], None],
    ) -> None:
        now = self._now()
        if now + RETRY_S > claimed.until:
            self._give_up(
                claimed, running, outcome, cannot_agree("most of the engine's servers do not answer")
            )
        else:
            self._at(now + RETRY_S, what)

    def _give_up(
        self, claimed: _Claimed, running: Running, outcome: Promise[Running | Kept], why: RadiodError
    ) -> None:
        running.release()
        outcome.settle(why)
        if claimed.is_unknown:
            self._free(claimed, self._now() + HOLD_S)

    def _free(self, claimed: _Claimed, until: float) -> None:
        """It may be claimed by us, who have given it up: let others make it."""

        def found(last: Stored | Failure | None) -> None:
            record = read_answer(last.data) if isinstance(last, Stored) else None
            if isinstance(last, Stored) and record is not None and record.token == claimed.token:
                claimed.seq = last.seq
                self._store(claimed, self._record(claimed, FREE), until)
            elif self._now() < until:
                # What nobody has answered may be stored yet.
                self._at(self._now() + RETRY_S, lambda: self._free(claimed, until))

        self._streams.last(self._stream, claimed.subject, found)

    # --- their answers

    def end(self, table: Table, name: Name, kept: Kept | None) -> None:
        """As ``Answers.end``: the others may know it, too."""
        super().end(table, name, kept)
        claimed = self._claimed.pop((table.holder, *name), None)
        if claimed is not None and claimed.seq:
            record = self._record(claimed, FREE) if kept is None else self._answered(claimed, kept)
            self._store(claimed, record, self._now() + HOLD_S)

    def _answered(self, claimed: _Claimed, kept: Kept) -> bytes:
        answer = kept.answer
        if not claimed.is_secret and kept.size <= self._most_bytes:
            whole = self._record(
                claimed,
                ANSWERED,
                answer if isinstance(answer, Answer) else None,
                answer if isinstance(answer, dict) else None,
                kept.size,
            )
            if len(whole) <= self._most_bytes:
                return whole
        return self._record(claimed, ANSWERED)

    def _record(
        self,
        claimed: _Claimed,
        state: int,
        answer: Answer | None = None,
        reply: dict[str, object] | None = None,
        size: int = 0,
    ) -> bytes:
        return write_answer(
            AnswerRecord(
                state, claimed.digest, self._peers.me, self._node, claimed.token, answer, reply, size
            )
        )

    def _store(self, claimed: _Claimed, data: bytes, until: float) -> None:
        """Store what became of a request in the place of its claim."""

        def told(stored: Appended | Failure) -> None:
            is_lost = isinstance(stored, Failure) and stored is not Failure.TAKEN
            if is_lost and self._now() < until:
                self._at(self._now() + RETRY_S, lambda: self._store(claimed, data, until))

        self._append(claimed.subject, data, told, f"{claimed.token}-end", claimed.seq)

    def _append(
        self, subject: str, data: bytes, told: Callable[[Appended | Failure], None], id: str, expected: int
    ) -> None:
        self._streams.append(self._stream, subject, data, told, id=id, expected=expected, ttl_s=self._ttl_s)


def _digest(holder: Hashable, path: str, key: str) -> str:
    """Names a request: the holder, a tuple of texts, has no NUL, nor has a path."""
    whole = "\0".join((*holder, path, key)) if isinstance(holder, tuple) else f"{holder}\0{path}\0{key}"
    return blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
