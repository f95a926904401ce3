"""Services: an object whose methods ``rpc_…`` others may call.

::

    class Calc(Service):
        def rpc_add(self, a: float, b: float = 0) -> float:
            return a + b

    radio.serve(Calc(), "calc")  # rpc.calc.add
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from radiod_client._running import CurrentCall, current_call
from radiod_client._signatures import described
from radiod_client.errors import ServiceError

__all__ = ["CurrentCall", "Offer", "Service", "ServiceError", "current_call", "offer", "offers"]

PREFIX = "rpc_"
MAX_DEPTH = 8
_NAME = re.compile(r"[^\s.#]+(\.[^\s.#]+)*")


class Service:
    """What others may call: methods ``rpc_add``; and objects in attributes ``rpc_trig``, with such methods.

    Methods that are no coroutines run in threads of a pool, several at a time; coroutines run in the event
    loop. Generators, of both kinds, give progressive results. ``current_call()`` tells of the call that is
    being served. Any other object serves as well: this class only adds ``radio``.
    """

    radio: Any = None
    """The Radio that serves it."""


@dataclass(frozen=True)
class Offer:
    """One procedure: what it is called, and what answers.

    ``signature``: as data; ``is_async``: a coroutine, or a generator of that kind; ``is_generator``: of the
    other; ``traceback``: told with exceptions.
    """

    procedure: str
    function: Callable[..., Any]
    signature: dict[str, Any] | None
    is_async: bool
    is_generator: bool
    traceback: bool = False


def offer(procedure: str, function: Callable[..., Any], traceback: bool = False) -> Offer:
    """Raises: TypeError: that cannot be called; ValueError: that is no name."""
    if not callable(function):
        raise TypeError(f"{procedure}: expected a function, not {type(function).__name__}")
    if not _NAME.fullmatch(procedure):
        raise ValueError(f"no name of a procedure: {procedure!r}; expected words with dots between")
    inner = _inner(function)
    is_async = inspect.iscoroutinefunction(inner) or inspect.isasyncgenfunction(inner)
    is_generator = inspect.isgeneratorfunction(inner)
    return Offer(procedure, function, described(function), is_async, is_generator, traceback)


def offers(service: Any, name: str, traceback: bool = False) -> list[Offer]:
    """What ``service`` has to offer, below ``rpc.<name>``.

    Raises: TypeError: an attribute ``rpc_…`` is no procedure, and has none; ValueError: there is nothing to
        offer, or no such name.
    """
    if isinstance(service, type):
        raise TypeError(f"expected an object: {service.__name__}() instead of {service.__name__}")
    found = list(_below(service, f"rpc.{name}", traceback, []))
    if not found:
        raise ValueError(f"{type(service).__name__} has no methods {PREFIX}…")
    return found


def _below(service: Any, prefix: str, traceback: bool, outer: list[Any]) -> Iterator[Offer]:
    if len(outer) == MAX_DEPTH or any(service is each for each in outer):
        raise ValueError(f"{prefix}: an object inside itself, or {MAX_DEPTH} deep")
    for attribute in _names(service):
        procedure = f"{prefix}.{attribute.removeprefix(PREFIX)}"
        value = getattr(service, attribute)
        if isinstance(value, type) and _names(value):
            value = value()
        if not inspect.isroutine(value) and _names(value):
            yield from _below(value, procedure, traceback, [*outer, service])
        else:
            yield offer(procedure, value, traceback)


def _names(value: Any) -> list[str]:
    return [name for name in dir(value) if name.startswith(PREFIX) and name != PREFIX]


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """What is called in the end: it has the kind."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    return function
