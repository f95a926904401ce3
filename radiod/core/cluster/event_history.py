"""``wamp.subscription.get_events`` on any node: also of a topic to which only others listen.

Not of a pattern: which topics it stands for is known where somebody listens to it.
"""

from __future__ import annotations

from typing import cast

from radiod.core.cluster.census import Found
from radiod.core.cluster.census_letters import Described
from radiod.core.cluster.sharing import SharedBroker
from radiod.core.cluster.subscription_procedures import SharedSubscriptionProcedures
from radiod.core.procedures.wamp_event_history import EventHistoryProcedures
from radiod.core.promises import Promise, chain
from radiod.core.pubsub.broker import Subscription
from radiod.core.sessions.session import Session
from radiod.errors import NO_SUCH_SUBSCRIPTION, Refused
from radiod.wire.options import MatchPolicy

__all__ = ["SharedEventHistory"]


class SharedEventHistory(EventHistoryProcedures):
    """As ``EventHistoryProcedures``; the events are in the log, which every node can read.

    ``broker``, ``subscriptions``: set before the first call.
    """

    broker: SharedBroker
    subscriptions: SharedSubscriptionProcedures

    def _found(self, caller: Session, id: int) -> Subscription | Promise[Subscription]:
        try:
            return EventHistoryProcedures._found(self, caller, id)
        except Refused:
            return chain(self.subscriptions.find(caller, id), self._of_others)

    def _of_others(self, found: tuple[Described, Found[Described]]) -> Subscription:
        described, _ = found
        if described["match"] != "exact":
            raise Refused(NO_SUCH_SUBSCRIPTION, f"nobody listens to {described['uri']} on this node")
        return self.broker.of_others(
            described["id"], cast("MatchPolicy", described["match"]), described["uri"]
        )
