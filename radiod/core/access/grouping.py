"""What a question about usage means, whoever keeps the rows: which rows count, their groups, and pages.

A row belongs to a question when its hour begins in it. ``hour``, ``day`` and ``month`` are told as the second
since 1970 at which they begin, in UTC. Groups come in ascending order, that of ``by``; a page goes on behind
the last group of the one before. Memory: one page, however many rows there are.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from radiod.core.access.records import UsageQuery, UsageRow
from radiod.core.quotas import day_of, month_of
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["COUNTS", "MAX_GROUPS", "PERIODS", "Group", "Grouping"]

COUNTS: Final = (
    "published",
    "delivered",
    "dropped",
    "refused",
    "calls",
    "bytes_in",
    "bytes_out",
    "seconds",
)
PERIODS: Final = ("hour", "day", "month")
NAMES: Final = (*PERIODS, "account", "key", "channel")
LAST: Final = 2**53

MAX_GROUPS: Final = 10_000
"""The most rows of one page."""

Group = tuple[Any, ...]
"""Values of what is named in ``by``: whole numbers for periods, else texts."""


class Grouping:
    """One page of the answer to a question, as its rows come in any order."""

    __slots__ = ("_after", "_groups", "_sums", "query")

    def __init__(self, query: UsageQuery) -> None:
        """Raises: Refused: ``invalid_argument``: it asks for what there is not."""
        by = query.by
        if not set(by) <= set(NAMES) or len(set(by)) < len(by):
            raise Refused(INVALID_ARGUMENT, f"by: each of {', '.join(NAMES)}, once at most")
        if not 1 <= query.limit <= MAX_GROUPS:
            raise Refused(INVALID_ARGUMENT, f"limit: 1 to {MAX_GROUPS}")
        if any(moment is not None and not abs(moment) <= LAST for moment in (query.since, query.until)):
            raise Refused(INVALID_ARGUMENT, "since, until: seconds since 1970")
        self.query = query
        self._after: Group | None = None if query.after is None else _group_of(query.after, by)
        # In order, and one more than the page has: it tells whether there is another page.
        self._groups: list[Group] = []
        self._sums: dict[Group, list[Any]] = {}

    def takes(self, row: UsageRow) -> bool:
        """Whether a row is asked for."""
        query = self.query
        return (
            query.account in (None, row.account)
            and query.key in (None, row.key)
            and query.channel in (None, row.channel)
            and (query.since is None or row.hour >= query.since)
            and (query.until is None or row.hour < query.until)
        )

    def group_of(self, row: UsageRow) -> Group:
        """Where a row counts."""
        return tuple(
            _start(name, row.hour) if name in PERIODS else getattr(row, name) for name in self.query.by
        )

    def add(self, group: Group, counts: Sequence[Any]) -> None:
        """Count these for a group; in the order of ``COUNTS``."""
        sums = self._sums.get(group)
        if sums is not None:
            for at, count in enumerate(counts):
                sums[at] += count
            return
        if self._after is not None and group <= self._after:
            return
        groups = self._groups
        if len(groups) > self.query.limit:
            # What is pushed out here comes back by no later row: the last of the page only moves forward.
            if group > groups[-1]:
                return
            del self._sums[groups.pop()]
        insort(groups, group)
        self._sums[group] = list(counts)

    def is_before(self, hour: int) -> bool:
        """Whether the page ends before this hour: rows from there on change nothing in it."""
        by, groups = self.query.by, self._groups
        if not by or by[0] not in PERIODS or len(groups) <= self.query.limit:
            return False
        return _start(by[0], hour) > int(groups[-1][0])

    def page(self) -> tuple[list[dict[str, Any]], str | None]:
        """The rows, and where the next page begins; as ``AccessStore.usage``."""
        groups = self._groups[: self.query.limit]
        names = (*self.query.by, *COUNTS)
        rows = [dict(zip(names, (*group, *self._sums[group]), strict=True)) for group in groups]
        is_last = len(groups) == len(self._groups)
        return rows, None if is_last else msgspec.json.encode(groups[-1]).decode()


def _start(period: str, hour: int) -> int:
    if period == "month":
        return month_of(hour)[0]
    return day_of(hour)[0] if period == "day" else hour


def _group_of(after: str, by: tuple[str, ...]) -> Group:
    """Raises: Refused: this was no page's ``next`` with the same ``by``."""
    try:
        values = msgspec.json.decode(after, type=list[Any])
    except msgspec.MsgspecError:
        values = [None]
    kinds = [int if name in PERIODS else str for name in by]
    if [type(value) for value in values] != kinds:
        raise Refused(INVALID_ARGUMENT, "after: none of this question's pages ended there")
    return tuple(values)
