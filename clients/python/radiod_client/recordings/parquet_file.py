"""Recordings as Parquet. A Parquet file is whole only once it is closed, so a journal goes before it.

While it records, samples are in ``FILE.journal`` (lines of JSON), and row groups go into a new file in
hiding, behind a copy of the old one's. At the end that takes the old file's place, and the journal goes.
After kill -9 the journal is there still: who reads the recording reads both, and the next run goes on.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from radiod_client.recordings.errors import RecordingError
from radiod_client.recordings.ndjson_file import NdjsonRecording, read_ndjson
from radiod_client.recordings.records import Record, Start, parsed

__all__ = ["ParquetRecording", "read_parquet"]

GROUP = 5000
GROUP_BYTES = 4 << 20


def _arrow() -> Any:
    try:
        import pyarrow.parquet

        return pyarrow.parquet
    except ImportError:
        raise RecordingError("files of Parquet need pyarrow: pip install 'radiod-client[parquet]'") from None


class _Old:
    """What was recorded before, if anything."""

    def __init__(self, path: Path) -> None:
        self.file: Any = None
        self.rows = 0
        self.metadata: dict[str, str] = {}
        self.position: str | None = None
        if not path.exists():
            return
        try:
            self.file = _arrow().ParquetFile(path)
            found = self.file.schema_arrow
        except (OSError, ValueError) as error:
            raise RecordingError(f"{path}: no file of Parquet: {error}") from None
        self.rows = self.file.metadata.num_rows
        given = {key.decode(): value.decode() for key, value in (found.metadata or {}).items()}
        self.metadata = {key[6:]: value for key, value in given.items() if key.startswith("radio.")}
        if "journal" not in self.metadata:
            raise RecordingError(f"{path}: no recording of samples")
        self.position = self.metadata.get("position") or None
        if self.rows:
            last = self.file.read_row_group(self.file.num_row_groups - 1, columns=["_position"])
            self.position = last.column(0)[-1].as_py() or self.position


class ParquetRecording:
    """See ``Recording``."""

    def __init__(self, path: Path) -> None:
        self._parquet = _arrow()
        self._path = path
        self._hidden = path.with_name(f".{path.name}.new")
        self._journal_path = path.with_name(f"{path.name}.journal")
        self._journal = NdjsonRecording(self._journal_path)
        try:
            self._old = _Old(path)
            self._take_up()
        except BaseException:
            self._journal.close()
            raise

    def _take_up(self) -> None:
        self._writer: Any = None
        self._group: list[Record] = []
        self._bytes = 0
        self.channel: str | None = self._old.metadata.get("channel")
        self.position = self._old.position
        self.is_new = self._old.file is None and self._journal.is_new
        self._start: Start | None = None
        if not self._journal.is_new:
            start = _start_of(self._journal_path)
            if str(start.time) == self._old.metadata.get("journal"):
                # The last run died behind the new file and before this.
                self._restart()
            else:
                self._start = start
                self.channel = start.channel
                self.position = self._journal.position or self.position
                for record in read_ndjson(self._journal_path):
                    self._add(record)

    def _restart(self) -> None:
        self._journal_path.unlink()
        self._journal.close()
        self._journal = NdjsonRecording(self._journal_path)

    def begin(self, start: Start) -> None:
        # The time is the journal's name, too.
        self._start = Start(start.channel, start.position, time.time())
        self._journal.begin(self._start)
        self.channel, self.position, self.is_new = start.channel, start.position, False

    def write(self, records: Sequence[Record]) -> None:
        if not records:
            return
        if self._journal.is_new:
            self.begin(Start(self.channel or "", self.position, 0.0))
        size = self._journal.size
        self._journal.write(records)
        self._bytes += self._journal.size - size
        self.position = records[-1].position or self.position
        for record in records:
            self._add(record)

    def _add(self, record: Record) -> None:
        self._group.append(record)
        if len(self._group) >= GROUP or self._bytes >= GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        from radiod_client.recordings.columns import schema_for, table_of

        if self._writer is None:
            self._hidden.unlink(missing_ok=True)
            if self._old.rows:
                schema = self._old.file.schema_arrow.with_metadata(self._metadata())
            else:
                schema = schema_for(self._group, self._metadata())
            self._writer = self._parquet.ParquetWriter(self._hidden, schema)
            self._schema = schema
            for index in range(self._old.file.num_row_groups if self._old.rows else 0):
                old = self._old.file.read_row_group(index)
                self._writer.write_table(old.replace_schema_metadata(schema.metadata))
        if self._group:
            self._writer.write_table(table_of(self._group, self._schema))
        self._group, self._bytes = [], 0

    def _metadata(self) -> dict[str, str]:
        start = self._start or Start(self.channel or "", self.position, 0.0)
        return {
            "radio.channel": start.channel,
            "radio.position": start.position or "",
            "radio.journal": str(start.time),
        }

    def close(self) -> None:
        if self._group or self._writer is not None or (self._old.file is None and not self.is_new):
            self._write_group()
            self._writer.close()
            with self._hidden.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(self._hidden, self._path)
        self._journal_path.unlink()
        with contextlib.suppress(OSError):
            self._journal.close()


def _start_of(journal: Path) -> Start:
    with journal.open("rb") as file:
        start = parsed(file.readline())
    if not isinstance(start, Start):
        raise RecordingError(f"{journal}: no journal of a recording")
    return start


def read_parquet(path: Path) -> Iterator[Record]:
    """Its samples, with those of its journal, if a run was killed or goes on."""
    from radiod_client.recordings.columns import read_rows

    journal = path.with_name(f"{path.name}.journal")
    old = _Old(path)
    if old.file is None and not journal.exists():
        raise FileNotFoundError(2, os.strerror(2), str(path))
    for index in range(old.file.num_row_groups if old.file is not None else 0):
        yield from read_rows(old.file.read_row_group(index))
    is_kept = journal.exists() and journal.stat().st_size > 0
    if is_kept and str(_start_of(journal).time) != old.metadata.get("journal"):
        yield from read_ndjson(journal)
