"""Recordings as SQLite: a table ``samples`` with a row for each, and ``data`` as JSON for ``->>``."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from radiod_client.recordings.appending import lock
from radiod_client.recordings.errors import RecordingError
from radiod_client.recordings.records import Record, Start, from_json, json_text
from radiod_client.samples import Gap

__all__ = ["SqliteRecording", "read_sqlite"]

TABLES = """
CREATE TABLE IF NOT EXISTS recording (channel TEXT NOT NULL, position TEXT, time REAL NOT NULL);
CREATE TABLE IF NOT EXISTS samples (
    id INTEGER PRIMARY KEY, position TEXT, time REAL NOT NULL, gap TEXT, lost INTEGER, data TEXT, rest TEXT
);
"""


class SqliteRecording:
    """See ``Recording``. While it is written others may read; what is newest is in ``FILE-wal`` then."""

    def __init__(self, path: Path) -> None:
        # SQLite's own locks are of another kind; this one is closed behind it, since that would free them.
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        self.channel: str | None = None
        self.position: str | None = None
        self.is_new = True
        try:
            lock(self._lock, path)
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._take_up()
            except sqlite3.Error as error:
                self._database.close()
                raise RecordingError(f"{path}: no recording of samples: {error}") from None
        except BaseException:
            os.close(self._lock)
            raise

    def _take_up(self) -> None:
        run = self._database.execute
        # No wait for the disk at each commit: kill -9 takes nothing, a power cut the last seconds.
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        self._database.executescript(TABLES)
        start = run("SELECT channel, position FROM recording").fetchone()
        if start is not None:
            self.is_new = False
            self.channel, self.position = start
        last = run(
            "SELECT position FROM samples WHERE position IS NOT NULL ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if last is not None:
            self.position = last[0]

    def begin(self, start: Start) -> None:
        values = (start.channel, start.position, start.time)
        self._commit("INSERT INTO recording VALUES (?, ?, ?)", [values])
        self.channel, self.position, self.is_new = start.channel, start.position, False

    def write(self, records: Sequence[Record]) -> None:
        if records:
            statement = (
                "INSERT INTO samples (position, time, gap, lost, data, rest) VALUES (?, ?, ?, ?, ?, ?)"
            )
            self._commit(statement, [_row(record) for record in records])
            self.position = records[-1].position or self.position

    def _commit(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(statement, rows)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise OSError(f"SQLite: {error}") from None

    def close(self) -> None:
        try:
            # One file again; if somebody reads it just now it stays as it is, and whole all the same.
            self._database.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error:
            pass
        finally:
            self._database.close()
            os.close(self._lock)


def _row(record: Record) -> tuple[object, ...]:
    gap = record.gap
    rest = json_text(record.rest).decode() if record.rest else None
    found = (None, None) if gap is None else (gap.reason, gap.lost)
    return (record.position, round(record.time, 6), *found, json_text(record.data).decode(), rest)


def read_sqlite(path: Path) -> Iterator[Record]:
    """Its samples, also while it is written."""
    if not path.is_file():
        raise FileNotFoundError(2, os.strerror(2), str(path))
    database = sqlite3.connect(path)
    try:
        rows = database.execute("SELECT position, time, gap, lost, data, rest FROM samples ORDER BY id")
        for position, time, gap, lost, data, rest in rows:
            yield Record(
                position,
                time,
                from_json(msgspec.json.decode(data)),
                None if gap is None else Gap(lost, gap),
                {} if rest is None else from_json(msgspec.json.decode(rest)),
            )
    except sqlite3.Error as error:
        raise ValueError(f"{path}: no recording of samples: {error}") from None
    finally:
        database.close()
