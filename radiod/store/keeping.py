"""Records of access in the file: every statement that reads or writes them, inside others' transactions.

An entry of the audit goes on from the last one in the file; that is read once, and again after a transaction
that failed. Bound: 200,000 entries, some 40 MB; the oldest go, a thousand at a time, and ``audit_start`` says
what the first that is left goes on from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from radiod.core.access.audit import START, ActRow, AuditRow, Link, follows, next_row
from radiod.core.access.grouping import COUNTS, PERIODS, Grouping
from radiod.core.access.records import Records, UsageQuery
from radiod.core.quotas import DAY
from radiod.store.sums import row_sum
from radiod.store.tables import ACCOUNTS, AUDIT_COLUMNS, KEYS, PLANS, SECRETS, USAGE, USERS, Row, Table

__all__ = [
    "OWN_REASONS",
    "AccessRequest",
    "ChangeAccess",
    "CountUsage",
    "ForgetUsage",
    "Keeping",
    "UseSecrets",
]

MAX_AUDIT: Final = 200_000
AUDIT_STEP: Final = 1000

OWN_REASONS: Final = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    *(OverflowError, ValueError, TypeError),
)
"""For which a request cannot be done, whatever the state of the disk."""

SLICE_ROWS: Final = 10_000
"""Rows of usage that are summed at a time: some 10 ms."""

USAGE_KEY: Final = ", ".join(USAGE.columns[: USAGE.key])
FIRST_KEY: Final = (-(2**63), "", "", "")
PERIOD_SQL: Final = {
    "hour": "hour",
    "day": f"hour - hour % {DAY}",
    "month": "CAST(strftime('%s', hour, 'unixepoch', 'start of month') AS INTEGER)",
}


class ChangeAccess(Struct, frozen=True):
    """Statements with their values, all or none, and the act that they are."""

    statements: list[tuple[str, Row]]
    act: ActRow


class UseSecrets(Struct, frozen=True):
    """Digests of secrets -> when they were used last."""

    used: dict[bytes, float]


class CountUsage(Struct, frozen=True):
    """Rows of usage, in place of those that are there."""

    rows: list[Row]


class ForgetUsage(Struct):
    """Of usage of hours before this one the oldest ``SLICE_ROWS`` rows go; ``is_all``: no more is left."""

    before: int
    is_all: bool = False


class Probe(Struct, frozen=True):
    """Write something that means nothing."""


AccessRequest = ChangeAccess | UseSecrets | CountUsage | ForgetUsage | Probe


class Keeping:
    """The tables of access in one open file."""

    def __init__(self, connection: sqlite3.Connection, max_audit: int = MAX_AUDIT) -> None:
        self._connection = connection
        self._max_audit = max_audit
        self._last: Link | None = None

    def forget(self) -> None:
        """A transaction failed: what was known of the file may not be so."""
        self._last = None

    # --- Writing

    def apply(self, request: AccessRequest) -> None:
        """Do it, all or nothing. Raises: one of ``OWN_REASONS``: nothing was done, and others may go on."""
        last = self._last
        self._connection.execute("SAVEPOINT request")
        try:
            self._apply(request)
        except OWN_REASONS:
            self._last = last
            self._connection.execute("ROLLBACK TO request")
            self._connection.execute("RELEASE request")
            raise
        self._connection.execute("RELEASE request")

    def _apply(self, request: AccessRequest) -> None:
        if isinstance(request, ChangeAccess):
            for statement, values in request.statements:
                self._connection.execute(statement, values)
            self._enter(request.act)
        elif isinstance(request, CountUsage):
            self._connection.executemany(USAGE.upsert, request.rows)
        elif isinstance(request, UseSecrets):
            self._use(request.used)
        elif isinstance(request, Probe):
            # What does not change a page is not written.
            row = self._connection.execute("INSERT INTO state VALUES (NULL)").lastrowid
            self._connection.execute("DELETE FROM state WHERE rowid = ?", (row,))
        else:
            self._forget_usage(request)

    def _enter(self, act: ActRow) -> None:
        row = next_row(self.last, act)
        marks = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT INTO audit VALUES ({marks})", row)
        self._last = Link(row[0], row[-1])
        if row[0] - self.start.seq > self._max_audit:
            self._shorten_audit()

    def _shorten_audit(self) -> None:
        rows = self._connection.execute(
            "SELECT seq, hash FROM audit ORDER BY seq LIMIT ?", (min(AUDIT_STEP, self._max_audit),)
        ).fetchall()
        seq, hash = rows[-1]
        start = Link(seq, hash)
        # In this order: the trigger lets go what lies before the start.
        self._connection.execute(
            "UPDATE audit_start SET seq = ?, hash = ?, sum = ?", (*start, row_sum("audit_start", start))
        )
        self._connection.execute("DELETE FROM audit WHERE seq <= ?", (seq,))

    def _use(self, used: Mapping[bytes, float]) -> None:
        at = SECRETS.columns.index("last_used")
        for digest, when in used.items():
            row = self._connection.execute("SELECT * FROM secrets WHERE digest = ?", (digest,)).fetchone()
            if row is not None:
                values = (*row[:at], when, *row[at + 1 : -1])
                self._connection.execute(SECRETS.upsert, (*values, row_sum(SECRETS.name, values)))

    def _forget_usage(self, request: ForgetUsage) -> None:
        cursor = self._connection.execute(
            f"DELETE FROM usage WHERE ({USAGE_KEY}) IN "
            f"(SELECT {USAGE_KEY} FROM usage WHERE hour < ? ORDER BY {USAGE_KEY} LIMIT {SLICE_ROWS})",
            (request.before,),
        )
        request.is_all = cursor.rowcount < SLICE_ROWS

    # --- Reading

    def load(self) -> Records:
        """Everything but usage and audit."""
        return Records(
            accounts=self._all(ACCOUNTS, "rowid"),
            plans=self._all(PLANS, "rowid"),
            keys=self._all(KEYS, "rowid"),
            secrets=self._all(SECRETS, "rowid"),
            users=self._all(USERS, "realm, authid"),
        )

    def _all(self, table: Table, order: str) -> list[Any]:
        rows = self._connection.execute(f"SELECT * FROM {table.name} ORDER BY {order}").fetchall()
        return [table.read(row) for row in rows]

    def audit(self, after: int, limit: int) -> list[AuditRow]:
        """The first entries behind that number."""
        return self._connection.execute(
            f"SELECT {AUDIT_COLUMNS} FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        ).fetchall()

    def sum_up(self, grouping: Grouping) -> Iterator[None]:
        """Read all rows that a question asks for, slice by slice."""
        select, values = _summing(grouping.query)
        first: Row = FIRST_KEY
        query = grouping.query
        if query.since is not None:
            first = (-int(-query.since // 1), *FIRST_KEY[1:])
        while True:
            end = self._connection.execute(
                f"SELECT {USAGE_KEY} FROM usage WHERE ({USAGE_KEY}) >= (?, ?, ?, ?) "
                f"ORDER BY {USAGE_KEY} LIMIT 1 OFFSET {SLICE_ROWS}",
                first,
            ).fetchone()
            upto = "" if end is None else f" AND ({USAGE_KEY}) < (?, ?, ?, ?)"
            statement = select.format(f"({USAGE_KEY}) >= (?, ?, ?, ?){upto}")
            rows = self._connection.execute(statement, (*first, *(end or ()), *values)).fetchall()
            for row in rows:
                # Without groups there is one row of sums, also of nothing.
                if row[-1] is not None:
                    grouping.add(row[: len(query.by)], row[len(query.by) :])
            if end is None or grouping.is_before(end[0]):
                return
            first = end
            yield

    # --- The chain

    @property
    def start(self) -> Link:
        """What the audit's first entry goes on from."""
        row = self._connection.execute("SELECT seq, hash FROM audit_start").fetchone()
        return START if row is None else Link(*row)

    @property
    def last(self) -> Link:
        """The audit's last entry."""
        if self._last is None:
            row = self._connection.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
            self._last = self.start if row is None else Link(*row)
        return self._last

    def is_chain_whole(self, limit: int) -> bool:
        """Whether the last ``limit`` entries go on from one another."""
        rows = self._connection.execute(
            f"SELECT {AUDIT_COLUMNS} FROM audit ORDER BY seq DESC LIMIT ?", (limit + 1,)
        ).fetchall()
        rows.reverse()
        if len(rows) > limit:
            first = rows.pop(0)
            last = Link(first[0], first[-1])
        else:
            last = self.start
        for row in rows:
            if not follows(last, row):
                return False
            last = Link(row[0], row[-1])
        return True


def _summing(query: UsageQuery) -> tuple[str, Sequence[Any]]:
    """The statement that sums up a slice, with braces for its bounds, and its values behind those."""
    conditions: dict[str, Any] = {
        "account = ?": query.account,
        "key = ?": query.key,
        "channel = ?": query.channel,
        "hour < ?": query.until,
    }
    asked = {condition: value for condition, value in conditions.items() if value is not None}
    names = [PERIOD_SQL[name] if name in PERIODS else name for name in query.by]
    columns = [*names, *(f"sum({name})" for name in COUNTS)]
    where = "".join(f" AND {condition}" for condition in asked)
    groups = f" GROUP BY {', '.join(map(str, range(1, len(names) + 1)))}" if names else ""
    return f"SELECT {', '.join(columns)} FROM usage WHERE {{}}{where}{groups}", list(asked.values())
