"""Whether clients should be sent here: everything is restored, the store writes, and nobody is sent away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.promises import Promise
from radiod.core.timers import Clock, Deadline, Timers
from radiod.store.sqlite import SqliteStore

__all__ = ["DRAINING", "STARTING", "STORE", "Readiness"]

STARTING: Final = "starting: not everything is restored"
DRAINING: Final = "draining: no new clients"
STORE: Final = "store: it does not write"
"""Reasons why not."""

FRESH_S: Final = 1.0
"""How long what was found out of the store is good for: whoever asks more often costs nothing."""

PATIENCE_S: Final = 2.0
"""How long the store may take to write a few bytes."""


class Readiness:
    """``is_restored`` and ``is_draining`` are for whoever starts and stops the server. ``cluster``: what
    tells its reasons.

    The store is asked when somebody asks: what did not write for a while may not know that it cannot.
    """

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self.is_restored = False
        self.is_draining = False
        self.store: SqliteStore | None = None
        self.cluster: Callable[[], list[str]] = list
        self._writes = True
        self._known_at = float("-inf")
        self._asking: list[Promise[list[str]]] = []

    def reasons(self) -> list[str] | Promise[list[str]]:
        """Why not; none: they should."""
        store = self.store
        if store is None or not self.is_restored or self._clock.seconds() - self._known_at < FRESH_S:
            return self._found()
        answer: Promise[list[str]] = Promise()
        self._asking.append(answer)
        if len(self._asking) == 1:
            self._probe(store)
        return answer

    def _probe(self, store: SqliteStore) -> None:
        late: Deadline | None = None
        is_over = False

        def end(writes: bool) -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                if late is not None:
                    late.cancel()
                self._conclude(writes)

        late = self._timers.at(self._clock.seconds() + PATIENCE_S, lambda: end(False))
        store.probe(lambda error: end(error is None))

    def _conclude(self, writes: bool) -> None:
        self._writes = writes
        self._known_at = self._clock.seconds()
        asking, self._asking = self._asking, []
        for answer in asking:
            answer.settle(self._found())

    def _found(self) -> list[str]:
        found: list[tuple[bool, str]] = [
            (not self.is_restored, STARTING),
            (self.is_draining, DRAINING),
            (self.store is not None and not self._writes, STORE),
        ]
        return [reason for holds, reason in found if holds] + self.cluster()
