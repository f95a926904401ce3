"""Log files that others rotate: radiod opens them anew when it is told, and never renames one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from twisted.logger import Logger
from twisted.python.logfile import LogFile

__all__ = ["LogFiles", "never_rotate"]


def never_rotate() -> None:
    """Keep Twisted from renaming a log file at 1 MB, also before any of its observers is known."""
    LogFile.shouldRotate = lambda self: False  # type: ignore[method-assign] # that is how


class LogFiles:
    """The files among what ``observers`` write to."""

    log = Logger()

    def __init__(self, observers: Iterable[Any] = ()) -> None:
        # There is no public way to ask an observer; a test with twistd tells when this one ends.
        files = (getattr(observer, "_outFile", None) for observer in observers)
        self._files = [file for file in files if isinstance(file, LogFile)]

    def reopen(self) -> None:
        """Go on in files of the same names, new ones if these were moved away.

        What cannot be opened is a line in the old one.
        """
        for file in self._files:
            try:
                # Twisted closes the old one first.
                os.close(os.open(file.path, os.O_RDWR | os.O_CREAT, file.defaultMode or 0o600))
                file.reopen()  # type: ignore[no-untyped-call] # Twisted's
            except OSError as error:
                self.log.error(
                    "{path} not opened anew: {error}",
                    path=file.path,
                    error=error.strerror,
                    event="log_failed",
                )
        if not self._files:
            self.log.info("SIGUSR1: there is no log file to open anew", event="signal")
