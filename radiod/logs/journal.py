"""Writes to systemd's journal by its own protocol: fields, priorities, and no second time on a line."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, LogLevel, LogPublisher
from zope.interface import implementer

from radiod.logs.formats import journal_entry
from radiod.logs.outputs import Outputs

__all__ = ["SOCKET", "Journal", "is_journal"]

SOCKET: Final = "/run/systemd/journal/socket"


@implementer(ILogObserver)
class Journal:
    """An observer that has the journal write lines. What it cannot take goes to ``others``.

    ``path``: of the journal's socket.
    """

    def __init__(self, others: Iterable[Any], path: str = SOCKET) -> None:
        others = list(others)
        self._others = LogPublisher(*others)
        self._outputs = Outputs(others)
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self._is_lost = False
        self._connect()

    def fileno(self) -> int:
        """Of its socket, which has no room while the journal does not read."""
        return self._socket.fileno()

    def __call__(self, event: LogEvent) -> None:
        """Write a cleaned event."""
        data = journal_entry(event)
        if self._sends(data) or (self._connect() and self._sends(data)):
            self._is_lost = False
            return
        if not self._is_lost:
            self._is_lost = True
            text = f"the journal cannot be written to at {self._path}: the log goes on here"
            told = {"log_level": LogLevel.warn, "event": "log_failed", "log_text": text}
            self._hand_on({**event, **told})
        self._hand_on(event)

    def _hand_on(self, event: LogEvent) -> None:
        if self._outputs.take():
            self._others(event)

    def _connect(self) -> bool:
        try:
            self._socket.connect(self._path)
        except OSError:
            return False
        return True

    def _sends(self, data: bytes) -> bool:
        try:
            return self._socket.send(data) == len(data)
        except OSError:
            return False


def is_journal(descriptor: int) -> bool:
    """Whether systemd has connected this to the journal."""
    try:
        known = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{known.st_dev}:{known.st_ino}"
