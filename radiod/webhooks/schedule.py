"""When the next request to one webhook is due: after failures later and later, or as its receiver asks."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from math import inf
from typing import Final

from msgspec import Struct

__all__ = ["GONE", "MOST_RETRY_AFTER", "RETRIES", "SLOW", "Outcome", "Schedule", "retry_after"]

RETRIES: Final = (1.0, 5.0, 30.0, 300.0, 1800.0, 7200.0)
"""Seconds between the tries of one letter: what fails once more behind the last is given up."""

JITTER: Final = 0.2
"""How much of these may be more or less, so that hooks that failed together do not come back together."""

MOST_RETRY_AFTER: Final = 86_400.0
"""Seconds that a receiver may ask for with ``Retry-After``."""

MOST_GAP: Final = 60.0
FIRST_GAP: Final = 1.0

GONE: Final = 410
SLOW: Final = frozenset((429, 502, 504))
"""Statuses of a receiver that has too much to do, or stands behind one that does."""


class Outcome(Struct, frozen=True):
    """What became of one request.

    ``status``: None: there was no answer; ``why``: what to tell people of a failure; ``retry_after``: seconds
    that the answer asks for.
    """

    status: int | None
    why: str = ""
    retry_after: float = 0.0

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver took it."""
        return self.status is not None and 200 <= self.status < 300


class Schedule:
    """The pace of one webhook. ``due``: monotonic seconds of the next request, if there is something to send.

    How long it waits after a failure belongs to the receiver, not to the letter: one that is given up for
    newer ones leaves the wait to the next.

    Args:
        random: a number from 0 to 1, each time another.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._step = 0
        self._gap = 0.0
        self.due = -inf
        # Whether the last request failed.
        self.is_failing = False

    def delivered(self, now: float) -> None:
        """The receiver took a letter. A slow one gets the next a little sooner than this one."""
        self._step = 0
        self.is_failing = False
        self._gap = self._gap / 2 if self._gap > FIRST_GAP else 0.0
        self.due = now + self._gap

    def failed(self, now: float, outcome: Outcome, tries: int) -> bool:
        """A letter's ``tries``-th try failed. Returns: whether there is another."""
        if outcome.status in SLOW:
            self._gap = min(MOST_GAP, max(FIRST_GAP, 2 * self._gap))
        self.is_failing = True
        is_last = tries > len(RETRIES)
        if is_last:
            # The next letter is tried at once: the receiver has had its time.
            self._step, wait = 0, 0.0
        else:
            wait = RETRIES[min(self._step, len(RETRIES) - 1)] * (1 + JITTER * (2 * self._random() - 1))
            self._step += 1
        self.due = now + max(wait, self._gap, min(outcome.retry_after, MOST_RETRY_AFTER))
        return not is_last


def retry_after(value: str | None, now: float) -> float:
    """Seconds that ``Retry-After`` asks for, at most ``MOST_RETRY_AFTER``; 0: nothing that can be read.

    Args:
        now: seconds since 1970, where it names a date.
    """
    if value is None:
        return 0.0
    text = value.strip()
    # Longer numbers are no seconds that anybody waits for; Python would refuse thousands of digits.
    if text.isascii() and text.isdigit():
        return MOST_RETRY_AFTER if len(text) > 6 else min(float(text), MOST_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError, OSError):
        return 0.0
    return min(max(seconds, 0.0), MOST_RETRY_AFTER)
