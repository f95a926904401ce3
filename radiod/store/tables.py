"""The tables of access: which columns they have, and how a record becomes a row of one and comes back.

A row is the values of the record's fields in their order, and a checksum of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from radiod.core.access.records import (
    AccountRecord,
    KeyRecord,
    PlanRecord,
    SecretRecord,
    UsageRow,
    UserRecord,
)
from radiod.store.sums import NONSENSE, row_sum

__all__ = ["AUDIT_COLUMNS", "KEPT", "USAGE", "Row", "Table"]

AUDIT_COLUMNS: Final = "seq, time, actor, address, action, object, detail, previous, hash"

# Columns that hold a fraction, also where it is none, and those that hold JSON; of any table.
REALS: Final = frozenset({"created", "valid_from", "valid_until", "expires", "last_used", "seconds"})
JSON: Final = frozenset({"limits", "publish", "listen", "call", "register", "origins", "addresses"})

Row = tuple[Any, ...]


class Table(NamedTuple):
    """One table. ``key``: how many of its first columns are its primary key."""

    name: str
    record: type[Struct]
    key: int = 1

    @property
    def columns(self) -> tuple[str, ...]:
        """Without the sum, which is the last."""
        return self.record.__struct_fields__

    def row(self, record: Struct) -> Row:
        """Raises: ValueError, TypeError, OverflowError: it holds what no column holds."""
        values = [_stored(name, getattr(record, name)) for name in self.columns]
        return *values, row_sum(self.name, values)

    def is_whole(self, row: Sequence[Any]) -> bool:
        """Whether a row, which may hold anything, is what was written."""
        try:
            return len(row) == len(self.columns) + 1 and row_sum(self.name, row[:-1]) == row[-1]
        except (OverflowError, *NONSENSE):
            return False

    def read(self, row: Sequence[Any]) -> Any:
        """The record of a row that is whole. Raises: msgspec.MsgspecError: no radiod wrote that."""
        fields = {
            name: msgspec.json.decode(value) if name in JSON else value
            for name, value in zip(self.columns, row, strict=False)
        }
        return msgspec.convert(fields, self.record, builtin_types=(bytes,))

    def of_cell(self, values: Sequence[Any]) -> Row:
        """The row of values as they lie in a page, where a fraction may be stored as a whole number."""
        reals = [name in REALS for name in (*self.columns, "sum")]
        return tuple(
            float(value) if is_real and type(value) is int else value
            for is_real, value in zip(reals, values, strict=True)
        )

    @property
    def upsert(self) -> str:
        """The statement that writes one row, in place of one with the same key where there is one."""
        columns = (*self.columns, "sum")
        rest = ", ".join(f"{name} = excluded.{name}" for name in columns[self.key :])
        marks = ", ".join("?" * len(columns))
        key = ", ".join(columns[: self.key])
        return f"INSERT INTO {self.name} VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {rest}"

    @property
    def delete(self) -> str:
        """The statement that deletes the row of a key."""
        where = " AND ".join(f"{name} = ?" for name in self.columns[: self.key])
        return f"DELETE FROM {self.name} WHERE {where}"


ACCOUNTS: Final = Table("accounts", AccountRecord)
PLANS: Final = Table("plans", PlanRecord)
KEYS: Final = Table("keys", KeyRecord)
SECRETS: Final = Table("secrets", SecretRecord)
USERS: Final = Table("users", UserRecord, key=2)
USAGE: Final = Table("usage", UsageRow, key=4)

KEPT: Final = {table.record: table for table in (ACCOUNTS, PLANS, KEYS, SECRETS, USERS)}
"""Record -> its table, of those that a server reads at start."""

DROPPED: Final = {"plan": PLANS, "secret": SECRETS, "user": USERS}
"""What ``Dropped.of`` names."""


def _stored(name: str, value: Any) -> Any:
    if name in JSON:
        return msgspec.json.encode(value, order="deterministic").decode()
    return float(value) if name in REALS and value is not None else value
