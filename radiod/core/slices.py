"""Work that may take long, one slice in each turn, so that nobody waits for more than a slice of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final, Generic, TypeVar

from radiod.core.later import Later
from radiod.core.ports import Clock
from radiod.core.timers import Timers
from radiod.errors import RUNTIME_ERROR, RadiodError, Refused

__all__ = ["SLICE_S", "in_slices"]

T = TypeVar("T")

SLICE_S: Final = 0.002
"""Seconds of one slice; a step that was begun within it is done to its end."""


class _Done(Generic[T]):
    """Work is done, and this came of it."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


def in_slices(work: Generator[None, None, T], clock: Clock, timers: Timers) -> T | Later[T]:
    """Do ``work``, which yields wherever it may be interrupted: about every 100 µs.

    Returns: what it returns; later, if that takes more than one slice.
    Raises: RadiodError: what it raises in its first slice; what it raises after that is the outcome.
    """
    done = _slice(work, clock)
    if done is not None:
        return done.value
    outcome: Later[T] = Later()

    def go_on() -> None:
        try:
            done = _slice(work, clock)
        except RadiodError as error:
            outcome.settle(error)
        except BaseException:
            # Whoever waits for the outcome must not wait for ever.
            outcome.settle(Refused(RUNTIME_ERROR, "the router failed on this request"))
            raise
        else:
            if done is not None:
                outcome.settle(done.value)
            else:
                timers.at(clock.seconds(), go_on)

    timers.at(clock.seconds(), go_on)
    return outcome


def _slice(work: Generator[None, None, T], clock: Clock) -> _Done[T] | None:
    until = clock.seconds() + SLICE_S
    while True:
        try:
            next(work)
        except StopIteration as end:
            return _Done(end.value)
        if clock.seconds() >= until:
            return None
