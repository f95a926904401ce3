"""How a command fails: refused (exit status 1), wrong usage (2, click's own), or no server (3)."""

from __future__ import annotations

from typing import IO, Any, Final

import click
import msgspec

from radiod.ctl.values import printable

__all__ = ["NO_SERVER", "REFUSED", "NoServer", "Refusal"]

REFUSED: Final = 1
NO_SERVER: Final = 3


class _Failure(click.ClickException):
    uri = ""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        # When it is shown the command is over.
        context = click.get_current_context(silent=True)
        self._state: Any = context and context.find_object(object)

    def show(self, file: IO[Any] | None = None) -> None:
        """One line for a person, or one of JSON, on stderr."""
        if getattr(self._state, "as_json", False):
            told = {"error": self.uri or None, "message": self.message}
            click.echo(printable(msgspec.json.encode(told).decode()), file=file, err=True)
        else:
            uri = f"{self.uri}: " if self.uri else ""
            click.echo(printable(f"radioctl: {uri}{self.message}"), file=file, err=True)


class Refusal(_Failure):
    """The server, or a file, says no. ``uri``: the error's; empty: it has none."""

    exit_code = REFUSED

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(message)
        self.uri = uri


class NoServer(_Failure):
    """Nobody answers, or nobody does any more."""

    exit_code = NO_SERVER
