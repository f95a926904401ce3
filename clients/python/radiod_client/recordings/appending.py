"""A text file that is only ever appended to, by one process, and whole lines at a time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from radiod_client.recordings.errors import RecordingError

try:
    import fcntl
except ImportError:  # Windows: nobody else is kept out.
    fcntl = None  # type: ignore[assignment]

__all__ = ["AppendedFile", "lock", "whole_lines"]

CHUNK = 1 << 16


def lock(descriptor: int, path: Path) -> None:
    """Keep other recorders out, until the descriptor is closed. Raises: RecordingError: there is one."""
    if fcntl is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise RecordingError(f"{path}: another program is recording into it") from None


def whole_lines(path: Path) -> int:
    """How many bytes of the file are whole lines. It is read from its end."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(end - CHUNK, 0)
            file.seek(begin)
            found = file.read(end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
    return 0


class AppendedFile:
    """Opened and mended: what a writer that was killed left of a line is cut off.

    Raises: OSError; RecordingError: somebody else writes to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock(self._descriptor, path)
            if os.fstat(self._descriptor).st_ino != path.stat().st_ino:
                raise RecordingError(f"{path}: another program was recording into it just now: try again")
            self.size = whole_lines(path)
            os.ftruncate(self._descriptor, self.size)
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, data: bytes) -> None:
        """All of it or, with an OSError, nothing."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
                os.lseek(self._descriptor, self.size, os.SEEK_SET)
            error.filename = str(self._path)
            raise
        self.size += len(data)

    def replace(self, data: bytes) -> None:
        """Have this in the place of all that is there, at once: a reader sees the one or the other."""
        other = self._path.with_name(f".{self._path.name}.new")
        descriptor = os.open(other, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            lock(descriptor, self._path)
            os.fchmod(descriptor, os.fstat(self._descriptor).st_mode & 0o7777)
            written, old = self._swapped(descriptor)
            self.append(data)
            os.fsync(descriptor)
            os.replace(other, self._path)
        except BaseException:
            os.close(descriptor)
            other.unlink(missing_ok=True)
            if self._descriptor == descriptor:
                self._descriptor, self.size = old, written
            raise
        os.close(old)

    def _swapped(self, descriptor: int) -> tuple[int, int]:
        size, old = self.size, self._descriptor
        self._descriptor, self.size = descriptor, 0
        return size, old

    def close(self) -> None:
        """On the disk, and closed."""
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)
