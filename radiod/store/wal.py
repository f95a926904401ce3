"""SQLite's write-ahead log, read without SQLite: what it holds, and whether it is whole.

SQLite takes a log up to the first frame whose checksum is wrong, silently: after a crash that is where the
last write was interrupted, and nobody was told of that. But where a letter was changed, it forgets
transactions that were acknowledged. They show: a crash leaves at most one unfinished transaction, at the end.

A frame's checksum goes on from the one before it, which is stored, so that frames behind a damaged one can be
verified again. Source: https://sqlite.org/fileformat2.html#walformat.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from radiod.store.records import StoreError

__all__ = ["Frame", "LogDamaged", "LogState", "check_log", "read_log", "state_of"]

HEADER: Final = struct.Struct(">8I")
FRAME: Final = struct.Struct(">6I")
# The low bit says in which order the checksum takes bytes.
MAGIC: Final = {0x377F0682: "<", 0x377F0683: ">"}
PAGE_SIZE: Final = 4096
"""SQLite's own default, and so that of every store."""
MASK: Final = 0xFFFFFFFF


class LogDamaged(StoreError):
    """The log lost transactions that were acknowledged."""


class LogState(Enum):
    """What is to be expected of a log. ``DOUBTFUL``: its last transaction is damaged, or was not finished."""

    NONE = "none"
    WHOLE = "whole"
    DOUBTFUL = "doubtful"
    DAMAGED = "damaged"


class Frame(NamedTuple):
    """One page as a transaction left it. ``size``: 0, or, in the last of a transaction, the file's pages."""

    page: int
    size: int
    data: bytes
    is_whole: bool


class Log(NamedTuple):
    """The frames since it began anew. ``is_readable``: whether its head is; else the frames are a guess."""

    frames: list[Frame]
    is_readable: bool


def read_log(data: bytes) -> Log:
    """All frames of a log's latest generation, damaged ones included."""
    if len(data) < HEADER.size:
        return Log([], not data)
    magic, _, size, _, *salts, sum0, sum1 = HEADER.unpack_from(data)
    order = MAGIC.get(magic, "<")
    is_readable = magic in MAGIC and _sum(order, data[:24], (0, 0)) == (sum0, sum1)
    page_size = size if is_readable else PAGE_SIZE
    if not is_readable and len(data) >= HEADER.size + FRAME.size:
        _, _, *salts, _, _ = FRAME.unpack_from(data, HEADER.size)
    return Log(list(_frames(data, page_size, order, tuple(salts), (sum0, sum1))), is_readable)


def _frames(
    data: bytes, page_size: int, order: str, salts: tuple[int, ...], seed: tuple[int, int]
) -> Iterator[Frame]:
    """Up to the last frame with these salts; others before it are damaged, behind it they are old."""
    waiting: list[Frame] = []
    for at in range(HEADER.size, len(data) - FRAME.size - page_size + 1, FRAME.size + page_size):
        page, size, salt0, salt1, sum0, sum1 = FRAME.unpack_from(data, at)
        content = data[at + FRAME.size : at + FRAME.size + page_size]
        is_ours = (salt0, salt1) == salts
        is_whole = is_ours and _sum(order, content, _sum(order, data[at : at + 8], seed)) == (sum0, sum1)
        waiting.append(Frame(page, size if is_ours else 0, content, is_whole))
        if is_ours:
            yield from waiting
            waiting.clear()
        seed = sum0, sum1


def state_of(log: Log) -> LogState:
    """What may be missing of it."""
    if not (log.frames or not log.is_readable):
        return LogState.NONE
    bad = next((at for at, frame in enumerate(log.frames) if not frame.is_whole), len(log.frames))
    ends = sum(frame.size > 0 for frame in log.frames[bad:])
    if not log.is_readable:
        # SQLite takes nothing of it.
        ends = sum(frame.size > 0 for frame in log.frames) + 1
    return (LogState.WHOLE, LogState.DOUBTFUL, LogState.DAMAGED)[min(ends, 2)]


def check_log(path: str) -> LogState:
    """The state of the log that lies beside a database; before SQLite opens it, and forgets what it skips.

    Raises: LogDamaged: do not open it. OSError.
    """
    try:
        with open(f"{path}-wal", "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return LogState.NONE
    if not data:
        return LogState.NONE
    # Not opened: closing it would let go of this process's locks on it.
    if os.path.exists(path) and os.path.getsize(path) == 0:
        raise LogDamaged("the file is empty, but its log is not")
    state = state_of(read_log(data))
    if state is LogState.DAMAGED:
        raise LogDamaged("its log is damaged")
    return state


def _sum(order: str, data: bytes, seed: tuple[int, int]) -> tuple[int, int]:
    sum0, sum1 = seed
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        sum0 = (sum0 + first + sum1) & MASK
        sum1 = (sum1 + second + sum0) & MASK
    return sum0, sum1
