"""A secret of the configuration: compared in constant time, never shown."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

__all__ = ["Secret", "obtain", "ways"]


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


def ways(name: str) -> tuple[str, str, str]:
    """The three keys that can give secret ``name``: itself, a file's path, an environment variable's name."""
    return (name, f"{name}_file", f"{name}_env")


def obtain(key: str, value: object, base: Path, name: str) -> Secret:
    """The secret ``name`` that ``key = value`` gives; ``key`` is one of its ways.

    Args:
        base: the folder that a file's path is relative to.
    Raises: ValueError: there is none. The message is one line and never holds ``value``: that may be a
    secret written under the wrong key.
    """
    if not isinstance(value, str):
        raise ValueError("expected a string")
    try:
        text = value if key == name else _file(base / value) if key.endswith("_file") else os.environ[value]
        text.encode()  # the environment can hold what is no UTF-8: ``matches`` would fail on it later
    except KeyError:
        raise ValueError("no such environment variable") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    except UnicodeError:
        raise ValueError("not UTF-8") from None
    except ValueError:
        raise ValueError("no path") from None  # a NUL in it
    if not text:
        raise ValueError("is empty")
    return Secret(text)


def _file(path: Path) -> str:
    return path.read_text(encoding="utf-8").removesuffix("\n")
