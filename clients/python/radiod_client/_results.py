"""Progressive results of one call on their way to who takes them one by one, for one thread or two."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from radiod_client._requests import Ask, Requests
from radiod_client._session import value_of
from radiod_client.errors import CallCanceled, RadioError

__all__ = ["Results"]

MOST_WAITING = 10_000


class Results:
    """Those that wait. Nothing drops out: a program that is too slow for them loses the call, and is told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Any] = deque()
        self._wake: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._ask: Ask | None = None
        self._requests: Requests | None = None
        self._is_closed = False
        self.is_over = False
        self.result: Any = None
        """The last one, once there is one."""

    def begin(self, requests: Requests, rest: list[Any], timeout: float) -> None:
        """Call. In the network's thread, as ``cancel`` and what comes of it."""
        self._requests = requests
        self._ask = requests.ask(48, rest, timeout, self._end, self._put)

    def cancel(self, error: RadioError) -> None:
        """End it now; the callee is told."""
        if self._ask is not None and self._requests is not None:
            self._requests.cancel(self._ask, error)

    def shut(self) -> None:
        """Nothing more is taken. In any thread."""
        with self._lock:
            self._is_closed = True
            self._waiting.clear()
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def close(self) -> None:
        """The same, and the callee is told."""
        self.shut()
        self.cancel(CallCanceled("wamp.error.canceled"))

    def _put(self, value: Any) -> None:
        with self._lock:
            if self._is_closed:
                return
            self._waiting.append(value)
            is_full = len(self._waiting) > MOST_WAITING
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()
        if is_full:
            text = f"{MOST_WAITING} results waited: this program is too slow for them"
            self.cancel(CallCanceled("wamp.error.canceled", [text]))

    def _end(self, message: Any, error: RadioError | None) -> None:
        with self._lock:
            self._error = error
            self.result = None if message is None else value_of(message)
            self.is_over = True
            wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    def take(self, wake: Callable[[], None]) -> tuple[Any, ...] | None:
        """The next, alone in a tuple; an empty one: it is over; None: ``wake`` is called once there is more.

        Raises: what ended it.
        """
        with self._lock:
            if self._waiting:
                return (self._waiting.popleft(),)
            if self._is_closed:
                return ()
            if not self.is_over:
                self._wake = wake
                return None
            if self._error is not None:
                raise self._error
        return ()
