"""Whether the other end of a connection still lives: a line that is only half there is silent for ever."""

from __future__ import annotations

from collections.abc import Callable

from radiod_client._deadlines import Deadline, Deadlines

__all__ = ["Pulse"]

QUIET_S = 20.0
PONG_S = 15.0


class Pulse:
    """Asks when nothing was heard for a while, and judges.

    Args:
        ping: asks the other end for a sign of life.
        on_dead: called when there is none.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        deadlines: Deadlines,
        ping: Callable[[], None],
        on_dead: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._deadlines = deadlines
        self._ping = ping
        self._on_dead = on_dead
        self._heard = 0.0
        self._deadline: Deadline | None = None

    def heard(self) -> None:
        """Something came."""
        self._heard = self._clock()

    def start(self) -> None:
        """From now on."""
        self._deadline = self._deadlines.after(QUIET_S, self._feel)

    def stop(self) -> None:
        """There is no connection any more."""
        if self._deadline is not None:
            self._deadline.cancel()

    def _feel(self) -> None:
        quiet = self._clock() - self._heard
        if quiet >= QUIET_S:
            self._ping()
            self._await_pong(self._clock(), PONG_S)
        else:
            self._deadline = self._deadlines.after(max(QUIET_S - quiet, 0.1), self._feel)

    def _await_pong(self, asked: float, seconds: float) -> None:
        due = self._clock() + seconds
        self._deadline = self._deadlines.after(seconds, lambda: self._judge(asked, due))

    def _judge(self, asked: float, due: float) -> None:
        if self._heard >= asked:
            self._feel()
        elif self._clock() > due + 1.0:
            # We were asleep ourselves: what came meanwhile is read first.
            self._await_pong(asked, 1.0)
        else:
            self._on_dead()
