"""Whether a holder is let in now, by its state and its dates; what it has open ends when it is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.access.records import KeyRecord
from radiod.core.calendar import Calendar
from radiod.core.holders import Holder
from radiod.core.promises import Promise
from radiod.core.slices import Slices
from radiod.core.timers import Clock, Deadline
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["ACTIVE", "REVOKED", "SUSPENDED", "Ended", "Standing", "check_alive", "check_dates"]

Ended = int | Promise[int]
"""How many things have ended, perhaps later."""

ACTIVE: Final = "active"
SUSPENDED: Final = "suspended"
REVOKED: Final = "revoked"
EXPIRED: Final = "expired"

ENDS: Final = frozenset({SUSPENDED, REVOKED, EXPIRED})
"""Reasons that end access; before its first day there was none."""


class Standing:
    """Keeps ``holder.refused`` in step with what is set, and with the date.

    ``slices``: for ending what it has open, if that is much; ``on_end``: told the reason each time that
    access ends which there was.
    """

    __slots__ = (
        "_appointment",
        "_calendar",
        "_clock",
        "_from",
        "_slices",
        "_state",
        "_until",
        "holder",
        "on_end",
    )

    def __init__(self, holder: Holder, clock: Clock, calendar: Calendar, slices: Slices) -> None:
        self.holder = holder
        self._clock = clock
        self._calendar = calendar
        self._slices = slices
        self._state = ACTIVE
        self._from: float | None = None
        self._until: float | None = None
        self._appointment: Deadline | None = None
        self.on_end: Callable[[str], object] = _nobody

    def set(self, state: str, valid_from: float | None = None, valid_until: float | None = None) -> Ended:
        """This is how it stands from now on.

        Args:
            state: ``active``, ``suspended`` or ``revoked``.
            valid_from, valid_until: seconds since 1970, the second exclusive; None: no bound.
        Returns: how many things that it had open have ended; later, if those are many. Nothing is let in
            from this moment on.
        """
        self._state = state
        self._from = valid_from
        self._until = valid_until
        return self.review()

    def review(self) -> Ended:
        """Look at the date. Returns: as ``set``."""
        now, before = self._clock.time(), self.holder.refused
        refused = self.holder.refused = self._reason(now)
        if self._appointment is not None:
            self._appointment.cancel()
        coming = [date for date in (self._from, self._until) if date is not None and date > now]
        self._appointment = self._calendar.at(min(coming), self._come) if coming else None
        try:
            return self._slices.run(self.holder.ending(refused)) if refused else 0
        finally:
            if refused != before and refused in ENDS:
                self.on_end(refused)

    def _come(self) -> None:
        self._appointment = None
        self.review()

    def _reason(self, now: float) -> str:
        if self._state != ACTIVE:
            return self._state
        if self._until is not None and now >= self._until:
            return EXPIRED
        return "not_yet_valid" if self._from is not None and now < self._from else ""


def check_alive(record: KeyRecord) -> None:
    """Raises: Refused: ``invalid_argument``: it is revoked."""
    if record.state == REVOKED:
        raise Refused(INVALID_ARGUMENT, f"key {record.id} is revoked, for good")


def check_dates(record: KeyRecord) -> None:
    """Raises: Refused: ``invalid_argument``: it ends before it begins."""
    begins, ends = record.valid_from, record.valid_until
    if begins is not None and ends is not None and ends <= begins:
        raise Refused(INVALID_ARGUMENT, "valid_until must be later than valid_from")


def _nobody(reason: str) -> None:
    """Nobody minds."""
