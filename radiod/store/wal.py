"""SQLite's write-ahead log, read without SQLite: what it holds, and whether it is whole.

SQLite takes a log up to the first frame whose checksum is wrong, silently: after a crash that is where the
last write was interrupted, and nobody was told of that. But where a letter was changed, it forgets
transactions that were acknowledged. They show: a crash leaves at most one unfinished transaction, at the end.

A frame's checksum goes on from the one before it, which is stored, so that frames behind a damaged one can be
verified again. Source: https://sqlite.org/fileformat2.html#walformat.

A log that begins anew overwrites the old one from its start: head first, synced, then frame by frame. So a
head with old frames behind it is a log that has just begun, and all that was in the old one is in the file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from radiod.store.records import StoreError

__all__ = ["Acknowledged", "Frame", "LogDamaged", "LogState", "check_log", "read_log", "state_of"]

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


class Acknowledged(NamedTuple):
    """How far a log was acknowledged: the log by its salts, and how many frames of it.

    ``is_exact``: nothing behind them was; else more may have been.
    """

    salts: tuple[int, int]
    frames: int
    is_exact: bool


class Log(NamedTuple):
    """The frames since it began anew. ``is_readable``: whether its head is; else the frames are a guess.

    ``is_overwritten``: an older log lies behind them.
    """

    frames: list[Frame]
    is_readable: bool
    salts: tuple[int, ...] = ()
    is_overwritten: bool = False

    @property
    def whole(self) -> int:
        """How many frames there are before the first that is damaged."""
        return next((at for at, frame in enumerate(self.frames) if not frame.is_whole), len(self.frames))

    @property
    def taken(self) -> int:
        """How many frames SQLite takes: whole transactions, up to the first frame that is damaged."""
        if not self.is_readable:
            return 0
        return next((at for at in range(self.whole, 0, -1) if self.frames[at - 1].size), 0)


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
    frames = list(_frames(data, page_size, order, tuple(salts), (sum0, sum1)))
    end = HEADER.size + len(frames) * (FRAME.size + page_size)
    return Log(frames, is_readable, tuple(salts), is_overwritten=len(data) > end)


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


def state_of(log: Log, acknowledged: Acknowledged | None = None) -> LogState:
    """What may be missing of it, given how far it was acknowledged, if that is known."""
    ends = sum(frame.size > 0 for frame in log.frames[log.whole :])
    if not log.is_readable:
        # SQLite takes nothing of it.
        ends = sum(frame.size > 0 for frame in log.frames) + 1
    if ends > 1:
        return LogState.DAMAGED
    if acknowledged is not None and acknowledged.salts == log.salts:
        if log.taken < acknowledged.frames:
            return LogState.DOUBTFUL
        if acknowledged.is_exact:
            return LogState.WHOLE
    if ends:
        return LogState.DOUBTFUL
    return LogState.WHOLE if log.frames or log.is_overwritten else LogState.NONE


def check_log(path: str, acknowledged: Acknowledged | None) -> LogState:
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
    state = state_of(read_log(data), acknowledged)
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
