"""Threads for functions that others call: at most so many, made when needed, and never waited for at exit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Pool"]


class Pool:
    """Work waits in one line. Whoever gives it bounds the line (``_session.MOST_CALLS``).

    Not ``concurrent.futures``: its threads keep the interpreter from ending while one of them hangs.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._lock = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._is_closed = False

    def submit(self, work: Callable[[], None]) -> None:
        """Have it done; ``work`` raises nothing."""
        with self._lock:
            if self._is_closed:
                return
            self._waiting.append(work)
            if self._idle >= len(self._waiting):
                self._lock.notify()
            elif len(self._threads) < self._most:
                name = f"radiod_client call {len(self._threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not self._waiting and not self._is_closed:
                    self._lock.wait()
                self._idle -= 1
                if self._is_closed:
                    return
                work = self._waiting.popleft()
            work()
            # Its arguments are not kept while the thread waits.
            del work

    def close(self) -> list[threading.Thread]:
        """What waits is not done, and threads end when they are free. Returns: these."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            self._lock.notify_all()
            return list(self._threads)
