"""Recordings in files, by the name's ending: whole at any moment, and each knows where it has got to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from radiod_client.recordings.csv_file import CsvRecording, read_csv
from radiod_client.recordings.errors import NoFormat
from radiod_client.recordings.ndjson_file import NdjsonRecording, read_ndjson
from radiod_client.recordings.parquet_file import ParquetRecording, read_parquet
from radiod_client.recordings.recording import Recording
from radiod_client.recordings.records import Record
from radiod_client.recordings.sqlite_file import SqliteRecording, read_sqlite

__all__ = ["open_recording", "read_recording"]

FORMATS: dict[str, tuple[Callable[[Path], Recording], Callable[[Path], Iterator[Record]]]] = {
    ".ndjson": (NdjsonRecording, read_ndjson),
    ".csv": (CsvRecording, read_csv),
    ".sqlite": (SqliteRecording, read_sqlite),
    ".parquet": (ParquetRecording, read_parquet),
}


def open_recording(path: Path) -> Recording:
    """Open a recording to write on, or begin one.

    Raises: NoFormat: no such format, or it is another's; OSError: the file cannot be opened.
    """
    return _format(path)[0](path)


def read_recording(path: Path) -> Iterator[Record]:
    """Its samples, from the first. Raises: NoFormat; OSError; ValueError: it is damaged."""
    return _format(path)[1](path)


def _format(path: Path) -> tuple[Callable[[Path], Recording], Callable[[Path], Iterator[Record]]]:
    if path.suffix not in FORMATS:
        raise NoFormat(f"{path}: expected a name that ends in {', '.join(FORMATS)}")
    return FORMATS[path.suffix]
