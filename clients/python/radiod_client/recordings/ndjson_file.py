"""Recordings as lines of JSON. The first tells where it began, and has no ``data``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from radiod_client.recordings.appending import AppendedFile, whole_lines
from radiod_client.recordings.errors import RecordingError
from radiod_client.recordings.records import Record, Start, json_text, line_of, parsed

__all__ = ["NdjsonRecording", "last_line", "read_ndjson"]

BLOCK = 1 << 16


class NdjsonRecording:
    """See ``Recording``."""

    def __init__(self, path: Path) -> None:
        self._file = AppendedFile(path)
        self.channel: str | None = None
        self.position: str | None = None
        try:
            self.is_new = self._file.size == 0
            if not self.is_new:
                self._take_up(path)
        except BaseException:
            self._file.close()
            raise

    def _take_up(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                first, last = parsed(file.readline()), parsed(last_line(path, self._file.size))
            except ValueError as error:
                raise RecordingError(f"{path}: no recording of samples: {error}") from None
        self.channel = first.channel if isinstance(first, Start) else None
        self.position = last.position

    @property
    def size(self) -> int:
        """Bytes of whole lines."""
        return self._file.size

    def begin(self, start: Start) -> None:
        self._file.append(json_text(start) + b"\n")
        self.channel, self.position, self.is_new = start.channel, start.position, False

    def write(self, records: Sequence[Record]) -> None:
        if records:
            self._file.append(b"".join(map(line_of, records)))
            self.position = records[-1].position or self.position

    def close(self) -> None:
        self._file.close()


def last_line(path: Path, size: int) -> bytes:
    """The last line of the first ``size`` bytes, which end with it."""
    with path.open("rb") as file:
        end, found = size, b""
        while end > 0:
            begin = max(end - BLOCK, 0)
            file.seek(begin)
            found = file.read(end - begin) + found
            cut = found.rfind(b"\n", 0, len(found) - 1)
            if cut >= 0:
                return found[cut + 1 :]
            end = begin
    return found


def read_ndjson(path: Path) -> Iterator[Record]:
    """Its samples; half a line at the end is as if it were not there."""
    size = whole_lines(path)
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            size -= len(line)
            if size < 0:
                return
            try:
                record = parsed(line)
            except ValueError as error:
                raise ValueError(f"{path}: line {number}: {error}") from None
            if isinstance(record, Record):
                yield record
