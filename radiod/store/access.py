"""The store as what keeps records of access (``core.access.port``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from radiod.core.access.audit import MAX_ENTRIES, AuditRow, entry_of, written
from radiod.core.access.grouping import Grouping
from radiod.core.access.records import Act, AuditEntry, Change, Dropped, Records, UsageQuery, UsageRow
from radiod.core.promises import Promise
from radiod.errors import INVALID_ARGUMENT, STORE_UNAVAILABLE, RadiodError, Refused
from radiod.store.database import Database
from radiod.store.keeping import AccessRequest, ChangeAccess, CountUsage, ForgetUsage, UseSecrets
from radiod.store.records import FileError, StoreFull
from radiod.store.sqlite import SqliteStore
from radiod.store.sums import NONSENSE
from radiod.store.tables import DROPPED, KEPT, USAGE, Row

__all__ = ["SqliteAccess"]

COUNT_ROWS: Final = 1000
"""Rows of usage in one transaction: those of one flush may be many, and publishes wait behind them."""

ROW_BYTES: Final = 200
LAST_SEQ: Final = 2**62

T = TypeVar("T")


class SqliteAccess:
    """As ``AccessStore``. ``store`` is open; ``load`` is for the time before it is started."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def load(self) -> Records:
        """As ``AccessStore.load``."""
        return self._store.records()

    def change(self, changes: Sequence[Change], act: Act) -> Promise[None]:
        """As ``AccessStore.change``."""
        promise: Promise[None] = Promise()
        try:
            row = written(act, changes)
            statements = [_statement(change) for change in changes]
        except Refused as error:
            promise.settle(error)
        except (OverflowError, *NONSENSE):
            promise.settle(Refused(INVALID_ARGUMENT, "it holds what cannot be stored"))
        else:
            size = ROW_BYTES * (1 + len(changes)) + len(row[-1])
            self._ask(ChangeAccess(statements, row), size, _settle(promise, lambda: None))
        return promise

    def used(self, secrets: Mapping[bytes, float]) -> None:
        """As ``AccessStore.used``."""
        if secrets:
            self._ask(UseSecrets(dict(secrets)), ROW_BYTES * len(secrets), lambda error: None)

    def count(self, rows: Sequence[UsageRow]) -> Promise[None]:
        """As ``AccessStore.count``; by a thousand rows, so that after an error some may be written."""
        promise: Promise[None] = Promise()
        rest = iter([USAGE.row(row) for row in rows])

        def go_on() -> None:
            some = list(islice(rest, COUNT_ROWS))
            if some:
                self._ask(CountUsage(some), ROW_BYTES * len(some), step)
            else:
                promise.settle(None)

        def step(error: Exception | None) -> None:
            if error is None:
                go_on()
            else:
                promise.settle(_refusal(error))

        go_on()
        return promise

    def usage(self, query: UsageQuery) -> Promise[tuple[list[dict[str, Any]], str | None]]:
        """As ``AccessStore.usage``."""
        promise: Promise[tuple[list[dict[str, Any]], str | None]] = Promise()
        try:
            grouping = Grouping(query)
        except Refused as error:
            promise.settle(error)
            return promise
        self._store.read(lambda database: database.keeping.sum_up(grouping), _settle(promise, grouping.page))
        return promise

    def forget_usage(self, before: int) -> None:
        """As ``AccessStore.forget_usage``; what cannot be written is left for the next time."""
        request = ForgetUsage(before)

        def go_on(error: Exception | None) -> None:
            if error is None and not request.is_all:
                self._ask(request, ROW_BYTES, go_on)

        go_on(None)

    def audit(self, after: int, limit: int) -> Promise[list[AuditEntry]]:
        """As ``AccessStore.audit``."""
        promise: Promise[list[AuditEntry]] = Promise()
        rows: list[AuditRow] = []

        def read(database: Database) -> Iterator[None]:
            rows.extend(database.keeping.audit(max(0, min(after, LAST_SEQ)), min(max(0, limit), MAX_ENTRIES)))
            return iter(())

        self._store.read(read, _settle(promise, lambda: [entry_of(row) for row in rows]))
        return promise

    def backup(self, path: str) -> Promise[int]:
        """As ``AccessStore.backup``."""
        promise: Promise[int] = Promise()
        self._store.copy(path, lambda outcome: promise.settle(_of(outcome)))
        return promise

    def _ask(self, request: AccessRequest, size: int, done: Callable[[Exception | None], None]) -> None:
        self._store.ask(request, size, done)


def _statement(change: Change) -> tuple[str, Row]:
    if isinstance(change, Dropped):
        return DROPPED[change.of].delete, change.key
    table = KEPT[type(change)]
    return table.upsert, table.row(change)


def _settle(promise: Promise[T], value: Callable[[], T]) -> Callable[[Exception | None], None]:
    """Settles a promise when the store is done."""
    return lambda error: promise.settle(value() if error is None else _refusal(error))


def _of(outcome: int | Exception) -> int | RadiodError:
    return outcome if isinstance(outcome, int) else _refusal(outcome)


def _refusal(error: Exception) -> Refused:
    """What those who asked are told; why the store cannot do it is in the log."""
    if isinstance(error, FileError):
        return Refused(INVALID_ARGUMENT, str(error))
    if isinstance(error, StoreFull):
        return Refused(STORE_UNAVAILABLE, str(error))
    return Refused(STORE_UNAVAILABLE, "the store cannot do it now")
