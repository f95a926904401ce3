"""Text files that people write: read within a bound, as UTF-8, without what editors put around the text."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["BOM", "read_text"]

BOM: Final = "\ufeff"
"""What some editors write before UTF-8: no part of the text."""

UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
"""What they write before UTF-16, in either order of bytes; UTF-32 begins alike, or with NUL."""


def read_text(path: Path, most: int) -> str:
    """The text of a file, line ends as they are.

    Args:
        most: bytes; a longer file, or one that never ends, is refused.
    Raises: OSError: it cannot be read. ValueError: it is no such text; the message is one line that holds
        nothing of it.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"longer than {most} bytes")
    if content.startswith(UTF_16):
        raise ValueError("UTF-16, not UTF-8")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if "\0" in text:
        raise ValueError("with NUL characters, as UTF-16 and binary files have, not UTF-8")
    return text.removeprefix(BOM)
