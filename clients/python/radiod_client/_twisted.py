"""The core on Twisted: an endpoint, a clock, and turns.

What the core tells is told to users behind its turn: their code never runs inside it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar, copy_context
from typing import Any
from urllib.parse import SplitResult

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from radiod_client import _driver
from radiod_client._driver import CLOSE_S, late
from radiod_client._login import Login
from radiod_client._messages import Codec

__all__ = ["Driver", "certificate_fault", "endpoint_of", "reason"]

LOG = logging.getLogger("radiod_client")


class _Answer:
    """A Deferred; what it waits for comes behind the core's turn."""

    __slots__ = ("_deferred", "_driver")

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._deferred: Deferred[Any] = Deferred()

    def set(self, value: Any, error: BaseException | None) -> None:
        """The answer, or the error in its place."""
        self._driver.soon(self._fire, value, error)

    def wake(self) -> None:
        """An answer that says nothing."""
        self._driver.soon(self._fire, None, None)

    def _fire(self, value: Any, error: BaseException | None) -> None:
        if not self._deferred.called:
            if error is None:
                self._deferred.callback(value)
            else:
                self._deferred.errback(Failure(error))

    def __await__(self) -> Generator[Any, None, Any]:
        return self._deferred.__await__()

    async def within(self, seconds: float | None, error: Exception | None = None) -> Any:
        """Raises: ``error``, or CallTimeout: it did not come in time."""

        def on_late(result: object, seconds: float) -> Failure:
            return Failure(error or late(seconds))

        if seconds is not None:
            self._deferred.addTimeout(seconds, self._driver.reactor, on_late)
        return await self._deferred


class _Task:
    """A coroutine that runs by itself."""

    def __init__(self, driver: Driver, coroutine: Coroutine[Any, Any, None]) -> None:
        self._driver = driver
        self._coroutine = coroutine
        self._deferred: Deferred[None] | None = None
        self._is_over = False

    def start(self) -> None:
        """Unless it was canceled meanwhile."""
        if not self._is_over:
            self._deferred = Deferred.fromCoroutine(self._run())
            self._deferred.addErrback(self._on_error)

    async def _run(self) -> None:
        _CURRENT.set(self)
        try:
            await self._coroutine
        finally:
            self._end()

    def _end(self) -> None:
        self._is_over = True
        self._driver.tasks.discard(self)

    def cancel(self) -> None:
        """What it waits for is canceled."""
        if self._deferred is not None:
            self._deferred.cancel()
        elif not self._is_over:
            self._end()
            self._coroutine.close()

    def _on_error(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            LOG.error("a task failed", exc_info=(failure.type, failure.value, failure.getTracebackObject()))  # type: ignore[arg-type]


_CURRENT: ContextVar[_Task | None] = ContextVar("radiod_client_task", default=None)


class _Link(Protocol):
    """One connection: a producer of what is written, too."""

    transport: Any

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._closing: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """There is a connection."""
        with contextlib.suppress(AttributeError):
            self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        self._driver.links.add(self)
        self._driver.made(self)

    def dataReceived(self, data: bytes) -> None:
        """Bytes came."""
        self._driver.received(self, data)

    def pauseProducing(self) -> None:
        """The server does not read."""
        self._driver.can_write.shut()

    def resumeProducing(self) -> None:
        """It does again."""
        self._driver.can_write.open()
        self._driver.flush()

    def stopProducing(self) -> None:
        """Its end is told otherwise."""

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The connection is gone."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self._driver.gone(self)
        self._driver.lost(self, None if reason.check(ConnectionDone) else reason.value)
        self._driver.flush()

    def write(self, data: bytes) -> None:
        """Send it."""
        self.transport.write(data)

    def close(self) -> None:
        """Behind what was written."""
        if self._closing is None:
            self.transport.unregisterProducer()
            self._closing = self._driver.reactor.callLater(CLOSE_S, self._on_slow)
            self.transport.loseConnection()

    def _on_slow(self) -> None:
        self._closing = None
        self.transport.abortConnection()

    def abort(self) -> None:
        """At once."""
        self.transport.abortConnection()

    def pause(self) -> None:
        """Read nothing more."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()


class Driver(_driver.Driver):
    """On a reactor.

    Args:
        tls: makes connections of TLS (``IOpenSSLClientConnectionCreator``), instead of
            ``optionsForClientTLS`` for the host.
        endpoint: where to connect to, instead of the URL's host and port.
    """

    canceled = CancelledError
    runs_functions = True

    def __init__(
        self,
        url: str,
        codec: Codec,
        login: Login,
        connect_timeout: float,
        on_state: Callable[[str], None] | None,
        tls: Any,
        endpoint: IStreamClientEndpoint | None,
        reactor: Any,
    ) -> None:
        self.reactor = reactor
        self.tasks: set[_Task] = set()
        self.links: set[_Link] = set()
        self._tls = tls
        self._endpoint = endpoint
        self._soon: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_draining = False
        self._context = copy_context()
        super().__init__(url, codec, login, connect_timeout, on_state)
        self._all_gone = _driver.Gate(self.answer)

    def answer(self) -> _Answer:
        """A Deferred."""
        return _Answer(self)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> _Task:
        """A Deferred's coroutine, with somebody who looks after its errors."""
        task = _Task(self, coroutine)
        self.tasks.add(task)
        self.soon(task.start)
        return task

    def cancel_tasks(self) -> None:
        """All but the one that asks."""
        for task in [task for task in self.tasks if task is not _CURRENT.get()]:
            task.cancel()

    def soon(self, action: Callable[..., object], *args: Any) -> None:
        """At the end of the next ``flush``: behind each turn of the core there is one."""
        self._soon.append((action, args))

    def flush(self) -> None:
        """Do what the core wants done, and then what it told."""
        super().flush()
        self._settle()

    def _settle(self) -> None:
        if self._soon and not self._is_draining:
            self._context.run(self._drain)

    def _drain(self) -> None:
        self._is_draining = True
        try:
            while self._soon:
                action, args = self._soon.popleft()
                try:
                    action(*args)
                except Exception:
                    LOG.exception("a callback raised")
        finally:
            self._is_draining = False

    async def turn(self) -> None:
        """Once around the reactor."""
        await deferLater(self.reactor, 0)

    def from_thread(self, action: Callable[..., object], *args: Any) -> None:
        """In the reactor's thread."""
        self.reactor.callFromThread(self._do, action, *args)

    def _do(self, action: Callable[..., object], *args: Any) -> None:
        action(*args)
        self.flush()

    async def settled(self) -> None:
        """Until the sockets are gone."""
        if self.links:
            try:
                await self._all_gone.passed(2 * CLOSE_S, TimeoutError())
            except TimeoutError:
                for link in list(self.links):
                    link.abort()

    def gone(self, link: _Link) -> None:
        """Its socket is closed."""
        self.links.discard(link)
        if not self.links:
            self._all_gone.open()
            self._all_gone.shut()

    def _call_at(self, due: float, action: Callable[[], None]) -> IDelayedCall:
        call: IDelayedCall = self.reactor.callLater(max(due - time.monotonic(), 0.0), action)
        return call

    async def _connect(self) -> None:
        await self._where().connect(Factory.forProtocol(lambda: _Link(self)))

    def _where(self) -> IStreamClientEndpoint:
        return endpoint_of(self.address, self._tls, self._endpoint, self.reactor)

    def _reason(self, error: BaseException) -> str:
        return reason(error, self.address)


def endpoint_of(
    address: SplitResult, tls: Any, endpoint: IStreamClientEndpoint | None, reactor: Any
) -> IStreamClientEndpoint:
    """Where to connect to, and how: ``tls`` and ``endpoint`` as of ``Driver``."""
    host, is_tls = str(address.hostname), address.scheme in ("wss", "https")
    endpoint = endpoint or HostnameEndpoint(reactor, host, address.port or (443 if is_tls else 80))
    if is_tls:
        from twisted.internet.ssl import optionsForClientTLS

        endpoint = wrapClientTLS(tls or optionsForClientTLS(host), endpoint)
    return endpoint


def certificate_fault(error: BaseException, address: SplitResult) -> str | None:
    """What is wrong with the server's certificate, if that is it."""
    if address.scheme not in ("wss", "https"):
        return None
    from OpenSSL.SSL import Error
    from service_identity import VerificationError

    if isinstance(error, VerificationError):
        return f"the certificate is not good: it is not for {address.hostname}"
    said = (
        ", ".join(reason for *_, reason in error.args[0]) if isinstance(error, Error) and error.args else ""
    )
    return f"the certificate is not good: {said}" if "certificate" in said else None


def reason(error: BaseException, address: SplitResult) -> str:
    """What went wrong with a connection, for people."""
    return certificate_fault(error, address) or str(error) or type(error).__name__
