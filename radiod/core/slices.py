"""Work that may take long, one slice in each turn, so that nobody waits for more than a slice of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import RUNTIME_ERROR, RadiodError, Refused

__all__ = ["SHARE_S", "SLICE_S", "Slices", "in_steps", "smallest"]

T = TypeVar("T")

SLICE_S: Final = 0.002
"""Seconds of one turn for all such work together; a step that was begun within it is done to its end."""

SHARE_S: Final = 0.0005
"""Seconds of one turn for each of several."""

IN_A_STEP: Final = 500
"""Things that are looked at without a pause."""


class _Ended(Generic[T]):
    """Work is done, and this came of it."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


class Slices:
    """Does such work for one realm, each in its turn.

    Work is a generator that yields wherever it may be interrupted: about every 100 µs.
    """

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._queue: deque[tuple[Generator[None, None, Any], Promise[Any]]] = deque()
        self._is_due = False

    def run(self, work: Generator[None, None, T]) -> T | Promise[T]:
        """Do ``work``.

        Returns: what it returns; later, if that takes more than one slice.
        Raises: RadiodError: what it raises in its first slice; what it raises after that is the outcome.
        """
        ended = self._slice(work, SHARE_S if self._queue else SLICE_S)
        if ended is not None:
            return ended.value
        outcome: Promise[T] = Promise()
        self._queue.append((work, outcome))
        if not self._is_due:
            self._plan()
        return outcome

    def _plan(self) -> None:
        self._is_due = True
        self._timers.at(self._clock.seconds(), self._go_on)

    def _go_on(self) -> None:
        queue, now = self._queue, self._clock.seconds
        until = now() + SLICE_S
        try:
            # Everybody at most once in a turn: whoever is not done is the last in the next.
            for _ in range(len(queue)):
                self._continue(*queue.popleft(), SHARE_S if queue else SLICE_S)
                if now() >= until:
                    break
        finally:
            self._is_due = False
            if queue:
                self._plan()

    def _continue(self, work: Generator[None, None, T], outcome: Promise[T], seconds: float) -> None:
        try:
            ended = self._slice(work, seconds)
        except RadiodError as error:
            outcome.settle(error)
        except BaseException:
            # Whoever waits for the outcome must not wait for ever.
            outcome.settle(Refused(RUNTIME_ERROR, "the router failed on this request"))
            raise
        else:
            if ended is None:
                self._queue.append((work, outcome))
            else:
                outcome.settle(ended.value)

    def _slice(self, work: Generator[None, None, T], seconds: float) -> _Ended[T] | None:
        """Returns: how it ended; None: there is more to do."""
        now = self._clock.seconds
        until = now() + seconds
        while True:
            try:
                next(work)
            except StopIteration as end:
                return _Ended(end.value)
            if now() >= until:
                return None


def in_steps(things: Iterable[T], do: Callable[[list[T]], object]) -> Generator[None, None, None]:
    """Have ``do`` look at all things as they are now, some in each step."""
    rest = iter(list(things))
    while some := list(islice(rest, IN_A_STEP)):
        do(some)
        yield


def smallest(
    things: Iterable[T], count: int, key: Callable[[T], Any], holds: Callable[[T], bool]
) -> Generator[None, None, list[T]]:
    """The first ``count``, by ``key``, of the things for which ``holds``."""
    kept: list[T] = []

    def choose(some: list[T]) -> None:
        nonlocal kept
        kept = sorted([*kept, *filter(holds, some)], key=key)[:count]

    yield from in_steps(things, choose)
    return kept
