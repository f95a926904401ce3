"""The ``Streams`` of the core's ports over one connection to NATS.

A stream sends each record again once it is stored, on its subject with a beginning: that is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from twisted.python.failure import Failure as Failed

from radiod.core.cluster.ports import Appended, Failure, Stored, StreamSettings, StreamUser
from radiod.engine.nats import streams as jetstream
from radiod.engine.nats import wire
from radiod.engine.nats.client import Connection
from radiod.engine.nats.errors import (
    ConnectionLost,
    EngineError,
    NoResponders,
    Overloaded,
    PayloadTooLarge,
    ProtocolError,
    StreamError,
    TimedOut,
    WrongLastSequence,
)
from radiod.engine.nats.shapes import PubAck, StreamInfo

__all__ = ["NatsStreams"]

T = TypeVar("T")

UNKNOWN: Final = (TimedOut, ConnectionLost, ProtocolError)
"""What was asked may have happened."""

REFUSED: Final = (NoResponders, Overloaded, PayloadTooLarge, StreamError)
"""It has not."""


class NatsStreams:
    """``Streams``.

    Args:
        again: what stands before the subjects of records that are sent again; one for a cluster.
        replicas: of each stream.
        notice: takes a line for the log: why a stream is not as it should be, once until it is.

    ``malformed``: what came, and is no record of a stream.
    """

    def __init__(
        self,
        connection: Connection,
        user: StreamUser,
        again: str,
        replicas: int,
        notice: Callable[[str], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        self._connection = connection
        self._user = user
        self._again = again
        self._replicas = replicas
        self._notice = notice
        self._soon = soon
        self._streams = jetstream.Streams(connection)
        # subject -> the ids of its subscriptions, one for each following
        self._sids: dict[str, list[bytes]] = {}
        # stream -> what was said of it: it is tried on, several times a second
        self._said: dict[str, str] = {}
        self.malformed = 0

    # --- Streams

    def ensure(self, settings: StreamSettings, done: Callable[[Failure | None], None]) -> None:
        """As ``Streams.ensure``."""
        config = jetstream.stream_config(
            settings.name,
            [subject.encode() for subject in settings.subjects],
            replicas=self._replicas,
            republish=self._again.encode(),
            per_subject=settings.max_per_subject,
            max_bytes=settings.bytes or -1,
            max_age=settings.seconds,
            duplicates=settings.window_s,
        )

        def found(info: StreamInfo | None) -> Any:
            if info is None:
                return self._streams.create(config)
            return self._streams.update(config)

        def ensured(_: object) -> None:
            self._said.pop(settings.name, None)

        def failed(error: EngineError) -> Failure:
            line = f"stream {settings.name}: {error}"
            if isinstance(error, StreamError) and self._said.get(settings.name) != line:
                self._said[settings.name] = line
                self._notice(line)
            return _kind(error)

        self._then(self._streams.info(settings.name).addCallback(found), ensured, failed, done)

    def identify(self, stream: str, done: Callable[[str | Failure], None]) -> None:
        """As ``Streams.identify``: when it was made, which all servers know alike."""

        def told(info: StreamInfo | None) -> str | Failure:
            return Failure.REFUSED if info is None else info.created

        self._then(self._streams.info(stream), told, _kind, done)

    def append(
        self,
        stream: str,
        subject: str,
        data: bytes,
        done: Callable[[Appended | Failure], None],
        *,
        id: str = "",
        expected: int | None = None,
        ttl_s: float = 0.0,
    ) -> None:
        """As ``Streams.append``."""
        if not self._connection.is_connected:
            self._soon(lambda: done(Failure.REFUSED))
            return
        stored = self._streams.publish(
            subject.encode(),
            data,
            id=id.encode() if id else None,
            expected=expected,
            # Seconds, and never too few.
            ttl=-int(-ttl_s // 1) if ttl_s else None,
        )

        def told(ack: PubAck) -> Appended | Failure:
            return Appended(ack.seq, ack.duplicate)

        self._then(stored, told, _kind, done)

    def follow(self, subject: str) -> None:
        """As ``Streams.follow``."""
        sid = self._connection.subscribe(f"{self._again}.{subject}".encode(), self._came)
        self._sids.setdefault(subject, []).append(sid)

    def unfollow(self, subject: str) -> None:
        """As ``Streams.unfollow``."""
        sids = self._sids[subject]
        self._connection.unsubscribe(sids.pop())
        if not sids:
            del self._sids[subject]

    def last(self, stream: str, subject: str, done: Callable[[Stored | Failure | None], None]) -> None:
        """As ``Streams.last``."""
        self._then(self._streams.last(stream, subject.encode()), _found, _kind, done)

    def read(
        self,
        stream: str,
        subject: str,
        after: int,
        limit: int,
        done: Callable[[list[Stored] | Failure], None],
        *,
        by_leader: bool = False,
    ) -> None:
        """As ``Streams.read``."""
        if by_leader:
            self._read_on(stream, subject, after, limit, [], done)
            return
        found = self._streams.batch(stream, subject.encode(), after, limit=limit)
        self._then(found, _records, _kind, done)

    def _read_on(
        self,
        stream: str,
        subject: str,
        after: int,
        limit: int,
        records: list[Stored],
        done: Callable[[list[Stored] | Failure], None],
    ) -> None:
        """Read one after the other: the leader tells no more at once."""

        def proceed(outcome: Stored | Failure | None) -> None:
            if isinstance(outcome, Failure):
                done(outcome)
                return
            if outcome is not None:
                records.append(outcome)
            if outcome is None or len(records) >= limit:
                done(records)
            else:
                self._read_on(stream, subject, outcome.seq, limit, records, done)

        self._then(self._streams.next(stream, subject.encode(), after), _found, _kind, proceed)

    def last_many(
        self, stream: str, subjects: list[str], done: Callable[[list[Stored] | Failure], None]
    ) -> None:
        """As ``Streams.last_many``."""
        found = self._streams.last_of_many(stream, [subject.encode() for subject in subjects])
        self._then(found, _records, _kind, done)

    def purge(
        self, stream: str, subject: str, done: Callable[[Failure | None], None], *, before: int = 0
    ) -> None:
        """As ``Streams.purge``."""
        purged = self._streams.purge(stream, subject.encode(), before=before)
        self._then(purged, lambda _: None, _kind, done)

    # --- what comes

    def _came(self, subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes) -> None:
        try:
            told = wire.republished(headers or b"")
            record = Stored(told.subject.decode(), told.sequence, told.previous, payload)
        except (ProtocolError, UnicodeDecodeError) as error:
            self.malformed += 1
            if self.malformed == 1:
                self._notice(f"no record of a stream on {subject[:80]!r}, nor is what follows: {error}")
            return
        self._user.stored(record)

    def _then(
        self,
        deferred: Any,
        read: Callable[[Any], Any],
        failed: Callable[[EngineError], Failure],
        done: Callable[[Any], None],
    ) -> None:
        """Call ``done`` with what came, as ``read`` has it, or why nothing did; once the caller goes on."""
        has_returned = False

        def conclude(outcome: Any) -> None:
            if isinstance(outcome, Failed):
                error = outcome.value
                if not isinstance(error, EngineError):
                    outcome.raiseException()
                    return
                value: Any = failed(error)
            else:
                try:
                    value = read(outcome)
                except UnicodeDecodeError:
                    value = failed(ProtocolError("a stream has a subject that no node writes"))
            if has_returned:
                done(value)
            else:
                self._soon(lambda: done(value))

        deferred.addBoth(conclude)
        has_returned = True


def _record(found: jetstream.Stored) -> Stored:
    return Stored(found.subject.decode(), found.sequence, 0, found.payload)


def _found(found: jetstream.Stored | None) -> Stored | None:
    return None if found is None else _record(found)


def _records(page: jetstream.Page) -> list[Stored]:
    return [_record(one) for one in page.messages]


def _kind(error: EngineError) -> Failure:
    """What an error says of what was asked for."""
    if isinstance(error, WrongLastSequence):
        return Failure.TAKEN
    return Failure.UNKNOWN if isinstance(error, UNKNOWN) else Failure.REFUSED
