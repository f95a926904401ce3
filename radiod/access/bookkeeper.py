"""Keeps the ledger in the store: settles it once a second, and writes what has changed every few seconds.

What is written are the values of the whole hour, so that writing twice changes nothing, and nothing is lost
when the store refuses: the next time has it. Before the first time the lines of the open hour are read, and
gone on from; until that was possible nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from radiod.access.spent import Spent, Used
from radiod.core.access.ledger import Ledger, Line
from radiod.core.access.port import AccessStore, UsagePage
from radiod.core.access.records import UsageQuery, UsageRow
from radiod.core.promises import Promise
from radiod.core.quotas import DAY
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import RadiodError

__all__ = ["Bookkeeper", "Used"]

TICK_S: Final = 1.0

BATCH: Final = 5000
"""Lines that are written in one go."""

PAGE: Final = 10_000
"""Lines that are read in one go."""


class Bookkeeper:
    """Writes one ledger into one store.

    Args:
        flush_s: seconds between writing.
        keep_days: for so long usage is kept.
        on_settled: called once a second, when the ledger knows everything.
        tell: for the log: that the store refuses, and that it does no more.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: AccessStore,
        clock: Clock,
        timers: Timers,
        *,
        flush_s: float = 5.0,
        keep_days: int = 400,
        on_settled: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._timers = timers
        self._flush_s = flush_s
        self._keep_s = keep_days * DAY
        self._on_settled = on_settled
        self._tell = tell
        self._deadline: Deadline | None = None
        self._flush_at = 0.0
        self._is_restored = False
        self._is_busy = False
        self._spent = Spent(store, clock, self._read_before)
        # Those who wait until everything that was counted when they asked is written.
        self._asked: list[Promise[None]] = []
        self._is_failing = False
        self._given_up = 0

    # --- every second

    def start(self) -> None:
        """Go on from what is in the store, and settle and write from now on."""
        self._flush_at = self._clock.seconds() + self._flush_s
        self.flush()
        self._forget()
        self._wait()

    def stop(self) -> Promise[None]:
        """Write for the last time; the store may close when that has come."""
        if self._deadline is not None:
            self._deadline.cancel()
        return self.flush()

    def _wait(self) -> None:
        # An hour that ends is closed as it ends; a clock that was set back does not matter.
        wait = min(TICK_S, max(self._ledger.ends_in, 0.001))
        self._deadline = self._timers.at(self._clock.seconds() + wait, self._tick)

    def _tick(self) -> None:
        self._wait()
        if self._is_restored and self._ledger.turn():
            self._forget()
        self._ledger.settle()
        self._on_settled()
        if self._clock.seconds() >= self._flush_at:
            self._flush_at = self._clock.seconds() + self._flush_s
            self.flush()

    def _forget(self) -> None:
        self._store.forget_usage(self._ledger.hour - self._keep_s)

    # --- writing

    def flush(self) -> Promise[None]:
        """Write what has changed.

        Settles when that is done; or with ``Refused`` (``unavailable``): it was not.
        """
        done: Promise[None] = Promise()
        self._asked.append(done)
        if not self._is_busy:
            self._begin()
        return done

    def _begin(self) -> None:
        self._is_busy = True
        waiting, self._asked = self._asked, []
        if self._is_restored:
            self._write_all(waiting)
        else:
            self._restore([], None, waiting)

    def _restore(self, rows: list[UsageRow], after: str | None, waiting: list[Promise[None]]) -> None:
        """Read the lines of the open hour, and of later ones, should the clock have been set back."""
        query = UsageQuery(
            since=self._ledger.hour,
            by=("hour", "account", "key", "channel"),
            limit=PAGE,
            after=after,
        )

        def read(outcome: tuple[list[dict[str, Any]], str | None] | RadiodError) -> None:
            if isinstance(outcome, RadiodError):
                self._end(waiting, outcome)
                return
            found, more = outcome
            rows.extend(UsageRow(**row) for row in found)
            if more is not None:
                self._restore(rows, more, waiting)
                return
            self._ledger.restore(rows)
            # Nothing is written under the eyes of those who ask what was used before.
            self._spent.when_idle(partial(self._go_on, waiting))

        self._store.usage(query).then(read)

    def _go_on(self, waiting: list[Promise[None]]) -> None:
        self._is_restored = True
        self._write_all(waiting)

    def _write_all(self, waiting: list[Promise[None]]) -> None:
        self._ledger.settle()
        self._ledger.settle_time()
        self._write(self._ledger.changed(), 0, waiting)

    def _write(self, lines: list[Line], start: int, waiting: list[Promise[None]]) -> None:
        batch = [(line, line.total) for line in lines[start : start + BATCH]]
        if not batch:
            self._end(waiting, None)
            return

        def written(outcome: RadiodError | None) -> None:
            if isinstance(outcome, RadiodError):
                self._end(waiting, outcome)
                return
            for line, total in batch:
                self._ledger.written(line, total)
            self._write(lines, start + BATCH, waiting)

        self._store.count([line.row() for line, _ in batch]).then(written)

    def _end(self, waiting: list[Promise[None]], error: RadiodError | None) -> None:
        self._is_busy = False
        self._note(error)
        for one in waiting:
            one.settle(error)
        if self._asked and not self._is_busy:
            self._begin()

    def _note(self, error: RadiodError | None) -> None:
        """Tell the log, once each, that it fails, and that it does not fail any more."""
        if error is not None and not self._is_failing:
            self._tell(f"usage is not written: {error}; it is kept and tried again")
        elif error is None and self._is_failing:
            self._tell("usage is written again")
        self._is_failing = error is not None
        given_up = self._ledger.given_up
        if given_up > self._given_up:
            self._tell(f"rows of closed hours that were never written: {given_up - self._given_up}")
            self._given_up = given_up

    # --- reading

    def usage(self, query: UsageQuery) -> Promise[UsagePage]:
        """As ``UsageSource.usage``."""
        found: Promise[UsagePage] = Promise()

        def read(outcome: tuple[list[dict[str, Any]], str | None] | RadiodError) -> None:
            found.settle(outcome if isinstance(outcome, RadiodError) else UsagePage(*outcome))

        def ask(outcome: RadiodError | None) -> None:
            if isinstance(outcome, RadiodError):
                found.settle(outcome)
            else:
                self._store.usage(query).then(read)

        self.flush().then(ask)
        return found

    def used(self, account: str) -> Promise[Used]:
        """What an account has used of its plan so far."""
        return self._spent.used(account)

    def _read_before(self) -> Promise[None]:
        """What was counted by now is written; before the start nothing is: what is there was used before."""
        if self._is_restored:
            return self.flush()
        nothing: Promise[None] = Promise()
        nothing.settle(None)
        return nothing
