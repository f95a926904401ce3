"""The client for asyncio.

::

    async with Radio("http://127.0.0.1:8080") as radio:
        async for sample in radio.channel("sample_net").listen():
            print(sample.data)
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from typing import Any

from radiod_client import _asyncio
from radiod_client._channel import Channel, Created
from radiod_client._core import Core
from radiod_client._driver import Driver
from radiod_client._listening import Listening
from radiod_client._options import codec_named, login_with, websocket_url
from radiod_client._registration import Registration
from radiod_client._requests import Ask
from radiod_client._session import Call, value_of
from radiod_client.errors import CallCanceled, CallError, Disconnected, RadioError
from radiod_client.samples import Gap, Sample

__all__ = ["Channel", "Created", "Gap", "Listening", "Radio", "Registered", "Sample"]

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
        core, answer = self._core(), self.driver.answer()
        registration = core.lasting.register(procedure, lambda call: self._serve(function, call), answer.set)
        self._flush()
        await answer.within(self.timeout)
        return Registered(self, registration)

    def _serve(self, function: Callable[..., Any], call: Call) -> None:
        call.on_cancel = self.driver.spawn(self._run(function, call)).cancel

    async def _run(self, function: Callable[..., Any], call: Call) -> None:
        try:
            value = await self.driver.run(function, call.args, call.kwargs)
        except Exception as error:
            if not isinstance(error, CallError | self.driver.canceled):
                LOG.exception("a procedure raised")
            call.fail(error)
        else:
            call.answer(value)
        self._flush()

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


class Registered:
    """A procedure that is offered."""

    def __init__(self, radio: Radio, registration: Registration) -> None:
        self._radio = radio
        self._registration = registration

    async def close(self) -> None:
        """Offer it no longer."""
        self._registration.leave()
        self._radio._flush()
