"""One POST to a receiver: verified TLS, no redirects, and no more of its answer than its status is worth.

Twisted's ``Agent`` sends it, not treq: treq would keep the receiver's cookies, and inflate its answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from radiod import __version__
from radiod.core.timers import Clock, Timers
from radiod.webhooks.schedule import Outcome, retry_after

__all__ = ["MAX_ANSWER", "TIMEOUT_S", "HttpSender", "Sender"]

TIMEOUT_S: Final = 15.0
"""Seconds of one request: connecting, sending, and all of the answer that is read."""

MAX_ANSWER: Final = 65_536
"""Bytes of an answer's body that are read, so that the connection can be used again."""

IDLE_S: Final = 60
"""Seconds that a connection without requests is kept."""


class Sender(Protocol):
    """What sends. Cancelling what ``post`` returns ends the request; it never fails otherwise."""

    def post(self, headers: Mapping[str, str], body: bytes) -> Deferred[Outcome]:
        """Send one body."""

    def close(self) -> None:
        """Nothing more is sent."""


class HttpSender:
    """Sends to one URL, on one connection that is kept between requests; it follows no redirects."""

    def __init__(
        self, reactor: Any, url: str, clock: Clock, timers: Timers, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.maxPersistentPerHost = 1
        self._pool.cachedConnectionTimeout = IDLE_S
        # Its certificates are those that this machine's programs believe.
        self._agent: IAgent = Agent(reactor, pool=self._pool, connectTimeout=TIMEOUT_S)
        self._url = url.encode()
        self._clock = clock
        self._timers = timers
        self._timeout = timeout_s

    def post(self, headers: Mapping[str, str], body: bytes) -> Deferred[Outcome]:
        """Send one body. Returns: what became of it; never a failure, unless it was cancelled."""
        exchange = _Exchange(self._clock)
        asking: Deferred[Any] = Deferred.fromCoroutine(
            exchange.run(self._agent, self._url, _headers(headers), body)
        )

        def give_up() -> None:
            exchange.is_late = True
            asking.cancel()

        deadline = self._timers.at(self._clock.seconds() + self._timeout, give_up)

        def settle(outcome: Any) -> Any:
            deadline.cancel()
            return exchange.outcome(outcome)

        return asking.addBoth(settle)

    def close(self) -> None:
        """Close the connection that is kept, if there is one."""
        self._pool.closeCachedConnections()


def _headers(own: Mapping[str, str]) -> Headers:
    every = {"User-Agent": f"radiod/{__version__}", "Content-Type": "application/json", **own}
    return Headers({name: [value] for name, value in every.items()})


class _Exchange:
    """One request and its answer. ``is_late``: its time is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.is_late = False
        self._answer: Outcome | None = None

    async def run(self, agent: IAgent, url: bytes, headers: Headers, body: bytes) -> None:
        response = await agent.request(b"POST", url, headers, _Body(body))
        wait = response.headers.getRawHeaders(b"retry-after")
        self._answer = Outcome(
            response.code,
            f"status {response.code}",
            retry_after(wait[0].decode("latin-1") if wait else None, self._clock.time()),
        )
        await _read(response)

    def outcome(self, result: Any) -> Any:
        """What to tell of it. What came before the body failed is the answer all the same."""
        if self._answer is not None:
            return self._answer
        if isinstance(result, Failure):
            if self.is_late:
                return Outcome(None, "no answer in time")
            error = _cause(result.value)
            return Failure(error) if isinstance(error, CancelledError) else Outcome(None, _why(error))
        return result


def _cause(error: BaseException | None) -> BaseException | None:
    """What was behind an error of Twisted's client."""
    reasons: list[Failure] = getattr(error, "reasons", [])
    return reasons[0].value if reasons else error


def _why(error: BaseException | None) -> str:
    """The name of what went wrong: its text may be long, and of the receiver's making."""
    if isinstance(error, TlsError) and error.args and error.args[0]:
        # OpenSSL's own words, in tuples of library, function and reason.
        return f"TLS: {error.args[0][0][-1]}"
    return type(error).__name__


@implementer(IBodyProducer)
class _Body:
    """A body that is there already."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def stopProducing(self) -> None:
        """It has been written."""

    def pauseProducing(self) -> None:
        """It has been written."""

    def resumeProducing(self) -> None:
        """It has been written."""


def _read(response: IResponse) -> Deferred[None]:
    """The end of an answer's body, or of patience with it; its connection is closed in the second case."""
    reader = _Reader()
    response.deliverBody(reader)
    return reader.done


class _Reader(TwistedProtocol):
    def __init__(self) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self._hang_up())
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_ANSWER and not self.done.called:
            self._hang_up()
            self.done.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.done.called:
            self.done.callback(None)

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
