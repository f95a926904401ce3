"""Access that ends at a date: that of a token, while what it opened goes on."""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.timers import Deadline
from radiod.transport.clock import ReactorClock

__all__ = ["Term"]


class Term:
    """Ends something ``until`` a date, in seconds since 1970: by the wall clock, whoever sets that."""

    __slots__ = ("_clock", "_deadline", "_end", "_until")

    def __init__(self, clock: ReactorClock, until: float) -> None:
        self._clock = clock
        self._until = until
        self._end: Callable[[], None] | None = None
        self._deadline: Deadline | None = None

    def begin(self, end: Callable[[], None]) -> None:
        """Call ``end`` then, unless ``stop`` comes first."""
        self._end = end
        left = max(self._until - self._clock.time(), 0.0)
        self._deadline = self._clock.timers.at(self._clock.seconds() + left, self._look)

    def stop(self) -> None:
        """It has ended by itself."""
        self._end = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self) -> None:
        end = self._end
        if end is None:
            return
        if self._clock.time() < self._until:
            # The clock was set back.
            self.begin(end)
        else:
            end()
