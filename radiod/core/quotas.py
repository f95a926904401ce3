"""How much may be used in a day, or in a month, of UTC.

A period that has begun is over when its end has come: a clock that is set back, or a second that comes twice,
opens no earlier one again. What is counted is rebuilt from the ledger when the server starts.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from typing import Final

__all__ = ["DAY", "Quota", "day_of", "month_of"]

DAY: Final = 86_400


def day_of(now: float) -> tuple[int, int]:
    """Where the day of a time begins and ends; seconds since 1970, as ``now``."""
    begin = int(now // DAY) * DAY
    return begin, begin + DAY


def month_of(now: float) -> tuple[int, int]:
    """The same for its month."""
    day = datetime.fromtimestamp(now, UTC)
    begin = int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp())
    # No date is made of its end: the last month that there is ends where dates do.
    return begin, begin + monthrange(day.year, day.month)[1] * DAY


class Quota:
    """What one account may use of one thing in a period.

    ``name``: as the plan names it; ``limit``: None: any amount, which is counted all the same; ``used``: in
    the period from ``begin`` to ``end`` (seconds since 1970, the second exclusive), ``elsewhere`` of that on
    other nodes.

    Args:
        period: ``day_of`` or ``month_of``.
        now: here and in all methods, seconds since 1970.
    """

    __slots__ = ("_period", "begin", "elsewhere", "end", "limit", "name", "used")

    def __init__(
        self, name: str, period: Callable[[float], tuple[int, int]], limit: int | None, now: float
    ) -> None:
        self.name = name
        self.limit = limit
        self.used = 0
        self.elsewhere = 0
        self._period = period
        self.begin, self.end = period(now)

    def charge(self, amount: int, now: float) -> bool:
        """Use so much, if that much is left: all of it or nothing."""
        if now >= self.end:
            self._turn(now)
        used = self.used + amount
        if self.limit is not None and used > self.limit:
            return False
        self.used = used
        return True

    def add(self, amount: int, now: float) -> None:
        """So much was used, whether or not it was left."""
        if now >= self.end:
            self._turn(now)
        self.used += amount

    def give_back(self, amount: int, begin: int) -> None:
        """So much was charged for nothing, in the period with this ``begin``."""
        if begin == self.begin:
            self.used = max(0, self.used - amount)

    def is_used_up(self, now: float) -> bool:
        """Whether nothing is left."""
        if now >= self.end:
            self._turn(now)
        return self.limit is not None and self.used >= self.limit

    def left(self, now: float) -> int | None:
        """What is left; None: there is no limit."""
        if now >= self.end:
            self._turn(now)
        return None if self.limit is None else max(0, self.limit - self.used)

    def wait(self, now: float) -> int:
        """Whole seconds until the period ends: at least 1, and no more than a day."""
        return max(1, min(DAY, ceil(self.end - now)))

    def restore(self, used: int) -> None:
        """So much was used in this period before the server started, or before anybody counted here."""
        self.used += used

    def own(self, now: float) -> int:
        """What was used here."""
        if now >= self.end:
            self._turn(now)
        return max(0, self.used - self.elsewhere)

    def note_elsewhere(self, amount: int, now: float) -> None:
        """So much was used on other nodes, in this period and all in all."""
        if now >= self.end:
            self._turn(now)
        self.used += amount - self.elsewhere
        self.elsewhere = amount

    def _turn(self, now: float) -> None:
        """This period is over: the next begins."""
        self.begin, self.end = self._period(now)
        self.used = self.elsewhere = 0
