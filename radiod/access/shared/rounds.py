"""Doing one thing to many records, a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from radiod.access.shared.entities import Name
from radiod.core.promises import Promise
from radiod.errors import RadiodError

__all__ = ["Rounds"]

AT_ONCE: Final = 16
"""Records that it is done to at a time."""


class Rounds:
    """Does ``what`` to each record; ``done`` is told when that has come to an end, or what failed first."""

    def __init__(
        self,
        names: Iterable[Name],
        what: Callable[[Name], Promise[Any]],
        done: Callable[[RadiodError | None], None],
    ) -> None:
        self._names = deque(names)
        self._what = what
        self._done = done
        self._open = 0
        self._failure: RadiodError | None = None
        self._is_going = False

    def go_on(self) -> None:
        """The next ones; what is done at once is not waited for."""
        if self._is_going:
            return
        self._is_going = True
        while self._names and self._open < AT_ONCE and self._failure is None:
            self._open += 1
            self._what(self._names.popleft()).then(self._ended)
        self._is_going = False
        if not self._open:
            self._done(self._failure)

    def _ended(self, outcome: Any) -> None:
        self._open -= 1
        if isinstance(outcome, RadiodError):
            self._failure = outcome
        self.go_on()
