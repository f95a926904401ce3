"""What a customer may know of its own account: its plan, what it has used, its keys; and their rotation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from radiod.access.accounts import AccountBook
from radiod.access.by import By
from radiod.access.keys import Entry, KeyBook
from radiod.access.plans import PlanBook
from radiod.core.access.port import UsagePage, UsageSource
from radiod.core.access.records import UsageQuery
from radiod.core.arguments import whole
from radiod.core.holders import Holder
from radiod.core.promises import Promise, chain
from radiod.core.quotas import day_of, month_of
from radiod.core.timers import Clock
from radiod.errors import NOT_AUTHORIZED, QUOTA, RATE_LIMITED, RadiodError, Refused

__all__ = ["Statements"]

MAX_KEYS: Final = 1000
"""Keys of one account that are told."""

MAX_ROWS: Final = 10_000
"""Of one month's usage by day, key and channel."""

MAX_QUESTIONS: Final = 4
"""Of one account that the store has yet to answer: it answers everybody, one after the other."""

MAX_OVERLAP: Final = 30 * 86_400

Told = dict[str, Any]
Found = UsagePage


class Asker(Protocol):
    """The key that asks; ``auth.keys.Key`` is one."""

    @property
    def id(self) -> str: ...

    @property
    def holder(self) -> Holder: ...


class Statements:
    """Statements for the holders of keys, each about its own account alone.

    ``complete``: takes what is to be told, with whole descriptions of keys, and gives what is told of all
    nodes, where there are several.
    """

    def __init__(
        self, keys: KeyBook, accounts: AccountBook, plans: PlanBook, source: UsageSource, clock: Clock
    ) -> None:
        self._keys = keys
        self._accounts = accounts
        self._plans = plans
        self._source = source
        self._clock = clock
        # What is asked of the store -> who waits for its answer.
        self._asked: dict[UsageQuery, list[Promise[Found]]] = {}
        self.complete: Callable[[Told], Told | Promise[Told]] = lambda told: told

    def describe(self, key: Asker) -> Told | Promise[Told]:
        """``{account, plan, limits, used, resets, connections, keys, self_rotate}``.

        ``used``: ``day`` and ``month`` of UTC, each ``{published, delivered, bytes}``, of which ``bytes`` are
        those that went out; ``resets``: when these begin anew, seconds since 1970.
        Raises, or settles with: Refused: ``unavailable``; ``rate_limited``: it asks too much at once.
        """
        account = key.holder.account
        self._keys.tell_used()
        now = self._clock.time()
        day, next_day = day_of(now)
        month, next_month = month_of(now)
        query = UsageQuery(account=account.id, since=month, until=next_month, by=("day",))

        def tell(found: Found) -> Told | Promise[Told]:
            rows = found.rows
            plan, limits = self._plan(account.id)
            told = {
                "account": account.id,
                "plan": plan,
                "limits": limits,
                "used": {
                    "day": _used([row for row in rows if row["day"] == day]),
                    "month": _used(rows),
                },
                "resets": {"day": next_day, "month": next_month},
                "connections": account.connections,
                "keys": self._own(account.id),
                "self_rotate": self._may_rotate(key),
            }
            return chain(self.complete(told), _shortened)

        return chain(self._ask(query), tell)

    def usage(self, key: Asker, month: str) -> list[Told] | Promise[list[Told]]:
        """What the account has used in a month, by day, key and channel; ``day`` as ``2026-11-27``.

        Args:
            month: as ``2026-11``.
        Raises, or settles with: Refused: ``unavailable``; ``rate_limited``: it asks too much at once;
            ``quota``: there are more than ``MAX_ROWS`` rows.
        """
        year, number = map(int, month.split("-"))
        since, until = month_of(datetime(year, number, 1, tzinfo=UTC).timestamp())
        query = UsageQuery(
            account=key.holder.account.id,
            since=since,
            until=until,
            by=("day", "key", "channel"),
            limit=MAX_ROWS,
        )

        def tell(found: Found) -> list[Told]:
            rows = found.rows
            if found.next is not None:
                raise Refused(QUOTA, f"more than {MAX_ROWS} rows: ask whoever runs this radio for them")
            return [{**row, "day": f"{datetime.fromtimestamp(row['day'], UTC):%Y-%m-%d}"} for row in rows]

        return chain(self._ask(query), tell)

    def rotate(self, key: Asker, address: str, overlap: float) -> Promise[Told]:
        """A new secret for the key that asks → ``{id, key, expires}``, as ``KeyBook.rotate``.

        Args:
            address: from where it asks, for the audit.
            overlap: seconds that the old secrets are good for yet.
        Raises, or settles with: Refused: ``not_authorized``: its plan does not let it; as ``KeyBook.rotate``.
        """
        if not self._may_rotate(key):
            raise Refused(NOT_AUTHORIZED, f"key {key.id} may not rotate itself")
        seconds = whole("overlap", overlap, 0, MAX_OVERLAP)
        return self._keys.rotate(By(f"key:{key.id}", address), key.id, seconds)

    def _ask(self, query: UsageQuery) -> Promise[Found]:
        """Ask the store, once for all who ask the same meanwhile.

        Raises: Refused: ``rate_limited``: its account asks too much at once.
        """
        answer: Promise[Found] = Promise()
        waiting = self._asked.get(query)
        if waiting is not None:
            waiting.append(answer)
            return answer
        if sum(one.account == query.account for one in self._asked) >= MAX_QUESTIONS:
            raise Refused(RATE_LIMITED, f"{MAX_QUESTIONS} questions of this account are open")
        everybody = self._asked[query] = [answer]

        def known(found: Found | RadiodError) -> None:
            del self._asked[query]
            for one in everybody:
                one.settle(found)

        self._source.usage(query).then(known)
        return answer

    def _plan(self, account: str) -> tuple[str | None, Told]:
        """The name of an account's plan, and what that says; without one nothing is limited."""
        name = self._accounts.record(account).plan
        return name, {} if name is None else self._plans.describe(name)["limits"]

    def _may_rotate(self, key: Asker) -> bool:
        """Keys of the configuration are changed there."""
        _, limits = self._plan(key.holder.account.id)
        entry = self._entry(key)
        return entry is not None and not entry.is_fixed and limits.get("self_rotate", False)

    def _entry(self, key: Asker) -> Entry | None:
        own = self._keys.of_account(key.holder.account.id)
        return next((entry for entry in own if entry.holder is key.holder), None)

    def _own(self, account: str) -> list[Told]:
        """The account's keys."""
        return [self._keys.describe(entry) for entry in self._keys.of_account(account)[:MAX_KEYS]]


def _shortened(told: Told) -> Told:
    return {**told, "keys": [_short(key) for key in told["keys"]]}


def _short(told: Told) -> Told:
    """Of a key its last characters, those of its newest secret, and its last use."""
    secrets = told["secrets"]
    uses = [secret["last_used"] for secret in secrets if secret["last_used"] is not None]
    return {
        "id": told["id"],
        "label": told["label"],
        "hint": secrets[-1]["hint"] if secrets else "",
        "state": told["state"],
        "valid_until": told["valid_until"],
        "last_used": max(uses, default=None),
    }


def _used(rows: list[Told]) -> Told:
    return {
        "published": sum(row["published"] for row in rows),
        "delivered": sum(row["delivered"] for row in rows),
        "bytes": sum(row["bytes_out"] for row in rows),
    }
