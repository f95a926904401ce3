"""The logs of a topic space: what they take, what they let go, and what they tell of an event."""

import pytest
from support.cluster.logged import HistoryListener as Listener
from support.cluster.logged import HistoryPublisher as Publisher
from support.cluster.logged import LoggedWorld

from radiod.core.cluster.logs import PUBLIC
from radiod.core.history.bounds import HistoryBounds
from radiod.errors import CHANNEL_CLOSED, STORE_UNAVAILABLE

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


def test_what_nobody_follows_is_forgotten_without_a_word(world):
    histories = world.nodes["n1"].realm.space.histories
    histories.forget("a")
    world.clock.advance(1)
    assert (len(world.nodes["n1"].logs.follower), world.engine.streams) == (0, {})


def test_a_topic_that_is_forgotten_before_its_stream_is_open_is_not_followed(world):
    world.engine.disconnect("n1")
    listener = Listener(world, "n1")
    world.nodes["n1"].realm.space.histories.forget("a")
    world.engine.connect("n1")
    world.clock.advance(5)
    listener.take()
    assert (len(world.nodes["n1"].logs.follower), listener.errors) == (0, [CHANNEL_CLOSED])


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_a_topic_without_records_is_born_as_soon_as_somebody_leads(world, is_forgotten):
    Listener(world, "n1", "d")
    world.clock.advance(1)
    port, histories = world.nodes["n1"].port, world.nodes["n1"].realm.space.histories
    ask = port.append

    def lose_the_leader(*args, **options):
        world.engine.elect(1)
        port.append = ask
        ask(*args, **options)

    histories.keep("b", DURABLE)
    port.append = lose_the_leader
    listener = Listener(world, "n1", "b")
    world.clock.advance(0.5)
    listener.take()
    assert not listener.is_subscribed
    if is_forgotten:
        histories.forget("b")
    world.clock.advance(3)
    listener.take()
    assert listener.is_subscribed is not is_forgotten
    records = world.engine.streams["r-radio-durable-512"].records
    assert len([record for record in records if record.subject.endswith(".b")]) == (not is_forgotten)


def test_too_much_for_the_log_is_refused_at_once(world):
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    world.engine.elect(5)
    stream = world.nodes["n1"].logs._realm.all()[0]
    stream.appender._max_bytes = 1000
    publisher.publish(5)
    publisher.take()
    assert set(publisher.refused.values()) == {"too much waits for the log: it did not happen"}
    world.clock.advance(7)
    assert len(publisher.take()) + len(publisher.refused) == 6
    assert world.nodes["n1"].logs._spaces[PUBLIC].tails["a"].is_idle


def test_too_much_that_waited_for_the_past_is_refused_then(world):
    world.nodes["n2"].realm.space.histories.keep("b", KEEP)
    Listener(world, "n2", "b")
    Listener(world, "n1", "d")
    world.clock.advance(1)
    world.engine.elect(2)
    publisher = Publisher(world, "n1")
    publisher.publish(5)
    for stream in world.nodes["n1"].logs._realm.all():
        stream.appender._max_bytes = 1000
    world.clock.advance(5)
    assert len(publisher.take()) == 1
    assert set(publisher.refused.values()) == {"too much waits for the log: it did not happen"}


def test_whoever_goes_on_behind_what_is_not_known_here_is_refused_in_time(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    world.engine.elect(60)
    late = Listener(world, "n1", _radiod_after=f"{listener.position.partition(':')[0]}:99")
    world.clock.advance(14)
    late.take()
    assert late.errors == []
    world.clock.advance(2)
    late.take()
    assert late.errors == [STORE_UNAVAILABLE]


def test_whoever_goes_on_there_waits_for_a_past_that_begins_anew(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish(2)
    world.clock.advance(1)
    position = listener.position
    for name in world.nodes:
        world.engine.disconnect(name)
    world.engine.streams.clear()
    for name in world.nodes:
        world.engine.connect(name)
    late = Listener(world, "n1", _radiod_after=f"{position}0")
    world.clock.advance(5)
    publisher.publish()
    world.clock.advance(1)
    assert late.take() == publisher.take()[2:]
    assert late.details[0]["_recovered"] is False


@pytest.mark.parametrize("elections", [0, 60])
def test_a_topic_that_is_forgotten_while_an_event_is_on_its_way_has_none_of_it(world, elections):
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    publisher.take()
    world.engine.elect(elections)
    port = world.nodes["n1"].port
    publisher.publish()
    world.clock.advance(0.0001)
    port.followed.pop(next(one for one in port.followed if one.endswith(".a")))
    world.clock.advance(0.1)
    port.follow("r.log.radio.history-512.topic.p.a")
    world.nodes["n1"].realm.space.histories.forget("a")
    world.clock.advance(20)
    (answer,) = publisher.client.received()
    assert (answer[0], answer[4]) == (ERROR, CHANNEL_CLOSED)
    assert len(world.nodes["n1"].logs.follower) == 0
