"""A few threads for what takes long and needs nobody else; what comes of it is told in the reactor's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from radiod.core.promises import Promise
from radiod.errors import RUNTIME_ERROR, Refused

__all__ = ["Threads"]

T = TypeVar("T")


class Threads:
    """A pool of threads. What is asked for before ``start`` waits for that."""

    def __init__(self, reactor: Any, most: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, most, "radiod")
        self._is_over = False

    def start(self) -> None:
        """Begin; starting twice does nothing."""
        if not self._pool.started:
            self._pool.start()

    def stop(self) -> None:
        """End; what has not begun is not done any more."""
        self._is_over = True
        if self._pool.started:
            self._pool.stop()

    def run(self, work: Callable[[], T]) -> Promise[T]:
        """Do ``work`` in a thread. Settles with: what it returned; Refused: ``runtime_error``: it failed."""
        told: Promise[T] = Promise()

        def begin() -> T:
            if self._is_over:
                raise RuntimeError("the server stops")
            return work()

        def done(is_success: bool, result: T | Failure) -> None:
            outcome: Any = result if is_success else Refused(RUNTIME_ERROR, "the router failed on this")
            self._reactor.callFromThread(told.settle, outcome)

        self._pool.callInThreadWithCallback(done, begin)
        return told
