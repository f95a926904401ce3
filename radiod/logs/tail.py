"""The last lines of the log, in memory: what an operator sees who is not at the machine.

A line costs one append, whether anybody looks or not. Lines come cleaned and limited, as all that write them
get them.
"""

from __future__ import annotations

import time
from collections import deque
from itertools import count
from typing import Any, Final

from twisted.logger import ILogObserver, LogEvent, LogLevel
from zope.interface import implementer

from radiod.logs.events import fields, name

__all__ = ["MAX_LINES", "MAX_TEXT", "Tail"]

MAX_LINES: Final = 500

MAX_TEXT: Final = 2048
"""Characters: of a traceback the last ones, which tell most."""


@implementer(ILogObserver)
class Tail:
    """Keeps them. Other threads log, too: what is done here is done at once.

    ``since``: when it began, seconds since 1970; numbers of lines mean something in this one alone.
    """

    def __init__(self, most: int = MAX_LINES) -> None:
        self.since = time.time()
        self._numbers = count(1)
        self._lines: deque[dict[str, Any]] = deque(maxlen=most)

    def __call__(self, event: LogEvent) -> None:
        """Keep one more line."""
        text = event["log_text"]
        if len(text) > MAX_TEXT:
            head, _, traceback = text.partition("\n")
            text = f"{head[: MAX_TEXT // 4]}\n…{traceback[-MAX_TEXT * 3 // 4 :]}"
        level = event.get("log_level") or LogLevel.info
        self._lines.append(
            {
                "seq": next(self._numbers),
                "time": event.get("log_time", 0.0),
                "level": level.name,
                "event": name(event),
                "text": text,
                **fields(event),
            }
        )

    def after(self, seq: int | None, most: int) -> list[dict[str, Any]]:
        """Lines behind that number, the last ``most`` of them, oldest first; None: of all."""
        lines = list(self._lines)
        if seq is not None and lines and seq <= lines[-1]["seq"]:
            lines = [line for line in lines if line["seq"] > seq]
        return lines[-most:]
