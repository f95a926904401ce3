"""The client for programs that wait: a thread of its own keeps the connection, and never runs user code."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
import queue
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from radiod_client import aio
from radiod_client._listening import Listening as AsyncListening
from radiod_client.errors import Disconnected, RadioError
from radiod_client.samples import Sample

__all__ = ["Channel", "Created", "Listening", "Radio", "Registered"]

LOG = logging.getLogger("radiod_client")
T = TypeVar("T")
JOIN_S = 8.0


class Radio:
    """A connection to a radiod that is made again whenever it breaks.

    Args:
        url: ``http(s)://`` or ``ws(s)://``, with a path only if it is not ``/ws``.
        ticket: of ``authid``; or ``secret``, which is never sent (WAMP-CRA).
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
            private_key=private_key,
            serializer=serializer,
            timeout=timeout,
            connect_timeout=connect_timeout,
            on_state=None if on_state is None else self._states.put,
            tls=tls,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: list[threading.Thread] = []
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
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Say goodbye; listeners end, and no thread or socket is left."""
        loop, self._loop = self._loop, None
        if loop is None or os.getpid() != self._pid:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._radio.close(), loop).result(JOIN_S)
        finally:
            self._states.put("")
            loop.call_soon_threadsafe(loop.stop)
            for thread in self._threads:
                if thread is not threading.current_thread():
                    thread.join(JOIN_S)
            if not self._threads[0].is_alive():
                loop.close()

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

    def call(self, procedure: str, *args: Any, timeout: float | None = None, **kwargs: Any) -> Any:
        """Call a procedure: its result, or a list of several.

        Args:
            timeout: seconds, instead of the Radio's.
        Raises: CallError; CallTimeout; Disconnected: the connection broke meanwhile; TypeError, ValueError:
            something cannot be sent, and nothing was.
        """
        return self._run(self._radio.call(procedure, *args, timeout=timeout, **kwargs))

    def register(self, procedure: str, function: Callable[..., Any]) -> Registered:
        """Offer a procedure, over reconnections too: it runs in threads of a pool. Raises: CallError."""
        if inspect.iscoroutinefunction(function):
            raise TypeError("a coroutine needs radiod_client.aio")
        return Registered(self, self._run(self._radio.register(procedure, function)))

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
    """A procedure that is offered."""

    def __init__(self, radio: Radio, registered: aio.Registered) -> None:
        self._radio = radio
        self._registered = registered

    def close(self) -> None:
        """Offer it no longer."""
        self._radio._run(self._registered.close())


class Channel:
    """One channel: nothing is sent before something is asked of it."""

    def __init__(self, radio: Radio, channel: aio.Channel) -> None:
        self.name = channel.name
        self._radio = radio
        self._channel = channel

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
    ) -> Listening:
        """Listen: whatever is published from now on comes, or is told as missing.

        Args:
            after: a position: what came behind it comes first.
            last: so many samples of the past come first.
            queue: samples that wait for this program; the oldest drop out.
            size: and all others: the server's buffer, see docs/protocol.md.
        Raises: ValueError; CallError: it is refused.
        """
        self._radio._check_process()
        opening = self._channel.listen(
            after=after,
            last=last,
            queue=queue,
            size=size,
            policy=policy,
            every=every,
            min_interval=min_interval,
            latest=latest,
            weight=weight,
            max_bytes=max_bytes,
        )
        return Listening(self._radio, self._radio._run(opening._open()))

    def subscribe(self, callback: Callable[[Sample], object], **options: Any) -> Listening:
        """Have ``callback`` called with each sample, one at a time, in a thread of this subscription."""
        listening = self.listen(**options)
        thread = threading.Thread(
            target=self._call_back, args=(listening, callback), name=f"radiod_client {self.name}", daemon=True
        )
        threads = self._radio._threads
        threads[1:] = [each for each in threads[1:] if each.is_alive()] + [thread]
        thread.start()
        return listening

    def _call_back(self, listening: Listening, callback: Callable[[Sample], object]) -> None:
        try:
            for sample in listening:
                try:
                    callback(sample)
                except Exception:
                    self._radio.callback_errors += 1
                    LOG.exception("a callback of %s raised", self.name)
        except RadioError as error:
            if self._radio.state not in ("closing", "closed"):
                LOG.warning("listening to %s has ended: %s", self.name, error)

    def publish(self, data: Any, *, acknowledge: bool = True, retain: bool = False) -> int | None:
        """Publish a sample. Listeners of this Radio do not get it.

        Returns: the publication's id, or None without acknowledgement.
        Raises: CallError: it is refused; Disconnected: nobody knows; TypeError, ValueError: nothing was sent.
        """
        return self._radio._run(self._channel.publish(data, acknowledge=acknowledge, retain=retain))

    def history(self, after: str | None = None, limit: int = 100) -> list[Sample]:
        """Samples that the channel keeps, oldest first. Raises: CallError: it keeps none."""
        return self._radio._run(self._channel.history(after, limit))

    def latest(self) -> Sample | None:
        """The newest sample that the channel keeps. Raises: CallError: it keeps none."""
        return self._radio._run(self._channel.latest())

    def info(self) -> dict[str, Any]:
        """What the server says of it. Raises: CallError: there is no such channel."""
        return self._radio._run(self._channel.info())

    def presence(self) -> dict[str, Any]:
        """Who listens: ``{users: {authid: sessions}, count, total}``. Raises: CallError: it does not say."""
        return self._radio._run(self._channel.presence())

    def tune(self, **settings: Any) -> dict[str, Any]:
        """Set the server's buffer for this session. Returns: all settings in effect."""
        return self._radio._run(self._channel.tune(**settings))


class Created(Channel):
    """A channel that this Radio created: ``control_key`` is for whoever is to control it, too."""

    def __init__(self, radio: Radio, created: aio.Created) -> None:
        super().__init__(radio, created)
        self._created = created
        self.control_key = created.control_key
        self.key = created.key

    @property
    def expires(self) -> float | None:
        """When it ends."""
        return self._created.expires

    def extend(self, lifetime: float) -> float | None:
        """Have it end in so many seconds from now. Returns: when that is."""
        return self._radio._run(self._created.extend(lifetime))

    def delete(self) -> None:
        """End it."""
        self._radio._run(self._created.delete())


class Listening:
    """Samples of a channel, as they come: an iterator that waits."""

    def __init__(self, radio: Radio, listening: AsyncListening) -> None:
        self._radio = radio
        self._listening = listening
        self._inbox = listening.inbox
        self._arrival = threading.Event()

    @property
    def position(self) -> str | None:
        """Behind the last sample that was taken: what a later ``listen(after=…)`` goes on from."""
        return self._listening.position

    @property
    def lost(self) -> int:
        """How many samples all gaps together told as lost."""
        return self._listening.lost

    def get(self, timeout: float | None = None) -> Sample:
        """The next sample. Raises: TimeoutError; Disconnected: it was closed; CallError: access ended."""
        self._radio._check_process()
        arrival = self._arrival
        while True:
            arrival.clear()
            sample = self._inbox.take(arrival.set)
            if sample is not None:
                return sample
            # Nearly always the first wait is long enough; whoever was woken for nothing waits anew.
            if not arrival.wait(timeout):
                raise TimeoutError(f"no sample within {timeout:g} s")

    def __iter__(self) -> Iterator[Sample]:
        return self

    def __next__(self) -> Sample:
        sample = self._inbox.take_or_none()
        if sample is not None:
            return sample
        try:
            return self.get()
        except Disconnected:
            if self._listening.is_closed or self._radio.state in ("closing", "closed"):
                raise StopIteration from None
            raise

    def close(self) -> None:
        """Listen no longer: whoever waits for a sample is told."""
        self._radio._later(self._listening.end)

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Out of a loop that was left: nobody can take anything any more.
        if hasattr(self, "_arrival") and not self._listening.is_closed:
            self.close()
