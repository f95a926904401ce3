"""Requests that wait for an answer: one inbox for all, each with a deadline, and not too many."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from radiod.engine.nats.errors import EngineError, NoResponders, Overloaded, TimedOut
from radiod.engine.nats.wire import status_of

__all__ = ["Answer", "Cancellable", "Clock", "One", "Requests", "Taker", "Timers"]

NO_RESPONDERS: Final = 503


class Cancellable(Protocol):
    """What would happen at a time."""

    def cancel(self) -> None:
        """It does not happen."""


class Timers(Protocol):
    """Deadlines; radiod's own are one heap for all."""

    def at(self, when: float, what: Callable[[], None]) -> Cancellable:
        """Call ``what`` at ``when``, in the clock's seconds."""


class Clock(Protocol):
    """Time: ``transport.clock.ReactorClock`` is one."""

    @property
    def timers(self) -> Timers:
        """Its deadlines."""

    @property
    def seconds(self) -> Callable[[], float]:
        """Monotonic seconds."""

    def soon(self, what: Callable[[], None]) -> None:
        """Call ``what`` once, after the input that is being handled now."""


class Answer(NamedTuple):
    """What came back. ``headers``: the block as it came; None: without."""

    headers: bytes | None
    payload: bytes


class Taker(Protocol):
    """Who waits for answers."""

    def take(self, headers: bytes | None, payload: bytes) -> bool:
        """An answer. Returns: whether it was the last."""

    def fail(self, error: EngineError) -> None:
        """No more will come."""


class One:
    """A ``Taker`` of a single answer.

    ``deferred``: an ``Answer``, or why there is none. ``forget``: what is called when it is cancelled.
    """

    __slots__ = ("deferred", "forget", "subject")

    def __init__(self, subject: bytes) -> None:
        self.subject = subject
        self.forget: Callable[[], None] = _nothing
        self.deferred: Deferred[Answer] = Deferred(lambda _: self.forget())

    def take(self, headers: bytes | None, payload: bytes) -> bool:
        """The answer, or nobody to give one."""
        if headers is not None and status_of(headers) == NO_RESPONDERS:
            self.deferred.errback(nobody_at(self.subject))
        else:
            self.deferred.callback(Answer(headers, payload))
        return True

    def fail(self, error: EngineError) -> None:
        """There is none."""
        self.deferred.errback(error)


def _nothing() -> None: ...


def nobody_at(subject: bytes) -> NoResponders:
    """The error of a request that nobody hears."""
    return NoResponders(f"nobody answers at {subject.decode('utf-8', 'replace')}")


class Requests:
    """Open requests by the last word of their reply subject. Each ends once.

    Args:
        inbox: what replies begin with, its last dot included; ``inbox + b"*"`` is to be subscribed.
        most: requests that may be open at once.
    """

    log = Logger()

    def __init__(self, clock: Clock, inbox: bytes, most: int) -> None:
        self._clock = clock
        self._inbox = inbox
        self._most = most
        self._numbers = count(1)
        self._open: dict[bytes, Taker] = {}
        # (when, number, word): those that ended are dropped when they are due, or when they are the majority.
        self._due: list[tuple[float, int, bytes]] = []
        self._deadline: Cancellable | None = None
        self._next = 0.0

    def __len__(self) -> int:
        return len(self._open)

    def open(self, taker: Taker, timeout: float) -> bytes:
        """Expect answers for so many seconds. Returns: where to.

        Raises: Overloaded: too many are open.
        """
        if len(self._open) >= self._most:
            raise Overloaded(f"{self._most} requests are open already")
        number = next(self._numbers)
        word = b"%d" % number
        when = self._clock.seconds() + timeout
        self._open[word] = taker
        heapq.heappush(self._due, (when, number, word))
        if self._deadline is None or when < self._next:
            self._wake_at(when)
        elif len(self._due) > 2 * len(self._open) + 1024:
            self._due = [entry for entry in self._due if entry[2] in self._open]
            heapq.heapify(self._due)
        return self._inbox + word

    def forget(self, reply: bytes) -> None:
        """Whoever waits there does so no longer."""
        self._open.pop(reply[len(self._inbox) :], None)

    def on_message(self, subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes) -> None:
        """An answer: the handler of the inbox. One that nobody waits for is dropped."""
        word = subject[len(self._inbox) :]
        taker = self._open.get(word)
        if taker is not None and taker.take(headers, payload):
            self._open.pop(word, None)

    def fail_all(self, error: EngineError) -> None:
        """The connection is gone."""
        ended, self._open = self._open, {}
        self._due.clear()
        for taker in ended.values():
            self._fail(taker, error)

    def _wake_at(self, when: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._next = when
        self._deadline = self._clock.timers.at(when, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        now = self._clock.seconds()
        while self._due and (self._due[0][0] <= now or self._due[0][2] not in self._open):
            taker = self._open.pop(heapq.heappop(self._due)[2], None)
            if taker is not None:
                self._fail(taker, TimedOut("no answer in time"))
        if self._due and self._deadline is None:
            self._wake_at(self._due[0][0])

    def _fail(self, taker: Taker, error: EngineError) -> None:
        try:
            taker.fail(error)
        except Exception:
            self.log.failure("an answer's receiver failed", event="failure")
