"""The logs of a topic space: what they take, what they let go, and what they tell of an event."""

import pytest
from support.cluster.logged import HistoryListener as Listener
from support.cluster.logged import HistoryPublisher as Publisher
from support.cluster.logged import LoggedWorld

from radiod.core.history.bounds import HistoryBounds

pytestmark = pytest.mark.interpreted

KEEP = HistoryBounds(size=100, seconds=1000.0, bytes=1_000_000)
DURABLE = HistoryBounds(size=100, seconds=1000.0, bytes=1_000_000, is_durable=True)
PUBLISH, ERROR = 16, 8


@pytest.fixture
def world():
    return LoggedWorld("n1", "n2", keep={"a": KEEP, "d": DURABLE})


def test_what_is_too_large_for_a_record_is_refused(world):
    client = world.nodes["n1"].join("publisher")
    Publisher(world, "n1").publish()
    world.clock.advance(1)
    client.request(PUBLISH, {"acknowledge": True}, "a", ["x" * 2_000_000])
    world.clock.advance(1)
    (answer,) = client.received()
    assert answer[:2] == [ERROR, PUBLISH]
    assert answer[4] == "wamp.error.payload_size_exceeded"


def test_a_topic_that_is_forgotten_begins_anew(world):
    listener = Listener(world, "n2")
    publisher = Publisher(world, "n1")
    publisher.publish(3)
    world.clock.advance(1)
    position = listener.position
    for node in world.nodes.values():
        histories = node.realm.space.histories
        histories.forget("a")
        histories.keep("a", KEEP)
    world.clock.advance(3)
    publisher.publish(2)
    world.clock.advance(3)
    late = Listener(world, "n2", _radiod_after=position)
    world.clock.advance(1)
    assert late.take() == publisher.take()[3:]
    assert late.details[0]["_recovered"] is False


def test_a_publisher_whose_channel_ends_is_told(world):
    publisher = Publisher(world, "n1", "d")
    publisher.publish()
    world.clock.advance(1)
    world.engine.elect(5)
    publisher.publish()
    world.nodes["n1"].realm.space.histories.forget("d")
    world.clock.advance(0.1)
    answers = [message for message in publisher.client.received() if message[0] == ERROR]
    assert [answer[4] for answer in answers] == ["radiod.error.channel_closed"]


def test_what_details_an_event_has_arrive_elsewhere(world):
    listener = Listener(world, "n2")
    world.clock.advance(1)
    Publisher(world, "n1", disclose_me=True).publish()
    world.clock.advance(1)
    listener.take()
    assert listener.details[0]["publisher_authid"] == "publisher"
