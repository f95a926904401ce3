"""The SQLite file: its tables, and every statement that reads or writes them.

Durability: WAL with ``synchronous=FULL``. COMMIT writes the changed pages to the WAL and syncs it before it
returns, so that what was committed survives the process and a power cut, as far as the disk keeps its word.
Every 1,000 pages (4 MB) COMMIT also copies the WAL into the file, and the WAL begins anew; it is not
truncated, because overwriting a file syncs faster than growing it.

A stream is one count of a channel's events: a new epoch is a new stream, and the old one's events go.

Statements are few and large on purpose: a batch of events is one INSERT without BEGIN and COMMIT. Python's
sqlite3 gives up the interpreter lock several times in each statement, and while the reactor is busy every
return of it can take 5 ms (``sys.getswitchinterval``), or more if the reactor polls often.

Source: https://sqlite.org/wal.html, https://sqlite.org/pragma.html.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.store.records import Position, StoredChannel, StoredEvent, StoreError

__all__ = ["Append", "Cuts", "Database", "DeleteChannel", "Request", "SaveChannel", "explain"]

APPLICATION_ID: Final = 0x72616469
"""``radi``: marks a SQLite file as ours."""

SCHEMA_VERSION: Final = 1

SCHEMA: Final = (
    """
    CREATE TABLE channels (
        realm TEXT NOT NULL, name TEXT NOT NULL,
        settings TEXT NOT NULL,
        control_key_hash BLOB CHECK (length(control_key_hash) = 32),
        expires REAL,
        PRIMARY KEY (realm, name)
    ) WITHOUT ROWID
    """,
    # seq: the last one, wherever no event says so because none is left.
    """
    CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        realm TEXT NOT NULL, channel TEXT NOT NULL,
        epoch TEXT NOT NULL,
        seq INTEGER NOT NULL DEFAULT 0,
        UNIQUE (realm, channel)
    )
    """,
    """
    CREATE TABLE events (
        stream INTEGER NOT NULL, seq INTEGER NOT NULL,
        time REAL NOT NULL, publication INTEGER NOT NULL, codec TEXT NOT NULL,
        args BLOB NOT NULL, kwargs BLOB NOT NULL, details BLOB NOT NULL, options BLOB NOT NULL,
        PRIMARY KEY (stream, seq)
    ) WITHOUT ROWID
    """,
)
COLUMNS: Final = "seq, time, publication, codec, args, kwargs, details, options"
MARKS: Final = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
NO_ROW: Final = (None,) * 9
LAST_SEQ: Final = "max(seq, ifnull((SELECT max(seq) FROM events WHERE stream = id), 0))"
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


Request = Append | SaveChannel | DeleteChannel


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

    __slots__ = ("epoch", "id", "last")

    def __init__(self, id_: int, epoch: str, last: int) -> None:
        self.id = id_
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
        )


# Index of the request, values of the row.
_Row = tuple[int, tuple[Any, ...]]


class Database:
    """One open file, for one thread at a time. No other process can open it meanwhile."""

    def __init__(self, path: str) -> None:
        """Open or create the file. Raises: StoreError: it cannot be opened, or is not ours."""
        self._connection: sqlite3.Connection
        # realm, channel -> its stream, of channels used since the last failure
        self._streams: dict[tuple[str, str], _Stream] = {}
        try:
            _create_private(path)
            self._connection = sqlite3.connect(
                os.path.abspath(path), timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except (sqlite3.Error, OSError, StoreError) as error:
            raise StoreError(f"store {path}: {explain(error)}") from error

    def channels(self) -> list[StoredChannel]:
        """All channels, by realm and name."""
        rows = self._connection.execute("SELECT * FROM channels ORDER BY realm, name")
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

    def recent(self, realm: str, channel: str, limit: int) -> list[StoredEvent]:
        """The last ``limit`` events of a channel, oldest first."""
        stream = self._find(realm, channel)
        if stream is None:
            return []
        rows = self._connection.execute(
            f"SELECT {COLUMNS} FROM events WHERE stream = ? ORDER BY seq DESC LIMIT ?", (stream.id, limit)
        ).fetchall()
        return [
            StoredEvent(
                epoch=stream.epoch,
                seq=seq,
                time=time,
                publication=publication,
                codec_name=codec,
                args=args,
                kwargs=kwargs,
                details_json=details,
                options_json=options,
            )
            for seq, time, publication, codec, args, kwargs, details, options in reversed(rows)
        ]

    def write(self, requests: Sequence[Request], cuts: Cuts) -> dict[int, Exception]:
        """Do it all, in order, in one transaction that is on disk when this returns.

        Returns: index -> error of the requests that could not be done for reasons of their own.
        Raises: Exception: and nothing was done.
        """
        try:
            rows = None if cuts else self._events_only(requests)
            if rows is not None:
                # SQLite makes a single statement a transaction of its own.
                with contextlib.suppress(sqlite3.IntegrityError):
                    self._insert_together(rows)
                    return {}
            self._connection.execute("BEGIN IMMEDIATE")
            errors = self._apply(requests)
            self._cut(cuts)
            self._connection.execute("COMMIT")
        except BaseException:
            self._streams.clear()
            # Some failures have rolled back already; a broken file may refuse even that.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        return errors

    def close(self) -> None:
        """Move everything into the file and let go of it.

        Raises: sqlite3.Error: the WAL stays beside the file, complete, for the next start.
        """
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._connection.close()

    def _prepare(self) -> None:
        # Before the first access: the whole file is ours, and the WAL's index needs no shared memory.
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = self._is_new()
        # The order matters: nothing is written to a file that is not ours.
        (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"cannot keep a write-ahead log, only {mode}")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        # One huge transaction shall not leave a huge WAL behind.
        self._connection.execute("PRAGMA journal_size_limit = 67108864")
        # The first transaction takes the lock, also on a file that needs no change.
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA if is_new else ():
            self._connection.execute(statement)
        if is_new:
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._connection.execute("COMMIT")
        (first_problem,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if first_problem != "ok":
            raise StoreError("the file is damaged")

    def _is_new(self) -> bool:
        """Whether the file is empty. Raises: StoreError: it holds what this radiod does not know."""
        (application_id,) = self._connection.execute("PRAGMA application_id").fetchone()
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not (application_id or version or tables):
            return True
        if application_id != APPLICATION_ID:
            raise StoreError("a SQLite database of another program")
        if version != SCHEMA_VERSION:
            raise StoreError(f"written by another radiod: schema {version}, not {SCHEMA_VERSION}")
        return False

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
            else:
                self._delete(request)
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
        self._connection.execute(
            "INSERT OR REPLACE INTO channels VALUES (?, ?, ?, ?, ?)",
            (request.realm, request.name, request.settings, request.control_key_hash, request.expires),
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
                stream = self._streams[realm, channel] = _Stream(*row)
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
            assert row.lastrowid is not None
            stream = _Stream(row.lastrowid, epoch, 0)
            self._streams[realm, channel] = stream
        return stream

    def _end(self, stream: _Stream) -> None:
        self._connection.execute("DELETE FROM events WHERE stream = ?", (stream.id,))
        self._connection.execute("DELETE FROM streams WHERE id = ?", (stream.id,))

    def _cut(self, cuts: Cuts) -> None:
        for (realm, channel, epoch), first in cuts.firsts.items():
            stream = self._find(realm, channel)
            if stream is not None and stream.epoch == epoch:
                self._cut_stream(stream, first)
        for (realm, channel), before in cuts.befores.items():
            stream = self._find(realm, channel)
            if stream is not None:
                self._cut_stream(stream, self._first_since(stream, before))

    def _first_since(self, stream: _Stream, time: float) -> int:
        """The oldest event that is young enough; looking from the old end costs what will be deleted."""
        row = self._connection.execute(
            "SELECT seq FROM events WHERE stream = ? AND time >= ? ORDER BY seq LIMIT 1", (stream.id, time)
        ).fetchone()
        return BEYOND_ALL if row is None else int(row[0])

    def _cut_stream(self, stream: _Stream, first: int) -> None:
        if first > stream.last:
            # No event will be left to tell how far the channel has counted.
            self._connection.execute("UPDATE streams SET seq = ? WHERE id = ?", (stream.last, stream.id))
        self._connection.execute("DELETE FROM events WHERE stream = ? AND seq < ?", (stream.id, first))


def explain(error: Exception) -> str:
    """What went wrong, in words for the operator."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the kind of error, the rest its variant.
    kind = None if code is None else code & 0xFF
    if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "in use by another program, perhaps another radiod"
    if kind == sqlite3.SQLITE_NOTADB:
        return "not a SQLite database"
    if kind == sqlite3.SQLITE_CORRUPT:
        return "the file is damaged"
    return str(error)


def _create_private(path: str) -> None:
    """Let nobody else read what is stored; SQLite gives its other files the same rights."""
    # Only if it is not there: closing a second descriptor of a file drops this process's locks on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _insert_statement(size: int) -> str:
    rows = ", ".join([MARKS] * size)
    return f"INSERT INTO events (stream, {COLUMNS}) SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL"
