"""Recordings as CSV: a column for each key of the first samples, and four of our own before them.

``_position, _time, _gap, _lost``, then the keys (or ``_data``, where samples are no objects), then ``_more``:
what later samples have beside these keys, as JSON. Cells are JSON, but text that cannot be taken for JSON
stands as it is, and arrays are nested lists of numbers. No cell has a line end in it: a line is a row.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from radiod_client.recordings.appending import AppendedFile, whole_lines
from radiod_client.recordings.errors import RecordingError
from radiod_client.recordings.ndjson_file import last_line
from radiod_client.recordings.numbers import is_object, plain
from radiod_client.recordings.records import Record, Start, as_json, from_json
from radiod_client.samples import Gap

__all__ = ["CsvRecording", "read_csv"]

# Arrays may be longer than csv's own bound of a cell.
csv.field_size_limit(2**31 - 1)
OWN = ["_position", "_time", "_gap", "_lost"]
DATA, MORE, STARTED = "_data", "_more", "start"


class CsvRecording:
    """See ``Recording``. Before the first sample there is one row, with ``start`` for a gap."""

    def __init__(self, path: Path) -> None:
        self._file = AppendedFile(path)
        self.channel: str | None = None
        self.position: str | None = None
        self._columns: list[str] | None = None
        try:
            self.is_new = self._file.size == 0
            if not self.is_new:
                self._take_up(path)
        except BaseException:
            self._file.close()
            raise

    def _take_up(self, path: Path) -> None:
        with path.open("rb") as file:
            header = _cells(file.readline())
        row = _cells(last_line(path, self._file.size))
        if header[: len(OWN)] != OWN or header[-1] != MORE:
            raise RecordingError(
                f"{path}: no recording of samples: expected the columns {', '.join(OWN)} … {MORE}"
            )
        if row == header:
            return
        self.position = row[0] or None
        if row[2] != STARTED:
            self._columns = header[len(OWN) : -1]

    def begin(self, start: Start) -> None:
        first = [start.position or "", repr(start.time), STARTED, "", ""]
        self._file.replace(_row([*OWN, MORE]) + _row(first))
        self.position, self.is_new = start.position, False

    def write(self, records: Sequence[Record]) -> None:
        if not records:
            return
        rows = []
        if self._columns is None:
            self._columns = _columns_for(records)
            rows.append(_row([*OWN, *map(_cell, self._columns), MORE]))
            rows += [self._row(record) for record in records]
            self._file.replace(b"".join(rows))
        else:
            self._file.append(b"".join(self._row(record) for record in records))
        self.position = records[-1].position or self.position

    def _row(self, record: Record) -> bytes:
        columns = self._columns or []
        cells, more = _split(record.data, columns)
        gap = record.gap
        lost = "" if gap is None or gap.lost is None else str(gap.lost)
        own = [record.position or "", repr(round(record.time, 6)), "" if gap is None else gap.reason, lost]
        rest = {**more, **record.rest}
        return _row([*own, *cells, _cell(rest) if rest else ""])

    def close(self) -> None:
        self._file.close()


def read_csv(path: Path) -> Iterator[Record]:
    """Its samples; half a line at the end is as if it were not there."""
    size = whole_lines(path)
    columns: list[str] | None = None
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            size -= len(line)
            if size < 0:
                return
            row = _cells(line)
            if columns is None:
                columns = [str(_value(name)) for name in row]
                if columns[: len(OWN)] != OWN or columns[-1] != MORE:
                    raise ValueError(f"{path}: no recording of samples")
            elif row[2:3] != [STARTED]:
                try:
                    yield _read(dict(zip(columns, row, strict=True)))
                except ValueError as error:
                    raise ValueError(f"{path}: line {number}: {error}") from None


def _read(row: dict[str, str]) -> Record:
    gap = Gap(int(row["_lost"]) if row["_lost"] else None, row["_gap"]) if row["_gap"] else None
    more = _value(row[MORE]) if row[MORE] else {}
    keys = more.pop("keys", {})
    if "data" in more:
        data = more.pop("data")
    elif DATA in row:
        data = _value(row[DATA])
    else:
        own = {*OWN, MORE}
        data = {name: _value(cell) for name, cell in row.items() if name not in own and cell}
        data.update(keys)
    return Record(row["_position"] or None, float(row["_time"]), data, gap, more)


def _columns_for(records: Sequence[Record]) -> list[str]:
    objects = [record.data for record in records if is_object(record.data)]
    keys = dict.fromkeys(str(key) for data in objects for key in data)
    return [key for key in keys if key not in (*OWN, DATA, MORE)] if objects else [DATA]


def _split(data: Any, columns: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Cells of the columns, and what there is no column for."""
    if columns == [DATA]:
        return [_cell(data)], {}
    if not is_object(data):
        return [""] * len(columns), {"data": data}
    others = {key: value for key, value in data.items() if str(key) not in columns}
    cells = [_cell(data[name]) if name in data else "" for name in columns]
    return cells, {"keys": others} if others else {}


def _cell(value: Any) -> str:
    """A value as it stands between commas: never empty, never with a line end."""
    if isinstance(value, str) and value and value.isprintable() and not _is_json(value):
        return value
    return json.dumps(as_json(plain(value)), ensure_ascii=False, default=str, separators=(",", ":"))


def _value(cell: str) -> Any:
    """What a cell says."""
    try:
        return from_json(json.loads(cell))
    except (ValueError, RecursionError):
        return cell


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _cells(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace")]), [])
