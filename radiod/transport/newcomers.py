"""Who comes in: that costs a hundred times what a message does, and thousands may come at once (ADR 41).

TLS and WebSocket handshakes, first requests and logins of all peers have a share of each turn. What comes
alone passes this by. Beyond the share newcomers wait in line, and are not read; while any do, nobody more
is accepted: the kernel's queue is longer, and costs nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import ClassVar, Final

from twisted.logger import Logger

from radiod.transport.clock import ReactorClock

__all__ = ["AT_ONCE_S", "SHARE_S", "WINDOW_S", "Newcomers"]

SHARE_S: Final = 0.005
"""Seconds of one turn for those who wait in line."""

AT_ONCE_S: Final = 0.005
WINDOW_S: Final = 0.02
"""Nobody waits before newcomers have used ``AT_ONCE_S`` seconds within ``WINDOW_S``; then the next do, for
``WINDOW_S``."""


SILENT: Final = 64
SILENT_S: Final = 0.02
"""So many connections may be silent that were accepted within so many seconds."""

LOOK_S: Final = 0.002
"""Seconds between two looks whether they have spoken."""


class Newcomers:
    """The line of one server. ``came``: steps so far of those who come in; ``waited``: of these in line."""

    log: ClassVar[Logger] = Logger()

    def __init__(self, clock: ReactorClock) -> None:
        self._clock = clock
        self._line: deque[Callable[[], None]] = deque()
        # Called when nobody waits any more.
        self._others: list[Callable[[], None]] = []
        self._now: Callable[[], float] = clock.seconds
        self._since = 0.0
        self._used = 0.0
        self.came = 0
        self.waited = 0
        # Connections that were accepted of late and have said nothing, and since when they are counted.
        self._silent = 0
        self._silent_since = -inf

    def __len__(self) -> int:
        """How many wait."""
        return len(self._line)

    def accepted(self) -> None:
        """One more connection, of which nothing is known."""
        self._silent += 1

    def spoke(self) -> None:
        """One of them has said something, or is gone."""
        if self._silent:
            self._silent -= 1

    def may_accept(self) -> bool:
        """Whether more connections may be accepted now.

        Not while anybody waits; nor while many that have just come have said nothing, since all might in one
        turn. Who goes on saying nothing is not waited for.
        """
        if self._line:
            return False
        if self._silent < SILENT:
            return True
        now = self._now()
        if now - self._silent_since < SILENT_S:
            return False
        self._silent_since = now
        self._silent = 0
        return True

    def take(self, what: Callable[[], None]) -> bool:
        """Do a step of somebody who comes in, if there is time for it. What it raises is raised here.

        Returns: False: there is no time, and nothing was done: see ``wait``.
        """
        if self._line:
            return False
        now = self._now
        began = now()
        if began - self._since > WINDOW_S:
            self._since = began
            self._used = 0.0
        elif self._used >= AT_ONCE_S:
            return False
        self.came += 1
        try:
            what()
        finally:
            ended = now()
            self._used += ended - began
            if self._used >= AT_ONCE_S:
                # From now on: one step may take longer than all of that time.
                self._since = ended
        return True

    def wait(self, what: Callable[[], None]) -> None:
        """Do it in a later turn, behind all others that wait. Nobody is there to be told what it raises."""
        self.waited += 1
        if not self._line:
            self._clock.soon(self._go_on)
        self._line.append(what)

    def when_in(self, what: Callable[[], None]) -> None:
        """Call ``what`` when nobody waits any more, or those who are silent have had some time."""
        if self._line:
            self._others.append(what)
        else:
            self._clock.timers.at(self._clock.seconds() + LOOK_S, what)

    def _go_on(self) -> None:
        now = self._now
        line, until = self._line, now() + SHARE_S
        try:
            # One at least: a single step may take longer than that.
            while line:
                self.came += 1
                self._do(line[0])
                line.popleft()
                if now() >= until:
                    break
        finally:
            if line:
                self._clock.soon(self._go_on)
        if not line:
            others, self._others = self._others, []
            for what in others:
                what()

    def _do(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception:
            # The others are not to blame; this one ends when its time is up.
            self.log.failure("a newcomer could not be let in", event="failure")
