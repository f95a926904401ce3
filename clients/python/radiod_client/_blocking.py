"""The client for programs that wait: a thread of its own keeps the connection, and never runs user code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import ssl
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from radiod_client import aio
from radiod_client._blocking_calling import Home, Iteration, Proxy
from radiod_client._blocking_channel import Channel, Created, Listening
from radiod_client.errors import Disconnected, RadioError
from radiod_client.services import Offer, Service, offer, offers

__all__ = ["Channel", "Created", "Iteration", "Listening", "Proxy", "Radio", "Registered"]

LOG = logging.getLogger("radiod_client")
T = TypeVar("T")
JOIN_S = 5.0
"""How long ``close`` waits for callbacks that do not return, for all of them together."""
IDLE_S = 0.5
"""And for functions that others called."""
CLOSE_S = 8.0


class Radio:
    """A connection to a radiod that is made again whenever it breaks.

    Args:
        url: ``http(s)://`` or ``ws(s)://``, with a path only if it is not ``/ws``.
        ticket: of ``authid``; or ``secret`` (WAMP-CRA) or ``password`` (SCRAM), which are never sent.
        private_key: of Ed25519 (cryptosign), 32 bytes or their hexadecimal digits; needs no authid.
        serializer: ``msgpack`` or ``json``.
        timeout: seconds that an answer may take.
        connect_timeout: seconds until a session is open.
        on_state: called with ``connecting``, ``open``, ``waiting``, ``closed``, in a thread of its own.
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
        self._pid = os.getpid()
        self._states: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._state_callback = on_state
        self._radio = aio.Radio(
            url,
            realm=realm,
            authid=authid,
            ticket=ticket,
            secret=secret,
            password=password,
            private_key=private_key,
            serializer=serializer,
            timeout=timeout,
            connect_timeout=connect_timeout,
            on_state=None if on_state is None else self._states.put,
            tls=tls,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self.threads: list[threading.Thread] = []
        self._home = self._radio.home = Home(self._start)
        self.callback_errors = 0
        """Exceptions of callbacks so far."""

    @property
    def state(self) -> str:
        """``new``, ``connecting``, ``open``, ``waiting`` (for the next try), ``closing`` or ``closed``."""
        return self._radio.state

    @property
    def session(self) -> int | None:
        """The session's id, while there is one."""
        return self._radio.session

    @property
    def server(self) -> dict[str, Any]:
        """What the server said of itself and of us when it last let us in."""
        return self._radio.server

    def connect(self) -> Radio:
        """Open the first session. Raises: ConnectFailed, LoginRefused."""
        self._check_process()
        if self._loop is not None or self.state != "new":
            raise RadioError("this Radio was connected before: make another one")
        self._loop = asyncio.new_event_loop()
        self._start("radiod_client", self._loop.run_forever)
        if self._state_callback is not None:
            self._start("radiod_client states", self._tell_states)
        try:
            self._run(self._radio.connect())
        except BaseException:
            self.close()
            raise
        return self

    def _start(self, name: str, target: Callable[[], object]) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self.threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Say goodbye; listeners end, and no thread or socket is left."""
        loop, self._loop = self._loop, None
        if loop is None or os.getpid() != self._pid:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._radio.close(), loop).result(CLOSE_S)
        finally:
            self._states.put("")
            self._home.close()
            loop.call_soon_threadsafe(loop.stop)
            end = time.monotonic() + JOIN_S
            for thread in self.threads:
                if thread is not threading.current_thread():
                    thread.join(max(end - time.monotonic(), 0.0))
                    if thread.is_alive():
                        LOG.warning("%s still runs: a callback does not return", thread.name)
            self._join_idle()
            if not self.threads[0].is_alive():
                loop.close()

    def _join_idle(self) -> None:
        """Threads that call functions: one that hangs is left alone, and ends with its function."""
        serving, end = self._radio.serving, time.monotonic() + IDLE_S
        for thread in [] if serving is None else serving.close():
            if thread is not threading.current_thread():
                thread.join(max(end - time.monotonic(), 0.0))

    def __enter__(self) -> Radio:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell_states(self) -> None:
        while state := self._states.get():
            try:
                if self._state_callback is not None:
                    self._state_callback(state)
            except Exception:
                self.callback_errors += 1
                LOG.exception("on_state raised")

    def channel(self, name: str, key: str | None = None) -> Channel:
        """The channel of that name; ``key`` of a private one."""
        return Channel(self, self._radio.channel(name, key))

    def create(self, name: str, *, on_owner_leave: float | str = 30, **settings: Any) -> Created:
        """Create a channel; after a reconnection it is taken over again, silently.

        Args:
            on_owner_leave: seconds for which it waits for this Radio to come back; or ``keep``, ``delete``.
            settings: of ``radiod.channel.create``: public, key, lifetime, single_writer, buffer, history,
                presence, durable.
        Raises: CallError: it is refused, or is there already.
        """
        return Created(self, self._run(self._radio.create(name, on_owner_leave=on_owner_leave, **settings)))

    def call(
        self,
        procedure: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a procedure: its result, or a list of several.

        Args:
            timeout: seconds, instead of the Radio's.
            on_progress: called with each result before the last, in this thread. If it raises, the callee is
                told to stop.
        Raises: CallError; CallTimeout; RemoteError: it raised; Disconnected: the connection broke meanwhile;
            TypeError, ValueError: something cannot be sent, and nothing was.
        """
        if on_progress is None:
            return self._run(self._radio.call(procedure, *args, timeout=timeout, **kwargs))
        with self.iter(procedure, *args, timeout=timeout, **kwargs) as iteration:
            for value in iteration:
                on_progress(value)
            return iteration.result

    def iter(self, procedure: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Iteration:
        """Call a procedure, and take its progressive results one by one.

        Args:
            timeout: seconds that all of it may take, instead of the Radio's.
        """
        return Iteration(self, self._radio.iter(procedure, *args, timeout=timeout, **kwargs))

    def proxy(self, name: str, *, tto: str = "tto", prefix: str = "rpc") -> Proxy:
        """Procedures below ``rpc.<name>`` as functions: ``radio.proxy("calc").add(1, 2, tto=5)``.

        Args:
            tto: the keyword that tells how many seconds a call may take.
            prefix: what stands before the name; ``""``: nothing.
        """
        return Proxy(self, self._radio.proxy(name, tto=tto, prefix=prefix))

    def register(
        self, procedure: str, function: Callable[..., Any], *, traceback: bool = False, force: bool = False
    ) -> Registered:
        """Offer a procedure, over reconnections too. See ``serve`` for what it may be.

        Raises: CallError: it is refused.
        """
        return self._offer([offer(procedure, function, traceback)], force)

    def serve(self, service: Any, name: str, *, traceback: bool = False, force: bool = False) -> Registered:
        """Offer an object's methods ``rpc_…`` as ``rpc.<name>.…``, over reconnections too.

        They run in threads, 32 at a time; coroutines in a loop in one more thread; what a generator yields
        are progressive results.

        Args:
            traceback: callers are told where an exception came from.
            force: take the name over from whoever has it now.
        Raises: CallError: one of them is refused, and none is offered; TypeError, ValueError: there is
            nothing to offer.
        """
        found = offers(service, name, traceback)
        if isinstance(service, Service):
            service.radio = self
        return self._offer(found, force)

    def _offer(self, found: list[Offer], force: bool) -> Registered:
        return Registered(self, self._run(self._radio._offer(found, force)))

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise RadioError("this Radio was made before a fork: make another one in the child process")

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Have the network's thread do it, and wait."""
        loop = self._loop
        if loop is None or os.getpid() != self._pid:
            coroutine.close()
            self._check_process()
            raise Disconnected("not connected: use 'with', or connect()")
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        try:
            return future.result()
        except CancelledError:
            raise Disconnected("closed") from None
        except BaseException:
            future.cancel()
            raise

    def _later(self, action: Callable[..., object], *args: Any) -> None:
        """Have the network's thread do it, if it is still there."""
        loop = self._loop
        if loop is not None and os.getpid() == self._pid:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(action, *args)


class Registered:
    """Procedures that are offered, over reconnections too."""

    def __init__(self, radio: Radio, registered: aio.Registered) -> None:
        self._radio = radio
        self._registered = registered

    @property
    def procedures(self) -> list[str]:
        """Those that are still offered: others may have taken some over."""
        return self._registered.procedures

    def close(self) -> None:
        """Offer them no longer. Calls that are under way go on."""
        if self._radio.state in ("closing", "closed"):
            return
        self._radio._run(self._registered.close())
