"""A store's file and its log as they lie on the disk, read without SQLite and without touching either.

Works while a server writes: what its checkpoints change in the file meanwhile is in the log as well, so that
the file's pages, however torn, under those of the log are the last transaction in it. Only where the log was
begun anew between is all read once more.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple

from radiod.store.acknowledged import read_note
from radiod.store.records import StoreError
from radiod.store.wal import Acknowledged, Frame, LogState, read_log, state_of

__all__ = ["Image", "read_image"]

TRIES: Final = 20
MAGIC: Final = b"SQLite format 3\0"
# The log of whoever has the file open, as SQLite locks it: source https://sqlite.org/src/file/src/os_unix.c
LOCK: Final = 0x40000000
LOCK_BYTES: Final = 512
LOG_HEAD: Final = 32


class Image(NamedTuple):
    """A store at one moment.

    ``pages``: as SQLite would read them, from page 1; ``others``: pages that it would not, because the log is
    damaged, newest first; ``problems``: what is wrong with all that, a line for each.
    """

    page_size: int
    pages: list[bytes]
    others: list[bytes]
    log: LogState
    is_in_use: bool
    problems: list[str]

    @property
    def data(self) -> bytes:
        """The pages as one file without a log."""
        return b"".join(self.pages)


def read_image(path: str) -> Image:
    """Raises: StoreError: there is nothing to read."""
    try:
        is_in_use = _is_in_use(path)
        # Before the log, which is never behind it.
        acknowledged = read_note(path)
        file, log = _read(path)
    except OSError as error:
        raise StoreError(error.strerror or str(error)) from None
    return _image(file, log, acknowledged, is_in_use)


def _is_in_use(path: str) -> bool:
    """Whether some process, this one excepted, has locked the file as SQLite does."""
    try:
        descriptor, how = os.open(path, os.O_RDWR), fcntl.LOCK_EX
    except OSError:
        # Who may only read may only share a lock; a server does not share its own.
        descriptor, how = os.open(path, os.O_RDONLY), fcntl.LOCK_SH
    with open(descriptor, "rb") as file:
        try:
            fcntl.lockf(file, how | fcntl.LOCK_NB, LOCK_BYTES, LOCK)
        except OSError:
            return True
    return False


def _read(path: str) -> tuple[bytes, bytes]:
    for _ in range(TRIES):
        before = _log_of(path)[:LOG_HEAD]
        file = Path(path).read_bytes()
        log = _log_of(path)
        if log[:LOG_HEAD] == before:
            return file, log
    raise StoreError("it changes faster than it can be read; try again when less is published")


def _log_of(path: str) -> bytes:
    try:
        return Path(f"{path}-wal").read_bytes()
    except FileNotFoundError:
        return b""


def _image(file: bytes, log_data: bytes, acknowledged: Acknowledged | None, is_in_use: bool) -> Image:
    problems = []
    log = read_log(log_data)
    state = state_of(log, acknowledged)
    if state is LogState.DOUBTFUL and is_in_use:
        # The transaction that is being written.
        state = LogState.WHOLE
    if state in (LogState.DAMAGED, LogState.DOUBTFUL):
        problems.append("the log beside it is damaged: SQLite would forget the last transactions")
    applied = log.frames[: log.taken]
    head = _head(applied, file)
    page_size = _page_size(head) or (len(log.frames[0].data) if log.frames else 4096)
    if not head.startswith(MAGIC):
        problems.append("the file's head is none of SQLite's")
    pages = [file[at : at + page_size] for at in range(0, len(file), page_size)]
    if pages and len(pages[-1]) < page_size:
        pages[-1] = pages[-1].ljust(page_size, b"\0")
    size = _size(head)
    for frame in applied:
        pages.extend([bytes(page_size)] * (frame.page - len(pages)))
        pages[frame.page - 1] = frame.data
        if frame.size:
            size = frame.size
    written = len(file) // page_size
    known = {frame.page for frame in applied}
    if any(page not in known for page in range(written + 1, size + 1)):
        problems.append(f"the file is cut off: {written} of {size} pages are there")
    # A file may be longer than what is in it, but not what SQLite is to read.
    pages = pages[:size] if head.startswith(MAGIC) and size > 0 else pages
    others = [frame.data for frame in reversed(log.frames[len(applied) if pages else 0 :])]
    return Image(page_size, pages, others, state, is_in_use, problems)


def _head(applied: list[Frame], file: bytes) -> bytes:
    """The first page, or what there is of it."""
    return next((frame.data for frame in reversed(applied) if frame.page == 1), file)[:100]


def _page_size(head: bytes) -> int | None:
    if len(head) < LOG_HEAD or not head.startswith(MAGIC):
        return None
    (size,) = struct.unpack_from(">H", head, 16)
    size = 65536 if size == 1 else size
    return size if size >= 512 and size & (size - 1) == 0 else None


def _size(head: bytes) -> int:
    return int(struct.unpack_from(">I", head, 28)[0]) if len(head) >= LOG_HEAD else 0
