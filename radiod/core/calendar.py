"""What happens on dates, by the wall clock, which people and programs set.

A date that was written down (``valid_until``) means the wall clock, unlike every other deadline (ADR 21). So
nobody waits for it by the monotonic clock alone: once a second the calendar looks at the date.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Final

from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["PULSE_S", "Appointment", "Calendar"]

PULSE_S: Final = 1.0
"""Seconds between two looks at the date."""

SET_BACK_S: Final = 1.0
"""What the date must have gone back by for somebody to have set it."""

COMPACT_ABOVE: Final = 1024
"""Above so many cancelled appointments, when they are the majority, they are swept out."""


class Appointment:
    """Something that happens on a date unless it is cancelled."""

    __slots__ = ("_calendar", "what")

    def __init__(self, calendar: Calendar, what: Callable[[], None]) -> None:
        self._calendar = calendar
        self.what: Callable[[], None] | None = what

    def cancel(self) -> None:
        """It will not happen; cancelling twice, or too late, does nothing."""
        if self.what is not None:
            self.what = None
            self._calendar.cancelled()


class Calendar:
    """Appointments of one server. Costs O(log n) to add, O(1) to cancel; it rests while there is none.

    ``on_set_back``: called when somebody has set the date back: what has happened may be yet to come. Who
    needs to know has an appointment that never comes (``math.inf``), which keeps the calendar awake.
    """

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._heap: list[tuple[float, int, Appointment]] = []
        self._order = count()
        self._dead = 0
        self._pulse: Deadline | None = None
        self._seen = clock.time()
        self.on_set_back: Callable[[], None] = _nothing

    def at(self, date: float, what: Callable[[], None]) -> Appointment:
        """Call ``what``, later, when the wall clock has come to ``date`` (seconds since 1970)."""
        appointment = Appointment(self, what)
        heapq.heappush(self._heap, (date, next(self._order), appointment))
        if self._pulse is None:
            self._seen = self._clock.time()
        if self._pulse is None or self._heap[0][2] is appointment:
            self._wait()
        return appointment

    def __len__(self) -> int:
        """Appointments that are still to come."""
        return len(self._heap) - self._dead

    def cancelled(self) -> None:
        """Count a cancelled appointment (``Appointment.cancel`` calls this)."""
        self._dead += 1
        if self._dead > COMPACT_ABOVE and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].what is not None]
            heapq.heapify(self._heap)
            self._dead = 0

    def stop(self) -> None:
        """Nothing happens any more."""
        self._heap.clear()
        self._dead = 0
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None

    def _wait(self) -> None:
        if self._pulse is not None:
            self._pulse.cancel()
        wait = min(max(0.0, self._heap[0][0] - self._clock.time()), PULSE_S)
        self._pulse = self._timers.at(self._clock.seconds() + wait, self._look)

    def _look(self) -> None:
        self._pulse = None
        now = self._clock.time()
        try:
            if now < self._seen - SET_BACK_S:
                self.on_set_back()
            while self._heap and (self._heap[0][0] <= now or self._heap[0][2].what is None):
                appointment = heapq.heappop(self._heap)[2]
                what, appointment.what = appointment.what, None
                if what is None:
                    self._dead -= 1
                else:
                    what()
        finally:
            self._seen = now
            if self._heap:
                self._wait()


def _nothing() -> None:
    """Nobody minds."""
