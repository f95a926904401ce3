"""What a server program may ask of a realm, and do there."""

import pytest
from support.answers import assert_refused
from support.realms import NO, Slow, World

from radiod.core.channels.settings import ChannelSettings
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.rights import Action
from radiod.errors import (
    CLOSE_KILLED,
    FEATURE_NOT_SUPPORTED,
    HISTORY_UNAVAILABLE,
    INVALID_URI,
    NOT_AUTHORIZED,
)
from radiod.testing import ALLOW_ALL, ALLOW_NONE, make_principal
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

KEPT = HistoryBounds(size=3, seconds=3600, bytes=10_000, is_durable=False)


@pytest.fixture
def world():
    world = World()
    world.realm.lifecycle.declare("kept", ChannelSettings(history=KEPT, presence=True))
    world.realm.lifecycle.declare("secret", ChannelSettings(history=KEPT, presence=True), key="k")
    return world


@pytest.fixture
def management(world):
    return world.realm.management


def visitor(permissions=ALLOW_ALL, memberships=()):
    return Visitor(1000, make_principal("key", permissions=permissions, memberships=memberships))


def publish(world, count, topic="kept", **options):
    publications = [
        world.realm.gateway.publish(visitor(), topic, Payload.of(n), PublishOptions(**options))
        for n in range(count)
    ]
    return Position(publications[0].epoch, publications[0].seq)


class TestPast:
    def past(self, management, at=None, limit=10, actor=None, **options):
        page, position = management.past(actor or visitor(), "kept", at, limit, **options)
        return [record.seq for record in page.records], page.is_recovered, position.seq

    def test_both_ways(self, world, management):
        epoch = publish(world, 5).epoch
        assert self.past(management) == ([3, 4, 5], True, 5)
        assert self.past(management, limit=2) == ([3, 4], True, 5)
        assert self.past(management, Position(epoch, 4)) == ([5], True, 5)
        assert self.past(management, is_reversed=True) == ([5, 4, 3], True, 5)
        assert self.past(management, limit=2, is_reversed=True) == ([5, 4], True, 5)
        assert self.past(management, Position(epoch, 4), is_reversed=True) == ([3], True, 5)
        assert self.past(management, Position("", 4)) == ([5], True, 5)

    def test_backwards_tells_where_to_go_on(self, world, management):
        epoch = publish(world, 5).epoch
        page, _ = management.past(visitor(), "kept", None, 2, is_reversed=True)
        assert page.position == Position(epoch, 4)
        page, _ = management.past(visitor(), "kept", page.position, 2, is_reversed=True)
        assert [record.seq for record in page.records] == [3]

    def test_what_is_not_held_is_told(self, world, management):
        epoch = publish(world, 5).epoch
        for at in (Position(epoch, 0), Position(epoch, 6), Position("other", 4)):
            assert self.past(management, at)[1] is False
            assert self.past(management, at, is_reversed=True) == ([], False, 5)

    def test_none_is_looked_for_where_none_is_wanted(self, world, management):
        publish(world, 5)
        assert self.past(management, Position("other", 4), 0) == ([], True, 5)

    def test_what_has_grown_too_old_is_gone(self, world, management):
        publish(world, 5)
        world.clock.advance(3601)
        assert self.past(management, limit=0) == ([], True, 5)
        assert self.past(management, is_reversed=True) == ([], True, 5)

    def test_events_for_others_are_passed_over(self, world, management):
        publish(world, 1)
        publish(world, 1, eligible_authid=["somebody"])
        assert self.past(management) == ([1], True, 2)
        assert self.past(management, is_reversed=True) == ([1], True, 2)

    def test_a_private_channel_is_for_its_members(self, world, management):
        page, _ = management.past(visitor(memberships=("secret",)), "secret", None, 10)
        assert page.records == []
        assert_refused(HISTORY_UNAVAILABLE, management.past, visitor(), "secret", None, 10)

    @pytest.mark.parametrize("is_counted", [False, True])
    def test_without_history_there_is_none(self, world, management, is_counted):
        world.join().subscribe("a", _radiod_position=is_counted)
        assert_refused(HISTORY_UNAVAILABLE, management.past, visitor(), "a", None, 10)


class TestWhoListens:
    def test_each_session_and_how_many(self, world, management):
        sessions = [world.listener("kept", authid=authid) for authid in ("joe", "joe", "ann")]
        assert management.listeners(visitor(), "kept") == dict(
            zip([one.id for one in sessions], ["joe", "joe", "ann"], strict=True)
        )
        assert management.headcount(visitor(), "kept") == (3, 2)

    def test_nobody(self, management):
        assert management.listeners(visitor(), "kept") == {}
        assert management.headcount(visitor(), "kept") == (0, 0)

    def test_only_topics_that_tell_it(self, management):
        assert_refused(FEATURE_NOT_SUPPORTED, management.listeners, visitor(), "a")
        assert_refused(FEATURE_NOT_SUPPORTED, management.headcount, visitor(), "a")
        assert_refused(FEATURE_NOT_SUPPORTED, management.headcount, visitor(), "secret")

    def test_topics_that_are_listened_to(self, world, management):
        world.listener("a")
        world.listener("a").subscribe("kept")
        world.listener("radiod.presence.kept")
        assert management.heard(visitor(), "*") == {"a": 2, "kept": 1}
        assert management.heard(visitor(), "a") == {"a": 2}
        assert management.heard(visitor(ALLOW_NONE), "*") == {}

    def test_private_ones_among_them_for_members(self, world, management):
        world.join().subscribe("secret", _radiod_key="k")
        world.join().subscribe("secret", _radiod_key="k")
        world.listener("secret")
        assert management.heard(visitor(), "*") == {"secret": 1}
        member = visitor(memberships=("secret",))
        assert management.heard(member, "*") == {"secret": 2}
        assert management.heard(member, "a") == {}

    def test_private_ones_without_listeners(self, management):
        assert management.heard(visitor(memberships=("secret",)), "*") == {}


def test_load_counts_what_is_there(world, management):
    world.listener("a", authid="joe").subscribe("b")
    world.listener("a", authid="joe")
    world.clock.advance(5)
    assert management.loads() == [(2, 1, 2, 3, 5, "")]


class TestEnding:
    def test_the_sessions_of_a_user(self, world, management):
        joe, other = world.join("joe"), world.join("other")
        assert management.disconnect(visitor(), "joe", "bye") == 1
        assert joe.received() == [[6, {"message": "bye"}, CLOSE_KILLED]]
        assert other.received() == []
        assert management.disconnect(visitor(), "joe") == 0

    def test_one_of_them_or_all_but_some(self, world, management):
        a, b, c = (world.join("joe") for _ in range(3))
        assert management.disconnect(visitor(), "joe", only=a.id) == 1
        assert management.disconnect(visitor(), "joe", but=(b.id,)) == 1
        assert [one.received() for one in (a, b, c)] == [[[6, {}, CLOSE_KILLED]], [], [[6, {}, CLOSE_KILLED]]]

    def test_their_subscriptions(self, world, management):
        joe, other = world.listener("a", authid="joe"), world.listener("a", authid="other")
        assert management.unsubscribe(visitor(), "joe", "a") == 1
        publish(world, 1, "a")
        assert (joe.received(), len(other.received())) == ([], 1)
        assert management.unsubscribe(visitor(), "joe", "a") == 0
        assert management.unsubscribe(visitor(), "joe", "b") == 0

    def test_the_subscription_of_one(self, world, management):
        a, b = world.listener("a", authid="joe"), world.listener("a", authid="joe")
        assert management.unsubscribe(visitor(), "joe", "a", only=a.id) == 1
        publish(world, 1, "a")
        assert (a.received(), len(b.received())) == ([], 1)

    def test_who_has_left_meanwhile_is_left_alone(self, world, management):
        _, leaving, unsubscribing = (world.listener("a", authid="joe") for _ in range(3))
        subscription = world.realm.space.broker.lookup("exact", "a").id
        world.clock.look_s = 1
        done = []
        management.unsubscribe(visitor(), "joe", "a").then(done.append)
        world.realm.leave(leaving.session)
        unsubscribing.request(34, subscription)
        world.clock.advance(10)
        assert len(done) == 1
        assert unsubscribing.received() == [[35, unsubscribing.requests]]


ASKED = {
    "past": lambda management, actor, topic: management.past(actor, topic, None, 1),
    "listeners": lambda management, actor, topic: management.listeners(actor, topic),
    "headcount": lambda management, actor, topic: management.headcount(actor, topic),
    "unsubscribe": lambda management, actor, topic: management.unsubscribe(actor, "joe", topic),
    "disconnect": lambda management, actor, topic: management.disconnect(actor, "joe"),
}


class TestRights:
    @pytest.mark.parametrize("name", ASKED)
    def test_are_asked_for(self, world, management, name):
        joe = world.listener("kept", authid="joe")
        assert_refused(NOT_AUTHORIZED, ASKED[name], management, visitor(ALLOW_NONE), "kept")
        assert joe.received() == []

    @pytest.mark.parametrize("name", [name for name in ASKED if name != "disconnect"])
    def test_a_name_that_is_no_uri_is_told_before(self, management, name):
        assert_refused(INVALID_URI, ASKED[name], management, visitor(ALLOW_NONE), "a..b")

    @pytest.mark.parametrize("name", ASKED)
    def test_may_take_their_time(self, world, management, name):
        slow = Slow(Action.SUBSCRIBE, Action.CALL)
        outcomes = []
        ASKED[name](management, visitor(slow), "kept").then(outcomes.append)
        ASKED[name](management, visitor(slow), "kept").then(outcomes.append)
        slow.settle(NO)
        assert [one.uri for one in outcomes] == [NOT_AUTHORIZED]
        slow.settle()
        assert len(outcomes) == 2
        assert outcomes[1] in (0, {}, (0, 0)) or outcomes[1][0].records == []

    def test_each_needs_its_own(self, world, management):
        slow = Slow(Action.SUBSCRIBE, Action.CALL)
        for ask in ASKED.values():
            ask(management, visitor(slow), "kept")
        assert slow.asked == [
            (Action.SUBSCRIBE, "kept"),
            (Action.SUBSCRIBE, "kept"),
            (Action.SUBSCRIBE, "kept"),
            (Action.CALL, "wamp.subscription.remove_subscriber"),
            (Action.CALL, "wamp.session.kill_by_authid"),
        ]
