"""The client for asyncio.

::

    async with Radio("http://127.0.0.1:8080") as radio:
        async for sample in radio.channel("sample_net").listen():
            print(sample.data)
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from radiod_client._asyncio import Driver
from radiod_client._channel import Channel, Created
from radiod_client._core import Core
from radiod_client._listening import Answer, Listening
from radiod_client._options import codec_named, login_with, websocket_url
from radiod_client._registration import Registration
from radiod_client._requests import Ask
from radiod_client._session import Call, value_of
from radiod_client.errors import CallCanceled, CallError, Disconnected, RadioError
from radiod_client.samples import Gap, Sample

__all__ = ["Channel", "Created", "Gap", "Listening", "Radio", "Registered", "Sample"]

LOG = logging.getLogger("radiod_client")
CALL = 48
POOL = 8


class Radio:
    """A connection to a radiod that is made again whenever it breaks.

    Args:
        url: ``http(s)://`` or ``ws(s)://``, with a path only if it is not ``/ws``.
        ticket: of ``authid``; or ``secret``, which is never sent (WAMP-CRA).
        private_key: of Ed25519 (cryptosign), 32 bytes or their hexadecimal digits; needs no authid.
        timeout: seconds that an answer may take.
        connect_timeout: seconds until a session is open.
        on_state: called with ``connecting``, ``open``, ``waiting``, ``closed``.
        tls: how certificates are checked, instead of the system's way.
    Raises: ValueError: something of this cannot be.
    """

    def __init__(
        self,
        url: str,
        *,
        realm: str = "radio",
        authid: str | None = None,
        ticket: str | None = None,
        secret: str | None = None,
        private_key: str | bytes | None = None,
        serializer: str = "msgpack",
        timeout: float = 20.0,
        connect_timeout: float = 10.0,
        on_state: Callable[[str], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = websocket_url(url)
        self.codec = codec_named(serializer)
        self._login = login_with(realm, authid, ticket, secret, private_key)
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._state_callback = on_state
        self._driver: Driver | None = None
        self._closed: asyncio.Event | None = None
        self._pid = os.getpid()
        self._executor: ThreadPoolExecutor | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.callback_errors = 0
        """Exceptions of callbacks so far."""

    @property
    def state(self) -> str:
        """``new``, ``connecting``, ``open``, ``waiting`` (for the next try), ``closing`` or ``closed``."""
        return "new" if self._driver is None else self._driver.core.state

    @property
    def session(self) -> int | None:
        """The session's id, while there is one."""
        return None if self._driver is None else self._driver.core.session_id

    @property
    def server(self) -> dict[str, Any]:
        """What the server said of itself and of us when it last let us in."""
        return {} if self._driver is None else self._driver.core.server

    async def connect(self) -> Radio:
        """Open the first session. Raises: ConnectFailed, LoginRefused."""
        self._check_process()
        if self._driver is not None:
            raise RadioError("this Radio was connected before: make another one")
        self._closed = asyncio.Event()
        self._driver = Driver(
            self._url, self.codec, self._login, self._connect_timeout, self._tls, self._on_state
        )
        answer = Answer()
        self._driver.core.start(answer.set)
        self._driver.flush()
        try:
            await answer.future
        except asyncio.CancelledError:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Say goodbye; listeners end, and nothing is left."""
        if self._driver is None or self._closed is None:
            return
        self._driver.core.close()
        self._driver.flush()
        tasks = [task for task in self.tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        try:
            await asyncio.wait_for(self._closed.wait(), 5.0)
        except asyncio.TimeoutError:
            self._driver.stop()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
        # A turn for the socket to go.
        await asyncio.sleep(0)

    async def __aenter__(self) -> Radio:
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def channel(self, name: str, key: str | None = None) -> Channel:
        """The channel of that name; ``key`` of a private one."""
        return Channel(self, name, key)

    async def create(self, name: str, *, on_owner_leave: float | str = 30, **settings: Any) -> Created:
        """Create a channel; after a reconnection it is taken over again, silently.

        Args:
            on_owner_leave: seconds for which it waits for this Radio to come back; or ``keep``, ``delete``.
            settings: of ``radiod.channel.create``: public, key, lifetime, single_writer, buffer, history,
                presence, durable.
        Raises: CallError: it is refused, or is there already.
        """
        made = await self.call("radiod.channel.create", name, on_owner_leave=on_owner_leave, **settings)
        owned = self._core().lasting.own(name, made.get("key"), made["control_key"])
        return Created(self, made, owned)

    async def call(self, procedure: str, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a procedure: its result, or a list of several.

        Args:
            timeout: seconds, instead of the Radio's.
        Raises: CallError; CallTimeout; Disconnected: the connection broke meanwhile; TypeError, ValueError:
            something cannot be sent, and nothing was.
        """
        seconds = self.timeout if timeout is None else timeout
        payload = [self.codec.payload(args)]
        if kwargs:
            payload.append(self.codec.payload(kwargs))
        options = {"timeout": max(1, round(seconds * 1000))}
        return value_of(await self._ask(CALL, [options, procedure, *payload], seconds))

    async def register(self, procedure: str, function: Callable[..., Any]) -> Registered:
        """Offer a procedure, over reconnections too; one that is no coroutine runs in a thread.

        Raises: CallError: it is refused.
        """
        core = self._core()
        answer = Answer()
        registration = core.lasting.register(procedure, lambda call: self._serve(function, call), answer.set)
        self._flush()
        await answer.within(self.timeout)
        return Registered(self, registration)

    def _serve(self, function: Callable[..., Any], call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._run(function, call))
        call.on_cancel = task.cancel
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, function: Callable[..., Any], call: Call) -> None:
        try:
            if inspect.iscoroutinefunction(function):
                value = await function(*call.args, **call.kwargs)
            else:
                value = await asyncio.get_running_loop().run_in_executor(
                    self._pool(), lambda: function(*call.args, **call.kwargs)
                )
                if inspect.isawaitable(value):
                    value = await value
        except Exception as error:
            if not isinstance(error, CallError):
                LOG.exception("a procedure raised")
            call.fail(error)
        else:
            call.answer(value)
        self._flush()

    def _pool(self) -> ThreadPoolExecutor:
        """Threads for functions that are called."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(POOL, "radiod_client call")
        return self._executor

    def _core(self) -> Core:
        self._check_process()
        if self._driver is None:
            raise Disconnected("not connected: use 'async with', or connect()")
        return self._driver.core

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RadioError("this Radio was made before a fork: make another one in the child process")

    def _flush(self) -> None:
        if self._driver is not None:
            self._driver.flush()

    async def _until_writable(self) -> None:
        """Wait while the server does not read. Raises: Disconnected: it does not for too long."""
        if self._driver is not None and not self._driver.can_write.is_set():
            try:
                await asyncio.wait_for(self._driver.can_write.wait(), self.timeout)
            except asyncio.TimeoutError:
                raise Disconnected("the server does not read") from None

    async def _ask(self, kind: int, rest: list[Any], timeout: float) -> Any:
        core, answer = self._core(), Answer()
        ask: Ask = core.requests.ask(kind, rest, timeout, answer.set)
        self._flush()
        try:
            return await answer.future
        except asyncio.CancelledError:
            core.requests.cancel(ask, CallCanceled("wamp.error.canceled"))
            self._flush()
            raise

    def _on_state(self, state: str) -> None:
        if state == "closed" and self._closed is not None:
            self._closed.set()
        if self._state_callback is not None:
            asyncio.get_running_loop().call_soon(self._state_callback, state)


class Registered:
    """A procedure that is offered."""

    def __init__(self, radio: Radio, registration: Registration) -> None:
        self._radio = radio
        self._registration = registration

    async def close(self) -> None:
        """Offer it no longer."""
        self._registration.leave()
        self._radio._flush()
