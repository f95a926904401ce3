"""A parcel: bytes in a file, whole or not there, that can be opened once.

The file is one in memory (a memfd), of which only descriptors exist, or one on disk. Its head says whether
all of it was written and whether somebody has opened it: so also whoever has the same file open knows.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["ParcelError", "copy", "in_memory", "open_once", "put", "take_file", "write"]

HEAD: Final = struct.Struct("<8sB7xQ")
"""Which kind of file it is; ``WHOLE`` or not; bytes of what is in it."""

KIND: Final = b"radiod\x00S"
UNFINISHED, WHOLE, OPENED = 0, 1, 2
STATE_AT: Final = 8

MODE: Final = 0o600
BLOCK: Final = 1 << 20


class ParcelError(Exception):
    """It cannot be used; the message is one line."""


def in_memory(name: str) -> int:
    """A new file in memory. Returns: its descriptor. Raises: OSError."""
    return os.memfd_create(name, os.MFD_CLOEXEC)


def write(descriptor: int, pieces: Iterable[bytes], progress: Callable[[], object]) -> int:
    """Fill an empty file.

    Args:
        progress: is called after each piece.
    Returns: bytes of all pieces. Raises: OSError.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    _write_all(descriptor, HEAD.pack(KIND, UNFINISHED, 0))
    size = 0
    for piece in pieces:
        _write_all(descriptor, piece)
        size += len(piece)
        progress()
    os.pwrite(descriptor, HEAD.pack(KIND, WHOLE, size), 0)
    return size


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def copy(descriptor: int) -> Iterator[bytes]:
    """What is in a parcel, block by block. Raises: OSError."""
    place = HEAD.size
    while block := os.pread(descriptor, BLOCK, place):
        yield block
        place += len(block)


def open_once(descriptor: int) -> memoryview:
    """What is in a file in memory, which nobody can open again. It is not read before it is looked at.

    Raises: ParcelError: it is no parcel, not whole, or was opened; OSError.
    """
    size = _size(os.pread(descriptor, HEAD.size, 0), os.fstat(descriptor).st_size)
    os.pwrite(descriptor, bytes([OPENED]), STATE_AT)
    return memoryview(mmap.mmap(descriptor, HEAD.size + size, prot=mmap.PROT_READ))[HEAD.size :]


def _size(data: bytes, length: int) -> int:
    """Bytes of what is in a parcel of this length, which begins so. Raises: ParcelError."""
    if len(data) < HEAD.size or not data.startswith(KIND):
        raise ParcelError("it is no state of radiod's")
    _, state, size = HEAD.unpack(data)
    if state == OPENED:
        raise ParcelError("it was used before")
    if state != WHOLE or length != HEAD.size + size:
        raise ParcelError("it is not whole")
    return int(size)


# --- on disk


def put(path: Path, pieces: Iterable[bytes], progress: Callable[[], object]) -> int:
    """Write a file for its owner alone, whole or not at all, and on the disk when this returns.

    Returns: bytes of all pieces. Raises: OSError.
    """
    new = _unfinished(path)
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, MODE)
    try:
        size = write(descriptor, pieces, progress)
        os.fsync(descriptor)
        new.replace(path)
        _sync_folder(path)
    except BaseException:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    progress()
    return size


def _unfinished(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def take_file(path: Path) -> memoryview | None:
    """What is in the file, which is gone from the disk when this returns, whatever was in it.

    Returns: None: there is none. Raises: ParcelError, OSError: it cannot be used. It may be there still.
    """
    with suppress(OSError):
        _unfinished(path).unlink()
    try:
        os.lstat(path)
    except FileNotFoundError:
        return None
    try:
        data = _read(path)
    finally:
        path.unlink()
        _sync_folder(path)
    _size(data[: HEAD.size], len(data))
    return memoryview(data)[HEAD.size :]


def _read(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ParcelError("it is no file")
        return file.read()


def _sync_folder(path: Path) -> None:
    """Have it on the disk that a name has come or gone."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
