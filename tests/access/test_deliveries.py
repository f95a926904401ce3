"""What plans say of deliveries: thinning, and the end of listeners whose account has used up a quota."""

import pytest
from support.realms import World

from radiod.access.deliveries import DeliveryLimits
from radiod.core.allowances import Allowances
from radiod.core.holders import Account, Holder
from radiod.core.plans import Plan

MIDNIGHT = 1_796_083_200
"""2026-12-01T00:00:00Z."""


class Metered:
    """A realm whose listeners are settled whenever a second has passed."""

    def __init__(self, **plan):
        self.world = World()
        clock = self.world.clock
        clock.set_date(MIDNIGHT - 100 - clock.time())
        self.account = Account("acme")
        self.account.allowances = Allowances(Plan(**plan), clock)
        self.holder = Holder("k_1", self.account)
        held = [self.world.realm.subscriptions]
        self.told = []
        self.limits = DeliveryLimits(
            self.world.realm.ledger, held, lambda account, quota: self.told.append((account.id, quota.name))
        )
        self.publisher = self.world.join()

    def listener(self, topic="a", **options):
        client = self.world.join(holder=self.holder)
        client.subscribe(topic, **options)
        return client

    def change(self, **plan):
        self.account.allowances.change(Plan(**plan))
        self.limits.review(self.account)

    def publish(self, count, topic="a"):
        for number in range(count):
            self.publisher.request(16, {}, topic, [number])

    def second(self, seconds=1):
        self.world.clock.advance(seconds)
        self.world.outbox.turn()
        self.world.realm.ledger.turn()
        self.world.realm.ledger.settle()
        self.limits.settled()

    @property
    def delivered(self):
        return sum(line.delivered for line in self.world.realm.ledger.changed())


def numbers(client):
    return [message[4][0] for message in client.received() if message[0] == 36]


def is_over(client):
    return not client.session.is_open


class TestPublishing:
    def test_that_nothing_is_left_is_told_once_a_period(self):
        metered = Metered(publish_day=2, publish_month=3)
        publisher = metered.world.join(holder=metered.holder)

        def told(tries):
            for number in range(tries):
                publisher.request(16, {}, "a", [number])
            metered.second()
            told, metered.told = metered.told, []
            return [limit for _, limit in told]

        assert [told(2), told(1), told(3), told(0)] == [[], ["publish_day"], [], []]
        metered.world.clock.set_date(200)
        assert [told(2), told(1), told(1)] == [[], ["publish_day"], []]

    def test_what_is_refused_for_its_rate_is_no_news(self):
        metered = Metered(publish_rate=1, publish_day=10)
        publisher = metered.world.join(holder=metered.holder)
        for number in range(3):
            publisher.request(16, {}, "a", [number])
        metered.second()
        assert metered.told == []


class TestUsedUp:
    @pytest.mark.parametrize("quota", ["deliver_day", "deliver_month", "bytes_day", "bytes_month"])
    def test_listeners_end_with_the_quota(self, quota):
        metered = Metered(**{quota: 6})
        listeners = [metered.listener(), metered.listener("b")]
        metered.publish(1)
        metered.second()
        assert not any(map(is_over, listeners))
        metered.publish(5)
        metered.second()
        assert all(map(is_over, listeners))
        for client in listeners:
            goodbye = client.received()[-1]
            assert goodbye[0] == 6
            assert goodbye[2] == "radiod.close.quota"
        assert metered.delivered == 6

    def test_it_overshoots_by_what_one_second_brings_and_the_ledger_shows_it(self):
        metered = Metered(deliver_day=2)
        client = metered.listener()
        metered.publish(7)
        assert not is_over(client)
        metered.second()
        assert is_over(client)
        assert metered.delivered == 7

    def test_who_does_not_listen_and_who_pays_himself_go_on(self):
        metered = Metered(deliver_day=1)
        listener, caller = metered.listener(), metered.world.join(holder=metered.holder)
        other = metered.world.join(holder=Holder("k_2", Account("other")))
        other.subscribe("a")
        metered.publish(1)
        metered.second()
        assert [is_over(client) for client in (listener, caller, other)] == [True, False, False]

    def test_answers_from_the_past_use_it_up_as_well(self):
        metered = Metered(deliver_day=3)
        listener = metered.listener("b")
        metered.world.realm.usage.retold(listener.session, "a", 3, 30)
        metered.second()
        assert is_over(listener)

    def test_things_that_are_no_sessions_are_not_ended_here(self):
        metered = Metered(deliver_day=1)
        metered.holder.enter("an upload", lambda thing, reason: pytest.fail(reason))
        metered.listener()
        metered.publish(1)
        metered.second()
        assert metered.holder.things == ("an upload",)

    def test_it_is_told_once_a_period(self):
        metered = Metered(deliver_day=2, over="thin")
        metered.listener()
        metered.listener()
        for _ in range(2):
            metered.publish(2)
            metered.second()
        assert metered.told == [("acme", "deliver_day")]
        metered.second(100)
        # The next day.
        metered.publish(2)
        metered.second()
        assert metered.told == [("acme", "deliver_day")] * 2


class TestThinning:
    def test_a_used_up_quota_leaves_one_event_in_ten_seconds_until_the_day_is_over(self):
        metered = Metered(deliver_day=3, over="thin")
        client = metered.listener(_radiod_buffer={"latest": True})
        metered.publish(3)
        metered.second()
        assert numbers(client) == [0, 1, 2]
        for _ in range(30):
            metered.publish(1)
            metered.second()
        # At 0, 10, 20 and 30 seconds.
        assert len(numbers(client)) == 4
        metered.second(100)
        metered.publish(3)
        metered.second()
        assert numbers(client)[-3:] == [0, 1, 2]

    def test_who_begins_to_listen_then_gets_as_few(self):
        metered = Metered(deliver_day=1, over="thin")
        metered.listener()
        metered.publish(1)
        metered.second()
        late = metered.listener()
        metered.publish(5)
        metered.second()
        assert len(numbers(late)) == 1

    def test_a_rate_is_kept_by_each_listener(self):
        metered = Metered(deliver_rate=2)
        clients = [metered.listener(), metered.listener()]
        for _ in range(16):
            metered.publish(1)
            metered.world.clock.advance(0.25)
            metered.world.outbox.turn()
        # At 0, and every half second up to 4.
        assert [len(numbers(client)) for client in clients] == [9, 9]

    def test_a_longer_interval_that_was_wished_stays(self):
        metered = Metered(deliver_rate=2)
        client = metered.listener(_radiod_buffer={"min_interval": 4.0, "latest": True})
        for _ in range(16):
            metered.publish(1)
            metered.world.clock.advance(0.5)
            metered.world.outbox.turn()
        # At 0, 4 and 8 seconds.
        assert len(numbers(client)) == 3

    def test_another_plan_counts_at_once(self):
        metered = Metered()
        client = metered.listener()
        metered.change(deliver_rate=1)
        metered.publish(2)
        assert len(numbers(client)) == 1
        metered.change()
        metered.world.outbox.turn()
        metered.publish(1)
        assert len(numbers(client)) == 2
        assert client.subscriptions[next(iter(client.subscriptions))].pacer is None

    def test_only_who_used_up_a_quota_is_looked_at_again(self):
        metered = Metered(deliver_rate=2)
        metered.listener()
        metered.publish(1)
        metered.second()
        assert (metered.limits._thinned, metered.limits._intervals) == ({}, {metered.account: 0.5})

    def test_an_account_without_a_plan_is_nobodys_business(self):
        metered = Metered()
        metered.account.allowances = None
        client = metered.listener()
        metered.limits.review(metered.account)
        metered.publish(3)
        metered.second()
        assert numbers(client) == [0, 1, 2]
