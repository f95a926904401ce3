"""Marks of a fixed schedule; those that were missed are skipped, and said so if it goes on."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Final

__all__ = ["MAX_SPEED", "Pace", "complain"]

MAX_SPEED: Final = 1e6

WINDOW: Final = 10.0
"""Seconds over which it is judged whether the speed is kept."""

KEPT: Final = 0.95
"""Part of the marks: fewer, and the speed is not kept."""

AGAIN: Final = 60.0
"""Seconds until it is said again."""


def complain(text: str) -> None:
    """A line for whoever runs the program."""
    print(f"simulator: {text}", file=sys.stderr, flush=True)


class Pace:
    """When the next sample is due.

    Args:
        step: simulated seconds from sample to sample.
        speed: simulated seconds in one real second, above 0.
        clock: seconds that only go forward.
        say: what hears that the speed cannot be kept, and that it is kept again.
    """

    def __init__(
        self, step: float, speed: float, clock: Callable[[], float], say: Callable[[str], None] = complain
    ) -> None:
        self._step = step
        self._clock = clock
        self._say = say
        self._speed = speed
        self._is_slow = False
        self._said = -math.inf
        self.restart()

    @property
    def speed(self) -> float:
        """Simulated seconds in one real second. Setting it begins the schedule anew."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._speed = speed
        self.restart()

    def restart(self) -> None:
        """The next sample is due now."""
        self._due = self._clock()
        self._open_window()

    def _open_window(self) -> None:
        self._window_begin = self._clock()
        self._made = self._marks = 0

    def left(self) -> float:
        """Seconds until the next sample is due, at least 0."""
        return max(0.0, self._due - self._clock())

    def done(self, is_excused: bool = False) -> None:
        """A sample is out. The schedule stands whatever that took; what lies in the past is given up.

        Args: is_excused: what was slow was no fault of this program.
        """
        period = self._step / self._speed
        now = self._clock()
        marks = max(1, math.ceil((now - self._due) / period))
        self._due += period * marks
        if is_excused:
            self._open_window()
            return
        self._made += 1
        self._marks += marks
        if now >= self._window_begin + WINDOW:
            self._judge(now)

    def _judge(self, now: float) -> None:
        kept = self._made / self._marks
        if kept < KEPT:
            if now >= self._said + AGAIN:
                self._said, self._is_slow = now, True
                asked = f"{self._speed:g} simulated seconds a second"
                self._say(f"too slow for {asked}: it was {self._speed * kept:.3g} in the last {WINDOW:g} s")
        elif self._is_slow:
            self._is_slow, self._said = False, -math.inf
            self._say(f"{self._speed:g} simulated seconds a second are kept again")
        self._open_window()
