"""Usage: the ledger of one server, who writes it, and what acts on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.logger import Logger

from radiod import config
from radiod.access.bookkeeper import Bookkeeper
from radiod.access.deliveries import DeliveryLimits
from radiod.access.procedures.usage import UsageProcedures
from radiod.core.access.ledger import Ledger
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.port import AccessStore
from radiod.core.access.records import UsageQuery
from radiod.core.delivery.readership import Readerships
from radiod.core.holders import Account, Accounts
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.timers import Clock, Timers

__all__ = ["Usage"]


class Usage:
    """The ledger, from the first message to the last.

    ``readerships``: who was given what, for all realms; ``limits``: what acts on it, from ``attend`` on.
    """

    log = Logger()

    def __init__(self, settings: config.Usage, clock: Clock, timers: Timers) -> None:
        self._settings = settings
        self._clock = clock
        self._timers = timers
        self.ledger = Ledger(clock)
        self.readerships = Readerships(self.ledger)
        self.limits = DeliveryLimits(self.ledger, ())
        self._bookkeeper = self._make_bookkeeper(MemoryAccessStore())

    def attend(self, realms: Mapping[str, Realm], accounts: Accounts) -> None:
        """The realms are there: act on what their listeners use, and answer who asks there."""
        self.limits = DeliveryLimits(self.ledger, [realm.subscriptions for realm in realms.values()])
        accounts.moving.append(self.ledger.regroup)
        family = UsageProcedures(self)
        for realm in realms.values():
            realm.procedures.table |= family.procedures

    def _make_bookkeeper(self, store: AccessStore) -> Bookkeeper:
        return Bookkeeper(
            self.ledger,
            store,
            self._clock,
            self._timers,
            flush_s=self._settings.flush_s,
            keep_days=self._settings.keep_days,
            on_settled=lambda: self.limits.settled(),
            tell=lambda text: self.log.warn("{text}", text=text),
        )

    def start(self, store: AccessStore) -> None:
        """Go on from what the store has, and write into it."""
        self._bookkeeper = self._make_bookkeeper(store)
        self._bookkeeper.start()

    def stop(self) -> Promise[None]:
        """Write what is left; all connections are gone. The store may close when that has come."""
        return self._bookkeeper.stop()

    def usage(self, query: UsageQuery) -> Promise[tuple[list[dict[str, Any]], str | None]]:
        """As ``Bookkeeper.usage``."""
        return self._bookkeeper.usage(query)

    def used(self, account: Account) -> Promise[tuple[tuple[int, int, int], tuple[int, int, int]]]:
        """As ``Bookkeeper.used``."""
        return self._bookkeeper.used(account.id)
