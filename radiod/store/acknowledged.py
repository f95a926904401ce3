"""How far a log was acknowledged: this tells a write that a kill interrupted from one that was damaged later.

Both look the same in the log: a transaction at its end whose checksum is wrong. SQLite begins its log anew in
the same file, so that behind the head of a frame that was being written there is an old frame's page.

The note lies beside the log, and is overwritten after every commit, before that is acknowledged. It is not
synced. It is never ahead of the disk, since the log is synced first, and it survives the process; only a
crash of the machine can leave an older one. So it names the boot that it was written in.
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from radiod.store.wal import FRAME, HEADER, Acknowledged

__all__ = ["SUFFIX", "Note", "read_note"]

SUFFIX: Final = "-acked"
NOTE: Final = struct.Struct(">2IQ36s")
SUM: Final = struct.Struct(">I")
UNKNOWN: Final = bytes(36)


class _Log(NamedTuple):
    """What the head of a log says: the size of a frame, and the salts that its frames bear."""

    step: int
    salts: tuple[int, int]


class Note:
    """The note of one open store, kept up to date. For one thread at a time."""

    def __init__(self, path: str) -> None:
        """Begin a note in place of an old one. Raises: OSError: it cannot be written."""
        self._path = f"{path}{SUFFIX}"
        self._log_path = f"{path}-wal"
        self._boot = _boot()
        # Another store's, or what cannot be written: no note is better than one that is not true.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._log: int | None = None
        self._salts: tuple[int, int] | None = None
        self._frames = 0

    def write(self) -> None:
        """All that the log holds now is acknowledged. Raises: OSError."""
        log = self._open_log()
        found = _read_head(log)
        if found is None:
            return
        if found.salts != self._salts:
            self._salts, self._frames = found.salts, 0
        self._frames = _committed(log, found, self._frames)
        note = NOTE.pack(*found.salts, self._frames, self._boot)
        os.pwrite(self._file, note + SUM.pack(crc32(note)), 0)

    def remove(self) -> None:
        """There is nothing to tell about the log any more. Raises: OSError: it still does."""
        self.close()
        os.unlink(self._path)

    def close(self) -> None:
        """Let go of it; it stays."""
        os.close(self._file)
        if self._log is not None:
            os.close(self._log)

    def _open_log(self) -> int:
        if self._log is None:
            self._log = os.open(self._log_path, os.O_RDONLY | os.O_CLOEXEC)
        return self._log


def read_note(path: str) -> Acknowledged | None:
    """What a store's last process left; None: nothing that could be read."""
    try:
        data = Path(f"{path}{SUFFIX}").read_bytes()
    except OSError:
        return None
    if len(data) != NOTE.size + SUM.size or SUM.unpack_from(data, NOTE.size) != (crc32(data[: NOTE.size]),):
        return None
    salt0, salt1, frames, boot = NOTE.unpack_from(data)
    return Acknowledged((salt0, salt1), frames, is_exact=boot == _boot() != UNKNOWN)


def _read_head(log: int) -> _Log | None:
    head = os.pread(log, HEADER.size, 0)
    if len(head) < HEADER.size:
        return None
    _, _, page_size, _, salt0, salt1, _, _ = HEADER.unpack(head)
    return _Log(FRAME.size + page_size, (salt0, salt1))


def _committed(log: int, head: _Log, frames: int) -> int:
    """How many frames the last commit ends, of which ``frames`` are known."""
    at = frames
    while len(found := os.pread(log, FRAME.size, HEADER.size + at * head.step)) == FRAME.size:
        _, size, *salts, _, _ = FRAME.unpack(found)
        if tuple(salts) != head.salts:
            break
        at += 1
        if size:
            frames = at
    return frames


def _boot() -> bytes:
    """What names the time from one start of the machine to its next; ``UNKNOWN`` in a chroot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip().ljust(36)[:36]
    except OSError:
        return UNKNOWN
