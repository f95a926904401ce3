"""What people see on stderr, and programs on stdout."""

from __future__ import annotations

import logging
import os
import select
import stat
import sys
import time
from collections import deque
from typing import Any, TextIO

__all__ = ["Logged", "Notes", "Output", "Rate"]

EVERY_S = 0.25
CLEAR = "\r\x1b[K"


class Notes:
    """Lines for people, and one line that changes where stderr is a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._is_shown = False
        self._next = 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._write(f"radio: {text}\n")

    def show(self, text: str) -> None:
        """What goes on right now; not more often than somebody can read it."""
        now = time.monotonic()
        if self._is_terminal and now >= self._next:
            self._next = now + EVERY_S
            self._write(f"{CLEAR}{text}")
            self._is_shown = True

    def clear(self) -> None:
        """Take away what goes on."""
        if self._is_shown:
            self._is_shown = False
            self._write(CLEAR)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads it: that must stop nothing.
            pass


class Logged(logging.Handler):
    """What the client logs, as notes: one line each, without tracebacks."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        self._notes.say(" ".join(record.getMessage().split()))


class Output:
    """Stdout, a line at a time. Raises: BrokenPipeError: whoever read it has gone."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = sys.stdout.buffer if stream is None else stream
        self.is_terminal = bool(self._stream.isatty())
        self._pipe = _pipe_of(self._stream)

    def write(self, line: bytes) -> None:
        """One line, at once."""
        self._stream.write(line)
        self._stream.flush()

    def check(self) -> None:
        """Notice a closed pipe without a line to write. Raises: BrokenPipeError."""
        if self._pipe is not None and any(event & select.POLLERR for _, event in self._pipe.poll(0)):
            raise BrokenPipeError

    def abandon(self) -> None:
        """Nothing is written any more, not even by the interpreter at its end."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def _pipe_of(stream: Any) -> Any:
    """Something to poll, if this is a pipe."""
    try:
        descriptor = stream.fileno()
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return None
        found = select.poll()
        found.register(descriptor, 0)
        return found
    except (AttributeError, OSError, ValueError):
        return None


class Rate:
    """So many, and so many a second lately."""

    SECONDS = 5.0

    def __init__(self) -> None:
        self.count = 0
        self._marks: deque[tuple[float, int]] = deque(maxlen=64)

    def add(self, count: int, now: float) -> None:
        """So many more."""
        if not self._marks or now - self._marks[-1][0] >= EVERY_S:
            self._marks.append((now, self.count))
        self.count += count

    def text(self, now: float) -> str:
        """``12,345 samples, 67.8/s``."""
        while len(self._marks) > 1 and now - self._marks[0][0] > self.SECONDS:
            self._marks.popleft()
        begin, count = self._marks[0] if self._marks else (now, self.count)
        rate = (self.count - count) / max(now - begin, EVERY_S)
        return f"{self.count:,} samples, {rate:,.{1 if rate < 100 else 0}f}/s"
