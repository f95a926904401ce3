"""Usage: the ledger of one server, who writes it, and what acts on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.logger import Logger

from radiod import config
from radiod.access.bookkeeper import Bookkeeper
from radiod.access.deliveries import DeliveryLimits
from radiod.access.procedures.usage import UsageProcedures
from radiod.access.spent import Used
from radiod.core.access.ledger import Ledger
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.port import AccessStore, UsagePage, UsageSource
from radiod.core.access.records import UsageQuery
from radiod.core.delivery.readership import Readerships
from radiod.core.holders import Account, Accounts
from radiod.core.promises import Promise
from radiod.core.quotas import Quota
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
        # That of all nodes, where there are several; and who is called once a second, then.
        self.source: UsageSource = self
        self.on_settled: Callable[[], object] = _nobody
        self._bookkeeper = self._make_bookkeeper(MemoryAccessStore())
        # Who asks before the start what was used: account, and the answer.
        self._asked: list[tuple[str, Promise[Used]]] | None = []

    def attend(
        self,
        realms: Mapping[str, Realm],
        accounts: Accounts,
        on_used_up: Callable[[Account, Quota], None] = lambda account, quota: None,
    ) -> None:
        """The realms are there: act on what their listeners use, and answer who asks there.

        ``on_used_up``: as ``DeliveryLimits``.
        """
        held = [realm.subscriptions for realm in realms.values()]
        self.limits = DeliveryLimits(self.ledger, held, on_used_up)
        accounts.moving.append(self.ledger.regroup)
        family = UsageProcedures(self.source)
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
            on_settled=self._settled,
            tell=lambda text: self.log.warn("{text}", text=text, event="overload"),
        )

    def _settled(self) -> None:
        self.limits.settled()
        self.on_settled()

    def start(self, store: AccessStore) -> None:
        """Go on from what the store has, and write into it."""
        self._bookkeeper = self._make_bookkeeper(store)
        asked, self._asked = self._asked or [], None
        for account, answer in asked:
            # Before anything is written: what was used since then is counted already.
            self._bookkeeper.used(account).then(answer.settle)
        self._bookkeeper.start()

    def stop(self) -> Promise[None]:
        """Write what is left; all connections are gone. The store may close when that has come."""
        return self._bookkeeper.stop()

    def usage(self, query: UsageQuery) -> Promise[UsagePage]:
        """As ``UsageSource.usage``: of this server."""
        return self._bookkeeper.usage(query)

    def used(self, account: Account) -> Promise[Used]:
        """As ``Bookkeeper.used``; before the start it is known after that."""
        if self._asked is None:
            return self._bookkeeper.used(account.id)
        answer: Promise[Used] = Promise()
        self._asked.append((account.id, answer))
        return answer


def _nobody() -> None:
    """Nobody minds."""
