"""What plans say of deliveries: how often each listener may get one, and what happens when a quota is gone.

Deliveries are counted once a second, so that a quota is overshot by what one second brings. Then, as the
plan has it, the account's listeners end (``radiod.close.quota``), or get one event in ten seconds until the
day, or the month, is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from radiod.core.access.ledger import Ledger
from radiod.core.delivery.listeners import Listener
from radiod.core.holders import Account
from radiod.core.pubsub.broker import SessionSubscriptions
from radiod.core.quotas import Quota
from radiod.core.sessions.session import Session

__all__ = ["DeliveryLimits"]


class DeliveryLimits:
    """Acts on what the accounts' listeners were given.

    Args:
        subscriptions: of all realms.
        on_used_up: told once a period that an account has used up a quota of its plan; of what it publishes,
            when something is refused for that.
    """

    def __init__(
        self,
        ledger: Ledger,
        subscriptions: Iterable[SessionSubscriptions],
        on_used_up: Callable[[Account, Quota], None] = lambda account, quota: None,
    ) -> None:
        self._ledger = ledger
        self._subscriptions = tuple(subscriptions)
        self._on_used_up = on_used_up
        # Those whose listeners wait between events -> for how long; and who of them does for a quota.
        self._intervals: dict[Account, float] = {}
        self._thinned: dict[Account, None] = {}
        # Account and quota -> the period for which that was told.
        self._told: dict[tuple[Account, str], int] = {}

    def settled(self) -> None:
        """The ledger has been settled: look at those who were given something, and those that are thinned."""
        charged = list(self._ledger.charged)
        self._ledger.charged.clear()
        for account in dict.fromkeys([*charged, *self._thinned]):
            self.review(account)

    def review(self, account: Account) -> None:
        """Look at one account: what it has used, or its plan, may have changed."""
        allowances = account.allowances
        if allowances is None:
            return
        self._thinned.pop(account, None)
        short = allowances.publish.take_short()
        if short is not None:
            self._tell(account, short)
        quota = allowances.used_up
        if quota is not None:
            self._tell(account, quota)
            if allowances.plan.over == "thin":
                self._thinned[account] = None
            else:
                for holder in list(account.busy):
                    holder.end("quota", self._listens)
        interval = allowances.interval
        if interval == self._intervals.get(account, 0.0):
            return
        if interval:
            self._intervals[account] = interval
        else:
            del self._intervals[account]
        for listener in self._listeners(account):
            # The same settings, under another plan.
            listener.tune(listener.settings)

    def _tell(self, account: Account, quota: Quota) -> None:
        if self._told.get((account, quota.name)) != quota.begin:
            self._told[account, quota.name] = quota.begin
            self._on_used_up(account, quota)

    def _listens(self, thing: Any) -> bool:
        return isinstance(thing, Session) and any(held.of(thing) for held in self._subscriptions)

    def _listeners(self, account: Account) -> Iterator[Listener]:
        for holder in list(account.busy):
            for thing in holder.things:
                if isinstance(thing, Session):
                    for held in self._subscriptions:
                        for subscription in list(held.of(thing).values()):
                            yield subscription.listeners[thing]
