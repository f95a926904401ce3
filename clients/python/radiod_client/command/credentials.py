"""Secrets of the command line: by file or environment variable, since arguments are for everybody to see."""

from __future__ import annotations

import os
from pathlib import Path

from radiod_client.command.failures import Misused

__all__ = ["secret"]


def secret(option: str, given: str | None) -> str | None:
    """What ``file:PATH`` or ``env:NAME`` holds; a line end behind it is not a part of it.

    Raises: Misused: it is neither, or there is nothing.
    """
    if given is None:
        return None
    kind, _, name = given.partition(":")
    if kind == "env" and name:
        if name not in os.environ:
            raise Misused(f"{option}: there is no environment variable {name}")
        found = os.environ[name]
    elif kind == "file" and name:
        try:
            found = Path(name).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise Misused(f"{option}: cannot read {name}: {getattr(error, 'strerror', 'no text')}") from None
    else:
        # It may be the secret itself: it is not repeated.
        raise Misused(f"{option}: expected file:PATH or env:NAME, never the secret itself")
    if not found:
        raise Misused(f"{option}: {given} is empty")
    return found
