"""Where the server is: its admin socket, found by the configuration file, or a URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
from msgspec import Struct

from radiod.config import ADMIN_REALM, Admin, ConfigError
from radiod.config.reading import load_toml
from radiod.ctl.links import Link, open_unix, open_url
from radiod.files import read_text

__all__ = ["REALM", "Place", "find", "store_of"]

REALM: Final = "radio"
"""The realm of a radiod that was told of no other."""

RUNTIME_SOCKET: Final = "admin.sock"
"""In the unit's folder below ``/run``, where the configuration that is shipped has it."""

SCHEMES: Final = ("ws", "wss", "rs", "rss")

MAX_FILE_BYTES: Final = 16_777_216


class Place(Struct, frozen=True):
    """A server. ``socket``: its admin socket, empty: it is at ``url``; ``realm``: its first one."""

    socket: str
    url: str
    realm: str

    def open(self, seconds: float) -> Link:
        """Connect. Raises: NoServer."""
        if self.socket:
            return open_unix(self.socket, seconds)
        parts = urlsplit(self.url)
        url = self.url if parts.path not in ("", "/") else f"{parts.scheme}://{parts.netloc}/ws"
        return open_url(parts.scheme, parts.hostname or "", parts.port, url, seconds)


def find(file: Path, socket: Path | None, url: str | None) -> Place:
    """The server that is meant: by URL, else by socket, else by a configuration file.

    Raises: UsageError: there is no such file, it cannot be read, or it has no admin socket.
    """
    if url is not None:
        return Place("", _checked(url), REALM)
    if socket is not None:
        return Place(str(socket.absolute()), "", ADMIN_REALM)
    try:
        document = _read(file)
    except click.UsageError:
        # A server runs all the same; asked to reload, it says in all the places what is wrong with the file.
        place = _of_the_unit(os.environ.get("RUNTIME_DIRECTORY", ""))
        if place is None:
            raise
        return place
    table = _table(document.get("admin"))
    given = table.get("socket")
    # No more of the file is read: its secrets may not be ours to read.
    admin = Admin(socket=given if isinstance(given, str) else None).placed(file.absolute().parent)
    path = admin.path(file)
    if not path:
        raise click.UsageError(f"{file} has no admin socket: admin.socket is empty")
    return Place(path, "", next(iter(_table(document.get("realms"))), REALM))


def _of_the_unit(folders: str) -> Place | None:
    """The server of the systemd unit in which this runs; None: there is none."""
    path = Path(folders.partition(":")[0], RUNTIME_SOCKET)
    return Place(str(path), "", ADMIN_REALM) if folders and path.exists() else None


def store_of(file: Path) -> Path:
    """Where the store of a configuration file is. Raises: UsageError: there is none."""
    given = _table(_read(file).get("store")).get("path")
    if not isinstance(given, str) or not given:
        raise click.UsageError(f"{file} has no store: store.path is empty; give --store")
    return file.absolute().parent / given


def _read(file: Path) -> dict[str, Any]:
    try:
        return load_toml(read_text(file, MAX_FILE_BYTES))
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror}; give --config, --socket or --url") from None
    except (ConfigError, ValueError) as error:
        raise click.UsageError(f"{file}: {error}") from None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise click.UsageError(f"{url!r} is no URL of {', '.join(SCHEMES)}")
    if "@" in parts.netloc:
        raise click.UsageError("no secrets in a URL: give --authid and --ticket-file")
    return url
