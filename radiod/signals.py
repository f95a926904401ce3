"""Signals beside those that Twisted knows: none of them ends the server without a word.

SIGTERM and SIGINT stop it: the reactor's business, and SIGQUIT's here. Another one while it stops makes it
hurry. SIGHUP, and SIGUSR1 and SIGUSR2 where twistd does not use them, are ignored, with a line in the log.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any, Final

from twisted.logger import Logger

__all__ = ["Signals"]

STOPPING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Signals:
    """The handlers of one process.

    Args:
        hurry: called for another signal to stop while the server stops.
    """

    log = Logger()

    def __init__(self, reactor: Any, hurry: Callable[[], None]) -> None:
        self._reactor = reactor
        self._hurry = hurry
        self._is_stopping = False

    def watch(self) -> None:
        """Begin with SIGHUP, which comes at any time; with the others once twistd has its own handlers."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._handle(signal.SIGHUP, self._ignored)
        self._reactor.callWhenRunning(self._watch_others)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._watch_stopping)

    def _watch_others(self) -> None:
        self._handle(signal.SIGUSR1, self._ignored)
        self._handle(signal.SIGUSR2, self._ignored)
        self._handle(signal.SIGQUIT, self._stop)

    def _watch_stopping(self) -> None:
        # The reactor would try to stop once more, and log a traceback.
        self._is_stopping = True
        for number in STOPPING:
            signal.signal(number, lambda number, frame: self._reactor.callFromThread(self._stop, number))

    def _handle(self, number: signal.Signals, what: Callable[[int], None]) -> None:
        """Call ``what`` in the loop, unless the signal is somebody else's, or ignored, as under nohup."""
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: self._reactor.callFromThread(what, number))

    def _ignored(self, number: int) -> None:
        self.log.info("{signal} ignored", signal=signal.Signals(number).name, event="signal")

    def _stop(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._is_stopping:
            self.log.info("{signal} while stopping: not waiting for anybody", signal=name, event="stopping")
            self._hurry()
        else:
            self.log.info("{signal}, shutting down", signal=name, event="stopping")
            self._reactor.stop()
