"""The tables of a store's file, from the first version to this one."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from radiod.store.records import StoreError
from radiod.store.sums import channel_sum, stream_sum

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "begin", "identify", "read_text", "upgrade"]

APPLICATION_ID: Final = 0x72616469
"""``radi``: marks a SQLite file as ours."""

SCHEMA_VERSION: Final = 2
"""2: checksums, and whether a server has the file open. Events of version 1 stay without a sum."""

CHANNELS: Final = """
    CREATE TABLE channels (
        realm TEXT NOT NULL, name TEXT NOT NULL,
        settings TEXT NOT NULL,
        control_key_hash BLOB CHECK (length(control_key_hash) = 32),
        expires REAL, sum INTEGER,
        PRIMARY KEY (realm, name)
    ) WITHOUT ROWID
    """
# seq: the last one, wherever no event says so because none is left.
STREAMS: Final = """
    CREATE TABLE streams (
        id INTEGER PRIMARY KEY,
        realm TEXT NOT NULL, channel TEXT NOT NULL,
        epoch TEXT NOT NULL,
        seq INTEGER NOT NULL DEFAULT 0, sum INTEGER,
        UNIQUE (realm, channel)
    )
    """
EVENTS: Final = """
    CREATE TABLE events (
        stream INTEGER NOT NULL, seq INTEGER NOT NULL,
        time REAL NOT NULL, publication INTEGER NOT NULL, codec TEXT NOT NULL,
        args BLOB NOT NULL, kwargs BLOB NOT NULL, details BLOB NOT NULL, options BLOB NOT NULL, sum INTEGER,
        PRIMARY KEY (stream, seq)
    ) WITHOUT ROWID
    """
# opened: the inode of the file that a server has open, or had when it was killed; null after a clean stop.
STATE: Final = "CREATE TABLE state (opened INTEGER)"


def identify(connection: sqlite3.Connection) -> int:
    """The version of a file's tables; 0: it has none.

    Raises: StoreError: it holds what this radiod does not know. sqlite3.Error: it cannot be read.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not (application_id or version or tables):
        return 0
    if application_id != APPLICATION_ID:
        raise StoreError("a SQLite database of another program")
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(f"written by a newer radiod: schema {version}, this one knows {SCHEMA_VERSION}")
    return int(version)


def begin(connection: sqlite3.Connection) -> None:
    """Make the tables of an empty file; inside a transaction."""
    for statement in (CHANNELS, STREAMS, EVENTS):
        connection.execute(statement)
    _begin_state(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def upgrade(connection: sqlite3.Connection) -> None:
    """From version 1: sums for everything but events, which are many; inside a transaction."""
    for table in ("channels", "streams", "events"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN sum INTEGER")
    for row in connection.execute("SELECT * FROM channels").fetchall():
        _check_text(row)
        values = row[:-1]
        connection.execute(
            "UPDATE channels SET sum = ? WHERE realm = ? AND name = ?", (channel_sum(*values), *values[:2])
        )
    for row in connection.execute("SELECT * FROM streams").fetchall():
        _check_text(row)
        connection.execute("UPDATE streams SET sum = ? WHERE id = ?", (stream_sum(*row[:-1]), row[0]))
    _begin_state(connection)


def _check_text(row: tuple[Any, ...]) -> None:
    """Raises: UnicodeError: a text of the row, which has no sum yet, is none."""
    for value in row:
        if isinstance(value, str):
            value.encode()


def _begin_state(connection: sqlite3.Connection) -> None:
    connection.execute(STATE)
    connection.execute("INSERT INTO state VALUES (NULL)")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def read_text(data: bytes) -> Any:
    """A ``text_factory`` that reads any bytes: a sum tells whether they are what was written."""
    return data.decode("utf-8", "surrogateescape")
