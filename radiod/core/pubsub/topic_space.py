"""Where a topic's listeners and past are: in the realm's space for all, or in a private channel's own.

A private channel shares nothing with the rest of its realm: whoever has not joined it subscribes to,
publishes to and asks about another topic that happens to have the same name.
"""

from __future__ import annotations

from typing import NamedTuple

from radiod.core.history.histories import Histories
from radiod.core.ports import Ids, Limits
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.publishing import Publishing
from radiod.core.pubsub.recovery import Recovery
from radiod.core.pubsub.tuning import Tuning
from radiod.core.statistics import Statistics

__all__ = ["Place", "Space"]


class Space:
    """The broker of some topics, with their histories, their buffers and the ways to all of these."""

    __slots__ = ("broker", "histories", "publishing", "recovery", "tuning")

    def __init__(
        self, broker: Broker, histories: Histories, ids: Ids, limits: Limits, statistics: Statistics
    ) -> None:
        self.broker = broker
        self.histories = histories
        self.publishing = Publishing(broker, histories, ids, statistics)
        self.recovery = Recovery(broker, histories)
        self.tuning = Tuning(limits)

    def at(self, topic: str) -> Place:
        """One of its topics."""
        return Place(self.broker, topic)


class Place(NamedTuple):
    """One topic of one space: what a name alone does not tell apart."""

    broker: Broker
    topic: str
