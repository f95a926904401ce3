"""What is held for a while because somebody has asked once, and may ask again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["LOOK_S", "MAX_LOOKED", "Looks"]

LOOK_S: Final = 60.0
"""Seconds for which something is held because somebody has asked once."""

MAX_LOOKED: Final = 10_000
"""Things that are held for that reason; the one asked for longest ago goes first."""

SWEEP_S: Final = 10.0


class Looks:
    """Holds things by name. ``hold``, ``release``: of whoever has them, called once each for a while."""

    def __init__(
        self, clock: Clock, timers: Timers, hold: Callable[[str], object], release: Callable[[str], None]
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._hold = hold
        self._release = release
        # name -> until when it is held; oldest first
        self._until: dict[str, float] = {}
        self._sweep: Deadline | None = None

    def __len__(self) -> int:
        return len(self._until)

    def look(self, name: str) -> None:
        """Hold this for a while, from now on."""
        now = self._clock.seconds()
        if self._until.pop(name, None) is None:
            self._hold(name)
        self._until[name] = now + LOOK_S
        if len(self._until) > MAX_LOOKED:
            self._end(next(iter(self._until)))
        if self._sweep is None:
            self._sweep = self._timers.at(now + SWEEP_S, self._on_sweep)

    def _end(self, name: str) -> None:
        del self._until[name]
        self._release(name)

    def _on_sweep(self) -> None:
        now = self._clock.seconds()
        for name, until in list(self._until.items()):
            if until > now:
                break
            self._end(name)
        self._sweep = self._timers.at(now + SWEEP_S, self._on_sweep) if self._until else None
