"""The core on asyncio: a socket, a clock, and turns."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from radiod_client._core import Core
from radiod_client._login import Login
from radiod_client._messages import Codec

__all__ = ["Driver"]


READ = 65_536


class _Link(asyncio.BufferedProtocol):
    """One connection: the end of an old one is nothing to the next."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._transport: asyncio.Transport | None = None
        # asyncio's other kind of protocol takes 256 KiB anew for each read.
        self._buffer = memoryview(bytearray(READ))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection."""
        self._transport = transport  # type: ignore[assignment]
        self._driver.on_made(self._transport)  # type: ignore[arg-type]

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where bytes may be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So many came."""
        if self._driver.transport is self._transport:
            self._driver.on_data(bytes(self._buffer[:nbytes]))

    def pause_writing(self) -> None:
        """The server does not read."""
        self._driver.can_write.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._driver.can_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self._driver.transport is self._transport:
            self._driver.on_lost(error)


class Driver:
    """Keeps the core's rules on a running event loop, in whose thread all of it is called."""

    def __init__(
        self,
        url: str,
        codec: Codec,
        login: Login,
        connect_timeout: float,
        tls: ssl.SSLContext | None,
        on_state: Callable[[str], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._address = urlsplit(url)
        self._tls = tls
        self.transport: asyncio.Transport | None = None
        self.can_write = asyncio.Event()
        """Set while what is written goes out."""
        self._dialing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_working = self._is_paused = False
        self.core = Core(
            url,
            codec,
            login,
            clock=time.monotonic,
            random=random.random,
            connect_timeout=connect_timeout,
            on_state=on_state,
        )

    def flush(self) -> None:
        """Do what the core wants done: behind whatever it was told."""
        core, transport = self.core, self.transport
        core.is_stirred = False
        data = core.outgoing()
        if data and transport is not None:
            transport.write(data)
        if core.should_hang_up:
            self._hang_up()
        if core.should_dial and self._dialing is None:
            self._dialing = self._loop.create_task(self._dial())
        due = core.deadline()
        # A timer that comes too early finds that out by itself.
        if due is not None and (self._timer is None or due < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(due, self._tick)
        if core.state == "closed" and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        self.core.tick()
        self.flush()

    def _hang_up(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
        elif self.transport is not None:
            transport, self.transport = self.transport, None
            self.can_write.set()
            if transport.get_write_buffer_size() and not transport.is_closing():
                transport.close()
                self._loop.call_later(1.0, transport.abort)
            else:
                transport.close()
            self.core.lost()
            self._loop.call_soon(self.flush)

    async def _dial(self) -> None:
        error = "no connection"
        try:
            tls: dict[str, Any] = {}
            if self._address.scheme == "wss":
                tls = {
                    "ssl": self._tls or ssl.create_default_context(),
                    "server_hostname": self._address.hostname,
                }
            port = self._address.port or (443 if tls else 80)
            await self._loop.create_connection(lambda: _Link(self), str(self._address.hostname), port, **tls)
        except ssl.SSLCertVerificationError as refused:
            error = f"the certificate is not good: {refused.verify_message}"
        except OSError as refused:
            error = str(refused)
        except asyncio.CancelledError:
            error = "no connection in time"
        else:
            return
        finally:
            self._dialing = None
        self.core.lost(error)
        self.flush()

    def on_made(self, transport: asyncio.Transport) -> None:
        """There is a connection."""
        self._dialing = None
        self.transport = transport
        self._is_paused = False
        self.can_write.set()
        self.core.dialed()
        self.flush()

    def on_data(self, data: bytes) -> None:
        """Bytes came."""
        self.core.received(data)
        if not self._is_working:
            self._work()

    def _work(self) -> None:
        core, transport = self.core, self.transport
        self._is_working = core.work()
        if self._is_working and transport is not None:
            # Those who listen have a turn before the next; and meanwhile nothing more is read.
            transport.pause_reading()
            self._is_paused = True
            self._loop.call_soon(self._work)
        elif self._is_paused:
            self._is_paused = False
            if transport is not None and not transport.is_closing():
                transport.resume_reading()
        if core.is_stirred:
            self.flush()

    def on_lost(self, error: Exception | None) -> None:
        """The connection is gone: what came before is handled first."""
        while self.core.work():
            pass
        self.transport = None
        self.can_write.set()
        self.core.lost("the connection was lost" if error is None else str(error))
        self.flush()

    def stop(self) -> None:
        """At once, without a word: the loop ends."""
        for handle in (self._timer, self._dialing):
            if handle is not None:
                handle.cancel()
        if self.transport is not None:
            with contextlib.suppress(RuntimeError):
                self.transport.abort()
