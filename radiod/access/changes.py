"""Changes of what is kept: what restricts acts in memory at once, what grants acts when it is written.

The changes of one record are written one after the other, so that the store always has the last one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from msgspec.structs import replace

from radiod.core.access.port import AccessStore
from radiod.core.access.records import AccountRecord, Act, Change, Dropped, KeyRecord, UserRecord
from radiod.core.promises import Promise
from radiod.errors import QUOTA, RadiodError, Refused

__all__ = ["MAX_WAITING", "Desk", "Row", "then"]

R = TypeVar("R", bound=AccountRecord | KeyRecord | UserRecord)

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_WAITING: Final = 100
"""Changes of one record that wait for their turn."""

RESTRICTED: Final = frozenset({"state", "reason"})
"""What a restriction sets: no change that was asked for before it may take it back."""


class Row(Generic[R]):
    """One record as it is in memory, and its changes on their way to the store.

    ``restrictions`` counts what has restricted it.
    """

    __slots__ = ("_is_busy", "_waiting", "record", "restrictions")

    def __init__(self, record: R) -> None:
        self.record: R = record
        self.restrictions = 0
        self._is_busy = False
        self._waiting: deque[Callable[[], None]] = deque()

    def check_room(self) -> None:
        """Raises: Refused: ``quota``: too many changes of this one wait."""
        if len(self._waiting) >= MAX_WAITING:
            raise Refused(QUOTA, f"{MAX_WAITING} changes of this wait for the store already")

    def in_turn(self, act: Callable[[], Promise[None]], done: Callable[[], None]) -> Promise[None]:
        """Have ``act`` write something when it is its turn, and do what follows once it is written."""
        outcome: Promise[None] = Promise()

        def begin() -> None:
            self._is_busy = True
            act().then(end)

        def end(written: RadiodError | None) -> None:
            self._is_busy = False
            if not isinstance(written, RadiodError):
                done()
            outcome.settle(written)
            if self._waiting and not self._is_busy:
                self._waiting.popleft()()

        if self._is_busy or self._waiting:
            self._waiting.append(begin)
        else:
            begin()
        return outcome


class Desk:
    """Takes changes for one store."""

    def __init__(self, store: AccessStore) -> None:
        self.store = store

    def create(self, changes: Sequence[Change], act: Act, done: Callable[[], None]) -> Promise[None]:
        """Write what is new; ``done``: what there is to do then."""
        outcome: Promise[None] = Promise()

        def end(written: RadiodError | None) -> None:
            if not isinstance(written, RadiodError):
                done()
            outcome.settle(written)

        self.store.change(changes, act).then(end)
        return outcome

    def restrict(self, row: Row[R], act: Act, **fields: Any) -> Promise[None]:
        """Change a record now, and write it."""
        row.record = replace(row.record, **fields)
        row.restrictions += 1
        return row.in_turn(lambda: self.store.change([row.record], act), _nothing)

    def remove(self, row: Row[R], dropped: Dropped, act: Act) -> Promise[None]:
        """Drop a record that is gone from memory."""
        return row.in_turn(lambda: self.store.change([dropped], act), _nothing)

    def grant(
        self,
        row: Row[R],
        act: Act,
        done: Callable[[], None] = lambda: None,
        also: Callable[[], Sequence[Change]] = tuple,
        **fields: Any,
    ) -> Promise[None]:
        """Write a record with other fields; change it then, and do what is to be ``done``.

        Args:
            also: what is to be written with it, asked when it is its turn.
        Raises: Refused: ``quota``: too many changes of it wait.
        """
        row.check_room()
        asked_after = row.restrictions

        def changed() -> R:
            # What restricted it since is the last word.
            kept = RESTRICTED if row.restrictions != asked_after else frozenset()
            return replace(row.record, **{name: fields[name] for name in fields if name not in kept})

        def apply() -> None:
            row.record = changed()
            done()

        return row.in_turn(lambda: self.store.change([changed(), *also()], act), apply)


def then(written: Promise[None], answer: Callable[[], Answer]) -> Promise[dict[str, Any]]:
    """The answer, perhaps later, once something is written."""
    told: Promise[dict[str, Any]] = Promise()

    def end(outcome: RadiodError | None) -> None:
        if isinstance(outcome, RadiodError):
            told.settle(outcome)
            return
        answered = answer()
        if isinstance(answered, Promise):
            answered.then(told.settle)
        else:
            told.settle(answered)

    written.then(end)
    return told


def _nothing() -> None:
    """It has been done already."""
