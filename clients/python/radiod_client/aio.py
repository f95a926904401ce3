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
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from radiod_client._asyncio import Driver
from radiod_client._core import Ask, Core
from radiod_client._inbox import Inbox
from radiod_client._listening import Answer, Listening, Opening
from radiod_client._options import buffer_settings, codec_named, login_with, websocket_url
from radiod_client._owned import Owned
from radiod_client._registration import Registration
from radiod_client._session import Call, value_of
from radiod_client.errors import CallCanceled, CallError, Disconnected, RadioError
from radiod_client.samples import Gap, Sample, before, samples_of

__all__ = ["Channel", "Created", "Gap", "Listening", "Radio", "Registered", "Sample"]

LOG = logging.getLogger("radiod_client")
CALL, PUBLISH = 48, 16
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
        self._codec = codec_named(serializer)
        self._login = login_with(realm, authid, ticket, secret, private_key)
        self.timeout = timeout
        self._connect_timeout = connect_timeout
        self._tls = tls
        self._state_callback = on_state
        self._driver: Driver | None = None
        self._closed: asyncio.Event | None = None
        self._pid = os.getpid()
        self._executor: ThreadPoolExecutor | None = None
        self._tasks: set[asyncio.Task[None]] = set()
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
            self._url, self._codec, self._login, self._connect_timeout, self._tls, self._on_state
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
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
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
        owned = self._core().own(name, made.get("key"), made["control_key"])
        return Created(self, made, owned)

    async def call(self, procedure: str, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a procedure: its result, or a list of several.

        Args:
            timeout: seconds, instead of the Radio's.
        Raises: CallError; CallTimeout; Disconnected: the connection broke meanwhile; TypeError, ValueError:
            something cannot be sent, and nothing was.
        """
        seconds = self.timeout if timeout is None else timeout
        payload = [self._codec.payload(args)]
        if kwargs:
            payload.append(self._codec.payload(kwargs))
        options = {"timeout": max(1, round(seconds * 1000))}
        return value_of(await self._ask(CALL, [options, procedure, *payload], seconds))

    async def register(self, procedure: str, function: Callable[..., Any]) -> Registered:
        """Offer a procedure, over reconnections too; one that is no coroutine runs in a thread.

        Raises: CallError: it is refused.
        """
        core = self._core()
        answer = Answer()
        registration = core.register(procedure, lambda call: self._serve(function, call), answer.set)
        self._flush()
        await answer.within(self.timeout)
        return Registered(self, registration)

    def _serve(self, function: Callable[..., Any], call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._run(function, call))
        call.on_cancel = task.cancel
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        ask: Ask = core.ask(kind, rest, timeout, answer.set)
        self._flush()
        try:
            return await answer.future
        except asyncio.CancelledError:
            core.cancel(ask, CallCanceled("wamp.error.canceled"))
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


class Channel:
    """One channel: nothing is sent before something is asked of it."""

    def __init__(self, radio: Radio, name: str, key: str | None) -> None:
        self.name = name
        self._radio = radio
        self._key = key

    def listen(
        self,
        *,
        after: str | None = None,
        last: int = 0,
        queue: int = 1000,
        size: int | None = None,
        policy: str | None = None,
        every: int | None = None,
        min_interval: float | None = None,
        latest: bool | None = None,
        weight: int | None = None,
        max_bytes: int | None = None,
    ) -> Opening:
        """Listen: ``async for sample in channel.listen()``, or ``listening = await channel.listen()``.

        Args:
            after: a position: what came behind it comes first.
            last: so many samples of the past come first.
            queue: samples that wait for this program; the oldest drop out.
            size: and all others: the server's buffer, see docs/protocol.md.
        Raises: ValueError; CallError: it is refused.
        """
        buffer = buffer_settings(
            size=size,
            policy=policy,
            every=every,
            min_interval=min_interval,
            latest=latest,
            weight=weight,
            max_bytes=max_bytes,
        )
        return Opening(self._radio, self.name, self._key, Inbox(queue), after, last, buffer)

    async def subscribe(
        self, callback: Callable[[Sample], Awaitable[None] | None], **options: Any
    ) -> Listening:
        """Have ``callback`` called with each sample, one at a time and in order; options as of ``listen``."""
        listening = await self.listen(**options)
        task = asyncio.get_running_loop().create_task(self._call_back(listening, callback))
        self._radio._tasks.add(task)
        task.add_done_callback(self._radio._tasks.discard)
        return listening

    async def _call_back(self, listening: Listening, callback: Callable[[Sample], Any]) -> None:
        try:
            async for sample in listening:
                try:
                    result = callback(sample)
                    if inspect.isawaitable(result):
                        await result
                except Exception:
                    self._radio.callback_errors += 1
                    LOG.exception("a callback of %s raised", self.name)
        except RadioError as error:
            if self._radio.state not in ("closing", "closed"):
                LOG.warning("listening to %s has ended: %s", self.name, error)

    async def publish(self, data: Any, *, acknowledge: bool = True, retain: bool = False) -> int | None:
        """Publish a sample. Listeners of this Radio do not get it.

        Returns: the publication's id, or None without acknowledgement.
        Raises: CallError: it is refused; Disconnected: nobody knows; TypeError, ValueError: nothing was sent.
        """
        radio = self._radio
        options: dict[str, Any] = {"acknowledge": True} if acknowledge else {}
        if retain:
            options["retain"] = True
        if self._key is not None:
            options["_radiod_key"] = self._key
        rest = [options, self.name, radio._codec.payload([data])]
        if acknowledge:
            return int((await radio._ask(PUBLISH, rest, radio.timeout)).publication)
        await radio._until_writable()
        radio._core().tell(PUBLISH, rest)
        radio._flush()
        return None

    async def history(self, after: str | None = None, limit: int = 100) -> list[Sample]:
        """Samples that the channel keeps, oldest first. Raises: CallError: it keeps none."""
        return samples_of(
            self.name, await self._radio.call("radiod.channel.history", self.name, after, limit)
        )

    async def latest(self) -> Sample | None:
        """The newest sample that the channel keeps. Raises: CallError: it keeps none."""
        position = (await self.info()).get("position")
        if position is None:
            return None
        found = await self.history(before(position))
        return found[-1] if found else None

    async def info(self) -> dict[str, Any]:
        """What the server says of it. Raises: CallError: there is no such channel."""
        return dict(await self._radio.call("radiod.channel.get", self.name))

    async def presence(self) -> dict[str, Any]:
        """Who listens: ``{users: {authid: sessions}, count, total}``. Raises: CallError: it does not say."""
        return dict(await self._radio.call("radiod.presence.get", self.name))

    async def tune(self, **settings: Any) -> dict[str, Any]:
        """Set the server's buffer for this session. Returns: all settings in effect."""
        tuned = dict(await self._radio.call("radiod.channel.tune", self.name, **settings))
        subscription = self._radio._core().subscriptions.get(self.name)
        if subscription is not None:
            subscription.tuned(settings)
        return tuned


class Created(Channel):
    """A channel that this Radio created: ``control_key`` is for whoever is to control it, too."""

    def __init__(self, radio: Radio, made: dict[str, Any], owned: Owned) -> None:
        super().__init__(radio, made["name"], made.get("key"))
        self.control_key: str = made["control_key"]
        self.expires: float | None = made["expires"]
        self.key: str | None = made.get("key")
        self._owned = owned

    async def extend(self, lifetime: float) -> float | None:
        """Have it end in so many seconds from now. Returns: when that is."""
        call = self._radio.call("radiod.channel.extend", self.name, lifetime, self.control_key)
        self.expires = (await call)["expires"]
        return self.expires

    async def delete(self) -> None:
        """End it."""
        self._owned.is_over = True
        await self._radio.call("radiod.channel.delete", self.name, self.control_key)
