"""What a signal asks for, and what the program waits on."""

from __future__ import annotations

import contextlib
import queue

__all__ = ["Stop"]


class Stop:
    """As ``threading.Event``, but a signal handler may set it.

    Python runs a handler in the middle of whatever the main thread does. While that begins to wait for an
    event, the event is locked, and a handler that sets it waits for ever. A ``SimpleQueue`` is fit for them.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._told: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """From here on nobody waits."""
        if not self._is_set:
            self._is_set = True
            self._told.put(None)

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """At most so long, until it is set. Returns: whether it is."""
        if not self._is_set:
            with contextlib.suppress(queue.Empty):
                self._told.get(timeout=max(0.0, seconds))
        return self._is_set
