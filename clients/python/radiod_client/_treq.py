"""Publishing over HTTP, on Twisted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, fail
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from radiod_client._publishing import (
    END,
    Answer,
    NoAnswer,
    NotSent,
    Pause,
    Publishing,
    Request,
    Step,
    Steps,
    drawing,
)
from radiod_client._twisted import certificate_fault, endpoint_of, reason

__all__ = ["HttpPublisher"]

T = TypeVar("T")


@implementer(IStreamClientEndpoint)
class _Counted:
    """An endpoint that counts its connections, and makes none where the one before is wanted."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint
        self.connections = 0
        self.is_shut = False

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Fails with: NotSent."""
        if self.is_shut:
            return fail(NotSent("the connection was closed"))
        self.connections += 1
        connecting = self._endpoint.connect(factory)
        connecting.addErrback(_not_sent)
        return connecting


def _not_sent(failure: Failure) -> Failure:
    return Failure(NotSent(str(failure.value) or type(failure.value).__name__))


@implementer(IAgentEndpointFactory)
class _Always:
    """The same endpoint for every request."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Whatever its address."""
        return self._endpoint


class HttpPublisher:
    """Publishes on one network by ``POST /publish``, as the blocking one: see there.

    Args:
        tls: an ``IOpenSSLClientConnectionCreator``, as ``optionsForClientTLS(host, trustRoot=…)`` makes it.
        endpoint: where to connect to, instead of the URL's host and port: a Unix socket, say.
        reactor: another than Twisted's.
    Raises: ValueError: something of this cannot be.
    """

    def __init__(
        self,
        url: str,
        key: str,
        network: str,
        *,
        timeout: float = 20.0,
        tls: Any = None,
        endpoint: IStreamClientEndpoint | None = None,
        reactor: Any = None,
    ) -> None:
        try:
            from treq.client import HTTPClient
        except ImportError:
            raise ValueError("HttpPublisher needs the package treq: radiod-client[http]") from None
        if reactor is None:
            from twisted.internet import reactor
        self._core = Publishing(url, key, network, timeout)
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        # What is asked again, and when, is said elsewhere.
        self._pool.retryAutomatically = False
        self._pool.maxPersistentPerHost = 1
        self._where = _Counted(endpoint_of(self._core.address, tls, endpoint, reactor))
        agent = Agent.usingEndpointFactory(reactor, _Always(self._where), self._pool)
        self._client: Any = HTTPClient(agent)
        self._running: set[Deferred[Any]] = set()
        self._requests, self._samples = DeferredLock(), DeferredLock()

    @property
    def readers(self) -> int | None:
        """How many listened to the last sample."""
        return self._core.readers

    def publish(self, data: Any) -> Deferred[int]:
        """Publish a sample: an object. Comes to: how many listen. Fails with: as the blocking one.

        Those that are not waited for keep their order.
        """
        return self._samples.run(self._begin, self._core.publish(data), None)

    def run(
        self, source: Callable[[], Any] | Iterable[Any], period: float, *, rest: bool = False
    ) -> Deferred[int]:
        """Publish a sample each ``period`` seconds, until the source ends or the Deferred is canceled.

        Args:
            source: as of the blocking one; a Deferred or coroutine that a function returns is waited for.
        Comes to: how many were published. Fails with: PublishRefused.
        """
        before = self._core.published
        running = self._begin(self._core.run(period, rest), drawing(source))
        return running.addCallback(lambda _: self._core.published - before)

    def close(self) -> Deferred[None]:
        """Cancel what is under way, and close the connection."""
        for deferred in list(self._running):
            deferred.cancel()
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

    async def __aenter__(self) -> HttpPublisher:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _begin(self, steps: Steps[T], draw: Callable[[], Any] | None) -> Deferred[T]:
        begun = Deferred.fromCoroutine(self._drive(steps, draw))
        self._running.add(begun)

        def end(result: Any) -> Any:
            self._running.discard(begun)
            return result

        return begun.addBoth(end)

    async def _drive(self, steps: Steps[T], draw: Callable[[], Any] | None) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    came = await self._do(step, draw)
                except (NotSent, NoAnswer) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as ended:
            value: T = ended.value
            return value
        finally:
            steps.close()

    async def _do(self, step: Step, draw: Callable[[], Any] | None) -> Any:
        if isinstance(step, Request):
            return await self._requests.run(self._ask, step)
        if isinstance(step, Pause):
            return await deferLater(self._reactor, step.seconds)
        drawn = END if draw is None else draw()
        return await drawn if inspect.isawaitable(drawn) else drawn

    async def _ask(self, request: Request) -> Answer:
        url = f"{self._core.address.scheme}://{self._core.address.netloc}{request.path}"
        self._where.is_shut = request.is_same
        asked: Deferred[Answer] = Deferred.fromCoroutine(self._exchange(request, url))
        asked.addTimeout(self._core.timeout / 2, self._reactor, _late)
        try:
            return await asked
        except (CancelledError, NotSent, NoAnswer):
            raise
        except Exception as error:
            raise self._fault(error) from None

    async def _exchange(self, request: Request, url: str) -> Answer:
        response = await self._client.request(
            request.method, url, headers=request.headers, data=request.body or None
        )
        body = await response.content()
        raw = response.headers.getAllRawHeaders()
        headers = {name.decode().lower(): values[0].decode("latin-1") for name, values in raw}
        return Answer(response.code, headers, body, self._where.connections)

    def _fault(self, error: Exception) -> Exception:
        """Twisted says that no answer came, and has the reasons inside."""
        inside = [failure.value for failure in getattr(error, "reasons", [])] or [error]
        for each in inside:
            if isinstance(each, CancelledError):
                return each
            fault = certificate_fault(each, self._core.address)
            if fault is not None:
                return NotSent(fault, True)
        return NoAnswer("; ".join(reason(each, self._core.address) for each in inside))


def _late(result: object, seconds: float) -> Failure:
    if isinstance(result, Failure) and result.check(NotSent):
        return Failure(NotSent(f"no connection within {seconds:g} s"))
    return Failure(NoAnswer(f"no answer within {seconds:g} s"))
