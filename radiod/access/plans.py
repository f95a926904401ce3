"""The plans of one server, and which account has which: the configuration's, and those made at run time.

Memory is the truth. A change is made when it is written, and then acts at once on all accounts of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import to_builtins

from radiod.access.by import By
from radiod.access.changes import Desk
from radiod.core.access.records import Dropped, PlanRecord
from radiod.core.allowances import Allowances
from radiod.core.arguments import struct
from radiod.core.holders import Account
from radiod.core.plans import NAME, NOTHING, Plan
from radiod.core.promises import Promise, chain
from radiod.core.timers import Clock
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PLAN, QUOTA, RadiodError, Refused

__all__ = ["MAX_PLANS", "PlanBook", "Used"]

MAX_PLANS: Final = 10_000
"""Plans that there may be, besides the configuration's."""

Used = tuple[tuple[int, int, int], tuple[int, int, int]]
"""Published, delivered and bytes out of today, and of this month (UTC)."""


class PlanBook:
    """All plans.

    Args:
        configured: by name; nobody changes those.
    """

    def __init__(self, configured: Mapping[str, Plan], desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._configured: Final = dict(configured)
        self._since = clock.time()
        self._records: dict[str, PlanRecord] = {}
        # Made of them, so that what all accounts of one plan have is one object.
        self._plans: dict[str, Plan] = dict(configured)
        # Plan -> the accounts that have it, also where there is no such plan.
        self._accounts: dict[str, dict[Account, None]] = {}
        self._of: dict[Account, str] = {}
        # Those that are about to go: nobody may take one of them.
        self._going: set[str] = set()
        self._used_before: Callable[[Account], Promise[Used]] | None = None
        # Accounts of which it could not be asked yet.
        self._unasked: list[Account] = []
        # Whoever has to act at once on what an account may have now.
        self.on_change: Callable[[Account], None] = lambda account: None

    def load(self, records: Iterable[PlanRecord]) -> list[str]:
        """What was kept. The configuration's plans stay as they are. Returns: notes for the log."""
        notes = []
        for record in records:
            if record.name in self._configured:
                notes.append(f"plan {record.name} of the store is the configuration's now")
                continue
            try:
                plan = struct(f"plan {record.name}", record.limits, Plan)
            except Refused as refusal:
                notes.append(f"{refusal.text}: its accounts have nothing until it is set anew")
                plan = NOTHING
            self._enter(record, plan)
        return notes

    def check_fixed(self, name: str) -> None:
        """Whether the configuration may get a plan of this name. Raises: ValueError: it may not."""
        if name in self._records:
            raise ValueError("a plan of this name was made while the server ran")

    def fix(self, name: str, plan: Plan) -> None:
        """The configuration has this plan, and says this of it: at once for all who have it."""
        self._configured[name] = self._plans[name] = plan
        for account in list(self._accounts.get(name, ())):
            self._apply(account, plan)

    def unfix(self, name: str) -> None:
        """The configuration has this plan no more; whoever has it still has nothing."""
        del self._configured[name], self._plans[name]
        for account in list(self._accounts.get(name, ())):
            self._apply(account, NOTHING)

    def missing(self) -> list[str]:
        """Notes for the log: plans that accounts have, and that there are not."""
        return [
            f"there is no plan {name}: accounts {', '.join(sorted(one.id for one in accounts)[:5])}"
            f" and others, {len(accounts)} in all, have nothing until it is set"
            for name, accounts in self._accounts.items()
            if accounts and name not in self._plans
        ]

    # --- who has which

    def check(self, name: str) -> None:
        """Raises: Refused: ``no_such_plan``: no account can have it."""
        if name not in self._plans or name in self._going:
            raise Refused(NO_SUCH_PLAN, f"no plan {name[:64]!r}")

    def assign(self, account: Account, name: str | None) -> None:
        """An account has this plan from now on, None: none; what it has used stays used."""
        before = self._of.pop(account, None)
        if before is not None:
            del self._accounts[before][account]
            if not self._accounts[before]:
                del self._accounts[before]
        if name is not None:
            self._of[account] = name
            self._accounts.setdefault(name, {})[account] = None
        self._apply(account, Plan() if name is None else self._plans.get(name, NOTHING))

    def _apply(self, account: Account, plan: Plan) -> None:
        allowances = account.allowances
        if allowances is not None:
            allowances.change(plan)
        elif plan != Plan() or account in self._of:
            account.allowances = Allowances(plan, self._clock)
            self._ask(account)
        self.on_change(account)

    def recall(self, used_before: Callable[[Account], Promise[Used]]) -> None:
        """The ledger can be asked now what accounts used before they had a plan, or the server started."""
        self._used_before = used_before
        unasked, self._unasked = self._unasked, []
        for account in unasked:
            self._ask(account)

    def _ask(self, account: Account) -> None:
        allowances = account.allowances
        assert allowances is not None
        if self._used_before is None:
            self._unasked.append(account)
            return

        def known(used: Used | RadiodError) -> None:
            # Without an answer it has more than it should, which is better than less.
            if not isinstance(used, RadiodError):
                allowances.restore(*used)

        self._used_before(account).then(known)

    # --- what is asked

    def list(self) -> dict[str, Any]:
        """All plans by name → ``{plans: [description, …]}``."""
        return {"plans": [self.describe(name) for name in sorted(self._plans)]}

    def describe(self, name: str) -> dict[str, Any]:
        """``{name, limits, created, configured, accounts}``: ``accounts`` is how many have it."""
        record = self._records.get(name)
        return {
            "name": name,
            "limits": to_builtins(self._plans[name]),
            "created": self._since if record is None else record.created,
            "configured": record is None,
            "accounts": len(self._accounts.get(name, ())),
        }

    def set(self, by: By, name: str, limits: Mapping[str, Any]) -> Promise[dict[str, Any]]:
        """Make a plan, or change what it says: all of it, and at once for all who have it.

        Args:
            limits: fields of ``Plan``; None: unlimited.
        Raises, or settles with: Refused: ``invalid_argument``: no plan says that, or it is the
            configuration's; ``quota``: there are too many; ``unavailable``: it cannot be written.
        """
        if not NAME.fullmatch(name):
            raise Refused(INVALID_ARGUMENT, "name must have 1 to 64 letters, digits, and _ . -")
        self._check_free(name)
        given = {limit: value for limit, value in limits.items() if value is not None}
        plan = struct("limits", given, Plan)
        before = self._records.get(name)
        if before is None and len(self._records) >= MAX_PLANS:
            raise Refused(QUOTA, f"there are {MAX_PLANS} plans already")
        record = PlanRecord(
            name=name,
            limits=to_builtins(plan),
            created=self._clock.time() if before is None else before.created,
        )
        act = by.act(self._clock, "plan.set", name, **record.limits)

        def done(written: None) -> dict[str, Any]:
            self._enter(record, plan)
            for account in self._accounts.get(name, ()):
                self._apply(account, plan)
            return self.describe(name)

        return _chained(self._desk.store.change([record], act), done)

    def delete(self, by: By, name: str) -> Promise[dict[str, Any]]:
        """Let a plan go that no account has → ``{name}``.

        Raises, or settles with: Refused: ``no_such_plan``; ``invalid_argument``: accounts have it, or it is
            the configuration's; ``unavailable``: it cannot be written.
        """
        self._check_free(name)
        self.check(name)
        self._check_unused(name)
        self._going.add(name)
        answer: Promise[dict[str, Any]] = Promise()

        def known(written: RadiodError | None) -> None:
            self._going.discard(name)
            if isinstance(written, RadiodError):
                answer.settle(written)
                return
            self._records.pop(name, None)
            self._plans.pop(name, None)
            answer.settle({"name": name})

        act = by.act(self._clock, "plan.delete", name)
        self._desk.store.change([Dropped("plan", (name,))], act).then(known)
        return answer

    def _check_free(self, name: str) -> None:
        if name in self._configured:
            raise Refused(INVALID_ARGUMENT, f"plan {name} is the configuration's: change it there")
        if name in self._going:
            raise Refused(NO_SUCH_PLAN, f"plan {name} is being deleted")

    def _check_unused(self, name: str) -> None:
        accounts = self._accounts.get(name)
        if accounts:
            some = ", ".join(sorted(account.id for account in accounts)[:3])
            raise Refused(
                INVALID_ARGUMENT,
                f"{len(accounts)} accounts have plan {name} ({some}): give them another first",
            )

    def _enter(self, record: PlanRecord, plan: Plan) -> None:
        self._records[record.name] = record
        self._plans[record.name] = plan


def _chained(written: Promise[None], done: Callable[[None], dict[str, Any]]) -> Promise[dict[str, Any]]:
    told: Any = chain(written, done)
    promise: Promise[dict[str, Any]] = told
    return promise
