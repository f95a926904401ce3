"""The client for asyncio.

::

    async with Radio("http://127.0.0.1:8080") as radio:
        async for sample in radio.channel("sample_net").listen():
            print(sample.data)
"""

from __future__ import annotations

import inspect
import logging
import os
import ssl
import time
from collections.abc import Callable
from typing import Any

from radiod_client import _asyncio
from radiod_client._calling import Iteration, Plan, Proxy, Teller, call_message
from radiod_client._channel import Channel, Created
from radiod_client._core import Core
from radiod_client._driver import Driver
from radiod_client._listening import Listening
from radiod_client._options import codec_named, login_with, websocket_url
from radiod_client._proxy import named
from radiod_client._requests import Ask
from radiod_client._serving import Home, Registered, Serving, register_all
from radiod_client._session import value_of
from radiod_client.errors import CallCanceled, Disconnected, RadioError
from radiod_client.samples import Gap, Sample
from radiod_client.services import Offer, Service, offer, offers

__all__ = [
    "Channel",
    "Created",
    "Gap",
    "Iteration",
    "Listening",
    "Proxy",
    "Radio",
    "Registered",
    "Sample",
    "Service",
]

LOG = logging.getLogger("radiod_client")
CALL = 48
CLOSE_S = 5.0


class Radio:
    """A connection to a radiod that is made again whenever it breaks.

    Args:
        url: ``http(s)://`` or ``ws(s)://``, with a path only if it is not ``/ws``.
        ticket: of ``authid``; or ``secret`` (WAMP-CRA) or ``password`` (SCRAM), which are never sent.
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
        password: str | None = None,
        private_key: str | bytes | None = None,
        serializer: str = "msgpack",
        timeout: float = 20.0,
        connect_timeout: float = 10.0,
        on_state: Callable[[str], None] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._url = websocket_url(url)
        self.codec = codec_named(serializer)
        self._login = login_with(
            realm, authid, ticket=ticket, secret=secret, password=password, private_key=private_key
        )
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._state_callback = on_state
        self._driver: Driver | None = None
        self._pid = os.getpid()
        self.serving: Serving | None = None
        self.home: Home | None = None
        """Where coroutines run that others call, if not in this loop."""
        self.teller = Teller(self, time.monotonic)
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
        driver = self._driver = self._make_driver()
        answer = driver.answer()
        driver.core.start(answer.set)
        driver.flush()
        try:
            await answer
        except (RadioError, driver.canceled):
            await self.close()
            raise
        return self

    def _make_driver(self) -> Driver:
        """The one thing here that is asyncio's."""
        return _asyncio.Driver(
            self._url, self.codec, self._login, self._connect_timeout, self._state_callback, self._tls
        )

    async def close(self) -> None:
        """Say goodbye; listeners end, and nothing is left."""
        if self._driver is None:
            return
        driver = self._driver
        # Before the goodbye, behind which nothing is answered.
        if self.serving is not None:
            self.serving.close()
        driver.core.close()
        driver.flush()
        driver.cancel_tasks()
        try:
            await driver.closed.passed(CLOSE_S, TimeoutError())
        except TimeoutError:
            driver.stop()
        await driver.settled()

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

    async def call(
        self,
        procedure: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a procedure: its result, or a list of several.

        Args:
            timeout: seconds, instead of the Radio's.
            on_progress: called, and awaited, with each result before the last: one at a time. If it raises,
                the callee is told to stop.
        Raises: CallError; CallTimeout; RemoteError: it raised; Disconnected: the connection broke meanwhile;
            TypeError, ValueError: something cannot be sent, and nothing was.
        """
        seconds = self.timeout if timeout is None else timeout
        if on_progress is None:
            return await self._call(procedure, args, kwargs, seconds)
        async with Iteration(self, procedure, args, kwargs, seconds) as iteration:
            async for value in iteration:
                told = on_progress(value)
                if inspect.isawaitable(told):
                    await told
            return iteration.result

    async def _call(self, procedure: str, args: Any, kwargs: dict[str, Any], seconds: float) -> Any:
        return value_of(
            await self._ask(CALL, call_message(self.codec, procedure, args, kwargs, seconds), seconds)
        )

    def iter(self, procedure: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Iteration:
        """Call a procedure, and take its progressive results one by one: ``async for``.

        Args:
            timeout: seconds that all of it may take, instead of the Radio's.
        """
        return Iteration(self, procedure, args, kwargs, self.timeout if timeout is None else timeout)

    def proxy(self, name: str, *, tto: str = "tto", prefix: str = "rpc") -> Proxy:
        """Procedures below ``rpc.<name>`` as functions: ``await radio.proxy("calc").add(1, 2, tto=5)``.

        Args:
            tto: the keyword that tells how many seconds a call may take.
            prefix: what stands before the name; ``""``: nothing.
        """
        return Proxy(named(prefix, name), Plan(self, tto, None))

    async def register(
        self, procedure: str, function: Callable[..., Any], *, traceback: bool = False, force: bool = False
    ) -> Registered:
        """Offer a procedure, over reconnections too. See ``serve`` for what it may be.

        Raises: CallError: it is refused.
        """
        return await self._offer([offer(procedure, function, traceback)], force)

    async def serve(
        self, service: Any, name: str, *, traceback: bool = False, force: bool = False
    ) -> Registered:
        """Offer an object's methods ``rpc_…`` as ``rpc.<name>.…``, over reconnections too.

        Coroutines run in this loop; other functions in threads, 32 at a time; what a generator yields are
        progressive results.

        Args:
            traceback: callers are told where an exception came from.
            force: take the name over from whoever has it now.
        Raises: CallError: one of them is refused, and none is offered; TypeError, ValueError: there is
            nothing to offer.
        """
        found = offers(service, name, traceback)
        if isinstance(service, Service):
            service.radio = self
        return await self._offer(found, force)

    async def _offer(self, found: list[Offer], force: bool) -> Registered:
        core = self._core()
        if self.serving is None:
            self.serving = Serving(self, self.home)
        return await register_all(self, core.lasting, self.serving, found, force)

    @property
    def driver(self) -> Driver:
        """Raises: Disconnected: there is none yet."""
        if self._driver is None:
            raise Disconnected("not connected: use 'async with', or connect()")
        return self._driver

    def _core(self) -> Core:
        self._check_process()
        return self.driver.core

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RadioError("this Radio was made before a fork: make another one in the child process")

    def _flush(self) -> None:
        if self._driver is not None:
            self._driver.flush()

    async def _until_writable(self) -> None:
        """Wait while the server does not read. Raises: Disconnected: it does not for too long."""
        if self._driver is not None and not self._driver.can_write.is_open:
            await self._driver.can_write.passed(self.timeout, Disconnected("the server does not read"))

    async def _ask(self, kind: int, rest: list[Any], timeout: float) -> Any:
        core, answer = self._core(), self.driver.answer()
        ask: Ask = core.requests.ask(kind, rest, timeout, answer.set)
        self._flush()
        try:
            return await answer
        except self.driver.canceled:
            core.requests.cancel(ask, CallCanceled("wamp.error.canceled"))
            self._flush()
            raise
