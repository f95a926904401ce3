"""The reactor's time for the core: the only place that calls ``callLater``.

Twisted's reactors count their seconds with ``time.time``, so that every delayed call, also those of Twisted's
and Autobahn's own protocols, follows the wall clock when that is set. ``make_monotonic`` mends it (ADR 21).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from radiod.core.timers import Timers

__all__ = ["ReactorClock", "make_monotonic"]


def make_monotonic(reactor: Any) -> None:
    """Have a reactor count its seconds so that nobody who sets the clock moves its delayed calls.

    The seconds still begin at what the date was, for programs in the same process that read them as one, and
    for what is delayed already. A reactor that counts otherwise, as those of tests do, is left as it is.
    """
    if getattr(reactor, "seconds", None) is not time.time:
        return
    since: float = time.time() - time.monotonic()

    def seconds() -> float:
        return time.monotonic() + since

    # Who only wants to know how much time passes may ask the kernel (``ReactorClock.seconds``).
    seconds.is_monotonic = True  # type: ignore[attr-defined] # functions have whatever attributes one gives them
    reactor.seconds = seconds
    for call in reactor.getDelayedCalls():
        if isinstance(call, DelayedCall):
            call.seconds = seconds


class ReactorClock:
    """``timers.Clock`` and ``timers.Waker`` over one reactor, with one delayed call for all deadlines.

    ``seconds``: monotonic, since some moment. Of a real reactor it is the kernel's clock itself, which costs
    a third of ``reactor.seconds``; of a test's its own.
    """

    log = Logger()

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        is_real = reactor.seconds is time.time or hasattr(reactor.seconds, "is_monotonic")
        self.seconds: Callable[[], float] = time.monotonic if is_real else reactor.seconds
        self._call: IDelayedCall | None = None
        self.timers = Timers(self)

    def time(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def wake_at(self, when: float) -> None:
        """Run the timers at ``when``; only the latest request counts."""
        self.stop()
        self._call = self._reactor.callLater(max(0.0, when - self.seconds()), self._wake)

    def soon(self, what: Callable[[], None]) -> None:
        """Call ``what`` once, after the input that is being handled now."""
        self._reactor.callLater(0, what)

    def stop(self) -> None:
        """Forget the pending wake-up."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _wake(self) -> None:
        self._call = None
        try:
            self.timers.run(self.seconds())
        except Exception:
            self.log.failure("a deadline failed", event="failure")
