"""Publishing over HTTP, for programs that wait."""

from __future__ import annotations

import http.client
import os
import selectors
import ssl
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

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
from radiod_client.errors import Disconnected

__all__ = ["HttpPublisher"]

T = TypeVar("T")


class _Stopped(Disconnected):
    """Somebody called ``stop``."""


def _is_over(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed it meanwhile: there is something to read, and nothing was asked."""
    if connection.sock is None:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        return bool(selector.select(0))


class HttpPublisher:
    """Publishes on one network by ``POST /publish``, over a connection that is kept.

    A sample whose answer is lost is sent again, by an Idempotency-Key, so that it is there once. Threads may
    share it; after a fork each process has a connection of its own.

    Args:
        url: ``http(s)://``, with a path only if radiod is below one.
        key: an API key.
        network: the channel.
        timeout: seconds in which a sample must have its answer, whatever becomes of the server meanwhile.
        tls: how certificates are checked, instead of the system's way.
    Raises: ValueError: something of this cannot be.
    """

    def __init__(
        self, url: str, key: str, network: str, *, timeout: float = 20.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._core = Publishing(url, key, network, timeout)
        self._tls = tls
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._connections = 0
        self._pid = os.getpid()

    @property
    def readers(self) -> int | None:
        """How many listened to the last sample."""
        return self._core.readers

    def publish(self, data: Any) -> int:
        """Publish a sample: an object, which may hold NumPy arrays. Returns: how many listen.

        Raises: PublishRefused: ``status`` and ``text`` say why. ConnectFailed: there was no server for
            ``timeout``, and nothing was published. Disconnected: nobody knows whether it was: a server
            that is killed forgets what it did. TypeError, ValueError: it is no JSON, and nothing was sent.
        """
        return self._drive(self._core.publish(data))

    def run(self, source: Callable[[], Any] | Iterable[Any], period: float, *, rest: bool = False) -> int:
        """Publish a sample each ``period`` seconds, without drift; marks that were missed are left out.

        It goes on while the server is away, with newer samples, and ends with the source, or by ``stop``.

        Args:
            source: gives the next sample: a function, or something that is iterated over.
            rest: ask for no sample while nobody listens; who does is asked each second, or ``period``.
        Returns: how many were published.
        Raises: PublishRefused.
        """
        self._stopped.clear()
        before = self._core.published
        try:
            self._drive(self._core.run(period, rest), drawing(source))
        except _Stopped:
            self._stopped.clear()
        return self._core.published - before

    def _drive(self, steps: Steps[T], draw: Callable[[], Any] | None = None) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    came = self._do(step, draw)
                except (NotSent, NoAnswer) as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as ended:
            value: T = ended.value
            return value
        finally:
            steps.close()

    def _do(self, step: Step, draw: Callable[[], Any] | None) -> Any:
        if isinstance(step, Request):
            with self._lock:
                return self._ask(step)
        if isinstance(step, Pause):
            if self._stopped.wait(step.seconds):
                raise _Stopped("stopped: what was to be published may have been, or not")
            return None
        return END if draw is None else draw()

    def _ask(self, request: Request) -> Answer:
        connection = self._connected(request.is_same)
        try:
            connection.request(request.method, request.path, request.body or None, request.headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._hang_up()
            raise NoAnswer(str(error) or type(error).__name__) from None
        except BaseException:
            self._hang_up()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, self._connections)

    def _connected(self, is_same: bool) -> http.client.HTTPConnection:
        if self._pid != os.getpid():
            self._connection, self._pid = None, os.getpid()
        if self._connection is not None and _is_over(self._connection):
            self._hang_up()
        if self._connection is None:
            if is_same:
                raise NotSent("the connection was closed")
            self._connection = self._connect()
            self._connections += 1
        return self._connection

    def _connect(self) -> http.client.HTTPConnection:
        address, seconds = self._core.address, self._core.timeout / 2
        connection: http.client.HTTPConnection
        host = str(address.hostname)
        if address.scheme == "https":
            tls = self._tls or ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, address.port, timeout=seconds, context=tls)
        else:
            connection = http.client.HTTPConnection(host, address.port, timeout=seconds)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise NotSent(f"the certificate is not good: {error.verify_message}", True) from None
        except OSError as error:
            raise NotSent(str(error)) from None
        return connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        """Have ``run`` end, and ``publish`` try no longer; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Stop, and close the connection."""
        self.stop()
        with self._lock:
            self._hang_up()

    def __enter__(self) -> HttpPublisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
