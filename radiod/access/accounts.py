"""Accounts: who pays. What is set up here, or in the configuration, can be given to keys and users."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec.structs import asdict

from radiod.access.by import By
from radiod.access.changes import Desk, Row, then
from radiod.access.standing import ACTIVE, SUSPENDED
from radiod.core.access.records import AccountRecord
from radiod.core.holders import ANONYMOUS, Account, Accounts
from radiod.core.promises import Promise, chain
from radiod.core.slices import Slices
from radiod.core.timers import Clock
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_ACCOUNT, QUOTA, Refused

__all__ = ["AccountBook"]


class AccountBook:
    """The accounts of one server.

    Args:
        table: where holders find theirs.
        max_accounts: that may be set up.
    ``check_plan``: raises ``Refused`` for a plan that nobody has set up. ``on_change``: told each account
    whose record is another now.
    """

    def __init__(self, table: Accounts, desk: Desk, clock: Clock, slices: Slices, max_accounts: int) -> None:
        self.table = table
        self._slices = slices
        self._desk = desk
        self._clock = clock
        self._max = max_accounts
        self._since = clock.time()
        self._rows: dict[str, Row[AccountRecord]] = {}
        self._fixed: dict[str, AccountRecord] = {}
        # Those of which nothing was written, or restricted, so far: they are as if they had no record.
        self._blank: set[str] = set()
        self.check_plan: Callable[[str], object] = lambda plan: None
        self.on_change: Callable[[Account, AccountRecord], object] = lambda account, record: None
        self.fix(self._new(ANONYMOUS), is_given=False)

    def fix(self, record: AccountRecord, *, is_given: bool = True) -> None:
        """The configuration has this one; ``is_given``: in a table of its own, so that nobody changes it."""
        account = self.table.keep(record.id)
        if is_given:
            self._fixed[record.id] = record
            self._apply(account, record)

    def check_fixed(self, id: str) -> None:
        """Whether the configuration may get a table of this account. Raises: ValueError: it may not."""
        if id in self._rows:
            raise ValueError("this account was set up while the server ran")

    def unfix(self, id: str) -> None:
        """The configuration has no table of this account any more: it has no plan and no label."""
        del self._fixed[id]
        self._apply(self.table.keep(id), self._new(id))

    def with_plan(self, plan: str) -> list[str]:
        """The accounts set up at run time that have this plan."""
        return [id for id, row in self._rows.items() if row.record.plan == plan]

    def load(self, records: Iterable[AccountRecord]) -> None:
        """What was kept. The configuration's accounts stay as they are."""
        for record in records:
            account = self.table.keep(record.id)
            if record.id not in self._fixed:
                self._rows[record.id] = Row(record)
                self._apply(account, record)

    def __iter__(self) -> Iterator[tuple[str, AccountRecord]]:
        """Their ids, and they."""
        return ((id, self.record(id)) for id in list(self.table.kept))

    def record(self, id: str) -> AccountRecord:
        """What is known of an account. Raises: Refused: ``no_such_account``."""
        self.find(id)
        row = self._rows.get(id)
        return row.record if row is not None else self._fixed.get(id) or self._new(id)

    def find(self, id: str) -> Account:
        """The account that this names. Raises: Refused: ``no_such_account``."""
        found = self.table.kept.get(id)
        if found is None:
            raise Refused(NO_SUCH_ACCOUNT, f"no account {id[:64]!r}")
        return found

    # --- what is asked

    def get(self, id: str) -> dict[str, Any]:
        """One account, described. Raises: Refused: ``no_such_account``."""
        return self.describe(self.record(id))

    def describe(self, record: AccountRecord) -> dict[str, Any]:
        """``{id, label, plan, state, reason, created, connections}``."""
        return {**asdict(record), "connections": self.table.of(record.id).connections}

    def set(self, by: By, id: str, plan: str | None, label: str) -> Promise[dict[str, Any]]:
        """Set an account up, or give it another plan and label; whether it is suspended stays as it is.

        Raises, or settles with: Refused: ``no_such_plan``, ``quota``, ``unavailable``; ``invalid_argument``:
            it is the configuration's.
        """
        self._check_free(id)
        if plan is not None:
            self.check_plan(plan)
        row = self._row(id)
        act = by.act(self._clock, "account.set", id, plan=plan, label=label)

        def done() -> None:
            self._keep(row)

        return then(self._desk.grant(row, act, done, plan=plan, label=label), lambda: self.get(id))

    def suspend(self, by: By, id: str, reason: str) -> Promise[dict[str, Any]]:
        """Let nobody of an account in, and end what they have open → ``{id, state, ended}``.

        Raises, or settles with: Refused: ``no_such_account``, ``unavailable``, ``invalid_argument``.
        """
        account = self.find(id)
        self._check_free(id)
        # What restricts is never refused for a bound.
        row = self._row(id, is_bounded=False)
        act = by.act(self._clock, "account.suspend", id, reason=reason)
        written = self._desk.restrict(row, act, state=SUSPENDED, reason=reason)
        self._keep(row)
        ended = self._slices.run(account.ending(SUSPENDED))

        def answer(count: int) -> dict[str, Any]:
            return {"id": id, "state": row.record.state, "ended": count}

        return then(written, lambda: chain(ended, answer))

    def resume(self, by: By, id: str) -> Promise[dict[str, Any]]:
        """Let them in again → its description. Raises, or settles with: Refused: as ``suspend``."""
        self.find(id)
        self._check_free(id)
        row = self._row(id)
        act = by.act(self._clock, "account.resume", id)

        def done() -> None:
            self._keep(row)

        return then(self._desk.grant(row, act, done, state=ACTIVE, reason=""), lambda: self.get(id))

    # --- accounts of those who have no other

    def own(self, id: str) -> AccountRecord | None:
        """What is to be written of a key's, or user's, own account; None: it is there.

        Raises: Refused: ``quota``.
        """
        if id in self.table.kept:
            return None
        self._check_room()
        return AccountRecord(id=id, created=self._clock.time())

    def opened(self, record: AccountRecord) -> None:
        """It has been written."""
        self._keep(self._rows.setdefault(record.id, Row(record)))

    # --- how it is done

    def _check_free(self, id: str) -> None:
        if id in self._fixed:
            raise Refused(INVALID_ARGUMENT, f"account {id} is the configuration's: change it there")

    def _row(self, id: str, *, is_bounded: bool = True) -> Row[AccountRecord]:
        row = self._rows.get(id)
        if row is None:
            if is_bounded:
                self._check_room()
            created = self._since if id in self.table.kept else self._clock.time()
            row = self._rows[id] = Row(AccountRecord(id=id, created=created))
            self._blank.add(id)
        return row

    def _check_room(self) -> None:
        if len(self._rows) >= self._max:
            raise Refused(QUOTA, f"there are {self._max} accounts already: see limits.max_accounts")

    def _keep(self, row: Row[AccountRecord]) -> None:
        self._blank.discard(row.record.id)
        self._apply(self.table.keep(row.record.id), row.record)

    def _new(self, id: str) -> AccountRecord:
        """That of an account that came with a key, or a user, of the configuration."""
        return AccountRecord(id=id, created=self._since)

    def _apply(self, account: Account, record: AccountRecord) -> None:
        account.label = record.label
        account.refused = SUSPENDED if record.state == SUSPENDED else ""
        self.on_change(account, record)
