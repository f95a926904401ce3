"""XML, element by element, from files that nobody need trust: no entities, no depth, no token without end."""

from __future__ import annotations

from collections.abc import Callable
from os import fspath
from xml.parsers import expat

from simulator.errors import TownError
from simulator.importers.reading import Path, opened

__all__ = ["Elements"]

CHUNK = 1 << 18

MAX_TOKEN = 1 << 23
"""Bytes of an element's name and attributes, or of anything else that is read as one."""

MAX_DEPTH = 64


class Elements:
    """Reads a file from its beginning to its end.

    Args: start: called with each element's name and attributes. end: called with its name.
    """

    def __init__(
        self, path: Path, start: Callable[[str, dict[str, str]], None], end: Callable[[str], None]
    ) -> None:
        self.path = fspath(path)
        self._start = start
        self._end = end
        self._depth = 0
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._started
        parser.EndElementHandler = self._ended
        parser.EntityDeclHandler = self._refuse_entity
        parser.buffer_text = True

    @property
    def here(self) -> str:
        """FILE:LINE of the element that is read."""
        return f"{self.path}:{self._parser.CurrentLineNumber}"

    def read(self) -> None:
        """All of it. Raises: TownError: it cannot be read, or it is no XML that is worth reading."""
        fed = 0
        with opened(self.path) as file:
            while True:
                try:
                    chunk = file.read(CHUNK)
                except (OSError, EOFError) as error:
                    raise TownError(f"{self.here}: cannot be read: {error}") from None
                fed += len(chunk)
                self._feed(chunk)
                if not chunk:
                    return
                if fed - self._parser.CurrentByteIndex > MAX_TOKEN:
                    raise TownError(f"{self.here}: more than {MAX_TOKEN} bytes in one element")

    def _feed(self, chunk: bytes) -> None:
        try:
            self._parser.Parse(chunk, not chunk)
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            cut = {expat.errors.XML_ERROR_NO_ELEMENTS, expat.errors.XML_ERROR_UNCLOSED_TOKEN}
            hint = ": was it cut?" if not chunk or what in cut else ""
            raise TownError(f"{self.path}:{error.lineno}: no XML: {what}{hint}") from None
        except UnicodeError:
            raise TownError(f"{self.here}: no text of its encoding") from None
        except (ValueError, LookupError) as error:
            if isinstance(error, TownError):
                raise
            raise TownError(f"{self.here}: no XML: {error}") from None

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TownError(f"{self.here}: elements in elements, more than {MAX_DEPTH} deep")
        self._start(name, attributes)

    def _ended(self, name: str) -> None:
        self._depth -= 1
        self._end(name)

    def _refuse_entity(self, *_: object) -> None:
        raise TownError(f"{self.here}: it declares entities, which no such file needs")
