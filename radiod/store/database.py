"""The SQLite file: its tables, and every statement that reads or writes them.

Durability: WAL with ``synchronous=FULL``. COMMIT writes the changed pages to the WAL and syncs it before it
returns, so that what was committed survives the process and a power cut, as far as the disk keeps its word.
Every 1,000 pages (4 MB) COMMIT also copies the WAL into the file, and the WAL begins anew; it is not
truncated, because overwriting a file syncs faster than growing it.

A stream is one count of a channel's events: a new epoch is a new stream, and the old one's events go.

Every row has a checksum. What is needed to go on (the structure of the file, channels, counts) must be whole,
or the file is refused; an event that is damaged is told as lost. So that no number comes twice with different
events, a file that may lack what was written last begins new epochs: a copy that was made while a server
wrote, and one whose log is gone. ``state.opened`` tells them (ADR 20).

Statements are few and large on purpose: a batch of events is one INSERT without BEGIN and COMMIT. Python's
sqlite3 gives up the interpreter lock several times in each statement, and while the reactor is busy every
return of it can take 5 ms (``sys.getswitchinterval``), or more if the reactor polls often.

Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.store.acknowledged import Note
from radiod.store.copying import copy
from radiod.store.keeping import OWN_REASONS, AccessRequest, Keeping
from radiod.store.opening import explain, open_file
from radiod.store.records import LOST, LostEvent, Position, StoredChannel, StoredEvent, StoreError
from radiod.store.sums import channel_sum, event_sum, is_whole, salt, stream_sum

__all__ = ["Append", "Cuts", "Database", "DeleteChannel", "Request", "SaveChannel"]

COLUMNS: Final = "seq, time, publication, codec, args, kwargs, details, options, sum"
MARKS: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
NO_ROW: Final = (None,) * 10
# Of a damaged event the number may be, too; no position has one that is higher.
LAST_SEQ: Final = f"max(seq, ifnull((SELECT max(seq) FROM events WHERE stream = id AND seq <= {2**53}), 0))"
BEYOND_ALL: Final = 2**63 - 1

MAX_ROWS: Final = 256
"""Rows of one INSERT, a power of two. Fewer are filled up to the next: nine statements do for all."""


class Append(Struct, frozen=True):
    """One more event of a channel."""

    realm: str
    channel: str
    event: StoredEvent


class SaveChannel(Struct, frozen=True):
    """Add a channel, or change what is stored of it. ``settings``: JSON."""

    realm: str
    name: str
    settings: str
    control_key_hash: bytes | None
    expires: float | None


class DeleteChannel(Struct, frozen=True):
    """Forget a channel and its history."""

    realm: str
    name: str


Request = Append | SaveChannel | DeleteChannel | AccessRequest


class Cuts:
    """What is to go from the old end of histories. Asking again replaces what was asked before."""

    __slots__ = ("befores", "firsts")

    def __init__(self) -> None:
        # realm, channel, epoch -> seq of the first event to keep
        self.firsts: dict[tuple[str, str, str], int] = {}
        # realm, channel -> time before which events go
        self.befores: dict[tuple[str, str], float] = {}

    def __bool__(self) -> bool:
        return bool(self.firsts or self.befores)

    def add_older(self, older: Cuts) -> None:
        """Take over what ``older`` asks for, where nothing newer does."""
        self.firsts = older.firsts | self.firsts
        self.befores = older.befores | self.befores


class _Stream:
    """``last``: the highest seq that is stored, or was before it was cut off."""

    __slots__ = ("epoch", "id", "last", "salt")

    def __init__(self, id_: int, realm: str, channel: str, epoch: str, last: int) -> None:
        self.id = id_
        self.salt = salt(id_, realm, channel)
        self.epoch = epoch
        self.last = last

    def row(self, event: StoredEvent) -> tuple[Any, ...]:
        """The event as it is inserted, and counted."""
        self.last = max(self.last, event.seq)
        return (
            self.id,
            event.seq,
            event.time,
            event.publication,
            event.codec_name,
            event.args,
            event.kwargs,
            event.details_json,
            event.options_json,
            event_sum(self.salt, event),
        )

    def read(self, row: tuple[Any, ...]) -> StoredEvent | LostEvent:
        """The event of a row of ``COLUMNS``, if it is what was written."""
        *fields, sum = row
        event = StoredEvent.of_row(self.epoch, fields)
        is_event = event.codec_name != LOST and is_whole(event, self.salt, sum)
        return event if is_event else LostEvent(_whole(event.seq))


# Index of the request, values of the row.
_Row = tuple[int, tuple[Any, ...]]


class Database:
    """One open file, for one thread at a time. No other process can open it meanwhile."""

    def __init__(self, path: str) -> None:
        """Open or create the file. Raises: StoreError: it cannot be opened, or is not ours."""
        # realm, channel -> its stream, of channels used since the last failure
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._path = os.path.abspath(path)
        self._files = (self._path, f"{self._path}-wal")
        self._is_elsewhere = False
        try:
            # And what the operator should know.
            self._connection, self.notes = open_file(self._path)
        except StoreError as error:
            raise StoreError(f"store {path}: {error}") from error
        self.keeping = Keeping(self._connection)
        self._places = [_place(file) for file in self._files]
        # How far the log was acknowledged; none where there is no room for it.
        self._note: Note | None = None
        with contextlib.suppress(OSError):
            self._note = Note(self._path)
        self._note_all()

    def channels(self) -> list[StoredChannel]:
        """All channels, by realm and name."""
        rows = self._connection.execute(
            "SELECT realm, name, settings, control_key_hash, expires FROM channels ORDER BY realm, name"
        )
        return [
            StoredChannel(
                realm=realm,
                name=name,
                settings=msgspec.json.decode(settings, type=dict[str, Any]),
                control_key_hash=control_key_hash,
                expires=expires,
            )
            for realm, name, settings, control_key_hash, expires in rows
        ]

    def positions(self) -> dict[tuple[str, str], Position]:
        """Realm and channel -> how far it has counted."""
        rows = self._connection.execute(f"SELECT realm, channel, epoch, {LAST_SEQ} FROM streams")
        return {(realm, channel): Position(epoch, seq) for realm, channel, epoch, seq in rows}

    def recent(self, realm: str, channel: str, limit: int) -> list[StoredEvent | LostEvent]:
        """The last ``limit`` events of a channel, oldest first, those that are damaged included."""
        stream = self._find(realm, channel)
        if stream is None:
            return []
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM events WHERE stream = ? ORDER BY seq DESC LIMIT ?", (stream.id, limit)
        ).fetchall()
        return [stream.read(row) for row in reversed(rows)]

    def write(self, requests: Sequence[Request], cuts: Cuts) -> dict[int, Exception]:
        """Do it all, in order, in one transaction that is on disk when this returns.

        Returns: index -> error of the requests that could not be done for reasons of their own.
        Raises: Exception: and nothing was done.
        """
        try:
            if self._is_elsewhere:
                self._check_place()
            rows = None if cuts else self._events_only(requests)
            if rows is not None:
                # SQLite makes a single statement a transaction of its own.
                with contextlib.suppress(sqlite3.IntegrityError):
                    self._insert_together(rows)
                    self._acknowledge()
                    return {}
            self._connection.execute("BEGIN IMMEDIATE")
            errors = self._apply(requests)
            self._cut(cuts)
            self._connection.execute("COMMIT")
            self._acknowledge()
        except BaseException:
            self._streams.clear()
            self.keeping.forget()
            # Some failures have rolled back already; a broken file may refuse even that.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        return errors

    def copy(self, path: str, pause: Callable[[], None]) -> int:
        """As ``copying.copy``."""
        return copy(self._connection, path, pause)

    def close(self) -> None:
        """Move everything into the file and let go of it.

        Raises: sqlite3.Error: the WAL stays beside the file, complete, for the next start.
        """
        try:
            if not self._is_elsewhere:
                self._connection.execute("UPDATE state SET opened = NULL")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._connection.close()
            self._end_note()

    def _acknowledge(self) -> None:
        """What was committed is where the next start will find it, and that is on record.

        Raises: StoreError: it is not.
        """
        self._check_place()
        self._note_all()

    def _note_all(self) -> None:
        note = self._note
        if note is None:
            return
        try:
            note.write()
        except OSError:
            # None is better than one that is out of date.
            self._note = None
            note.remove()

    def _end_note(self) -> None:
        note, self._note = self._note, None
        if note is None:
            return
        if os.path.exists(self._files[1]):
            note.close()
        else:
            # It tells about a log that is no more; left behind it does no harm.
            with contextlib.suppress(OSError):
                note.remove()

    def _check_place(self) -> None:
        """Raises: StoreError: what is written goes where the next start will not find it."""
        self._is_elsewhere = True
        for at, file in enumerate(self._files):
            place = _place(file)
            # There was no log yet, for want of room.
            self._places[at] = self._places[at] or place
            if place != self._places[at]:
                raise StoreError(f"{file} was moved, deleted or replaced; put it back, or restart radiod")
        self._is_elsewhere = False

    def _events_only(self, requests: Sequence[Request]) -> list[_Row] | None:
        """The rows of requests that one INSERT can do; None if there is more to it."""
        if not 0 < len(requests) <= MAX_ROWS:
            return None
        rows: list[_Row] = []
        for index, request in enumerate(requests):
            if not isinstance(request, Append):
                return None
            stream = self._stream_for(request)
            if stream is None:
                return None
            rows.append((index, stream.row(request.event)))
        return rows

    def _stream_for(self, request: Append) -> _Stream | None:
        """The stream that the event belongs to, if it is known."""
        stream = self._streams.get((request.realm, request.channel))
        return stream if stream is not None and stream.epoch == request.event.epoch else None

    def _apply(self, requests: Iterable[Request]) -> dict[int, Exception]:
        errors: dict[int, Exception] = {}
        # Events are gathered, and written before anything else happens.
        rows: list[_Row] = []
        for index, request in enumerate(requests):
            if isinstance(request, Append):
                stream = self._stream_for(request)
                if stream is None:
                    self._insert(rows, errors)
                    stream = self._begin(request.realm, request.channel, request.event.epoch)
                rows.append((index, stream.row(request.event)))
                continue
            self._insert(rows, errors)
            if isinstance(request, SaveChannel):
                self._save(request)
            elif isinstance(request, DeleteChannel):
                self._delete(request)
            else:
                try:
                    self.keeping.apply(request)
                except OWN_REASONS as error:
                    errors[index] = StoreError(f"not stored: {explain(error)}")
        self._insert(rows, errors)
        return errors

    def _insert(self, rows: list[_Row], errors: dict[int, Exception]) -> None:
        """Write and clear ``rows``."""
        for start in range(0, len(rows), MAX_ROWS):
            some = rows[start : start + MAX_ROWS]
            try:
                self._insert_together(some)
            except sqlite3.IntegrityError:
                # It left nothing behind; one of the rows is to blame.
                self._insert_singly(some, errors)
        rows.clear()

    def _insert_singly(self, rows: Iterable[_Row], errors: dict[int, Exception]) -> None:
        for row in rows:
            try:
                self._insert_together([row])
            except sqlite3.IntegrityError as error:
                errors[row[0]] = StoreError(f"not stored: {explain(error)}")

    def _insert_together(self, rows: Sequence[_Row]) -> None:
        size = 1 << (len(rows) - 1).bit_length()
        values = list(chain.from_iterable(values for _, values in rows))
        values += NO_ROW * (size - len(rows))
        self._connection.execute(_insert_statement(size), values)

    def _save(self, request: SaveChannel) -> None:
        values = (request.realm, request.name, request.settings, request.control_key_hash, request.expires)
        self._connection.execute(
            "INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?, ?)", (*values, channel_sum(*values))
        )

    def _delete(self, request: DeleteChannel) -> None:
        stream = self._find(request.realm, request.name)
        if stream is not None:
            self._end(stream)
        self._streams.pop((request.realm, request.name), None)
        self._connection.execute(
            "DELETE FROM channels WHERE realm = ? AND name = ?", (request.realm, request.name)
        )

    def _find(self, realm: str, channel: str) -> _Stream | None:
        stream = self._streams.get((realm, channel))
        if stream is None:
            row = self._connection.execute(
                f"SELECT id, epoch, {LAST_SEQ} FROM streams WHERE realm = ? AND channel = ?", (realm, channel)
            ).fetchone()
            if row is not None:
                id_, epoch, last = row
                stream = self._streams[realm, channel] = _Stream(id_, realm, channel, epoch, last)
        return stream

    def _begin(self, realm: str, channel: str, epoch: str) -> _Stream:
        """The channel's stream of that epoch, in place of one of another epoch."""
        stream = self._find(realm, channel)
        if stream is not None and stream.epoch != epoch:
            self._end(stream)
            stream = None
        if stream is None:
            row = self._connection.execute(
                "INSERT INTO streams (realm, channel, epoch) VALUES (?, ?, ?)", (realm, channel, epoch)
            )
            id_ = row.lastrowid
            assert id_ is not None
            stream = _Stream(id_, realm, channel, epoch, 0)
            self._connection.execute(
                "UPDATE streams SET sum = ? WHERE id = ?", (stream_sum(id_, realm, channel, epoch, 0), id_)
            )
            self._streams[realm, channel] = stream
        return stream

    def _end(self, stream: _Stream) -> None:
        self._connection.execute("DELETE FROM events WHERE stream = ?", (stream.id,))
        self._connection.execute("DELETE FROM streams WHERE id = ?", (stream.id,))

    def _cut(self, cuts: Cuts) -> None:
        for (realm, channel, epoch), first in cuts.firsts.items():
            stream = self._find(realm, channel)
            if stream is not None and stream.epoch == epoch:
                self._cut_stream(realm, channel, stream, first)
        for (realm, channel), before in cuts.befores.items():
            stream = self._find(realm, channel)
            if stream is not None:
                self._cut_stream(realm, channel, stream, self._first_since(stream, before))

    def _first_since(self, stream: _Stream, time: float) -> int:
        """The oldest event that is young enough; looking from the old end costs what will be deleted."""
        row = self._connection.execute(
            "SELECT seq FROM events WHERE stream = ? AND time >= ? ORDER BY seq LIMIT 1", (stream.id, time)
        ).fetchone()
        return BEYOND_ALL if row is None else int(row[0])

    def _cut_stream(self, realm: str, channel: str, stream: _Stream, first: int) -> None:
        if first > stream.last:
            # No event will be left to tell how far the channel has counted.
            sum = stream_sum(stream.id, realm, channel, stream.epoch, stream.last)
            self._connection.execute(
                "UPDATE streams SET seq = ?, sum = ? WHERE id = ?", (stream.last, sum, stream.id)
            )
        self._connection.execute("DELETE FROM events WHERE stream = ? AND seq < ?", (stream.id, first))


def _whole(seq: Any) -> int:
    """The number of a damaged event, as far as it is one."""
    return seq if isinstance(seq, int) and 0 < seq <= 2**53 else 0


def _place(file: str) -> tuple[int, int] | None:
    """What file is to be found there; None: none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _insert_statement(size: int) -> str:
    rows = ", ".join([MARKS] * size)
    return f"INSERT INTO events (stream, {COLUMNS}) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
