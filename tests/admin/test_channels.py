"""Which topics are busiest, as of now."""

import pytest

from radiod.admin.channels import OLDEST_S
from radiod.errors import INVALID_ARGUMENT

CHANNELS = "radiod.admin.channels"


def publish(peer, count, topic):
    for _ in range(count):
        peer.request(16, {}, topic, ["x"])


@pytest.fixture
def writer(world):
    return world.caller("writer")


def names(answer):
    return [one["name"] for one in answer["channels"]]


def one(answer, name):
    return next(each for each in answer["channels"] if each["name"] == name)


def test_nothing_goes_on(operator):
    assert operator.call(CHANNELS) == {"channels": [], "private": 0}


def test_channels_where_nothing_goes_on_come_last(world, operator, writer):
    writer.call("radiod.channel.create", "quiet")
    publish(writer, 1, "b")
    for rate in (None, 0.0):
        answer = operator.call(CHANNELS)
        assert names(answer) == ["b", "quiet"]
        assert (one(answer, "quiet")["published"], one(answer, "quiet")["published_per_s"]) == (0, rate)
        world.clock.advance(1)


def test_at_first_the_busiest_since_the_start(world, operator, writer):
    world.listener("a")
    publish(writer, 2, "a")
    publish(writer, 9, "b")
    answer = operator.call(CHANNELS)
    assert names(answer) == ["b", "a"]
    assert one(answer, "a") == {
        "name": "a",
        "public": True,
        "readers": 1,
        "published": 2,
        "delivered": 2,
        "dropped": 0,
        "published_per_s": None,
        "delivered_per_s": None,
        "dropped_per_s": None,
    }


def test_then_the_busiest_since_the_last_look(world, operator, writer):
    world.listener("a")
    publish(writer, 100, "old")
    operator.call(CHANNELS)
    publish(writer, 4, "a")
    publish(writer, 6, "new")
    world.clock.advance(2)
    answer = operator.call(CHANNELS)
    assert names(answer) == ["a", "new", "old"]
    assert (one(answer, "a")["published_per_s"], one(answer, "a")["delivered_per_s"]) == (2.0, 2.0)
    assert (one(answer, "new")["published_per_s"], one(answer, "old")["published_per_s"]) == (3.0, 0.0)
    assert names(operator.call(CHANNELS, limit=1)) == ["a"]


def test_whoever_asks_more_often_is_told_what_was_found(world, operator, writer):
    operator.call(CHANNELS)
    publish(writer, 4, "a")
    world.clock.advance(1)
    before = operator.call(CHANNELS)
    publish(writer, 50, "a")
    world.clock.advance(0.5)
    assert operator.call(CHANNELS) == before


def test_an_old_look_says_nothing_of_now(world, operator, writer):
    operator.call(CHANNELS)
    publish(writer, 4, "a")
    world.clock.advance(OLDEST_S + 1)
    assert one(operator.call(CHANNELS), "a")["published_per_s"] is None


def test_what_begins_anew_does_not_fall(world, operator, writer):
    publish(writer, 50, "a")
    operator.call(CHANNELS)
    world.realm.totals.shrink(())
    publish(writer, 5, "a")
    world.clock.advance(1)
    assert one(operator.call(CHANNELS), "a")["published_per_s"] == 0.0


def test_what_listeners_lost(world, operator, writer):
    slow = world.join("slow")
    slow.subscribe("a", _radiod_buffer={"size": 2})
    world.outbox.block(slow.session)
    operator.call(CHANNELS)
    publish(writer, 6, "a")
    world.clock.advance(2)
    told = one(operator.call(CHANNELS), "a")
    assert (told["dropped"], told["dropped_per_s"]) == (4, 2.0)


def test_patterns_that_somebody_listens_to_are_rows_of_their_own(world, operator, writer):
    world.join().subscribe("a.", match="prefix")
    publish(writer, 2, "a.b")
    answer = operator.call(CHANNELS)
    assert sorted(names(answer)) == ["a.*", "a.b"]
    assert (one(answer, "a.*")["readers"], one(answer, "a.b")["readers"]) == (None, 1)


def test_private_channels_are_for_their_members(world, operator, writer):
    world.realm.statistics.start()
    writer.call("radiod.channel.create", "secret", public=False, key="k")
    publish(writer, 10, "secret")
    publish(writer, 1, "a")
    world.clock.advance(5)
    assert operator.call(CHANNELS) == {"channels": [one(operator.call(CHANNELS), "a")], "private": 1}
    answer = writer.call(CHANNELS)
    assert names(answer) == ["secret", "a"]
    assert answer["private"] == 0
    told = one(answer, "secret")
    assert (told["public"], told["readers"], told["published"]) == (False, 0, None)
    assert (told["published_per_s"], told["delivered_per_s"]) == (2.0, None)


def test_a_private_channel_that_has_ended_is_not_told(world, writer):
    created = writer.call("radiod.channel.create", "secret", public=False, key="k")
    writer.call("radiod.channel.delete", "secret", created["control_key"])
    assert writer.call(CHANNELS) == {"channels": [], "private": 0}


def test_topics_that_the_caller_may_not_know_of_are_not_told(world, narrow, writer):
    publish(writer, 2, "closed")
    publish(writer, 1, "open.a")
    assert names(narrow.call(CHANNELS)) == ["open.a"]


@pytest.mark.parametrize("limit", [0, 1001, "1", None])
def test_a_wrong_limit_is_refused(operator, limit):
    assert operator.call(CHANNELS, limit=limit) == INVALID_ARGUMENT
