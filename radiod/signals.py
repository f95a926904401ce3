"""Signals beside those that Twisted knows: none of them ends the server without a word.

| SIGTERM, SIGINT, SIGQUIT | stop: say goodbye to everybody |
| another one of these | leave: do not wait for anybody, and be gone within a second whatever hangs |
| SIGHUP | take the configuration anew |
| SIGUSR1 | open the log file anew, for who has moved it away |
| SIGUSR2 | write what all threads do, and the server's statistics, to the log |
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, NoReturn

import msgspec
from twisted.logger import Logger

from radiod.stacks import stacks

__all__ = ["Signals"]

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)

LAST_SECONDS: Final = 0.8
"""How long a server that was told twice to stop may take; then the process is ended."""

MAX_TEXT: Final = 300
"""Characters of a value on one line of the log."""


class Signals:
    """The handlers of one process.

    Args:
        hurry: called for another signal to stop while the server stops.
        reload: takes the configuration anew.
        reopen: opens log files anew.
        describe: tells the server's statistics.
        leave: called when the process is ended although the server has not stopped.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        hurry: Callable[[], None],
        reload: Callable[[], None],
        reopen: Callable[[], None],
        describe: Callable[[], dict[str, Any]],
        leave: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._hurry = hurry
        self._reload = reload
        self._reopen = reopen
        self._describe = describe
        self._leave = leave
        self._is_stopping = False
        self._last: threading.Timer | None = None

    def watch(self) -> None:
        """Begin. Those to stop are Twisted's until it has its handlers."""
        if threading.current_thread() is not threading.main_thread():
            return
        # Before twistd has a look: it would rotate the log for SIGUSR1.
        self._handle(signal.SIGHUP, lambda frame: self._soon(self._reload))
        self._handle(signal.SIGUSR1, lambda frame: self._soon(self._reopen))
        self._handle(signal.SIGUSR2, self._tell_soon)
        self._reactor.callWhenRunning(self._watch_stopping)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._begin_to_stop)

    def _handle(self, number: signal.Signals, what: Callable[[FrameType | None], None]) -> None:
        """Call ``what`` for a signal, unless that is somebody else's, or ignored, as under nohup."""
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: what(frame))

    def _soon(self, what: Callable[[], None]) -> None:
        """In the loop: Python interrupts whatever it does for a handler."""
        self._reactor.callFromThread(what)

    # --- stopping

    def _begin_to_stop(self) -> None:
        self._is_stopping = True

    def _watch_stopping(self) -> None:
        for number in STOPPING:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                signal.signal(number, self._stopper(number, before))

    def _stopper(self, number: signal.Signals, before: Any) -> Callable[[int, FrameType | None], None]:
        def handle(_: int, __: FrameType | None) -> None:
            if self._is_stopping:
                self._soon(lambda: self._stop_waiting(number))
                # Not in the loop, which may be what hangs.
                self._end_in_time(number)
                return
            self._is_stopping = True
            # In the loop: Twisted's own writes a line, and here the lock of the log file may be held.
            self._soon(lambda: before(number, None) if callable(before) else self._stop(number))

        return handle

    def _stop(self, number: signal.Signals) -> None:
        self.log.info("{signal}, shutting down", signal=number.name, event="stopping")
        self._reactor.stop()

    def _stop_waiting(self, number: signal.Signals) -> None:
        self.log.info(
            "{signal} while stopping: not waiting for anybody", signal=number.name, event="stopping"
        )
        self._hurry()

    def _end_in_time(self, number: signal.Signals) -> None:
        if self._last is None:
            self._last = threading.Timer(LAST_SECONDS, lambda: self._end(number))
            self._last.daemon = True
            self._last.start()

    def _end(self, number: signal.Signals) -> NoReturn:
        try:
            self._leave()
        finally:
            os._exit(128 + number)

    # --- what goes on

    def _tell_soon(self, frame: FrameType | None) -> None:
        # Here, not in the loop: there it would always be the loop that runs.
        lines = list(stacks(frame))
        self._soon(lambda: self._tell(lines))

    def _tell(self, lines: list[str]) -> None:
        for line in lines:
            self.log.info("{line}", line=line, event="signal")
        for realm, statistics in self._describe().items():
            for name, value in _told(statistics, ""):
                self.log.info(
                    "radiod.server.stats of {realm}: {name} {value}",
                    realm=realm,
                    name=name,
                    value=value,
                    event="signal",
                )


def _told(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """A value in pieces that fit on a line, each with its name."""
    text = msgspec.json.encode(value).decode()
    if isinstance(value, dict) and (not name or len(text) > MAX_TEXT):
        for key, inner in value.items():
            yield from _told(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, text
