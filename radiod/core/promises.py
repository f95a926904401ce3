"""A value that is not known yet: how the pure core waits without knowing a reactor.

Somebody outside settles it, once. Whoever needs the value says what to do ``then``; ``chain`` does the same
for values that may be known already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from radiod.errors import RadiodError

__all__ = ["Promise", "after", "chain", "gather", "when"]

T = TypeVar("T")
U = TypeVar("U")


class Promise(Generic[T]):
    """A value, or the ``RadiodError`` that came instead, once it is known."""

    __slots__ = ("_callback", "_is_settled", "_outcome")

    def __init__(self) -> None:
        self._callback: Callable[[T | RadiodError], object] | None = None
        self._is_settled = False
        self._outcome: T | RadiodError | None = None

    def settle(self, outcome: T | RadiodError) -> None:
        """Make the value, or the error, known; only the first time counts."""
        if self._is_settled:
            return
        self._is_settled = True
        if self._callback is None:
            self._outcome = outcome
        else:
            callback, self._callback = self._callback, None
            callback(outcome)

    def then(self, callback: Callable[[T | RadiodError], object]) -> None:
        """Call ``callback`` with the outcome, at once if it is known. For one callback only."""
        if self._is_settled:
            callback(cast("T | RadiodError", self._outcome))
        else:
            self._callback = callback


def chain(value: T | Promise[T], step: Callable[[T], U | Promise[U]]) -> U | Promise[U]:
    """``step(value)``, now or when the value comes; an error skips the step, and one that it raises counts.

    Raises: RadiodError: what ``step`` raises, if the value is known already.
    """
    if not isinstance(value, Promise):
        return step(value)
    result: Promise[U] = Promise()

    def proceed(outcome: T | RadiodError) -> None:
        if isinstance(outcome, RadiodError):
            result.settle(outcome)
            return
        try:
            next_value: Any = step(outcome)
        except RadiodError as error:
            result.settle(error)
            return
        if isinstance(next_value, Promise):
            next_value.then(result.settle)
        else:
            result.settle(next_value)

    value.then(proceed)
    return result


def after(promise: Promise[T], step: Callable[[T], U | Promise[U]]) -> Promise[U]:
    """``chain`` for what certainly comes later."""
    return cast("Promise[U]", chain(promise, step))


def when(ready: Promise[None] | None, step: Callable[[], U | Promise[U]]) -> U | Promise[U]:
    """``step()``, now or when ``ready`` is kept; None: now. As ``chain``."""

    def proceed(_: None) -> U | Promise[U]:
        return step()

    return step() if ready is None else chain(ready, proceed)


def gather(promised: Sequence[Promise[None] | None]) -> Promise[None] | None:
    """What is kept when all are, whatever they come to; None: there is nothing to wait for."""
    waits = [wait for wait in promised if wait is not None]
    if not waits:
        return None
    done: Promise[None] = Promise()
    left = [len(waits)]

    def one(outcome: Any) -> None:
        left[0] -= 1
        if not left[0]:
            done.settle(None)

    for wait in waits:
        wait.then(one)
    return done
