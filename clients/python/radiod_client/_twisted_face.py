"""Coroutines inside, Deferreds outside."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Face", "deferred"]

P = ParamSpec("P")
T = TypeVar("T")
Inner = TypeVar("Inner")
Inner_co = TypeVar("Inner_co", covariant=True)


class Face(Generic[Inner_co]):
    """What has coroutines inside, and Deferreds outside."""

    def __init__(self, inner: Inner_co) -> None:
        self._inner = inner


def deferred(
    method: Callable[Concatenate[Inner, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Face[Inner], P], Deferred[T]]:
    """The same method, whose coroutine is begun at once."""

    @wraps(method)
    def begin(face: Face[Inner], /, *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return Deferred.fromCoroutine(method(face._inner, *args, **kwargs))

    return begin
