"""Services, calls whose results come one by one, and proxies, for Twisted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred

from radiod_client import _calling, _serving
from radiod_client._twisted_face import Face, deferred

__all__ = ["Iteration", "Proxy", "Registered"]


class Registered(Face[_serving.Registered]):
    """Procedures that are offered, over reconnections too."""

    @property
    def procedures(self) -> list[str]:
        """Those that are still offered: others may have taken some over."""
        return self._inner.procedures

    close = deferred(_serving.Registered.close)


class Iteration(Face[_calling.Iteration]):
    """Results of one call, as they come: ``async for``. Left before its end, the callee is told to stop."""

    @property
    def result(self) -> Any:
        """What the procedure returned; None before its end."""
        return self._inner.result

    aclose = deferred(_calling.Iteration.aclose)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._inner

    async def __aenter__(self) -> Iteration:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inner.cancel()


class Proxy(Face[_calling.Proxy]):
    """Procedures below a name, as functions that return Deferreds: ``yield calc.add(1, 2, tto=5)``.

    Arguments are checked by the callee's signature, if it told one: a TypeError, and nothing was sent.
    """

    def __getattr__(self, name: str) -> Proxy:
        # Whoever copies objects asks for it before it is there.
        if name == "_inner":
            raise AttributeError(name)
        return Proxy(getattr(self._inner, name))

    def __getitem__(self, name: str) -> Proxy:
        return Proxy(self._inner[name])

    def __repr__(self) -> str:
        return repr(self._inner)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Call it; ``cancel`` tells the callee.

        Fails with: TypeError: not like this; CallError; CallTimeout; RemoteError: it raised; Disconnected.
        """
        return Deferred.fromCoroutine(self._inner(*args, **kwargs))

    def iter(self, /, *args: Any, **kwargs: Any) -> Iteration:
        """Call it, and take its results one by one; it is called when the first is asked for."""
        return Iteration(self._inner.iter(*args, **kwargs))

    def with_timeout(self, seconds: float) -> Proxy:
        """The same, with other seconds than the Radio's."""
        return Proxy(self._inner.with_timeout(seconds))
