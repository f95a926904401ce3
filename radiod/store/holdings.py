"""Records of access that a store still holds, for ``check`` and ``salvage``, and what is safe to keep.

Nothing that is lost may open more than it did. A key that cannot be read opens nothing, nor do its secrets.
An account whose state or plan is lost is suspended. Where the file's structure or its log is damaged, the
last change of a record may be lost, and nobody knows of which: then every key and user is suspended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

import msgspec

from radiod.core.access.audit import START, AuditRow, Link, follows, is_lost, lost_row
from radiod.core.access.records import AccountRecord
from radiod.store.journal import spans
from radiod.store.sums import row_sum
from radiod.store.tables import ACCOUNTS, KEPT, KEYS, PLANS, SECRETS, USAGE, USERS, Row, Table

__all__ = ["AUDIT", "AUDIT_START", "Holdings", "classify"]

AUDIT: Final = "audit"
AUDIT_START: Final = "audit_start"
SALVAGED: Final = "salvaged from a damaged store"
TABLES: Final = (*KEPT.values(), USAGE)
WORDS: Final = {
    table.name: table.name if table is USAGE else table.name.removesuffix("s") for table in TABLES
}

# The most entries of an audit; a number beyond is none.
MAX_LOST: Final = 1_000_000


def classify(id: int | None, values: list[Any]) -> tuple[str, Row] | None:
    """Of which table a row is that was found in a page, by its shape alone; None: of none of these."""
    shape = (id is not None, len(values), type(values[0]) if values else None)
    table = _SHAPES.get(shape)
    if table is not None:
        return table.name, table.of_cell(values)
    if shape == (True, 9, type(None)):
        time = values[1]
        return AUDIT, (id, float(time) if type(time) is int else time, *values[2:])
    if shape == (True, 3, int):
        return AUDIT_START, tuple(values)
    return None


def _shape(table: Table, has_id: bool, first: type) -> tuple[bool, int, type]:
    return has_id, len(table.columns) + 1, first


_SHAPES: Final[dict[Any, Table]] = {
    _shape(ACCOUNTS, True, str): ACCOUNTS,
    _shape(PLANS, True, str): PLANS,
    _shape(KEYS, True, str): KEYS,
    _shape(SECRETS, True, bytes): SECRETS,
    _shape(USERS, False, str): USERS,
    _shape(USAGE, False, int): USAGE,
}


class Holdings:
    """What was found. ``losses``: a line for each thing that cannot be had any more."""

    def __init__(self) -> None:
        self.losses: list[str] = []
        # Table -> primary key -> the row, of those that are whole
        self._rows: dict[str, dict[Row, Row]] = {table.name: {} for table in TABLES}
        # Table -> primary keys of those that are not, or of which there are several
        self._damaged: dict[str, dict[Row, None]] = {table.name: {} for table in TABLES}
        self._audit: dict[int, AuditRow] = {}
        self._audit_damaged: set[int] = set()
        self._start: Link | None = None

    def take(self, name: str, row: Row) -> None:
        """One row, which may be there more than once, and may hold anything."""
        if name == AUDIT:
            self._take_entry(row)
        elif name == AUDIT_START:
            if len(row) == 3 and _is_start(row):
                self._start = Link(*row[:2])
        else:
            self._take_row(next(table for table in TABLES if table.name == name), row)

    def _take_row(self, table: Table, row: Row) -> None:
        key = row[: table.key]
        rows = self._rows[table.name]
        if table.is_whole(row):
            rows[key] = _stricter(table, rows.get(key, row), row)
        else:
            self._damaged[table.name][key] = None

    def _take_entry(self, row: Row) -> None:
        seq = row[0]
        if is_lost(row) or (isinstance(seq, int) and follows(Link(seq - 1, row[-2]), row)):
            self._audit[seq] = row
        elif isinstance(seq, int):
            self._audit_damaged.add(seq)

    @property
    def is_any(self) -> bool:
        """Whether any row is what a radiod wrote."""
        return bool(self._audit or any(self._rows.values()))

    @property
    def summary(self) -> str:
        """What is there, to be put behind other things; empty: nothing."""
        counts = {
            "accounts": len(self._rows["accounts"]),
            "plans": len(self._rows["plans"]),
            "keys": len(self._rows["keys"]),
            "users": len(self._rows["users"]),
            "hours of usage": len(self._rows["usage"]),
            "acts in the audit": len(self._seqs),
        }
        return "".join(f", {count} {what}" for what, count in counts.items() if count)

    @property
    def start(self) -> Link:
        """What the audit goes on from."""
        if self._start is not None:
            return self._start
        first = min(self._audit, default=0)
        return Link(first - 1, self._audit[first][-2]) if first else START

    @property
    def _seqs(self) -> list[int]:
        """The numbers of entries, in order; what lies before the start was given up."""
        return sorted(seq for seq in self._audit if seq > self.start.seq)

    def judge(self, is_certain: bool) -> None:
        """Tell what is lost, and restrict what is kept; ``is_certain``: no row was there but these."""
        lost = {name: self._lost(name) for name in self._rows}
        for name, keys in lost.items():
            self.losses += _told(name, keys)
        if not is_certain or any(lost.values()):
            self._restrict_accounts(lost, is_certain)
            self._drop_secrets()
        if not is_certain:
            self._suspend_all()
        self._judge_audit(is_certain)

    def _lost(self, name: str) -> list[Row]:
        return [key for key in self._damaged[name] if key not in self._rows[name]]

    def _restrict_accounts(self, lost: dict[str, list[Row]], is_certain: bool) -> None:
        accounts, plan = self._rows["accounts"], ACCOUNTS.columns.index("plan")
        named = {
            _value(table, row, "account")
            for table in (KEYS, USERS)
            for row in self._rows[table.name].values()
        }
        missing = {name for name in named if (name,) not in accounts}
        for name in sorted(_gone(missing, lost["accounts"], is_certain)):
            record = AccountRecord(id=name, state="suspended", reason=SALVAGED, created=0.0)
            accounts[name,] = ACCOUNTS.row(record)
            self.losses.append(
                f"account {_text(name)}: its plan and its state, if it had any; it is suspended"
            )
        plans = {row[plan] for row in accounts.values() if row[plan] is not None}
        missing = {name for name in plans if (name,) not in self._rows["plans"]}
        gone = _gone(missing, lost["plans"], is_certain)
        for key, row in accounts.items():
            if row[plan] in gone:
                accounts[key] = _suspended(ACCOUNTS, row)
                self.losses.append(f"account {_text(row[0])}: the limits of its plan; it is suspended")

    def _drop_secrets(self) -> None:
        secrets, keys = self._rows["secrets"], self._rows["keys"]
        for digest, row in list(secrets.items()):
            if (_value(SECRETS, row, "key"),) not in keys:
                del secrets[digest]

    def _suspend_all(self) -> None:
        count = 0
        for table in (KEYS, USERS):
            for key, row in self._rows[table.name].items():
                if _value(table, row, "state") == "active":
                    self._rows[table.name][key] = _suspended(table, row)
                    count += 1
        if count:
            self.losses.append(
                f"what was changed last of {count} keys and users, if anything was; they are suspended"
            )

    def _judge_audit(self, is_certain: bool) -> None:
        start, seqs = self.start, self._seqs
        gone = self._missing(seqs)
        if gone:
            self.losses.append(f"audit: entries {spans(gone)}")
        before = Link(start.seq, start.hash)
        for seq in seqs:
            row = self._audit[seq]
            if seq == before.seq + 1 and not follows(before, row):
                self.losses.append(f"audit: what was before entry {seq}; the chain was changed there")
            before = Link(seq, row[-1])
        if not is_certain and (seqs or self._start is not None):
            self.losses.append(f"audit: what came after entry {before.seq}, if anything did")

    def _missing(self, seqs: list[int]) -> list[int]:
        known = {*seqs, *(seq for seq in self._audit_damaged if seq > self.start.seq)}
        ends = sorted({self.start.seq, *known})
        gone = self._audit_damaged & known - set(seqs)
        for before, after in pairwise(ends):
            if after - before <= MAX_LOST:
                gone.update(range(before + 1, after))
        return sorted(gone)

    # --- What is written anew

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Tables and rows, but for the audit."""
        for name, rows in self._rows.items():
            for row in rows.values():
                yield name, row

    def audit(self) -> Iterator[AuditRow]:
        """All entries, and in place of each that is lost between one that says so."""
        last = self.start
        for seq in self._seqs:
            row = self._audit[seq]
            for gone in range(last.seq + 1, seq):
                is_last = gone == seq - 1
                yield lost_row(gone, last.hash, row[-2] if is_last else bytes(32))
                last = Link(gone, bytes(32))
            yield row
            last = Link(seq, row[-1])


def _is_start(row: Row) -> bool:
    try:
        return bool(row_sum(AUDIT_START, row[:-1]) == row[-1])
    except (ValueError, TypeError, OverflowError):
        return False


def _gone(missing: set[str], lost: Iterable[Row], is_certain: bool) -> set[str]:
    """Of those that are named and have no row, those that may have had one."""
    names = {key[0] for key in lost}
    if is_certain and names <= missing:
        return names
    return missing


def _value(table: Table, row: Row, column: str) -> Any:
    return row[table.columns.index(column)]


def _stricter(table: Table, one: Row, other: Row) -> Row:
    """Of two versions of a row, each whole: which is newer does not show, but which opens less."""
    if "state" in table.columns:
        ranks = ("revoked", "suspended")
        return min(one, other, key=lambda row: [_value(table, row, "state") != rank for rank in ranks])
    if table is SECRETS:
        return min(one, other, key=lambda row: _expires(row))
    return other


def _expires(row: Row) -> float:
    expires = _value(SECRETS, row, "expires")
    return float("inf") if expires is None else float(expires)


def _suspended(table: Table, row: Row) -> Row:
    changed: dict[str, Any] = {"state": "suspended"}
    if "reason" in table.columns:
        changed["reason"] = SALVAGED
    return table.row(msgspec.structs.replace(table.read(row), **changed))


def _told(name: str, keys: list[Row]) -> list[str]:
    """The lines about damaged rows of one table."""
    if not keys:
        return []
    if name == USAGE.name:
        return [f"usage: {len(keys)} rows"]
    if name == SECRETS.name:
        return [f"{len(keys)} secrets of keys"]
    return [f"{WORDS[name]} {' '.join(map(_text, key))}" for key in keys]


def _text(value: Any) -> str:
    """A name that may be damaged, on one line."""
    return value if isinstance(value, str) and value.isprintable() else ascii(value)
