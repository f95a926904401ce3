"""A source on the air: when samples go out, on a Twisted reactor. ``send`` knows where to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThread

from simulator.pace import Pace
from simulator.source import Source

__all__ = ["IDLE", "Station"]

IDLE: Final = 10.0
"""Seconds between samples while nobody listens, or while it is paused."""


class Send(Protocol):
    """Sends what ``make`` makes. Comes to None once it is out, or will not be, and never fails.

    Returns: None: there is no connection, and nothing was made.
    """

    def __call__(self, make: Callable[[], dict[str, Any]]) -> Deferred[None] | None: ...


class Station:
    """Lets time pass in the source, and sends a sample at each mark of the pace if anybody listens.

    The source computes in a thread, so that calls are answered meanwhile; whoever else touches it does so
    by ``alone``. While nobody listens time goes on, and one sample in ``IDLE`` seconds goes out.

    Args:
        samples: to send; 0: without end.
        always: send all of them, whoever listens.
        in_thread: runs a function elsewhere, and gives a Deferred of its result.
    Attributes: ``wanted``: whether anybody listens.
    """

    def __init__(
        self,
        source: Source,
        pace: Pace,
        send: Send,
        reactor: IReactorTime,
        *,
        format: str = "dense",
        samples: int = 0,
        always: bool = False,
        in_thread: Callable[[Callable[[], None]], Awaitable[None]] = deferToThread,
    ) -> None:
        self.wanted = False
        self._source = source
        self._pace = pace
        self._send = send
        self._reactor = reactor
        self._format = format
        self._samples = samples
        self._always = always
        self._in_thread = in_thread
        self._lock = DeferredLock()
        self._nap: Deferred[None] | None = None
        self._is_paused = False
        self._is_stopped = False
        self._under_way: Deferred[None] | None = None
        self._sent = 0
        self._sent_at: float | None = None
        self._sent_time: float | None = None

    @property
    def is_paused(self) -> bool:
        """Whether time stands still. Setting it takes effect at once."""
        return self._is_paused

    @is_paused.setter
    def is_paused(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        self._pace.restart()
        self._wake()

    @property
    def speed(self) -> float:
        """Simulated seconds in one real second. Setting it takes effect at once."""
        return self._pace.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._pace.speed = speed
        self._wake()

    def stop(self) -> None:
        """Let ``run`` end once the step under way is over."""
        self._is_stopped = True
        self._wake()

    def demand(self, wanted: bool) -> None:
        """Somebody has begun to listen, or the last one has left. Who comes gets a sample at once."""
        is_new, self.wanted = wanted and not self.wanted, wanted
        if is_new:
            self._lock.run(Deferred.fromCoroutine, self._greet())

    def alone(self, action: Callable[[], Any]) -> Deferred[Any]:
        """Do something with the source while it computes nothing. Comes to: its result."""
        return self._lock.run(maybeDeferred, action)

    async def run(self) -> None:
        """Until it is stopped, or all samples are out. Raises: Ended: the source has no more."""
        while not self._is_over():
            await self._rest(IDLE if self._is_paused else self._pace.left())
            if self._is_over():
                return
            if self._is_paused:
                await self._lock.run(Deferred.fromCoroutine, self._send_idly())
            elif not self._pace.left():
                await self._lock.run(Deferred.fromCoroutine, self._slot())

    async def _slot(self) -> None:
        if self._always or self.wanted:
            if self._sent_time != self._source.time:
                await self._send_now()
        else:
            await self._send_idly()
        if not self._is_over():
            await self._in_thread(self._source.next)
            self._pace.done()

    async def _greet(self) -> None:
        self._source.forget_key()
        await self._send_now()

    async def _send_idly(self) -> None:
        if self._sent_at is None or self._reactor.seconds() >= self._sent_at + IDLE - 1e-6:
            await self._send_now()

    async def _send_now(self) -> None:
        """One at a time: a server that is slow slows the source down, and gets no more than it takes."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            await under_way
        if self._is_over():
            return
        self._under_way = self._send(lambda: self._source.dump_state(self._format))
        if self._under_way is not None:
            self._sent += 1
            self._sent_at, self._sent_time = self._reactor.seconds(), self._source.time

    def _is_over(self) -> bool:
        return self._is_stopped or 0 < self._samples <= self._sent

    async def _rest(self, seconds: float) -> None:
        """Unless somebody wakes it first."""
        if seconds <= 0.0:
            return
        self._nap = Deferred()
        call = self._reactor.callLater(seconds, self._wake)
        await self._nap
        if call.active():
            call.cancel()

    def _wake(self) -> None:
        nap, self._nap = self._nap, None
        if nap is not None:
            nap.callback(None)
