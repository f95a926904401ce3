"""The same done with many things, without keeping others waiting, and what each came to in their order."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Generic, TypeVar

from radiod.core.promises import Promise
from radiod.core.slices import Slices
from radiod.errors import RadiodError

__all__ = ["series"]

T = TypeVar("T")
U = TypeVar("U")


def series(
    slices: Slices,
    things: Sequence[T],
    do: Callable[[T], U | Promise[U]],
    *,
    is_in_order: bool = False,
) -> list[U | RadiodError] | Promise[list[U | RadiodError]]:
    """``do`` each thing, a share of each turn at a time.

    Args:
        do: raises nothing.
        is_in_order: each waits for the end of the one before; otherwise they only begin in their order.
    Returns: what they came to, in the order of the things; later, unless all is known at once.
    """
    run = _Series(slices, things, do, is_in_order)
    run.go_on()
    return run.outcomes if run.is_over else run.whole


class _Series(Generic[T, U]):
    """One such run. ``outcomes``: those that have come, in the places of their things."""

    def __init__(
        self, slices: Slices, things: Sequence[T], do: Callable[[T], U | Promise[U]], is_in_order: bool
    ) -> None:
        self._slices = slices
        self._do = do
        self._is_in_order = is_in_order
        self._rest: Iterable[tuple[int, T]] = iter(enumerate(things))
        self._waiting = len(things)
        self._is_paused = False
        # Nothing stays there that is read: each place gets its outcome.
        self.outcomes: list[U | RadiodError] = [NOT_YET] * len(things)
        self.whole: Promise[list[U | RadiodError]] = Promise()

    @property
    def is_over(self) -> bool:
        """Whether all have come to their end."""
        return self._waiting == 0

    def go_on(self) -> None:
        """Begin those that can begin."""
        begun = self._slices.run(self._begin())
        if isinstance(begun, Promise):
            begun.then(self._begun)

    def _begun(self, outcome: RadiodError | None) -> None:
        if outcome is not None:
            # Whoever waits must not wait for ever.
            self.whole.settle(outcome)

    def _begin(self) -> Generator[None, None, None]:
        for index, thing in self._rest:
            outcome = self._do(thing)
            if not isinstance(outcome, Promise):
                self._came(index, outcome)
            else:
                before = self._waiting
                outcome.then(partial(self._came, index))
                if self._is_in_order and self._waiting == before:
                    self._is_paused = True
                    return
            yield

    def _came(self, index: int, outcome: U | RadiodError) -> None:
        self.outcomes[index] = outcome
        self._waiting -= 1
        if self._waiting == 0:
            self.whole.settle(self.outcomes)
        elif self._is_paused:
            self._is_paused = False
            self.go_on()


NOT_YET = RadiodError("", "")
