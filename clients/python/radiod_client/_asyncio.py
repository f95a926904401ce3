"""The core on asyncio: a socket, a clock, and turns."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from radiod_client import _driver
from radiod_client._driver import CLOSE_S, late
from radiod_client._login import Login
from radiod_client._messages import Codec

__all__ = ["Driver"]


READ = 65_536


class _Answer:
    """A future."""

    __slots__ = ("_future",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._future: asyncio.Future[Any] = loop.create_future()

    def set(self, value: Any, error: BaseException | None) -> None:
        """The answer, or the error in its place."""
        if not self._future.done():
            if error is None:
                self._future.set_result(value)
            else:
                self._future.set_exception(error)

    def wake(self) -> None:
        """An answer that says nothing."""
        if not self._future.done():
            self._future.set_result(None)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._future.__await__()

    async def within(self, seconds: float | None, error: Exception | None = None) -> Any:
        """Raises: ``error``, or CallTimeout: it did not come in time."""
        try:
            return await asyncio.wait_for(self._future, seconds)
        except asyncio.TimeoutError:
            raise error or late(seconds) from None


class _Link(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, driver: Driver, loop: asyncio.AbstractEventLoop) -> None:
        self._driver = driver
        self._loop = loop
        self._transport: Any = None
        # asyncio's other kind of protocol takes 256 KiB anew for each read.
        self._buffer = memoryview(bytearray(READ))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection."""
        self._transport = transport
        self._driver.made(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where bytes may be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many came."""
        self._driver.received(self, bytes(self._buffer[:nbytes]))

    def pause_writing(self) -> None:
        """The server does not read."""
        self._driver.can_write.shut()

    def resume_writing(self) -> None:
        """It does again."""
        self._driver.can_write.open()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._driver.lost(self, error)

    def write(self, data: bytes) -> None:
        """Send it."""
        self._transport.write(data)

    def close(self) -> None:
        """Behind what was written."""
        if self._transport.get_write_buffer_size() and not self._transport.is_closing():
            self._loop.call_later(CLOSE_S, self._transport.abort)
        self._transport.close()

    def abort(self) -> None:
        """At once, even when the loop is closed."""
        with contextlib.suppress(RuntimeError):
            self._transport.abort()

    def pause(self) -> None:
        """Read nothing more."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()


class Driver(_driver.Driver):
    """On a running event loop."""

    canceled = asyncio.CancelledError

    def __init__(
        self,
        url: str,
        codec: Codec,
        login: Login,
        connect_timeout: float,
        on_state: Callable[[str], None] | None,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        super().__init__(url, codec, login, connect_timeout, on_state)

    def answer(self) -> _Answer:
        """A future."""
        return _Answer(self._loop)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task."""
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel_tasks(self) -> None:
        """All but the one that asks."""
        for task in [task for task in self._tasks if task is not asyncio.current_task()]:
            task.cancel()

    def soon(self, action: Callable[..., object], *args: Any) -> None:
        """In the next turn."""
        self._loop.call_soon(action, *args)

    async def turn(self) -> None:
        """Once around the loop."""
        await asyncio.sleep(0)

    def from_thread(self, action: Callable[..., object], *args: Any) -> None:
        """In the loop's thread."""
        # A loop that is closed has nobody to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(action, *args)

    async def settled(self) -> None:
        """A turn for the socket to go."""
        await asyncio.sleep(0)

    def _call_at(self, due: float, action: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(due, action)

    async def _connect(self) -> None:
        tls: dict[str, Any] = {}
        if self.address.scheme == "wss":
            tls = {
                "ssl": self._tls or ssl.create_default_context(),
                "server_hostname": self.address.hostname,
            }
        port = self.address.port or (443 if tls else 80)
        host = str(self.address.hostname)
        await self._loop.create_connection(lambda: _Link(self, self._loop), host, port, **tls)

    def _reason(self, error: BaseException) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the certificate is not good: {error.verify_message}"
        return str(error)
