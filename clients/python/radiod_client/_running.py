"""One call of one of our functions, while it runs: in a thread, or in an event loop, of whatever make."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import Any, Protocol

from radiod_client._invocation import Call
from radiod_client.errors import ServiceError

__all__ = ["CurrentCall", "Port", "Running", "current_call"]

LOG = logging.getLogger("radiod_client")
MOST_COLLECTED = 10_000
TOO_MANY = "wamp.error.payload_size_exceeded"
_CURRENT: ContextVar[Running] = ContextVar("current_call")


class Port(Protocol):
    """The network's thread, as others see it."""

    def post(self, action: Callable[[], None]) -> None:
        """Have it do something, and write what comes of it: from any thread, in order."""

    def when_there_is_room(self, then: Callable[[], None]) -> None:
        """Have ``then`` called, in any thread, when what was posted is on its way: from any thread."""

    async def room(self) -> None:
        """The same, where coroutines run."""

    def start(self, running: Running, coroutine: Any) -> None:
        """Run a coroutine there; ``running.stop`` ends it. From any thread."""


class CurrentCall:
    """The call that is being served: ``current_call()``, inside a function that was called.

    ``procedure``: its name. ``details``: what the router told of it, perhaps ``caller``, ``caller_authid``.
    ``canceled``: a ``threading.Event``, set once nobody waits for the result any more: canceled, too late, or
    gone. ``wants_progress``: the caller takes results before the last.
    """

    def __init__(self, procedure: str, call: Call) -> None:
        self.procedure = procedure
        self.details = call.details
        self.wants_progress = call.wants_progress
        self.canceled = threading.Event()

    def progress(self, value: Any) -> bool:
        """Send a result before the last. Returns: whether the caller takes any.

        Raises: TypeError, ValueError: it cannot be sent.
        """
        raise NotImplementedError


class Running(CurrentCall):
    """What runs a function once.

    Args:
        traceback: whether the caller is told where an exception came from.
    """

    def __init__(
        self, procedure: str, function: Callable[..., Any], traceback: bool, call: Call, port: Port
    ) -> None:
        super().__init__(procedure, call)
        self._function = function
        self._traceback = traceback
        self._call = call
        self._port = port
        self._room = threading.Event()
        self._collected: list[Any] = []
        self.stop: Callable[[], object] | None = None

    def cancel(self) -> None:
        """Nobody waits for it any more: a coroutine is canceled, a thread can see it. From any thread."""
        self.abandon()
        stop = self.stop
        if stop is not None:
            stop()

    def abandon(self) -> None:
        """The Radio is closed: it is not answered any more."""
        self.canceled.set()
        self._room.set()

    def progress(self, value: Any) -> bool:
        """Send a result before the last."""
        message = self._call.progress(value)
        if self.wants_progress and not self.canceled.is_set():
            self._port.post(lambda: self._call.step(message))
        return self.wants_progress

    def run(self) -> None:
        """All of it, in a thread that may wait."""
        if self.canceled.is_set():
            return
        token = _CURRENT.set(self)
        try:
            value = self._function(*self._call.args, **self._call.kwargs)
            if inspect.isgenerator(value):
                value = self._drain(value)
        except BaseException as error:
            # A thread of a pool has nobody above it to tell, sys.exit() included.
            self._fail(error)
        else:
            if inspect.isawaitable(value):
                self._port.start(self, self._finish(value))
            else:
                self._succeed(value)
        finally:
            _CURRENT.reset(token)

    async def run_async(self) -> None:
        """All of it, as a coroutine with a context of its own."""
        _CURRENT.set(self)
        try:
            value = self._function(*self._call.args, **self._call.kwargs)
            if inspect.isasyncgen(value):
                value = await self._drain_async(value)
            elif inspect.isawaitable(value):
                value = await value
        except BaseException as error:
            self._fail(error)
            _reraise(error)
        else:
            self._succeed(value)

    async def _finish(self, awaitable: Awaitable[Any]) -> None:
        """What a function returned that was not announced as a coroutine."""
        _CURRENT.set(self)
        try:
            value = await awaitable
        except BaseException as error:
            self._fail(error)
            _reraise(error)
        else:
            self._succeed(value)

    def _drain(self, generator: Generator[Any, Any, Any]) -> Any:
        with contextlib.closing(generator):
            while not self.canceled.is_set():
                try:
                    value = next(generator)
                except StopIteration as stop:
                    return self._last(stop.value)
                if self._take(value):
                    self._wait_for_room()
        return None

    def _wait_for_room(self) -> None:
        """A generator is not faster than the network."""
        self._room.clear()
        if not self.canceled.is_set():
            self._port.when_there_is_room(self._room.set)
            self._room.wait()

    async def _drain_async(self, generator: AsyncGenerator[Any, Any]) -> Any:
        try:
            async for value in generator:
                if self._take(value):
                    await self._port.room()
        finally:
            await generator.aclose()
        return self._last(None)

    def _take(self, value: Any) -> bool:
        """One result of a generator: sent, or kept for a caller who takes only one. Returns: it was sent."""
        if self.progress(value):
            return True
        if len(self._collected) == MOST_COLLECTED:
            raise ServiceError(TOO_MANY, f"more than {MOST_COLLECTED} results: take them one by one")
        self._collected.append(value)
        return False

    def _last(self, value: Any) -> Any:
        return self._collected if value is None and not self.wants_progress else value

    def _succeed(self, value: Any) -> None:
        self._end(self._call.result(value))

    def _fail(self, error: BaseException) -> None:
        if self.canceled.is_set():
            if isinstance(error, Exception) and not isinstance(error, ServiceError):
                LOG.info("%s raised behind its cancel", self.procedure, exc_info=error)
            return
        if not isinstance(error, ServiceError):
            LOG.error("%s raised", self.procedure, exc_info=error)
        self._end(self._call.failure(error, self._traceback))

    def _end(self, message: list[Any]) -> None:
        def end() -> None:
            # Behind a goodbye nothing is answered.
            if not self.canceled.is_set():
                self._call.end(message)

        self._port.post(end)


def _reraise(error: BaseException) -> None:
    """What ends a coroutine from outside is not for us to keep."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit | KeyboardInterrupt):
        raise error


def current_call() -> CurrentCall:
    """The call that is being served. Raises: RuntimeError: there is none here."""
    try:
        return _CURRENT.get()
    except LookupError:
        raise RuntimeError("no call is being served here") from None
