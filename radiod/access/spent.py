"""What accounts have used of their plans: asked of the store for all who ask at the same time at once.

When a server starts every account with a plan asks. One question each would read the month as often as there
are accounts, and the store would refuse most of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.access.grouping import MAX_GROUPS
from radiod.core.access.port import AccessStore
from radiod.core.access.records import UsageQuery
from radiod.core.promises import Promise
from radiod.core.quotas import day_of, month_of
from radiod.core.timers import Clock
from radiod.errors import RadiodError

__all__ = ["Spent", "Used"]

Sums = tuple[int, int, int]
"""Published, delivered, bytes out: what plans have quotas of."""

Used = tuple[Sums, Sums]
"""Of today, and of this month."""

NOTHING: Final[Sums] = (0, 0, 0)


class Spent:
    """Reads it from one store.

    Args:
        flush: has everything written that is to be read.
    """

    def __init__(self, store: AccessStore, clock: Clock, flush: Callable[[], Promise[None]]) -> None:
        self._store = store
        self._clock = clock
        self._flush = flush
        # account -> who waits for what it has used; of those that ask now, and of those to ask for next
        self._asking: dict[str, list[Promise[Used]]] = {}
        self._next: dict[str, list[Promise[Used]]] = {}
        self._when_idle: list[Callable[[], None]] = []

    def used(self, account: str) -> Promise[Used]:
        """As ``Bookkeeper.used``."""
        promise: Promise[Used] = Promise()
        self._next.setdefault(account, []).append(promise)
        if not self._asking:
            self._begin()
        return promise

    def when_idle(self, done: Callable[[], None]) -> None:
        """Call ``done`` when nobody waits any more, which may be at once."""
        if self._asking:
            self._when_idle.append(done)
        else:
            done()

    def _begin(self) -> None:
        self._asking, self._next = self._next, {}
        days: dict[str, Sums] = {}
        months: dict[str, Sums] = {}
        now = self._clock.time()

        def or_end(step: Callable[[], None]) -> Callable[[RadiodError | None], None]:
            return lambda error: step() if error is None else self._end(lambda account: error)

        def end() -> None:
            self._end(lambda account: (days.get(account, NOTHING), months.get(account, NOTHING)))

        def sum_month() -> None:
            self._sum(month_of(now)[0], months, None, or_end(end))

        def sum_day() -> None:
            self._sum(day_of(now)[0], days, None, or_end(sum_month))

        self._flush().then(or_end(sum_day))

    def _sum(
        self,
        since: int,
        sums: dict[str, Sums],
        after: str | None,
        done: Callable[[RadiodError | None], None],
    ) -> None:
        """Fill ``sums`` with what those who wait have used since then."""
        account = next(iter(self._asking)) if len(self._asking) == 1 else None

        def add(outcome: tuple[list[dict[str, Any]], str | None] | RadiodError) -> None:
            if isinstance(outcome, RadiodError):
                done(outcome)
                return
            rows, more = outcome
            for row in rows:
                if row["account"] in self._asking:
                    sums[row["account"]] = (row["published"], row["delivered"], row["bytes_out"])
            if more is None:
                done(None)
            else:
                self._sum(since, sums, more, done)

        query = UsageQuery(account=account, since=since, by=("account",), limit=MAX_GROUPS, after=after)
        self._store.usage(query).then(add)

    def _end(self, outcome_of: Callable[[str], Used | RadiodError]) -> None:
        for account, promises in self._asking.items():
            for promise in promises:
                promise.settle(outcome_of(account))
        self._asking = {}
        if self._next:
            self._begin()
            return
        waiting, self._when_idle = self._when_idle, []
        for done in waiting:
            done()
