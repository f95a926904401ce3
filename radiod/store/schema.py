"""The tables of a store's file, from the first version to this one."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from radiod.core.access.audit import START, Link
from radiod.store.records import StoreError
from radiod.store.sums import channel_sum, row_sum, stream_sum

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "begin", "guard", "identify", "read_text", "upgrade"]

APPLICATION_ID: Final = 0x72616469
"""``radi``: marks a SQLite file as ours."""

SCHEMA_VERSION: Final = 3
"""2: checksums, and whether a server has the file open. Events of version 1 stay without a sum. 3: access."""

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

# Patterns, origins, networks and limits are JSON. Each row has a sum, but for the audit's, which have hashes.
ACCESS: Final = (
    """
    CREATE TABLE accounts (
        id TEXT PRIMARY KEY NOT NULL,
        label TEXT NOT NULL, plan TEXT,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        created REAL NOT NULL, sum INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE plans (
        name TEXT PRIMARY KEY NOT NULL, limits TEXT NOT NULL, created REAL NOT NULL, sum INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE keys (
        id TEXT PRIMARY KEY NOT NULL,
        account TEXT NOT NULL, realm TEXT NOT NULL, label TEXT NOT NULL,
        publish TEXT NOT NULL, listen TEXT NOT NULL, call TEXT NOT NULL, register TEXT NOT NULL,
        origins TEXT NOT NULL, addresses TEXT NOT NULL,
        valid_from REAL, valid_until REAL,
        state TEXT NOT NULL, reason TEXT NOT NULL,
        signing BLOB, created REAL NOT NULL, created_by TEXT NOT NULL, sum INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE secrets (
        digest BLOB PRIMARY KEY NOT NULL CHECK (length(digest) = 32),
        key TEXT NOT NULL, hint TEXT NOT NULL,
        created REAL NOT NULL, expires REAL, last_used REAL, sum INTEGER NOT NULL
    )
    """,
    """
    CREATE TABLE users (
        realm TEXT NOT NULL, authid TEXT NOT NULL,
        role TEXT NOT NULL, account TEXT NOT NULL,
        ticket BLOB, scram TEXT, cryptosign TEXT,
        state TEXT NOT NULL, created REAL NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (realm, authid)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE usage (
        hour INTEGER NOT NULL, account TEXT NOT NULL, key TEXT NOT NULL, channel TEXT NOT NULL,
        published INTEGER NOT NULL, delivered INTEGER NOT NULL, dropped INTEGER NOT NULL,
        refused INTEGER NOT NULL, calls INTEGER NOT NULL,
        bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL, seconds REAL NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (hour, account, key, channel)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        time REAL NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL,
        action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL,
        previous BLOB NOT NULL, hash BLOB NOT NULL
    )
    """,
    # What the audit's first entry goes on from: entries up to that one may be deleted.
    "CREATE TABLE audit_start (seq INTEGER NOT NULL, hash BLOB NOT NULL, sum INTEGER NOT NULL)",
)

AUDIT_TRIGGERS: Final = (
    """
    CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is not changed'); END
    """,
    """
    CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
    WHEN OLD.seq > ifnull((SELECT seq FROM audit_start), 0)
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit is not deleted'); END
    """,
    # Nor does INSERT OR REPLACE, which fires no other trigger.
    """
    CREATE TRIGGER audit_goes_on BEFORE INSERT ON audit
    WHEN NEW.seq IS NOT 1 + coalesce((SELECT max(seq) FROM audit), (SELECT seq FROM audit_start))
    OR NEW.previous IS NOT coalesce(
        (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), (SELECT hash FROM audit_start))
    BEGIN SELECT RAISE(ABORT, 'an entry of the audit goes on from the last one'); END
    """,
)


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


def begin(connection: sqlite3.Connection, audit: Link = START) -> None:
    """Make the tables of an empty file, whose audit goes on behind that entry; inside a transaction.

    Without the audit's triggers: ``guard`` makes them.
    """
    for statement in (CHANNELS, STREAMS, EVENTS):
        connection.execute(statement)
    _begin_state(connection)
    _begin_access(connection, audit)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def guard(connection: sqlite3.Connection) -> None:
    """From here on entries of the audit are neither changed nor deleted, and go on from one another."""
    for statement in AUDIT_TRIGGERS:
        connection.execute(statement)


def upgrade(connection: sqlite3.Connection, version: int) -> None:
    """From an earlier version to this one; inside a transaction."""
    if version < 2:
        _add_sums(connection)
        _begin_state(connection)
    if version < 3:
        _begin_access(connection, START)
        guard(connection)


def _add_sums(connection: sqlite3.Connection) -> None:
    """For everything but events, which are many."""
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


def _check_text(row: tuple[Any, ...]) -> None:
    """Raises: UnicodeError: a text of the row, which has no sum yet, is none."""
    for value in row:
        if isinstance(value, str):
            value.encode()


def _begin_state(connection: sqlite3.Connection) -> None:
    connection.execute(STATE)
    connection.execute("INSERT INTO state VALUES (NULL)")


def _begin_access(connection: sqlite3.Connection, audit: Link) -> None:
    for statement in ACCESS:
        connection.execute(statement)
    connection.execute("INSERT INTO audit_start VALUES (?, ?, ?)", (*audit, row_sum("audit_start", audit)))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def read_text(data: bytes) -> Any:
    """A ``text_factory`` that reads any bytes: a sum tells whether they are what was written."""
    return data.decode("utf-8", "surrogateescape")
