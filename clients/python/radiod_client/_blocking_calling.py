"""Calls whose results come one by one, and proxies, for programs that wait; a loop for their coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from radiod_client import _calling
from radiod_client.errors import RadioError

__all__ = ["Home", "Host", "Iteration", "Proxy"]

T = TypeVar("T")


class Host(Protocol):
    """What is asked of the Radio."""

    def _check_process(self) -> None: ...
    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T: ...
    def _later(self, action: Callable[..., object], *args: Any) -> None: ...


class Iteration:
    """Results of one call, as they come: an iterator that waits.

    Left before its end, the callee is told to stop. ``result``: what the procedure returned in the end.
    """

    def __init__(self, radio: Host, iteration: _calling.Iteration) -> None:
        self._radio = radio
        self._iteration = iteration
        self._arrival = threading.Event()
        radio._run(iteration.begin())

    @property
    def result(self) -> Any:
        """What the procedure returned; None before its end."""
        return self._iteration.result

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        self._radio._check_process()
        results, arrival = self._iteration.results, self._arrival
        while True:
            arrival.clear()
            taken = results.take(arrival.set)
            if taken is None:
                arrival.wait()
            elif taken:
                return taken[0]
            else:
                raise StopIteration

    def close(self) -> None:
        """Take no more: the callee is told to stop."""
        self._iteration.results.shut()
        self._radio._later(self._iteration.cancel)

    def __enter__(self) -> Iteration:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Proxy:
    """Procedures below a name, as functions: ``calc.add(1, 2, tto=5)``, ``for n in calc.count.iter(3)``.

    Arguments are checked by the callee's signature, if it told one: a TypeError, and nothing was sent.
    ``calc["iter"]`` is a procedure whose name means something here, too.
    """

    def __init__(self, radio: Host, proxy: _calling.Proxy) -> None:
        self._radio = radio
        self._proxy = proxy

    def __getattr__(self, name: str) -> Proxy:
        # Whoever copies objects asks for these before they are there.
        if name in ("_radio", "_proxy"):
            raise AttributeError(name)
        return Proxy(self._radio, getattr(self._proxy, name))

    def __getitem__(self, name: str) -> Proxy:
        return Proxy(self._radio, self._proxy[name])

    def __repr__(self) -> str:
        return repr(self._proxy)

    def __dir__(self) -> list[str]:
        """For completion in notebooks and shells: what is below, as far as the server tells in a second."""
        found = list(super().__dir__())
        with contextlib.suppress(RadioError):
            found += self._radio._run(self._proxy._names(1.0))
        return found

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call it.

        Raises: TypeError: not like this; CallError; CallTimeout; RemoteError: it raised; Disconnected.
        """
        return self._radio._run(self._proxy(*args, **kwargs))

    def iter(self, /, *args: Any, **kwargs: Any) -> Iteration:
        """Call it, and take its results one by one. Raises: TypeError: not like this."""
        return Iteration(self._radio, self._proxy.iter(*args, **kwargs))

    def with_timeout(self, seconds: float) -> Proxy:
        """The same, with other seconds than the Radio's."""
        return Proxy(self._radio, self._proxy.with_timeout(seconds))


class Home:
    """A thread with a loop, in which coroutines run that others call: the network's runs no user's code."""

    def __init__(self, start: Callable[[str, Callable[[], None]], None]) -> None:
        self._start_thread = start
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def start(self, coroutine: Any) -> Callable[[], object]:
        """Run it there, from any thread. Returns: what cancels it."""
        with self._lock:
            if self._is_closed:
                coroutine.close()
                return lambda: None
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._start_thread("radiod_client coroutines", self._loop_forever)
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).cancel

    async def until(self, when: Callable[[Callable[[], None]], None]) -> None:
        """There: wait until what was given to ``when`` is called, in any thread."""
        loop, passed = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(passed.set)

        when(tell)
        await passed.wait()

    def _loop_forever(self) -> None:
        loop = self._loop
        if loop is None:
            return
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=1.0))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def close(self) -> None:
        """Coroutines are canceled, and the thread ends."""
        with self._lock:
            if self._loop is not None and not self._is_closed:
                self._loop.call_soon_threadsafe(self._loop.stop)
            self._is_closed = True
