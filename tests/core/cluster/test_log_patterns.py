"""Patterns of logged topics: what they match happens for their listeners, from when they began to listen."""

import pytest
from support.cluster.logged import HistoryListener as Listener
from support.cluster.logged import HistoryPublisher as Publisher
from support.cluster.logged import LoggedWorld

from radiod.core.cluster.logs import PUBLIC
from radiod.core.history.bounds import HistoryBounds

pytestmark = pytest.mark.interpreted

KEEP = HistoryBounds(size=100, seconds=1000.0, bytes=1_000_000)
LARGE = HistoryBounds(size=1000, seconds=1000.0, bytes=1_000_000)


@pytest.fixture
def world():
    return LoggedWorld("n1", "n2", "n3", keep={"p.": KEEP})


def test_patterns_get_what_is_logged_of_all_topics_that_they_match(world):
    listeners = [Listener(world, name, "p.", match="prefix") for name in world.nodes]
    world.clock.advance(1)
    Publisher(world, "n1", "p.x").publish(3)
    Publisher(world, "n2", "p.y").publish(3)
    world.clock.advance(1)
    for listener in listeners:
        assert len(listener.take()) == 6
        assert {one["topic"] for one in listener.details} == {"p.x", "p.y"}


def test_a_second_listener_of_a_pattern_begins_at_once(world):
    listeners = [Listener(world, "n1", "p.", match="prefix")]
    world.clock.advance(1)
    listeners.append(Listener(world, "n1", "p.", match="prefix"))
    listeners[1].take()
    assert listeners[1].is_subscribed
    Publisher(world, "n2", "p.x").publish()
    world.clock.advance(1)
    assert [len(listener.take()) for listener in listeners] == [1, 1]


def test_a_pattern_gets_nothing_of_before_it_listened(world):
    publisher = Publisher(world, "n1", "p.x")
    publisher.publish(5)
    world.clock.advance(1)
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    publisher.publish(2)
    Listener(world, "n2", "p.x")
    world.clock.advance(1)
    assert listener.take() == publisher.take()[5:]


def test_a_pattern_learns_of_a_topic_whose_first_records_nobody_told_it_of(world):
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    world.cut_off("n2")
    publisher = Publisher(world, "n1", "p.x")
    publisher.publish(3)
    world.clock.advance(1)
    world.engine.heal()
    world.clock.advance(5)
    assert listener.take() == publisher.take()
    assert len(listener.events) == 3


def test_whoever_listens_anew_gets_nothing_of_what_happened_between(world):
    first = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    first.client.leave()
    publisher = Publisher(world, "n1", "p.x")
    publisher.publish(3)
    world.clock.advance(1)
    second = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    publisher.publish()
    world.clock.advance(5)
    assert second.take() == publisher.take()[3:]


def test_a_topic_that_made_room_does_not_happen_twice():
    world = LoggedWorld("n1", "n2", keep={"p.": KEEP}, max_channels=2)
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    publishers = [Publisher(world, "n1", f"p.{name}") for name in "abcd"]
    for publisher in publishers:
        publisher.publish()
        world.clock.advance(1)
    publishers[0].publish()
    world.clock.advance(5)
    assert len(listener.take()) == len(set(listener.events)) == 5


def test_what_nobody_listens_to_is_followed_no_more(world):
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    port = world.nodes["n2"].port
    followed = sum(port.followed.values())
    listener.client.leave()
    world.clock.advance(100)
    assert sum(port.followed.values()) == followed - 1


def test_without_the_log_nobody_begins_to_listen(world):
    world.cut_off("n2")
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(16)
    listener.take()
    assert listener.errors == ["radiod.error.unavailable"]


def test_who_listens_while_nobody_leads_has_what_is_published_from_then_on(world):
    first = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    world.engine.elect(3)
    second = Listener(world, "n2", "p.", match="wildcard")
    world.clock.advance(2)
    second.take()
    assert not second.is_subscribed
    world.clock.advance(2)
    publisher = Publisher(world, "n1", "p.x")
    publisher.publish(2)
    world.clock.advance(2)
    assert first.take() == second.take() == publisher.take()


def test_a_space_that_ends_has_no_patterns(world):
    node = world.nodes["n2"]
    Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    world.engine.elect(5)
    Listener(world, "n2", "q.", match="prefix")
    world.clock.advance(1)
    node.logs.end(PUBLIC)
    world.clock.advance(10)
    # The epoch of its stream.
    assert list(node.port.followed.values()) == [1]


def test_what_comes_that_is_of_no_pattern_is_nothing(world):
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    publisher = Publisher(world, "n1", "p.x")
    publisher.publish()
    world.clock.advance(1)
    record = world.engine.streams["r-radio-history-512"].records[-1]
    node = world.nodes["n2"]
    node.stored(record._replace(subject="r.log.radio.history-512.topic.private.x", seq=99, previous=98))
    node.stored(record._replace(subject="r.log.radio.history-512.topic.p.p.y", seq=99, data=b"?"))
    assert list(node.logs._spaces[PUBLIC].tails) == ["p.x"]
    world.nodes["n1"].stored(record._replace(subject="r.log.radio.history-512.topic.p.p.z", seq=99))
    assert listener.take() == publisher.take()
    assert list(world.nodes["n1"].logs._spaces[PUBLIC].tails) == ["p.x"]


def test_a_kind_of_history_that_comes_later_is_none_of_the_patterns_before(world):
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    for node in world.nodes.values():
        node.realm.space.histories.keep("large", LARGE)
    large = Listener(world, "n2", "large")
    world.clock.advance(5)
    publishers = [Publisher(world, "n1", topic) for topic in ("large", "p.x")]
    for publisher in publishers:
        publisher.publish()
    world.clock.advance(5)
    assert [large.take(), listener.take()] == [publisher.take() for publisher in publishers]


def test_what_a_pattern_does_not_take_has_not_happened_for_it():
    world = LoggedWorld("n1", "n2", keep={"p.": KEEP, "a": LARGE})
    listener = Listener(world, "n2", "p.", match="prefix")
    other = Listener(world, "n2", "a")
    world.clock.advance(1)
    publisher = Publisher(world, "n1", "p.x")
    Publisher(world, "n1", "a").publish()
    world.clock.advance(1)
    world.nodes["n2"].realm.space.histories.forget("a")
    publisher.publish()
    world.clock.advance(3)
    assert listener.take() == publisher.take()
    assert len(other.take()) == 1


def test_a_look_that_nobody_answers_is_repeated(world):
    listener = Listener(world, "n2", "p.", match="prefix")
    world.clock.advance(1)
    world.cut_off("n2")
    publisher = Publisher(world, "n1", "p.x")
    publisher.publish()
    world.clock.advance(10)
    assert listener.take() == []
    world.engine.heal()
    world.clock.advance(5)
    assert listener.take() == publisher.take()
