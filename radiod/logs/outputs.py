"""What a log goes to: a pipe or socket that nobody reads must not hold up the server."""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["Outputs", "descriptor"]

WRITABLE: Final = select.POLLOUT | select.POLLERR | select.POLLHUP | select.POLLNVAL
"""Or broken: then to write fails, and does not wait."""


class Outputs:
    """The pipes and sockets among the files that ``observers`` write to; other files do not fill up.

    A pipe that can be written to takes a page, 4 KiB, and lines are no longer than that.
    """

    def __init__(self, observers: Iterable[Any]) -> None:
        self._count = 0
        self._poll = select.poll()
        # Other threads log, too, and an object like that can be asked by one of them at a time.
        self._lock = threading.Lock()
        for observer in observers:
            number = descriptor(observer)
            if number is not None and _may_fill_up(number):
                self._poll.register(number, WRITABLE)
                self._count += 1

    def take(self) -> bool:
        """Whether one more line can be written without waiting for whoever reads."""
        if not self._count:
            return True
        with self._lock:
            return len(self._poll.poll(0)) == self._count


def descriptor(observer: Any) -> int | None:
    """Of the file that it writes to; Twisted has no public way to ask. None: it is no such file."""
    try:
        return int(getattr(observer, "_outFile", observer).fileno())
    except (AttributeError, OSError, ValueError):
        return None


def _may_fill_up(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
