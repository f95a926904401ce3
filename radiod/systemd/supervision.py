"""Whether the server is well, as systemd is told.

The watchdog is fed by the loop's own timers: a thread that did it would say that all is well while the loop
hangs. It is not fed while the loop is late by a third of the watchdog's time, or the store's thread has been
at one thing for so long; systemd then aborts the process, and starts another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from twisted.logger import Logger

from radiod.core.timers import Clock, Deadline, Timers
from radiod.systemd.notify import Notifier

__all__ = ["Supervision", "watchdog_of"]

STATUS_SECONDS: Final = 5.0
STOP_SECONDS: Final = 15.0
"""That a server may take to stop, once everybody was sent away; 5 are promised."""
LOOKS: Final = 6
"""In the watchdog's time. One look may come late and the next in time before the process is aborted."""
BUSY_SECONDS: Final = 1.0
"""How often ``busy`` is told at most."""

EXTENSION_SECONDS: Final = 30
"""How much longer a start or a stop may take from then on."""

PATIENCE: Final = 3
"""The part of the watchdog's time that everything may be late: one third."""


class Supervision:
    """Speaks for one server while it runs.

    Args:
        watchdog_s: the watchdog's time, in seconds; None: there is no watchdog.
        connections: how many there are.
        busy: for how many seconds the store's thread has been at what it does now.
    """

    log = Logger()

    def __init__(
        self,
        notifier: Notifier,
        watchdog_s: float | None,
        clock: Clock,
        timers: Timers,
        connections: Callable[[], int],
        busy: Callable[[], float],
    ) -> None:
        self._notifier = notifier
        self._watchdog_s = watchdog_s
        self._clock = clock
        self._timers = timers
        self._connections = connections
        self._busy = busy
        self._word = "on the air"
        self._status = ""
        self._is_well = True
        self._told_busy = float("-inf")
        self._deadlines: dict[str, Deadline] = {}

    def ready(self) -> None:
        """The server answers; also after ``reloading``."""
        if not self._notifier.is_heard:
            return
        self._word = "on the air"
        self._status = self._describe()
        self._notifier.send("READY=1", f"STATUS={self._status}")
        self._wait("status", STATUS_SECONDS, self._tell)
        if self._watchdog_s is not None:
            self._feed()

    def reloading(self) -> None:
        """Another configuration is taken; ``ready`` or ``tell`` says how that ended."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._notifier.send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reloading")

    def tell(self, word: str) -> None:
        """What the status begins with from now on: one line, and no client's text."""
        self._word = word
        self._notifier.send(f"STATUS={self._describe()}")

    def stopping(self, seconds: float = 0.0) -> None:
        """The server stops. The watchdog is fed until the end.

        Args:
            seconds: that it takes to send everybody away before.
        """
        self._word = "draining" if seconds else "stopping"
        told = ["STOPPING=1", f"STATUS={self._describe()}"]
        if seconds:
            # Or systemd kills what takes longer than TimeoutStopSec.
            told.append(f"EXTEND_TIMEOUT_USEC={int((seconds + STOP_SECONDS) * 1e6)}")
        self._notifier.send(*told)

    def busy(self) -> None:
        """Whoever keeps the loop for long says now and then that it gets on: it may take longer, too."""
        now = time.monotonic()
        if not self._notifier.is_heard or now - self._told_busy < BUSY_SECONDS:
            return
        self._told_busy = now
        lines = [f"EXTEND_TIMEOUT_USEC={EXTENSION_SECONDS * 1_000_000}"]
        if self._watchdog_s is not None:
            lines.append("WATCHDOG=1")
        self._notifier.send(*lines)

    def stop(self) -> None:
        """Say no more."""
        for deadline in self._deadlines.values():
            deadline.cancel()

    def _describe(self) -> str:
        count = self._connections()
        return f"{self._word}, {count} connection{'s' * (count != 1)}"

    def _wait(self, name: str, seconds: float, what: Callable[[], None]) -> None:
        before = self._deadlines.pop(name, None)
        if before is not None:
            before.cancel()
        self._deadlines[name] = self._timers.at(self._clock.seconds() + seconds, what)

    def _tell(self) -> None:
        status = self._describe()
        if status != self._status:
            self._status = status
            self._notifier.send(f"STATUS={status}")
        self._wait("status", STATUS_SECONDS, self._tell)

    def _feed(self) -> None:
        assert self._watchdog_s is not None
        self._notifier.send("WATCHDOG=1")
        self._wait_to_look()

    def _wait_to_look(self) -> None:
        assert self._watchdog_s is not None
        seconds = self._watchdog_s / LOOKS
        due = self._clock.seconds() + seconds
        self._wait("watchdog", seconds, lambda: self._look(due))

    def _look(self, due: float) -> None:
        assert self._watchdog_s is not None
        patience = self._watchdog_s / PATIENCE
        late, busy = self._clock.seconds() - due, self._busy()
        if late < patience and busy < patience:
            self._is_well = True
            self._feed()
            return
        if self._is_well:
            what = (
                f"the loop was {late:.1f} s late" if late >= patience else f"the store hangs for {busy:.1f} s"
            )
            self.log.error("the watchdog is not fed: {what}", what=what, event="overload")
        self._is_well = False
        self._wait_to_look()


def watchdog_of(environment: Mapping[str, str], pid: int) -> float | None:
    """The watchdog's time in seconds; None: there is none, or it watches another process.

    Source: sd_watchdog_enabled(3).
    """
    microseconds, watched = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not (microseconds.isascii() and microseconds.isdecimal()) or watched not in ("", str(pid)):
        return None
    return int(microseconds) / 1e6 or None
