"""The client for Twisted: whatever takes time is a Deferred.

::

    async with Radio("http://127.0.0.1:8080") as radio:
        async for sample in radio.channel("sample_net").listen():
            print(sample.data)

inside ``ensureDeferred`` or ``react``; with ``inlineCallbacks`` each Deferred is yielded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IStreamClientEndpoint

from radiod_client import _channel, _listening, _twisted, _writing, aio
from radiod_client._treq import HttpPublisher
from radiod_client._twisted_calling import Iteration, Proxy, Registered
from radiod_client._twisted_face import Face, deferred
from radiod_client.samples import Gap, Sample
from radiod_client.services import Offer, Service, offer, offers

__all__ = [
    "Channel",
    "Created",
    "Gap",
    "HttpPublisher",
    "Iteration",
    "Listening",
    "Opening",
    "Proxy",
    "Radio",
    "Registered",
    "Sample",
    "Service",
    "Stream",
    "Writer",
    "WriterOpening",
]

T = TypeVar("T")
Inner = TypeVar("Inner")


class _Radio(aio.Radio):
    """Its coroutines, on a reactor."""

    def __init__(self, url: str, tls: Any, endpoint: Any, reactor: Any, **options: Any) -> None:
        super().__init__(url, **options)
        self._how: tuple[Any, Any, Any] = (tls, endpoint, reactor)

    def _make_driver(self) -> _twisted.Driver:
        given = (self._url, self.codec, self._login, self._connect_timeout, self._state_callback)
        return _twisted.Driver(*given, *self._how)


class Radio(Face[_Radio]):
    """A connection to a radiod that is made again whenever it breaks.

    Args:
        url: ``http(s)://`` or ``ws(s)://``, with a path only if it is not ``/ws``.
        tls: an ``IOpenSSLClientConnectionCreator``, as ``optionsForClientTLS(host, trustRoot=…)`` makes it.
        endpoint: where to connect to, instead of the URL's host and port: a Unix socket, say.
        reactor: another than Twisted's.
        options: as of ``aio.Radio``. ``on_state`` is called in the reactor's thread.
    Raises: ValueError: something of this cannot be.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: Any = None,
        endpoint: IStreamClientEndpoint | None = None,
        reactor: Any = None,
        **options: Any,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        super().__init__(_Radio(url, tls, endpoint, reactor, **options))

    @property
    def state(self) -> str:
        """``new``, ``connecting``, ``open``, ``waiting`` (for the next try), ``closing`` or ``closed``."""
        return self._inner.state

    @property
    def session(self) -> int | None:
        """The session's id, while there is one."""
        return self._inner.session

    @property
    def server(self) -> dict[str, Any]:
        """What the server said of itself and of us when it last let us in."""
        return self._inner.server

    @property
    def callback_errors(self) -> int:
        """Exceptions of callbacks so far."""
        return self._inner.callback_errors

    def connect(self) -> Deferred[Radio]:
        """Open the first session. Fails with: ConnectFailed, LoginRefused."""
        return Deferred.fromCoroutine(self.__aenter__())

    close = deferred(aio.Radio.close)

    async def __aenter__(self) -> Radio:
        await self._inner.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._inner.close()

    def channel(self, name: str, key: str | None = None) -> Channel:
        """The channel of that name; ``key`` of a private one."""
        return Channel(self._inner.channel(name, key))

    def create(self, name: str, *, on_owner_leave: float | str = 30, **settings: Any) -> Deferred[Created]:
        """Create a channel; after a reconnection it is taken over again. See ``aio.Radio.create``."""
        made = self._inner.create(name, on_owner_leave=on_owner_leave, **settings)
        return Deferred.fromCoroutine(made).addCallback(Created)

    def call(
        self,
        procedure: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: Callable[[Any], Any] | None = None,
        **kwargs: Any,
    ) -> Deferred[Any]:
        """Call a procedure: its result, or a list of several.

        As ``aio.Radio.call``; ``cancel`` of the Deferred tells the callee.
        """
        made = self._inner.call(procedure, *args, timeout=timeout, on_progress=on_progress, **kwargs)
        return Deferred.fromCoroutine(made)

    def iter(self, procedure: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> Iteration:
        """Call a procedure, and take its progressive results one by one: ``async for``."""
        return Iteration(self._inner.iter(procedure, *args, timeout=timeout, **kwargs))

    def proxy(self, name: str, *, tto: str = "tto", prefix: str = "rpc") -> Proxy:
        """Procedures below ``rpc.<name>`` as functions that return Deferreds. See ``aio.Radio.proxy``."""
        return Proxy(self._inner.proxy(name, tto=tto, prefix=prefix))

    def register(
        self, procedure: str, function: Callable[..., Any], *, traceback: bool = False, force: bool = False
    ) -> Deferred[Registered]:
        """Offer a procedure, over reconnections too. See ``serve`` for what it may be.

        Fails with: CallError: it is refused.
        """
        return self._offer([offer(procedure, function, traceback)], force)

    def serve(
        self, service: Any, name: str, *, traceback: bool = False, force: bool = False
    ) -> Deferred[Registered]:
        """Offer an object's methods ``rpc_…`` as ``rpc.<name>.…``, over reconnections too.

        They run in the reactor's thread; a Deferred or coroutine that one returns is waited for, and canceled
        when the caller cancels. Plain generators run in threads. The rest is as of ``aio.Radio.serve``.
        """
        found = offers(service, name, traceback)
        if isinstance(service, Service):
            service.radio = self
        return self._offer(found, force)

    def _offer(self, found: list[Offer], force: bool) -> Deferred[Registered]:
        return Deferred.fromCoroutine(self._inner._offer(found, force)).addCallback(Registered)


class Channel(Face[_channel.Channel]):
    """One channel: nothing is sent before something is asked of it."""

    @property
    def name(self) -> str:
        """Its name."""
        return self._inner.name

    def listen(self, **options: Any) -> Opening:
        """Listen: ``async for sample in channel.listen()``, or a Deferred of a Listening.

        Options as of ``aio.Channel.listen``. Fails with: ValueError; CallError: it is refused.
        """
        return Opening(self._inner.listen(**options))

    def subscribe(self, callback: Callable[[Sample], Any], **options: Any) -> Deferred[Listening]:
        """Have ``callback`` called with each sample, one at a time and in order.

        The next one waits for a Deferred or coroutine that it returns. Options as of ``listen``.
        """
        made = self._inner.subscribe(callback, **options)
        return Deferred.fromCoroutine(made).addCallback(Listening)

    publish = deferred(_channel.Channel.publish)

    def writer(self) -> WriterOpening:
        """Open it for writing: ``async with channel.writer() as writer``, or a Deferred of a Writer.

        Fails with: CallError: it is refused.
        """
        return WriterOpening(self._inner.writer())

    def stream(self, id: str | int | None = None) -> Stream:
        """A run of samples: ``async with channel.stream() as stream``. Raises: ValueError: no such id."""
        return Stream(self._inner.stream(id))

    history = deferred(_channel.Channel.history)
    latest = deferred(_channel.Channel.latest)
    info = deferred(_channel.Channel.info)
    presence = deferred(_channel.Channel.presence)

    def tune(self, **settings: Any) -> Deferred[dict[str, Any]]:
        """Set the server's buffer for this session. Comes to: all settings in effect."""
        return Deferred.fromCoroutine(self._inner.tune(**settings))


class Created(Channel):
    """A channel that this Radio created: ``control_key`` is for whoever is to control it, too."""

    _inner: _channel.Created

    def __init__(self, inner: _channel.Created) -> None:
        super().__init__(inner)
        self.control_key = inner.control_key
        self.key = inner.key

    @property
    def expires(self) -> float | None:
        """When it ends."""
        return self._inner.expires

    def extend(self, lifetime: float) -> Deferred[float | None]:
        """Have it end in so many seconds from now. Comes to: when that is."""
        return Deferred.fromCoroutine(self._inner.extend(lifetime))

    def delete(self) -> Deferred[None]:
        """End it."""
        return Deferred.fromCoroutine(self._inner.delete())


class _Begun(Deferred[T]):
    """What is a Deferred and something else besides."""

    def __init__(self, opening: Coroutine[Any, Any, Inner], face: Callable[[Inner], T]) -> None:
        opened = Deferred.fromCoroutine(opening)
        super().__init__(lambda _: opened.cancel())
        opened.addCallback(face).chainDeferred(self)


class Opening(_Begun["Listening"]):
    """A ``listen`` that has begun: a Deferred of the Listening, or iterated over its samples."""

    def __init__(self, inner: _listening.Opening) -> None:
        super().__init__(inner._open(), Listening)

    async def __aiter__(self) -> AsyncIterator[Sample]:
        listening = await self
        try:
            async for sample in listening:
                yield sample
        finally:
            # Without waiting: whoever leaves the loop leaves no one behind who could wait.
            listening._inner.end()


class Listening(Face[_listening.Listening]):
    """Samples of a channel, as they come."""

    def __init__(self, inner: _listening.Listening) -> None:
        super().__init__(inner)
        self._turns = DeferredLock()

    @property
    def position(self) -> str | None:
        """Behind the last sample that was taken: what a later ``listen(after=…)`` goes on from."""
        return self._inner.position

    @property
    def lost(self) -> int:
        """How many samples all gaps together told as lost."""
        return self._inner.lost

    def get(self, timeout: float | None = None) -> Deferred[Sample]:
        """The next sample; those who ask meanwhile get those behind it.

        Fails with: TimeoutError; Disconnected: it was closed; CallError: access ended.
        """
        if not self._turns.locked and (sample := self._inner.inbox.take_or_none()) is not None:
            return succeed(sample)
        return self._turns.run(self._inner.get, timeout)

    close = deferred(_listening.Listening.close)

    def __aiter__(self) -> AsyncIterator[Sample]:
        return self._inner

    async def __aenter__(self) -> Listening:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inner.end()


class WriterOpening(_Begun["Writer"]):
    """A ``writer()`` that has begun: a Deferred of the Writer, or used by ``async with``."""

    def __init__(self, inner: _writing.WriterOpening) -> None:
        super().__init__(inner._open(), Writer)
        self._writer: Writer | None = None

    async def __aenter__(self) -> Writer:
        self._writer = await self
        return self._writer

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            await self._writer.close()


class Writer(Face[_writing.Writer]):
    """A channel that is open for writing, over reconnections too."""

    @property
    def wanted(self) -> bool:
        """Whether anybody listens: what the server said last."""
        return self._inner.wanted

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, or taken away."""
        return self._inner.is_closed

    @property
    def readers(self) -> int:
        """How many listened when the server said so last: when the first came, or the last had gone."""
        return self._inner.readers

    wait_wanted = deferred(_writing.Writer.wait_wanted)
    put = deferred(_writing.Writer.put)
    close = deferred(_writing.Writer.close)

    async def __aenter__(self) -> Writer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._inner.close()


class Stream(Face[_writing.Stream]):
    """Samples that belong together: each listener sees ``sample.stream``, ``{id, counter, begin, end}``."""

    @property
    def id(self) -> str | int:
        """What listeners know it by."""
        return self._inner.id

    put = deferred(_writing.Stream.put)
    close = deferred(_writing.Stream.close)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._inner.__aexit__(*raised)
