"""Plans at work: what is taken, what is given back, what is refused and for how long; changed in place."""

from contextlib import suppress

import pytest

from radiod.core.allowances import Allowances
from radiod.core.plans import Plan
from radiod.errors import QUOTA, RATE_LIMITED, OverLimit
from radiod.testing import FakeClock


def allowances(clock=None, **limits):
    return Allowances(Plan(**limits), clock or FakeClock())


def accepted(allowance, offered):
    """How many of so many at once are let through."""
    count = 0
    for _ in range(offered):
        with suppress(OverLimit):
            allowance.take()
            count += 1
    return count


def refusal_of(act, *args):
    with pytest.raises(OverLimit) as caught:
        act(*args)
    refusal = caught.value
    return refusal.limit, refusal.uri, refusal.retry_after, refusal.text


def test_without_limits_all_may_be_done():
    free = allowances()
    assert accepted(free.publish, 1000) == accepted(free.call, 1000) == 1000
    free.check_connection(10**6)


def test_a_hundred_accounts_offered_twice_their_rate_for_a_minute():
    """Each gets what the formula says, to the message."""
    clock = FakeClock()
    tenths = [1 + n % 97 for n in range(100)]
    plans = [Plan(publish_rate=rate / 10, publish_burst=2 + n % 13) for n, rate in enumerate(tenths)]
    accounts = [Allowances(plan, clock) for plan in plans]
    counts = [0] * len(accounts)
    for step in range(601):
        for n, account in enumerate(accounts):
            # The burst, and then twice what comes: a little more for those that get less than one at a time.
            offered = plans[n].publish_burst if step == 0 else 1 + tenths[n] // 50
            counts[n] += accepted(account.publish, offered)
        clock.advance(0.1 if step < 600 else 0)
    for account, plan, rate, count in zip(accounts, plans, tenths, counts, strict=True):
        assert count == plan.publish_burst + rate * 60 // 10
        assert account.publish_day.used == account.publish_month.used == count


def test_above_the_rate_it_says_when_there_is_a_token():
    clock = FakeClock()
    slow = allowances(clock, publish_rate=0.1, call_rate=2, call_burst=1)
    slow.publish.take()
    assert refusal_of(slow.publish.take) == (
        "publish_rate", RATE_LIMITED, 10, "rate limit exceeded: publish_rate"
    )  # fmt: skip
    clock.advance(2.5)
    assert refusal_of(slow.publish.take)[2] == 8
    slow.call.take()
    assert refusal_of(slow.call.take)[:3] == ("call_rate", RATE_LIMITED, 1)


@pytest.mark.parametrize("period", ["day", "month"])
def test_a_quota_that_is_used_up_refuses_until_its_period_ends_and_takes_no_token(period):
    clock = FakeClock(epoch=1_798_761_600 - 7200)  # two hours before the year 2027
    some = allowances(clock, publish_rate=1, publish_burst=5, **{f"publish_{period}": 3})
    assert accepted(some.publish, 5) == 3
    told = refusal_of(some.publish.take)
    assert told == (f"publish_{period}", QUOTA, 7200, f"quota exceeded: publish_{period}")
    assert some.publish.bucket.left(clock.seconds()) == 2
    assert (some.publish_day.used, some.publish_month.used) == (3, 3)
    clock.advance(7200)
    assert accepted(some.publish, 6) == 3


def test_what_is_refused_later_gives_all_back():
    clock = FakeClock()
    some = allowances(clock, publish_rate=1, publish_burst=2, publish_day=2, call_rate=1)
    some.publish.take()
    some.publish.give_back()
    some.call.take()
    some.call.give_back()
    assert (some.publish_day.used, some.publish_month.used) == (0, 0)
    assert accepted(some.publish, 3) == 2
    assert accepted(some.call, 2) == 1


def test_what_is_given_back_later_belongs_to_the_day_of_its_taking():
    clock = FakeClock(epoch=1_798_761_600 - 1)
    some = allowances(clock, publish_day=5)
    some.publish.take()
    give_back = some.publish.returner()
    clock.advance(2)
    some.publish.take()
    give_back()
    assert some.publish_day.used == 1


def test_another_plan_acts_at_once_and_resets_nothing():
    clock = FakeClock()
    some = allowances(clock, publish_rate=10, publish_burst=10, publish_day=20)
    assert accepted(some.publish, 20) == 10
    some.change(Plan(publish_rate=10, publish_burst=15, publish_day=12))
    assert accepted(some.publish, 20) == 2
    assert refusal_of(some.publish.take)[0] == "publish_day"
    some.change(Plan(publish_rate=10, publish_burst=15))
    assert accepted(some.publish, 20) == 3
    same = some.publish.bucket
    some.change(Plan(publish_rate=10, publish_burst=15))
    assert some.publish.bucket is same
    assert accepted(some.publish, 20) == 0
    some.change(Plan())
    assert accepted(some.publish, 20) == 20
    some.change(Plan(publish_day=36))
    assert accepted(some.publish, 20) == 1


def test_what_the_ledger_has_counts():
    some = allowances(publish_day=10, publish_month=100, deliver_month=1000, bytes_day=5000)
    some.restore((8, 70, 4000), (99, 1000, 40_000))
    assert accepted(some.publish, 5) == 1
    assert some.used_up is some.deliver_month
    assert [some.bytes_day.used, some.bytes_month.used, some.deliver_day.used] == [4000, 40_000, 70]


def test_a_connection_too_many_is_refused():
    some = allowances(connections=2)
    some.check_connection(1)
    assert refusal_of(some.check_connection, 2)[:2] == ("connections", QUOTA)
    assert refusal_of(allowances(connections=0).check_connection, 0)[0] == "connections"


@pytest.mark.parametrize("limit", ["deliver_day", "deliver_month", "bytes_day", "bytes_month"])
def test_who_has_used_up_what_listeners_get_opens_nothing_more_unless_it_is_thinned(limit):
    clock = FakeClock()
    some = allowances(clock, **{limit: 5})
    getattr(some, limit).add(4, clock.time())
    some.check_connection(7)
    assert some.used_up is None
    getattr(some, limit).add(4, clock.time())
    assert some.used_up.name == limit
    assert refusal_of(some.check_connection, 0)[:2] == (limit, QUOTA)
    some.change(Plan(**{limit: 5}, over="thin"))
    some.check_connection(7)


def test_a_channel_too_many_is_refused():
    some = allowances(channels=2)
    some.check_channel(1)
    assert refusal_of(some.check_channel, 2)[:2] == ("channels", QUOTA)
    allowances().check_channel(10**6)


class TestDeliveries:
    def allowances(self, clock, **plan):
        return Allowances(Plan(**plan), clock)

    def test_a_rate_is_an_interval(self):
        clock = FakeClock()
        assert self.allowances(clock).interval == 0
        assert self.allowances(clock, deliver_rate=4).interval == 0.25

    def test_a_used_up_quota_is_a_long_interval_or_the_end(self):
        clock = FakeClock()
        thin, refuse = (self.allowances(clock, deliver_day=5, over=over) for over in ("thin", "refuse"))
        for one in (thin, refuse):
            one.delivered(4, 400)
            assert (one.interval, one.used_up) == (0, None)
            one.delivered(1, 100)
        assert (thin.interval, thin.used_up) == (10, thin.deliver_day)
        assert (refuse.interval, refuse.used_up) == (0, refuse.deliver_day)

    def test_the_longer_interval_counts(self):
        one = self.allowances(FakeClock(), deliver_rate=0.01, bytes_month=1, over="thin")
        one.delivered(1, 10)
        assert one.interval == 100

    def test_all_quotas_count(self):
        one = self.allowances(FakeClock())
        one.delivered(2, 30)
        quotas = one.deliver_day, one.deliver_month, one.bytes_day, one.bytes_month
        assert [quota.used for quota in quotas] == [2, 2, 30, 30]


def test_for_which_quota_something_was_refused_is_told_once():
    publish = allowances(publish_rate=10, publish_burst=2, publish_day=1).publish
    publish.take()
    assert publish.take_short() is None
    refusal_of(publish.take)
    assert [publish.take_short(), publish.take_short()] == [publish.day, None]


def test_connections_and_channels_elsewhere_count():
    some = allowances(connections=3, channels=3)
    some.connections_elsewhere = some.channels_elsewhere = 2
    some.check_connection(0)
    some.check_channel(0)
    assert refusal_of(some.check_connection, 1)[0] == "connections"
    assert refusal_of(some.check_channel, 1)[0] == "channels"


def test_quotas_are_told_in_one_order():
    names = [quota.name for quota in allowances().quotas]
    assert names == [
        f"{what}_{period}" for period in ("day", "month") for what in ("publish", "deliver", "bytes")
    ]
