"""How a state is framed: a preamble, and sections, each with its kind, its length and a checksum.

``radiod-state`` and two numbers are the preamble: the format, which changes when an older radiod could not
read it, and its edition. Sections of unknown kinds are skipped, so that what an edition adds hurts nobody.
The first section is the head, the last one the end, which counts the others: what is cut off has none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple
from zlib import crc32

__all__ = ["EDITION", "FORMAT", "Section", "StateError", "read_sections", "write_sections"]

MAGIC: Final = b"\x89radiod-state\r\n\n"
FORMAT: Final = 1
EDITION: Final = 0

_PREAMBLE: Final = struct.Struct(f"<{len(MAGIC)}s2H")
_FRAME: Final = struct.Struct("<4sQ")
_SUM: Final = struct.Struct("<I")

END: Final = b"end "
_COUNT: Final = struct.Struct("<Q")


class StateError(Exception):
    """A state cannot be read. ``str`` is one sentence, without secrets."""


class Section(NamedTuple):
    """``kind``: four bytes."""

    kind: bytes
    body: Any


def write_sections(sections: Iterable[Section]) -> Iterator[bytes]:
    """The bytes of a state, section by section; the sections are asked for one by one."""
    preamble = _PREAMBLE.pack(MAGIC, FORMAT, EDITION)
    count, before = 0, crc32(preamble)
    for section in sections:
        count += 1
        frame = _FRAME.pack(section.kind, len(section.body))
        # One after the other: sections cannot change places.
        before = crc32(section.body, crc32(frame, before))
        yield b"".join((preamble, frame, _SUM.pack(before), section.body))
        preamble = b""
    frame, body = _FRAME.pack(END, _COUNT.size), _COUNT.pack(count)
    yield b"".join((preamble, frame, _SUM.pack(crc32(body, crc32(frame, before))), body))


def read_sections(view: Any) -> list[Section]:
    """All sections but the end, in order, once every byte has been found to be what was written.

    Args:
        view: the whole state, as bytes or anything that shows them; bodies are parts of it.
    Raises: StateError.
    """
    data = memoryview(view)
    if len(data) < _PREAMBLE.size or bytes(data[: len(MAGIC)]) != MAGIC:
        raise StateError("it is no state of a radiod")
    _, format, _ = _PREAMBLE.unpack_from(data)
    if format != FORMAT:
        raise StateError(f"it has format {format}, and this radiod reads format {FORMAT}")
    sections: list[Section] = []
    at, before = _PREAMBLE.size, crc32(data[: _PREAMBLE.size])
    while True:
        section, at, before = _read_section(data, at, before)
        if section.kind == END:
            break
        sections.append(section)
    if at != len(data) or bytes(section.body) != _COUNT.pack(len(sections)):
        raise StateError("it is damaged: its end is not where it should be")
    return sections


def _read_section(data: memoryview, at: int, before: int) -> tuple[Section, int, int]:
    """Returns: a section, where it ends, and the checksum of all up to there."""
    begin = at + _FRAME.size + _SUM.size
    if begin > len(data):
        raise StateError("it is damaged: it is cut off")
    kind, length = _FRAME.unpack_from(data, at)
    end = begin + length
    if end > len(data):
        raise StateError("it is damaged: it is cut off")
    body = data[begin:end]
    (told,) = _SUM.unpack_from(data, at + _FRAME.size)
    found = crc32(body, crc32(data[at : at + _FRAME.size], before))
    if found != told:
        raise StateError("it is damaged: a checksum is wrong")
    return Section(kind, body), end, found
