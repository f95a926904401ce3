"""What the accounts' plans come to while the server runs: what is used, and what is refused for it.

One for each account that has, or had, a plan, so that keys and connections share it. A plan that changes is
taken over in place: what was used stays used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.buckets import TokenBucket, burst_of
from radiod.core.plans import Plan
from radiod.core.quotas import Quota, day_of, month_of
from radiod.core.timers import Clock
from radiod.errors import QUOTA, RATE_LIMITED, OverLimit

__all__ = ["Allowance", "Allowances"]

THIN_S: Final = 10.0
"""Seconds between events of a listener that has used up a quota, where the plan thins for that."""

RETRY_SOON: Final = 1
"""Seconds: when another connection, or channel, ends nobody knows."""


class Allowance:
    """How often one thing may be done: a bucket, and quotas behind it.

    ``name``: of its rate, as the plan names it; ``bucket``: None: it may be done at any rate; ``day``,
    ``month``: None: nobody counts; ``short``: the quota that something was refused for last, None: nothing
    was since ``take_short``.
    """

    __slots__ = ("_clock", "bucket", "day", "month", "name", "short")

    def __init__(self, name: str, clock: Clock, day: Quota | None = None, month: Quota | None = None) -> None:
        self.name = name
        self.bucket: TokenBucket | None = None
        self.day = day
        self.month = month
        self.short: Quota | None = None
        self._clock = clock

    def change(self, rate: float | None, burst: int | None) -> None:
        """Allow another rate from now on."""
        if rate is None:
            self.bucket = None
            return
        most, now = burst_of(rate, burst), self._clock.seconds()
        if self.bucket is None:
            self.bucket = TokenBucket(rate, most, now)
        elif (self.bucket.rate, self.bucket.burst) != (rate, most):
            self.bucket.change(rate, most, now)

    def take(self) -> None:
        """It is about to be done once. Raises: OverLimit: it may not; nothing is used then."""
        bucket = self.bucket
        if bucket is not None:
            seconds = self._clock.seconds()
            if not bucket.take(seconds):
                raise OverLimit(self.name, bucket.wait(seconds), RATE_LIMITED)
        if self.day is None or self.month is None:
            return
        now = self._clock.time()
        short = None
        if not self.day.charge(1, now):
            short = self.day
        elif not self.month.charge(1, now):
            short = self.month
            self.day.give_back(1, self.day.begin)
        if short is not None:
            self.short = short
            if bucket is not None:
                bucket.give_back()
            raise OverLimit(short.name, short.wait(now), QUOTA)

    def take_short(self) -> Quota | None:
        """``short``, once."""
        short, self.short = self.short, None
        return short

    def give_back(self) -> None:
        """It was refused after all, at once."""
        self.returner()()

    def returner(self) -> Callable[[], None]:
        """What gives back what was taken just now, should it be refused later."""
        bucket = self.bucket
        quotas = [(quota, quota.begin) for quota in (self.day, self.month) if quota is not None]

        def give_back() -> None:
            if bucket is not None:
                bucket.give_back()
            for quota, begin in quotas:
                quota.give_back(1, begin)

        return give_back


class Allowances:
    """Those of one account.

    ``publish``, ``call``: taken for each; ``deliver_day``, ``deliver_month``, ``bytes_day``, ``bytes_month``:
    counted where deliveries are (``Quota.add``); ``plan``: whose other limits count where they act;
    ``clock``: whose time it is; ``connections_elsewhere``, ``channels_elsewhere``: what the account has on
    other nodes.
    """

    __slots__ = (
        "bytes_day",
        "bytes_month",
        "call",
        "channels_elsewhere",
        "clock",
        "connections_elsewhere",
        "deliver_day",
        "deliver_month",
        "plan",
        "publish",
        "publish_day",
        "publish_month",
    )

    def __init__(self, plan: Plan, clock: Clock) -> None:
        now = clock.time()
        self.clock = clock
        self.plan = plan
        self.connections_elsewhere = 0
        self.channels_elsewhere = 0
        self.publish_day = Quota("publish_day", day_of, None, now)
        self.publish_month = Quota("publish_month", month_of, None, now)
        self.deliver_day = Quota("deliver_day", day_of, None, now)
        self.deliver_month = Quota("deliver_month", month_of, None, now)
        self.bytes_day = Quota("bytes_day", day_of, None, now)
        self.bytes_month = Quota("bytes_month", month_of, None, now)
        self.publish = Allowance("publish_rate", clock, self.publish_day, self.publish_month)
        self.call = Allowance("call_rate", clock)
        self.change(plan)

    def change(self, plan: Plan) -> None:
        """The account has another plan, or its plan has changed: that counts from now on."""
        self.plan = plan
        self.publish.change(plan.publish_rate, plan.publish_burst)
        self.call.change(plan.call_rate, plan.call_burst)
        self.publish_day.limit = plan.publish_day
        self.publish_month.limit = plan.publish_month
        self.deliver_day.limit = plan.deliver_day
        self.deliver_month.limit = plan.deliver_month
        self.bytes_day.limit = plan.bytes_day
        self.bytes_month.limit = plan.bytes_month

    def restore(self, day: tuple[int, int, int], month: tuple[int, int, int]) -> None:
        """What the ledger has of today and of this month: published, delivered, bytes out."""
        for quotas, sums in (
            ((self.publish_day, self.deliver_day, self.bytes_day), day),
            ((self.publish_month, self.deliver_month, self.bytes_month), month),
        ):
            for quota, used in zip(quotas, sums, strict=True):
                quota.restore(used)

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """Those of a day, and then those of a month: published, delivered, bytes out."""
        return (
            self.publish_day,
            self.deliver_day,
            self.bytes_day,
            self.publish_month,
            self.deliver_month,
            self.bytes_month,
        )

    @property
    def used_up(self) -> Quota | None:
        """The first quota of what its listeners get of which nothing is left; None: there is none."""
        now = self.clock.time()
        for quota in (self.deliver_day, self.deliver_month, self.bytes_day, self.bytes_month):
            if quota.is_used_up(now):
                return quota
        return None

    def delivered(self, events: int, size: int) -> None:
        """Its listeners were given so many events, of so many payload bytes."""
        now = self.clock.time()
        self.deliver_day.add(events, now)
        self.deliver_month.add(events, now)
        self.bytes_day.add(size, now)
        self.bytes_month.add(size, now)

    @property
    def interval(self) -> float:
        """The least seconds between two events of one listener; 0: there may be none."""
        rate = self.plan.deliver_rate
        interval = 1 / rate if rate else 0.0
        if self.plan.over == "thin" and self.used_up is not None:
            return max(interval, THIN_S)
        return interval

    def check_connection(self, is_open: int) -> None:
        """One more connection is about to open, beside as many as ``is_open``.

        Raises: OverLimit: ``connections``: those are all that the plan has; or the quota that is used up,
            if the plan ends listeners for that.
        """
        plan = self.plan
        if plan.connections is not None and is_open + self.connections_elsewhere >= plan.connections:
            raise OverLimit("connections", RETRY_SOON, QUOTA)
        if plan.over == "refuse":
            quota = self.used_up
            if quota is not None:
                raise OverLimit(quota.name, quota.wait(self.clock.time()), QUOTA)

    def check_channel(self, count: int) -> None:
        """One more channel is about to be created, beside ``count``. Raises: OverLimit: ``channels``."""
        if self.plan.channels is not None and count + self.channels_elsewhere >= self.plan.channels:
            raise OverLimit("channels", RETRY_SOON, QUOTA)
