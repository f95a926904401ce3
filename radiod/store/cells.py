"""The rows that lie in a database's pages, found without its structure: for files that SQLite cannot read.

Each page that is part of a table or an index says so, and lists its cells; a cell is one row, the rest of a
long one in a chain of further pages. Whether a row is what was written is for its checksum to say.

Source: https://sqlite.org/fileformat2.html, "B-tree Pages" and "Record Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["rows"]

# Kind of page -> bytes before the pointers to its cells, before a cell's row, and whether the row has an id.
KINDS: Final = {0x02: (12, 4, False), 0x0A: (8, 0, False), 0x0D: (8, 0, True)}
FIRST_PAGE_HEAD: Final = 100
INTEGER_SIZES: Final = (0, 1, 2, 3, 4, 6, 8)
FLOAT, ZERO, ONE, RESERVED, FIRST_BLOB = 7, 8, 9, 10, 12
MAX_COLUMNS: Final = 100

Row = tuple[int | None, list[Any]]


def rows(pages: list[bytes], others: list[bytes]) -> Iterator[Row]:
    """Every row: its id where it has one, and its values; texts as ``Text``.

    Args:
        pages: of the file, from page 1.
        others: further versions of some, which no chain leads to.
    """
    skipped = set(_free(pages))
    for number, page in enumerate(pages, 1):
        if number not in skipped:
            yield from _of_page(page, FIRST_PAGE_HEAD if number == 1 else 0, pages)
    for page in others:
        yield from _of_page(page, 0, pages)


class Text(bytes):
    """A text, as its bytes."""


def _free(pages: list[bytes]) -> Iterator[int]:
    """The pages that hold nothing any more."""
    if not pages:
        return
    (trunk,) = struct.unpack_from(">I", pages[0], 32)
    seen: set[int] = set()
    while 1 < trunk <= len(pages) and trunk not in seen:
        seen.add(trunk)
        yield trunk
        following, count = struct.unpack_from(">II", pages[trunk - 1])
        count = min(count, len(pages[trunk - 1]) // 4 - 2)
        yield from struct.unpack_from(f">{count}I", pages[trunk - 1], 8)
        trunk = following


def _of_page(page: bytes, head: int, pages: list[bytes]) -> Iterator[Row]:
    kind = KINDS.get(page[head]) if len(page) > head else None
    if kind is None:
        return
    before_cells, before_row, has_id = kind
    (count,) = struct.unpack_from(">H", page, head + 3)
    count = min(count, (len(page) - head - before_cells) // 2)
    for at in struct.unpack_from(f">{count}H", page, head + before_cells):
        try:
            yield _row(page, at + before_row, has_id, pages)
        except (IndexError, ValueError, struct.error):
            # Not a cell, or one that was changed.
            continue


def _row(page: bytes, at: int, has_id: bool, pages: list[bytes]) -> Row:
    size, at = _number(page, at)
    id = None
    if has_id:
        id, at = _number(page, at)
        id -= (id >> 63) << 64
    return id, _values(_payload(page, at, size, has_id, pages))


def _payload(page: bytes, at: int, size: int, is_table: bool, pages: list[bytes]) -> bytes:
    """A cell's content: some of it in its page, the rest in a chain of others."""
    usable = len(page)
    most = usable - 35 if is_table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return _take(page, at, size)
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    local = local if local <= most else least
    parts, rest = [_take(page, at, local)], size - local
    (following,) = struct.unpack_from(">I", page, at + local)
    if rest > usable * len(pages):
        raise ValueError
    while rest > 0:
        if not 1 < following <= len(pages):
            raise ValueError
        content = pages[following - 1]
        (following,) = struct.unpack_from(">I", content)
        parts.append(content[4 : 4 + rest])
        rest -= usable - 4
    return b"".join(parts)


def _values(record: bytes) -> list[Any]:
    end, at = _number(record, 0)
    values: list[Any] = []
    content = end
    while at < end:
        kind, at = _number(record, at)
        value, content = _value(record, content, kind)
        values.append(value)
        if len(values) > MAX_COLUMNS:
            raise ValueError
    if content != len(record):
        raise ValueError
    return values


def _value(record: bytes, at: int, kind: int) -> tuple[Any, int]:
    if kind < FLOAT:
        data = _take(record, at, INTEGER_SIZES[kind])
        return int.from_bytes(data, "big", signed=True) if kind else None, at + len(data)
    if kind == FLOAT:
        return struct.unpack(">d", _take(record, at, 8))[0], at + 8
    if kind in (ZERO, ONE):
        return kind - ZERO, at
    if kind < FIRST_BLOB:
        raise ValueError
    data = _take(record, at, (kind - FIRST_BLOB) // 2)
    return Text(data) if kind % 2 else data, at + len(data)


def _take(data: bytes, at: int, size: int) -> bytes:
    taken = data[at : at + size]
    if len(taken) < size:
        raise IndexError
    return taken


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A whole number of one to nine bytes, seven bits in each but the ninth, and what comes behind it."""
    number = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, at
    return number << 8 | data[at], at + 1
