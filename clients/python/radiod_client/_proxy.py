"""What a proxy knows, and does before anything is sent: names, signatures, arguments, seconds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from radiod_client._signatures import read

__all__ = ["Known", "Signatures", "bind", "named", "own_seconds", "seconds_of"]

FRESH_S = 60.0
MOST_KNOWN = 1000
EXPLICIT = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Known:
    """What was told of one procedure; ``signature`` None: nothing."""

    __slots__ = ("session", "signature", "until")

    def __init__(self, signature: inspect.Signature | None, session: int | None, until: float) -> None:
        self.signature = signature
        self.session = session
        self.until = until


class Signatures:
    """What was told of procedures: for a minute, and one session, since their callees may change."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, Known] = {}

    def find(self, procedure: str, session: int | None) -> Known | None:
        """None: it has to be asked for."""
        known = self._known.get(procedure)
        if known is None or known.session != session or known.until < self._clock():
            return None
        return known

    def learn(self, procedure: str, session: int | None, told: Any) -> Known:
        """Keep an answer of ``radiod.rpc.describe``, or None if there was none."""
        told = told if isinstance(told, dict) else {}
        made = Known(read(told.get("signature")), session, self._clock() + FRESH_S)
        self._known.pop(procedure, None)
        # Of a procedure that is not there yet, something else may be told any time.
        if told.get("callees") != 0:
            self._known[procedure] = made
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return made


def named(prefix: str, name: str) -> str:
    """A procedure's name, with what stands before it."""
    return f"{prefix}.{name}" if prefix else name


def seconds_of(value: Any, name: str = "seconds") -> float:
    """Raises: TypeError, ValueError: these are no seconds to wait."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}: expected seconds, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected more than 0 seconds, and not {value}")
    return float(value)


def own_seconds(signature: inspect.Signature | None, kwargs: dict[str, Any], tto: str) -> float | None:
    """Take the proxy's own keyword out of ``kwargs``: a parameter of that name is the service's.

    Raises: TypeError, ValueError: these are no seconds to wait.
    """
    parameter = None if signature is None else signature.parameters.get(tto)
    if tto not in kwargs or (parameter is not None and parameter.kind in EXPLICIT):
        return None
    value = kwargs.pop(tto)
    return None if value is None else seconds_of(value, tto)


def bind(procedure: str, signature: inspect.Signature | None, args: Any, kwargs: dict[str, Any]) -> None:
    """Raises: TypeError: it cannot be called like this."""
    if signature is None:
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{procedure}{signature}: {error}") from None
