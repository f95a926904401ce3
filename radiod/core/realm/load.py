"""What goes on in one realm, read from one place: its counters and rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.budgets.bounds import Bounds
from radiod.core.channels.registry import Channels
from radiod.core.delivery.holdings import Holdings
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Broker
from radiod.core.realm.publications import Usage
from radiod.core.rpc.dealer import Dealer
from radiod.core.sessions.session import Session
from radiod.core.statistics import Rate, Statistics

__all__ = ["Load"]

ON_STATS: Final = "radiod.server.on_stats"


class Load:
    """The statistics of one realm. ``settle``: has everybody enter what they kept to themselves."""

    def __init__(
        self,
        *,
        statistics: Statistics,
        sessions: dict[int, Session],
        broker: Broker,
        dealer: Dealer,
        channels: Channels,
        holdings: Holdings,
        bounds: Bounds,
        usage: Usage,
        announcer: Announcer,
        settle: Callable[[], None],
    ) -> None:
        self._statistics = statistics
        self._sessions = sessions
        self._broker = broker
        self._dealer = dealer
        self._channels = channels
        self._holdings = holdings
        self._bounds = bounds
        self._usage = usage
        self._announcer = announcer
        self._settle = settle
        self._publish_rate = Rate()
        self._delivery_rate = Rate()
        self._bytes_rate = Rate()

    def describe(self) -> dict[str, Any]:
        """Statistics of this realm, and of the whole server; ``Statistics.describe`` says which are those."""
        self._settle()
        tally = self._broker.tally
        return {
            "sessions": len(self._sessions),
            "subscriptions": len(self._broker),
            "registrations": len(self._dealer),
            "channels": self._channels.public,
            "published": self._usage.published_events,
            "published_per_s": self._publish_rate.per_s,
            "queued": tally.queued,
            "queued_bytes": tally.queued_bytes,
            "dropped": dict(tally.by_policy),
            "undeliverable": tally.undeliverable,
            "overtaken": tally.overtaken,
            "conflated": tally.conflated,
            "skipped": tally.skipped,
            "delivered": tally.delivered,
            "delivered_per_s": self._delivery_rate.per_s,
            "bytes_out": tally.delivered_bytes,
            "bytes_out_per_s": self._bytes_rate.per_s,
            "limits": dict(self._bounds.counts),
            "held_bytes": self._holdings.bytes,
            **self._statistics.describe(),
        }

    def round_ended(self, seconds: float) -> None:
        """A round of the statistics has ended: the rates are those of this one, and are told."""
        self._settle()
        tally = self._broker.tally
        self._publish_rate.turn(self._usage.published_events, seconds)
        self._delivery_rate.turn(tally.delivered, seconds)
        self._bytes_rate.turn(tally.delivered_bytes, seconds)
        self._bounds.turn()
        if self._announcer.has_listeners(ON_STATS):
            self._announcer.announce(ON_STATS, self.describe())
