"""When to try again."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Backoff"]

FIRST_S = 0.2
LONGEST_S = 15.0
MOST_TOLD_S = 300.0


class Backoff:
    """Pauses of full jitter: at most 0.2 s first, then twice as much, up to 15 s; anew after a success."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._most = FIRST_S

    def pause(self, told: float | None = None) -> float:
        """Seconds until the next try: what the server told, or the next step."""
        if told is not None:
            return min(max(told, 0.0), MOST_TOLD_S)
        pause = self._most * self._random()
        self._most = min(self._most * 2, LONGEST_S)
        return pause

    def succeeded(self) -> None:
        """Begin anew."""
        self._most = FIRST_S
