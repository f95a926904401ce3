"""A secret of the configuration: compared in constant time, never shown."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from radiod.files import BOM, read_text

__all__ = ["Secret", "credential", "obtain", "stand_in", "ways"]


MAX_FILE_BYTES: Final = 65_536


class Secret:
    """Holds a ticket or key."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret('…')"

    def reveal(self) -> str:
        """The secret itself, for what cannot do with a comparison."""
        return self._text

    def matches(self, candidate: str) -> bool:
        """True when ``candidate`` is the secret; takes as long when it is not."""
        return hmac.compare_digest(self._text.encode(), candidate.encode("utf-8", "surrogatepass"))


def ways(name: str) -> tuple[str, str, str, str]:
    """The four keys that can give secret ``name``.

    Itself, a file's path, an environment variable's name, the name of a credential that systemd passes on.
    """
    return (name, f"{name}_file", f"{name}_env", f"{name}_credential")


def obtain(key: str, value: object, base: Path, name: str) -> Secret:
    """The secret ``name`` that ``key = value`` gives; ``key`` is one of its ways.

    Args:
        base: the folder that a file's path is relative to.
    Raises: ValueError: there is none. The message is one line and never holds ``value``: that may be a
    secret written under the wrong key.
    """
    if not isinstance(value, str):
        raise ValueError("expected a string")
    text = _text(key.removeprefix(name), value, base)
    try:
        text.encode()  # the environment can hold what is no UTF-8: ``matches`` would fail on it later
    except UnicodeError:
        raise ValueError("not UTF-8") from None
    if not text:
        raise ValueError("is empty")
    return Secret(text)


def stand_in(value: object) -> Secret:
    """Something in the place of a secret that is not looked at, where it cannot be read: 64 digits in hex.

    Whatever is asked of a secret holds for it, and no two are alike. Raises: ValueError: as ``obtain``, for
    what can be seen without looking.
    """
    if not isinstance(value, str):
        raise ValueError("expected a string")
    return Secret(secrets.token_hex(32))


def credential(name: str) -> Path:
    """The file of a credential that systemd passed on (``LoadCredential=``). Raises: ValueError: none."""
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ValueError("a credential's name is no path")
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ValueError("no credentials were passed on: they are systemd's, see LoadCredential=")
    return Path(folder, name)


def _text(way: str, value: str, base: Path) -> str:
    match way:
        case "_file":
            return _file(base / value)
        case "_env":
            return _variable(value)
        case "_credential":
            return _file(credential(value))
    return value


def _file(path: Path) -> str:
    if "\0" in str(path):
        raise ValueError("no path")
    try:
        return _without_line_end(read_text(path, MAX_FILE_BYTES))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeError:
        raise ValueError("no path") from None  # a lone surrogate in it


def _variable(name: str) -> str:
    try:
        # Variables are often filled from files, by tools that leave everything as it is.
        return _without_line_end(os.environ[name].removeprefix(BOM))
    except (KeyError, ValueError):
        raise ValueError("no such environment variable") from None


def _without_line_end(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")
