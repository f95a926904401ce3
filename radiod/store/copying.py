"""A copy of a store that is in use, made by SQLite a piece at a time.

What the same connection writes between two pieces goes into the copy as well: it is the store as it stands
when the last piece is done. Source: https://sqlite.org/backup.html.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from typing import Final

from radiod.store.records import FileError

__all__ = ["copy", "create_private", "sync_folder"]

PIECE_PAGES: Final = 256
"""1 MiB: some milliseconds."""


def copy(connection: sqlite3.Connection, path: str, pause: Callable[[], None]) -> int:
    """Copy into a new file, whole or not at all, and readable for its owner only.

    Args:
        pause: is called between two pieces; what it raises ends the copy.
    Returns: bytes of the copy, which is on disk.
    Raises: FileError: the file is there already, or cannot be made. sqlite3.Error, OSError: it cannot be
        written.
    """

    def go_on(_: int, remaining: int, __: int) -> None:
        # Behind the last piece nothing goes into the copy any more.
        if remaining:
            pause()

    create_private(path)
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as target:
            # What is not finished is removed, so there is nothing to roll back.
            target.execute("PRAGMA journal_mode = OFF")
            connection.backup(target, pages=PIECE_PAGES, progress=go_on)
        with open(path, "rb") as file:
            os.fsync(file.fileno())
        sync_folder(path)
        return os.path.getsize(path)
    except BaseException:
        os.unlink(path)
        raise


def create_private(path: str) -> None:
    """Make an empty file that was not there, for its owner only. Raises: FileError."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        raise FileError(f"{path!a}: {reason}") from None


def sync_folder(path: str) -> None:
    """What names the folder of that file holds is on disk. Raises: OSError."""
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
