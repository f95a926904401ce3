"""Pages of whoever runs the server: the files of one folder, below ``/pages/``.

They are read once, when the site is built, and held in memory: so no request ever waits for the disk, none
can name a file that is not meant, and the server's user need not be able to read them.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

from radiod.web.answers import NO_PATH, Request
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer

__all__ = ["BELOW", "MOST_BYTES", "MOST_FILES", "PLACE", "Folder", "FolderError", "read_folder"]

BELOW: Final = "/pages/"
PLACE: Final = "/pages"

MOST_FILES: Final = 1000
MOST_BYTES: Final = 16 << 20
"""Of all files together."""
MOST_OF_ONE: Final = 1 << 20
"""Bytes of a file: whoever asks for it and does not read costs as much."""

INDEX: Final = "index.html"
UNKNOWN: Final = "application/octet-stream"

# Not the machine's: what it calls a script may be something that browsers do not run.
_TYPES: Final = mimetypes.MimeTypes()
_TYPES.add_type("text/javascript", ".js")
_TYPES.add_type("text/javascript", ".mjs")
_TYPES.add_type("application/manifest+json", ".webmanifest")
_TYPES.add_type("application/wasm", ".wasm")
_TYPES.add_type("image/svg+xml", ".svg")
_TYPES.add_type("image/webp", ".webp")
_TYPES.add_type("image/avif", ".avif")
_TYPES.add_type("font/woff2", ".woff2")
_TYPES.add_type("text/markdown", ".md")

_FIELDS: Final = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "same-origin"))


class FolderError(Exception):
    """The folder cannot be served; the text says why."""


def read_folder(folder: Path) -> dict[str, Answer]:
    """The path of each file below ``folder``, as a browser writes it, and its answer.

    A folder with an ``index.html`` is a page itself. What begins with a dot is not served.

    Raises: FolderError: it cannot be read, holds links that lead out of it, or more than can be served.
    """
    root = folder.resolve()
    answers: dict[str, Answer] = {}
    held = 0
    for file in _files(root):
        content = _read(file)
        held += len(content)
        if held > MOST_BYTES:
            raise FolderError(f"{folder}: its files have more than {MOST_BYTES >> 20} MiB")
        path = BELOW + quote(file.relative_to(root).as_posix(), safe="/!$&'()*+,;=:@~")
        answers[path] = answer = Answer(200, content, _type_of(file.name), b"no-cache", _FIELDS)
        if file.name == INDEX:
            page = path.removesuffix(INDEX)
            answers[page] = answer
            answers[page[:-1]] = _moved(page)
    return answers


def _moved(page: str) -> Answer:
    """To its address with a slash, which what the page names is relative to; also below a proxy's path."""
    return Answer(308, fields=(("Location", page.split("/")[-2] + "/"),))


def _read(file: Path) -> bytes:
    """Never more than may be served, however large the file is."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_OF_ONE + 1)
    except OSError as error:
        raise FolderError(f"{file}: {error.strerror}") from None
    if len(content) > MOST_OF_ONE:
        raise FolderError(f"{file}: it has more than {MOST_OF_ONE >> 20} MiB")
    return content


def _files(root: Path) -> Iterator[Path]:
    count = 0
    for place, folders, names in os.walk(root, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for folder in folders:
            if Path(place, folder).is_symlink():
                raise FolderError(f"{Path(place, folder)}: a link to a folder is not followed")
        for name in sorted(names):
            file = Path(place, name)
            if name.startswith(".") or not file.is_file():
                continue
            if not file.resolve().is_relative_to(root):
                raise FolderError(f"{file}: leads out of {root}")
            count += 1
            if count > MOST_FILES:
                raise FolderError(f"{root}: it has more than {MOST_FILES} files")
            yield file


def _raise(error: OSError) -> None:
    raise FolderError(f"{error.filename}: {error.strerror}")


def _type_of(name: str) -> bytes:
    kind = _TYPES.guess_type(name)[0] or UNKNOWN
    is_text = kind.startswith("text/") or kind in ("application/json", "application/manifest+json")
    return (kind + "; charset=utf-8" if is_text else kind).encode()


class Folder(Route):
    """The files that ``read_folder`` has found."""

    label = f"{BELOW}{{file}}"

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers

    def get(self, request: Request) -> Outcome:
        """The file."""
        return self._answers.get(request.target.path, NO_PATH)
