"""Records of access in memory, for a server without a store: what it says after a restart is nothing.

Bounds: 10,000 entries of audit, 100,000 rows of usage; what is oldest goes, of usage whole hours, but never
the newest one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from radiod.core.access.audit import MAX_ENTRIES, START, AuditRow, Link, entry_of, next_row, written
from radiod.core.access.grouping import COUNTS, Grouping
from radiod.core.access.records import (
    AccountRecord,
    Act,
    AuditEntry,
    Change,
    Dropped,
    KeyRecord,
    PlanRecord,
    Records,
    SecretRecord,
    UsageQuery,
    UsageRow,
    UserRecord,
)
from radiod.core.promises import Promise
from radiod.errors import FEATURE_NOT_SUPPORTED, RadiodError, Refused

__all__ = ["MemoryAccessStore"]

MAX_AUDIT: Final = 10_000
MAX_USAGE: Final = 100_000


class MemoryAccessStore:
    """As ``AccessStore``, and every promise is settled at once.

    Args:
        max_audit: how many entries are kept.
        max_usage: how many rows of usage, but for those of the newest hour.
    """

    def __init__(self, max_audit: int = MAX_AUDIT, max_usage: int = MAX_USAGE) -> None:
        self._accounts: dict[str, AccountRecord] = {}
        self._plans: dict[str, PlanRecord] = {}
        self._keys: dict[str, KeyRecord] = {}
        self._secrets: dict[bytes, SecretRecord] = {}
        self._users: dict[tuple[str, str], UserRecord] = {}
        self._max_usage = max_usage
        # hour -> (account, key, channel) -> row
        self._usage: dict[int, dict[tuple[str, str, str], UsageRow]] = {}
        self._usage_rows = 0
        self._audit: deque[AuditRow] = deque(maxlen=max_audit)
        self._last = START

    def load(self) -> Records:
        """As ``AccessStore.load``."""
        return Records(
            accounts=list(self._accounts.values()),
            plans=list(self._plans.values()),
            keys=list(self._keys.values()),
            secrets=list(self._secrets.values()),
            users=[self._users[name] for name in sorted(self._users)],
        )

    def change(self, changes: Sequence[Change], act: Act) -> Promise[None]:
        """As ``AccessStore.change``."""
        try:
            row = next_row(self._last, written(act, changes))
        except Refused as error:
            return _settled(error)
        self._audit.append(row)
        self._last = Link(row[0], row[-1])
        for change in changes:
            self._make(change)
        return _settled(None)

    def used(self, secrets: Mapping[bytes, float]) -> None:
        """As ``AccessStore.used``."""
        for digest, when in secrets.items():
            record = self._secrets.get(digest)
            if record is not None:
                self._secrets[digest] = msgspec.structs.replace(record, last_used=when)

    def count(self, rows: Sequence[UsageRow]) -> Promise[None]:
        """As ``AccessStore.count``."""
        for row in rows:
            hour = self._usage.setdefault(row.hour, {})
            before = len(hour)
            hour[row.account, row.key, row.channel] = row
            self._usage_rows += len(hour) - before
        while self._usage_rows > self._max_usage and len(self._usage) > 1:
            self._forget_hour(min(self._usage))
        return _settled(None)

    def usage(self, query: UsageQuery) -> Promise[tuple[list[dict[str, Any]], str | None]]:
        """As ``AccessStore.usage``."""
        try:
            grouping = Grouping(query)
        except Refused as error:
            return _settled(error)
        for hour in self._usage.values():
            for row in hour.values():
                if grouping.takes(row):
                    grouping.add(grouping.group_of(row), [getattr(row, name) for name in COUNTS])
        return _settled(grouping.page())

    def forget_usage(self, before: int) -> None:
        """As ``AccessStore.forget_usage``."""
        for hour in [hour for hour in self._usage if hour < before]:
            self._forget_hour(hour)

    def audit(self, after: int, limit: int) -> Promise[list[AuditEntry]]:
        """As ``AccessStore.audit``."""
        kept = len(self._audit)
        start = min(max(0, after - self._last.seq + kept), kept)
        end = start + min(max(0, limit), MAX_ENTRIES)
        return _settled([entry_of(row) for row in islice(self._audit, start, end)])

    def backup(self, path: str) -> Promise[int]:
        """As ``AccessStore.backup``: there is nothing to copy."""
        return _settled(Refused(FEATURE_NOT_SUPPORTED, "nothing is stored: the configuration names no store"))

    def _make(self, change: Change) -> None:
        if isinstance(change, AccountRecord):
            self._accounts[change.id] = change
        elif isinstance(change, PlanRecord):
            self._plans[change.name] = change
        elif isinstance(change, KeyRecord):
            self._keys[change.id] = change
        elif isinstance(change, SecretRecord):
            self._secrets[change.digest] = change
        elif isinstance(change, UserRecord):
            self._users[change.realm, change.authid] = change
        else:
            self._drop(change)

    def _drop(self, gone: Dropped) -> None:
        if gone.of == "plan":
            self._plans.pop(gone.key[0], None)
        elif gone.of == "secret":
            self._secrets.pop(gone.key[0], None)
        else:
            realm, authid = gone.key
            self._users.pop((realm, authid), None)

    def _forget_hour(self, hour: int) -> None:
        self._usage_rows -= len(self._usage.pop(hour))


def _settled(outcome: Any | RadiodError) -> Promise[Any]:
    promise: Promise[Any] = Promise()
    promise.settle(outcome)
    return promise
