"""How the command ends: its exit codes, and errors that are one line."""

from __future__ import annotations

from radiod_client.errors import ConnectFailed, LoginRefused
from radiod_client.recordings.errors import NoFormat

__all__ = [
    "FAILED",
    "NO_SERVER",
    "PIPE_CLOSED",
    "REFUSED",
    "USAGE",
    "Failed",
    "Misused",
    "exit_code",
    "one_line",
]

FAILED = 1
USAGE = 2
NO_SERVER = 3
REFUSED = 4
PIPE_CLOSED = 141
"""As of a program that SIGPIPE has ended."""


class Failed(Exception):
    """What the user is told in one line."""


class Misused(Failed):
    """The command line, or what it names, cannot be."""


def exit_code(error: BaseException) -> int:
    """What the shell is told."""
    if isinstance(error, LoginRefused):
        return REFUSED
    if isinstance(error, ConnectFailed):
        return NO_SERVER
    return USAGE if isinstance(error, Misused | NoFormat) else FAILED


def one_line(error: BaseException) -> str:
    """Its text, on one line; of errors of files with the name of the file."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
