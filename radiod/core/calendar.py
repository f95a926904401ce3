"""What happens on dates, by the wall clock, which people and programs set.

A date that was written down (``valid_until``) means the wall clock, unlike every other deadline (ADR 21). So
nobody waits for it by the monotonic clock alone: once a second the calendar looks at the date.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.timers import Clock, Deadline, Timers, Waker

__all__ = ["PULSE_S", "Calendar"]

PULSE_S: Final = 1.0
"""Seconds between two looks at the date."""

SET_BACK_S: Final = 1.0
"""What the date must have gone back by for somebody to have set it."""


class Calendar(Waker):
    """Appointments of one server, each a ``Deadline``. It rests while there is none.

    ``on_set_back``: called when somebody has set the date back: what has happened may be yet to come. Who
    needs to know has an appointment that never comes (``math.inf``), which keeps the calendar awake.
    """

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        # By date, where those of others go by the monotonic clock.
        self._dates = Timers(self)
        self._pulse: Deadline | None = None
        self._seen = clock.time()
        self.on_set_back: Callable[[], None] = _nothing

    def __len__(self) -> int:
        """Appointments that are still to come."""
        return len(self._dates)

    def at(self, date: float, what: Callable[[], None]) -> Deadline:
        """Call ``what``, later, when the wall clock has come to ``date`` (seconds since 1970)."""
        if self._pulse is None:
            self._seen = self._clock.time()
        appointment = self._dates.at(date, what)
        if self._pulse is None:
            # One that was cancelled may be before it.
            self.wake_at(date)
        return appointment

    def stop(self) -> None:
        """Nothing happens any more."""
        self._dates = Timers(self)
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None

    def wake_at(self, when: float) -> None:
        """As ``Waker.wake_at``; ``when`` is a date. Before it comes, somebody may set the clock."""
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None
        if len(self._dates):
            wait = min(max(0.0, when - self._clock.time()), PULSE_S)
            self._pulse = self._timers.at(self._clock.seconds() + wait, self._look)

    def _look(self) -> None:
        self._pulse = None
        now = self._clock.time()
        was_set_back = now < self._seen - SET_BACK_S
        self._seen = now
        try:
            if was_set_back:
                self.on_set_back()
        finally:
            self._dates.run(now)


def _nothing() -> None:
    """Nobody minds."""
