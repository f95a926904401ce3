"""A backup in place of a store: verified first, and then put there at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from typing import Final

from radiod.store.acknowledged import SUFFIX as NOTE
from radiod.store.copying import create_private, sync_folder
from radiod.store.findings import examine
from radiod.store.image import LOCK, LOCK_BYTES, read_image
from radiod.store.opening import explain, open_file
from radiod.store.records import StoreError

__all__ = ["restore"]

LOG: Final = "-wal"
NOBODYS: Final = 0
"""No file's inode: a store whose ``opened`` it is begins new epochs."""


def restore(backup: str, path: str) -> str | None:
    """Put a copy of a backup in place of a store that nobody has open.

    What was there before stays, whole and with its log, under another name. Channels begin new epochs, since
    listeners may hold positions that the backup knows nothing of. Interrupted, it may have moved the log of
    the store away, and is to be done again; the store's file is there at any time.

    Returns: what the store of before is named now; None: there was none.
    Raises: StoreError: the backup is not whole, or the store is in use, or something cannot be written;
        nothing was changed.
    """
    data = _verified(backup)
    new = f"{path}.new-{secrets.token_hex(4)}"
    with _held(path):
        try:
            create_private(new)
            _write(new, data)
            _own(new, path)
            return _put(new, path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: {explain(error)}") from None
        finally:
            for suffix in ("", LOG):
                with contextlib.suppress(OSError):
                    os.unlink(f"{new}{suffix}")


def _verified(backup: str) -> bytes:
    """The backup's bytes. Raises: StoreError: they are not a store as it was written."""
    try:
        image = read_image(backup)
        findings = examine(image)
    except StoreError as error:
        raise StoreError(f"{backup}: {error}") from None
    wrong = [*findings.problems, *(f"lost: {loss}" for loss in findings.losses)]
    if wrong:
        raise StoreError(
            f"{backup} is damaged: {wrong[0]}; 'python -m radiod.store salvage' keeps what is whole"
        )
    return image.data


@contextlib.contextmanager
def _held(path: str) -> Iterator[None]:
    """Nobody opens the store meanwhile. Raises: StoreError: somebody has it open."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    except OSError as error:
        raise StoreError(f"{path}: {explain(error)}") from None
    with open(descriptor, "rb") as file:
        try:
            # As SQLite locks it.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_BYTES, LOCK)
        except OSError:
            raise StoreError(f"{path} is in use by a running server; stop it first") from None
        yield


def _write(new: str, data: bytes) -> None:
    with open(new, "r+b") as file:
        file.write(data)
    # Of this version, with sums; and as if it were a copy of a store in use, which it may be.
    connection, _ = open_file(os.path.abspath(new))
    with contextlib.closing(connection):
        connection.execute("UPDATE state SET opened = ?", (NOBODYS,))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with open(new, "rb") as file:
        os.fsync(file.fileno())


def _own(new: str, path: str) -> None:
    """Whoever had the store has it again, though it is somebody else who puts it back."""
    place = path if os.path.exists(path) else os.path.dirname(os.path.abspath(path))
    owner = os.stat(place)
    with contextlib.suppress(PermissionError):
        os.chown(new, owner.st_uid, owner.st_gid)


def _put(new: str, path: str) -> str | None:
    old = _free(f"{path}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    is_there = os.path.exists(path)
    # The log first: beside another file it would be taken for that one's.
    for suffix in (LOG, NOTE):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{old}{suffix}")
    if is_there:
        os.link(path, old)
    os.rename(new, path)
    sync_folder(path)
    return old if is_there else None


def _free(name: str) -> str:
    """A name that is not taken."""
    number, free = 1, name
    while os.path.lexists(free):
        number += 1
        free = f"{name}-{number}"
    return free
