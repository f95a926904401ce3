"""Opening a store's file: whether it is ours, whole and ours alone, and what is to be known of it."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from typing import Final

from radiod.store.acknowledged import read_note
from radiod.store.keeping import Keeping
from radiod.store.records import StoreError
from radiod.store.schema import begin, guard, identify, read_text, upgrade
from radiod.store.sums import NONSENSE, channel_sum, stream_sum
from radiod.store.tables import AUDIT_COLUMNS, KEPT, USAGE
from radiod.store.wal import LogDamaged, LogState, check_log

__all__ = ["EPOCH_BYTES", "explain", "open_file"]

DAMAGED: Final = "the file is damaged"
NO_DATABASE: Final = "not a SQLite database"

CHAIN_CHECKED: Final = 1000
"""How many of the audit's last entries are verified at every start."""

EPOCH_BYTES: Final = 6
"""Of a new epoch: as hexadecimal digits they are as many as those of the core's."""

TABLES: Final = {
    "channels": "realm, name, settings, control_key_hash, expires, sum",
    "streams": "id, realm, channel, epoch, seq, sum",
    "events": "stream, seq, time, publication, codec, args, kwargs, details, options, sum",
    "state": "opened",
    **{table.name: ", ".join((*table.columns, "sum")) for table in (*KEPT.values(), USAGE)},
    "audit": AUDIT_COLUMNS,
    "audit_start": "seq, hash, sum",
}


def open_file(path: str) -> tuple[sqlite3.Connection, list[str]]:
    """Open a store, or make one, that is nobody else's until it is closed.

    Args:
        path: absolute.
    Returns: the connection, for one thread at a time, and what the operator should know, a line for each.
    Raises: StoreError: it cannot be opened, is not ours, or is damaged; then nothing in it was changed.
    """
    try:
        # SQLite would forget what it cannot read of the log.
        log = check_log(path, read_note(path))
        _create_private(path)
        _check_rights(path)
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        connection.text_factory = read_text
        try:
            return connection, _prepare(connection, path, log)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError, StoreError, *NONSENSE) as error:
        raise StoreError(f"{explain(error)}{_way_out(error, path)}") from error


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
        return NO_DATABASE
    # A page that ends too early: newer SQLite calls that an error of the disk.
    is_short = code == sqlite3.SQLITE_IOERR_SHORT_READ
    if is_short or kind == sqlite3.SQLITE_CORRUPT or isinstance(error, NONSENSE):
        return DAMAGED
    return str(error)


def _way_out(error: Exception, path: str) -> str:
    """What else there is to say when the store cannot be opened."""
    if explain(error) in (DAMAGED, NO_DATABASE) or isinstance(error, LogDamaged):
        return f"; 'python -m radiod.store check {path}' tells what is lost, 'salvage' keeps the rest"
    return ""


def _create_private(path: str) -> None:
    """Let nobody else read what is stored; SQLite gives its other files the same rights."""
    # Only if it is not there: closing a second descriptor of a file drops this process's locks on it.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_rights(path: str) -> None:
    """Raises: StoreError: SQLite would say that there was some I/O error."""
    is_effective = os.access in os.supports_effective_ids
    for place in (os.path.dirname(path), path):
        if not os.access(place, os.W_OK, effective_ids=is_effective):
            raise StoreError(f"{place} may not be written")


def _prepare(connection: sqlite3.Connection, path: str, log: LogState) -> list[str]:
    # Before the first access: the whole file is ours, and the WAL's index needs no shared memory.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    version = identify(connection)
    # The order matters: nothing is written to a file that is not ours.
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"cannot keep a write-ahead log, only {mode}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA temp_store = MEMORY")
    # One huge transaction shall not leave a huge WAL behind.
    connection.execute("PRAGMA journal_size_limit = 67108864")
    # The first transaction takes the lock, also on a file that needs no change.
    connection.execute("BEGIN IMMEDIATE")
    if version == 0:
        begin(connection)
        guard(connection)
    _check_structure(connection)
    if version:
        upgrade(connection, version)
    _check_columns(connection)
    _check_rows(connection)
    notes = _check_epochs(connection, os.stat(path).st_ino, log)
    notes += _check_access(connection, log)
    connection.execute("COMMIT")
    # Into the file itself: it is to tell when its log is gone.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return notes


def _check_structure(connection: sqlite3.Connection) -> None:
    # The quick one takes nearly as long, and does not see rows that are out of order.
    (first_problem,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if first_problem != "ok":
        raise StoreError(DAMAGED)


def _check_columns(connection: sqlite3.Connection) -> None:
    try:
        for table, columns in TABLES.items():
            connection.execute(f"SELECT {columns} FROM {table} LIMIT 0")
    except sqlite3.OperationalError:
        raise StoreError(DAMAGED) from None


def _check_rows(connection: sqlite3.Connection) -> None:
    """Raises: StoreError: what is known of a channel is not what was written."""
    for *row, sum in connection.execute("SELECT * FROM channels"):
        if channel_sum(*row) != sum:
            raise StoreError(DAMAGED)
    for *row, sum in connection.execute("SELECT * FROM streams"):
        if stream_sum(*row) != sum:
            raise StoreError(DAMAGED)
    for table in KEPT.values():
        for row in connection.execute(f"SELECT * FROM {table.name}"):
            if not table.is_whole(row):
                raise StoreError(DAMAGED)


def _check_access(connection: sqlite3.Connection, log: LogState) -> list[str]:
    """What is to be told of access: the audit's end is verified; all of it, and usage, by ``check``."""
    keeping = Keeping(connection)
    notes = []
    if not keeping.is_chain_whole(CHAIN_CHECKED):
        notes.append("the audit is damaged, or was changed: 'python -m radiod.store check' tells where")
    if log is LogState.DOUBTFUL and keeping.last.seq:
        notes.append("the last change of access may be missing: the audit tells which were kept")
    return notes


def _check_epochs(connection: sqlite3.Connection, inode: int, log: LogState) -> list[str]:
    """Begin new epochs where events may be missing at the end; and mark the file as open."""
    row = connection.execute("SELECT opened FROM state").fetchone()
    opened = None if row is None else row[0]
    notes: list[str] = []
    if log is LogState.DOUBTFUL:
        notes = _begin_epochs(connection, "the last write to it is damaged, or was not finished")
    elif opened not in (None, inode):
        notes = _begin_epochs(connection, "it is a copy of one that was in use")
    elif opened is not None and log is LogState.NONE:
        notes = _begin_epochs(connection, "the log that belongs to it is missing")
    # Without room for the mark, what is there can still be read.
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("UPDATE state SET opened = ?", (inode,))
    return notes


def _begin_epochs(connection: sqlite3.Connection, why: str) -> list[str]:
    rows = connection.execute("SELECT id, realm, channel, epoch, seq FROM streams").fetchall()
    for id, realm, channel, _, seq in rows:
        epoch = secrets.token_hex(EPOCH_BYTES)
        connection.execute(
            "UPDATE streams SET epoch = ?, sum = ? WHERE id = ?",
            (epoch, stream_sum(id, realm, channel, epoch, seq), id),
        )
    if not rows:
        return []
    return [
        f"{why}: what came last may be missing; {len(rows)} channels begin a new epoch, so that those who "
        "come back to listen are told"
    ]
