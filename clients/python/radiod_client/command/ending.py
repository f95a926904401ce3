"""Ctrl-C and SIGTERM: they end whatever waits at once, and let whatever writes come to its end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

__all__ = ["Ending", "Stopped"]

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(BaseException):
    """Somebody wants this program to end: ``code`` is what the shell is told."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class Ending:
    """While it is entered a signal is a ``Stopped``, in the main thread, where nothing is held."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._depth = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ending:
        for number in SIGNALS:
            # nohup has SIGHUP ignored: that stays.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._number = self._number or number
        if self._depth == 0:
            raise Stopped(number)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """No ``Stopped`` inside, but at the end."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        self.check()

    def check(self) -> None:
        """Raises: Stopped: a signal came while it was held back."""
        if self._number is not None and self._depth == 0:
            number, self._number = self._number, None
            raise Stopped(number)
