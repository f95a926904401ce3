"""Text files, line by line, and the numbers in them: all that is wrong is told with file and line."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from os import PathLike, fspath
from typing import IO, cast

from simulator.errors import TownError

__all__ = ["MAX_STREETS", "Lines", "Path", "is_there", "number", "opened"]

Path = str | PathLike[str]

MAX_STREETS = 250_000
"""Of one file: more is refused before it fills the memory."""

MAX_LINE = 1 << 20
"""Bytes of a line; a longer one is none of such a file."""


def opened(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where its name ends with .gz. Raises: TownError: it cannot be read."""
    try:
        return cast(IO[bytes], gzip.open(path)) if fspath(path).endswith(".gz") else open(path, "rb")
    except OSError as error:
        raise TownError(f"{fspath(path)}: cannot be read: {error.strerror}") from None


def is_there(path: Path) -> bool:
    """Whether there is a file that can be opened."""
    try:
        with open(path, "rb"):
            return True
    except OSError:
        return False


class Lines:
    """The lines of a text file, without their ends, each but once; ``line`` is the number of the last one.

    Raises while it is read: TownError: it cannot be read, or is no text of that encoding.
    """

    def __init__(self, path: Path, encoding: str = "utf-8") -> None:
        self.path = fspath(path)
        self.line = 0
        self._encoding = encoding

    @property
    def here(self) -> str:
        """FILE:LINE."""
        return f"{self.path}:{max(self.line, 1)}"

    def __iter__(self) -> Iterator[str]:
        with opened(self.path) as file:
            while content := self._next(file):
                self.line += 1
                yield self._text(content)

    def _next(self, file: IO[bytes]) -> bytes:
        try:
            content = file.readline(MAX_LINE)
        except (OSError, EOFError) as error:
            raise TownError(f"{self.path}:{self.line + 1}: cannot be read: {error}") from None
        if len(content) == MAX_LINE:
            raise TownError(f"{self.path}:{self.line + 1}: a line of more than {MAX_LINE} bytes")
        return content

    def _text(self, content: bytes) -> str:
        if self.line == 1:
            content = content.removeprefix(b"\xef\xbb\xbf")
        try:
            text = content.decode(self._encoding)
        except UnicodeDecodeError as error:
            wrong = content[error.start : error.start + 1].hex()
            raise TownError(f"{self.here}: byte 0x{wrong} is no {self._encoding} text") from None
        except LookupError:
            raise TownError(f"{self.path}: there is no encoding {self._encoding}") from None
        if "\0" in text:
            raise TownError(f"{self.here}: no text: it holds zero bytes")
        return text.rstrip("\r\n")


def number(where: str, what: str, text: str) -> float:
    """The number that a text is; may be infinite.

    Raises: TownError: it is none.
    """
    try:
        if "_" in text:
            raise ValueError
        value = float(text)
    except ValueError:
        raise TownError(f"{where}: {what} is {_short(text)!r}, not a number") from None
    if value != value:
        raise TownError(f"{where}: {what} is {_short(text)!r}, not a number")
    return value


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
