"""Requests to JetStream: streams, messages that are stored and acknowledged, and reading them again.

No consumers: whoever follows a stream subscribes to what it republishes (``wire.republished``), and reads
what it has missed. Two kinds of reading differ in what they promise:

* ``last``, ``get``, ``info``: the leader answers. What was acknowledged is there.
* ``batch``, ``last_of_many``: any replica answers. What comes is a prefix of the truth, at best; one behind a
  partition was two minutes old. Read again until the number has come that the leader told.

All answers are Deferreds. They fail with ``StreamError`` (JetStream says no), ``NoResponders`` (nobody leads
the stream: nothing has happened), ``TimedOut`` or ``ConnectionLost`` (it may have happened), ``Overloaded``.

Source: NATS's JetStream API, ADR-31 for batches, ADR-43 for TTLs of messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
from twisted.internet.defer import Deferred, fail

from radiod.engine.nats import wire
from radiod.engine.nats.errors import EngineError, ProtocolError, StreamError, WrongLastSequence
from radiod.engine.nats.requests import Answer, Taker, nobody_at
from radiod.engine.nats.shapes import (
    UNREADABLE,
    ApiAnswer,
    ApiError,
    MessageAnswer,
    PubAck,
    Purged,
    Republish,
    StreamConfig,
    StreamInfo,
)

__all__ = ["Asking", "Page", "Stored", "Streams", "seconds_of", "stream_config"]

API: Final = "$JS.API."
NOT_FOUND: Final = 10059
NO_MESSAGE: Final = 10037
WRONG_LAST: Final = (10071, 10070)
"""Codes of errors: no such stream; no such message; the last one is another."""

BATCH: Final = 1_000
BATCH_BYTES: Final = 8 << 20
"""What one batch brings at most, unless it is told otherwise. A message more than the bytes may come."""

NS: Final = 1_000_000_000

T = TypeVar("T", bound=ApiAnswer)


class Asking(Protocol):
    """What it takes of a ``client.Connection``."""

    def request(
        self, subject: bytes, payload: bytes, timeout: float, headers: bytes | None = None
    ) -> Deferred[Answer]:
        """Ask for one answer."""

    def ask(
        self, taker: Taker, subject: bytes, payload: bytes, timeout: float, headers: bytes | None = None
    ) -> bytes:
        """Ask for several."""


class Stored(NamedTuple):
    """One message of a stream.

    ``headers``: its publisher's, perhaps with the stream's own behind them; None: it has none. ``time``: when
    it was stored, as ``seconds_of`` reads it.
    """

    sequence: int
    subject: bytes
    headers: bytes | None
    payload: bytes
    time: str


class Page(NamedTuple):
    """What one replica has, oldest first.

    ``pending``: how many more there are. ``up_to``: the last sequence of the stream that this replica knew;
    0: it did not tell.
    """

    messages: list[Stored]
    pending: int
    up_to: int


def seconds_of(time: str) -> float:
    """Seconds since 1970 of a time as a stream writes it. Raises: ValueError."""
    return datetime.fromisoformat(time).timestamp()


def stream_config(
    name: str,
    subjects: Sequence[bytes],
    *,
    replicas: int = 1,
    republish: bytes | None = None,
    per_subject: int = -1,
    max_bytes: int = -1,
    max_age: float = 0,
    duplicates: float = 60,
) -> StreamConfig:
    """A stream on disks, whose messages may be read from any replica and may have a TTL each.

    Args:
        republish: what stands before a subject when its messages go out again.
        per_subject: messages of each subject that are kept, the last ones; -1: all.
        max_bytes: of all; then the oldest go. -1: what the server's disk takes.
        max_age: seconds; 0: for ever.
        duplicates: seconds in which a message's id is remembered: 190 bytes each.
    """
    return StreamConfig(
        name=name,
        subjects=[subject.decode() for subject in subjects],
        num_replicas=replicas,
        max_msgs_per_subject=per_subject,
        max_bytes=max_bytes,
        max_age=int(max_age * NS),
        # No window may be longer than a message lives.
        duplicate_window=int(min(duplicates, max_age or duplicates) * NS),
        republish=None if republish is None else Republish(">", f"{republish.decode()}.>"),
    )


class Streams:
    """JetStream over one connection. ``timeout``: seconds for each answer, unless it is told otherwise."""

    def __init__(self, connection: Asking, timeout: float = 5.0) -> None:
        self._connection = connection
        self._timeout = timeout

    # --- streams

    def create(self, config: StreamConfig) -> Deferred[StreamInfo]:
        """Make a stream. One that is there already, and is the same, is no error."""
        return self._api(StreamInfo, f"STREAM.CREATE.{config.name}", config)

    def update(self, config: StreamConfig) -> Deferred[StreamInfo]:
        """Change a stream: all that is not named goes back to its default."""
        return self._api(StreamInfo, f"STREAM.UPDATE.{config.name}", config)

    def info(
        self, stream: str, *, subjects: bytes | None = None, offset: int = 0
    ) -> Deferred[StreamInfo | None]:
        """What a stream is and holds, from its leader. Returns: None: there is no such stream.

        ``subjects``: of which to count messages, each; up to 100,000 from ``offset`` on.
        """
        asked = {} if subjects is None else {"subjects_filter": subjects.decode(), "offset": offset}
        found: Deferred[Any] = self._api(StreamInfo, f"STREAM.INFO.{stream}", asked)
        return found.addErrback(_none_if, NOT_FOUND)

    def delete(self, stream: str) -> Deferred[ApiAnswer]:
        """Remove a stream, and all that is in it."""
        return self._api(ApiAnswer, f"STREAM.DELETE.{stream}", {})

    def purge(
        self, stream: str, subject: bytes | None = None, *, keep: int = 0, before: int = 0
    ) -> Deferred[Purged]:
        """Remove messages: of a subject, or all; but for the last ``keep``, or those from ``before`` on."""
        asked: dict[str, Any] = {} if subject is None else {"filter": subject.decode()}
        asked |= ({"keep": keep} if keep else {}) | ({"seq": before} if before else {})
        return self._api(Purged, f"STREAM.PURGE.{stream}", asked)

    def delete_message(self, stream: str, sequence: int) -> Deferred[ApiAnswer]:
        """Remove one message."""
        return self._api(ApiAnswer, f"STREAM.MSG.DELETE.{stream}", {"seq": sequence})

    def step_down(self, stream: str) -> Deferred[ApiAnswer]:
        """Have another replica lead."""
        return self._api(ApiAnswer, f"STREAM.LEADER.STEPDOWN.{stream}", {})

    # --- writing

    def publish(
        self,
        subject: bytes,
        payload: bytes,
        *,
        id: bytes | None = None,
        expected: int | None = None,
        ttl: int | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        timeout: float | None = None,
    ) -> Deferred[PubAck]:
        """Store a message in whichever stream has the subject.

        Args:
            id: of the message: one that was stored within the duplicate window is not stored again, but its
                first sequence answered.
            expected: the sequence of the subject's last message, 0: it has none; else it is refused.
            ttl: whole seconds after which the message goes, at least 1.
        Fails also with: WrongLastSequence; ValueError for headers that are none.
        """
        fields = [*headers]
        if id is not None:
            fields.append((b"Nats-Msg-Id", id))
        if expected is not None:
            fields.append((b"Nats-Expected-Last-Subject-Sequence", b"%d" % expected))
        if ttl is not None:
            fields.append((b"Nats-TTL", b"%d" % ttl))
        try:
            block = wire.headers(fields) if fields else None
        except ValueError:
            return fail()
        answered = self._connection.request(subject, payload, timeout or self._timeout, block)
        return answered.addCallback(_ack)

    # --- reading from the leader

    def last(self, stream: str, subject: bytes) -> Deferred[Stored | None]:
        """The last message of a subject, or pattern of subjects. Returns: None: there is none."""
        return self._get(stream, {"last_by_subj": subject.decode()})

    def get(self, stream: str, sequence: int) -> Deferred[Stored | None]:
        """The message of a sequence. Returns: None: there is none."""
        return self._get(stream, {"seq": sequence})

    def next(self, stream: str, subject: bytes, after: int) -> Deferred[Stored | None]:
        """The first message of a subject, or pattern, behind a sequence. Returns: None: there is none."""
        return self._get(stream, {"seq": after + 1, "next_by_subj": subject.decode()})

    def _get(self, stream: str, asked: dict[str, Any]) -> Deferred[Stored | None]:
        found: Deferred[Any] = self._api(MessageAnswer, f"STREAM.MSG.GET.{stream}", asked)
        return found.addCallbacks(_stored, _none_if, errbackArgs=(NO_MESSAGE,))

    # --- reading from any replica

    def batch(
        self,
        stream: str,
        subject: bytes,
        after: int = 0,
        *,
        limit: int = BATCH,
        max_bytes: int = BATCH_BYTES,
        timeout: float | None = None,
    ) -> Deferred[Page]:
        """Messages of a subject, or pattern of subjects, behind a sequence."""
        asked = {"seq": after + 1, "next_by_subj": subject.decode(), "batch": limit, "max_bytes": max_bytes}
        return self._direct(stream, asked, timeout)

    def last_of_many(
        self, stream: str, subjects: Sequence[bytes], *, up_to: int = 0, timeout: float | None = None
    ) -> Deferred[Page]:
        """The last message of each subject, by sequence: up to 1,024 of them, patterns included.

        Fails also with: ``StreamError`` 413: there are more. ``up_to``: not above this sequence; 0: the last.
        """
        asked: dict[str, Any] = {"multi_last": [subject.decode() for subject in subjects]}
        return self._direct(stream, asked | ({"up_to_seq": up_to} if up_to else {}), timeout)

    def _direct(self, stream: str, asked: dict[str, Any], timeout: float | None) -> Deferred[Page]:
        subject = f"{API}DIRECT.GET.{stream}".encode()
        pages = _Pages(subject)
        try:
            self._connection.ask(pages, subject, msgspec.json.encode(asked), timeout or self._timeout)
        except EngineError as error:
            return fail(error)
        return pages.deferred

    def _api(self, kind: type[T], verb: str, asked: Any) -> Deferred[T]:
        subject = f"{API}{verb}".encode()
        answered = self._connection.request(subject, msgspec.json.encode(asked), self._timeout)
        return answered.addCallback(lambda answer: _read(kind, answer.payload))


class _Pages:
    """A ``Taker`` of a batch: messages, and a status at its end."""

    def __init__(self, subject: bytes) -> None:
        self._subject = subject
        self._messages: list[Stored] = []
        self.deferred: Deferred[Page] = Deferred()

    def take(self, headers: bytes | None, payload: bytes) -> bool:
        """A message, or the end."""
        try:
            status = 0 if headers is None else wire.status_of(headers)
            if not status:
                self._messages.append(self._message(headers or b"", payload))
                return False
            page = self._end(wire.parse_headers(headers or b""))
        except EngineError as error:
            self.deferred.errback(error)
        else:
            self.deferred.callback(page)
        return True

    def fail(self, error: EngineError) -> None:
        """It does not come, or not to its end."""
        self.deferred.errback(error)

    def _message(self, headers: bytes, payload: bytes) -> Stored:
        try:
            subject, sequence, time, _, previous = headers.rsplit(wire.CRLF, 7)[1:6]
            stored = Stored(
                int(_behind(wire.SEQUENCE, sequence)),
                _behind(wire.SUBJECT, subject),
                headers,
                payload,
                _behind(b"Nats-Time-Stamp: ", time).decode(),
            )
            self._check(int(_behind(wire.PREVIOUS, previous)))
        except ValueError:
            raise ProtocolError(f"no message of a batch: {headers[-wire.SHOWN :]!r}") from None
        return stored

    def _check(self, previous: int) -> None:
        """Each tells the one before it: messages of NATS may get lost."""
        if self._messages and self._messages[-1].sequence != previous:
            raise ProtocolError("a message of a batch is missing")

    def _end(self, headers: wire.Headers) -> Page:
        if headers.status == 204:
            self._check(headers.number(b"Nats-Last-Sequence"))
            pending, up_to = headers.number(b"Nats-Num-Pending"), headers.number(b"Nats-UpTo-Sequence")
            return Page(self._messages, pending, up_to)
        if headers.status == 404:
            return Page(self._messages, 0, 0)
        if headers.status == 503:
            raise nobody_at(self._subject)
        raise StreamError(headers.status, 0, headers.description)


def _behind(name: bytes, line: bytes) -> bytes:
    """A header's value. Raises: ValueError: it is another header."""
    if not line.startswith(name):
        raise ValueError(line)
    return line[len(name) :]


def _read(kind: type[T], payload: bytes) -> T:
    """An answer of the API. Raises: StreamError; ProtocolError: it is none."""
    try:
        answer = msgspec.json.decode(payload, type=kind)
    except UNREADABLE as error:
        raise ProtocolError(f"no answer of JetStream: {error}") from None
    if answer.error is not None:
        raise _error(answer.error)
    return answer


_ACKS = msgspec.json.Decoder(PubAck)


def _ack(answer: Answer) -> PubAck:
    try:
        ack = _ACKS.decode(answer.payload)
    except UNREADABLE as error:
        raise ProtocolError(f"no acknowledgement of JetStream: {error}") from None
    if ack.error is not None:
        raise _error(ack.error)
    return ack


def _error(error: ApiError) -> StreamError:
    text = f"JetStream: {error.description} ({error.err_code})"
    if error.err_code in WRONG_LAST:
        last = re.search(r": (\d{1,20})$", error.description)
        return WrongLastSequence(error.code, error.err_code, text, int(last[1]) if last else None)
    return StreamError(error.code, error.err_code, text)


def _stored(answer: MessageAnswer) -> Stored:
    message = answer.message
    return Stored(message.seq, message.subject.encode(), message.hdrs, message.data, message.time)


def _none_if(failure: Any, number: int) -> None:
    """No failure, if it is this one of JetStream's."""
    failure.trap(StreamError)
    if failure.value.number != number:
        failure.raiseException()
