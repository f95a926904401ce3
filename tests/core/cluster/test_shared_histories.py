"""Histories that others have, too: filled from a log; what makes room for others is not forgotten there."""

import pytest
from support.cluster.world import ClusterWorld

from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.promises import Promise
from radiod.testing import FakeClock, SequentialIds
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions

KEEP = HistoryBounds(size=3, seconds=100.0, bytes=10_000)
DURABLE = HistoryBounds(size=3, seconds=100.0, bytes=10_000, is_durable=True)
PUBLISH, SUBSCRIBE, EVENT, RESULT = 16, 32, 36, 50


class Logs:
    """A ``TopicLogs`` that notes what it is asked."""

    def __init__(self):
        self.asked = []
        self.closed = []
        self.forgotten = []

    def ready(self, topic, match, after):
        self.asked.append((topic, match, after))
        return Promise()

    def close(self, topic):
        self.closed.append(topic)

    def forget(self, topic):
        self.forgotten.append(topic)


@pytest.fixture
def histories():
    made = SharedHistories(FakeClock(), SequentialIds(), 2)
    made.logs = made.log = Logs()
    made.keep("p.", KEEP)
    made.keep("a", KEEP)
    return made


def events(histories, *numbers, topic="a"):
    history = histories.find(topic)
    made = []
    for number in numbers:
        record = histories.number(history, number, 1, Payload.of(number), PublishOptions(), {})
        record.seq = number
        made.append(record)
    return made


def test_what_is_kept_is_logged_and_what_is_counted_is_not(histories):
    histories.track("counted")
    assert histories.is_logged("a")
    assert histories.is_logged("p.x")
    assert not histories.is_logged("counted")
    assert not histories.is_logged("other")
    assert histories.kept() == [KEEP]


def test_a_history_that_is_resized_stays_logged(histories):
    histories.resize("a", HistoryBounds(size=5, seconds=100.0, bytes=10_000))
    assert histories.is_logged("a")


def test_it_is_filled_with_what_the_log_has(histories):
    history = histories.find("a")
    histories.fill(history, Position("e", 9), events(histories, 5, 7), unheld=4)
    assert history.position == Position("e", 9)
    assert [record.seq for record in histories.of("a")] == [5, 7]
    assert history.after(Position("e", 4)) == (history.first, True)
    assert history.after(Position("e", 3)) == (history.first, False)
    assert history.after(Position("e", 5)) == (history.first + 1, True)


def test_it_is_filled_anew_and_holds_no_more_than_its_bounds(histories):
    history = histories.find("a")
    histories.fill(history, Position("e", 9), events(histories, 5, 7), unheld=4)
    histories.fill(history, Position("f", 4), events(histories, 1, 2, 3, 4), unheld=0)
    assert [record.seq for record in histories.of("a")] == [2, 3, 4]
    assert history.position == Position("f", 4)
    assert history.after(Position("e", 5))[1] is False
    assert history.after(Position("f", 0))[1] is False
    assert history.after(Position("f", 1))[1] is True


def test_what_was_never_here_is_missing(histories):
    history = histories.find("a")
    histories.fill(history, Position("e", 9), events(histories, 5, 9), unheld=4)
    histories.lose(history, 9)
    assert history.after(Position("e", 5))[1] is False
    assert history.after(Position("e", 9))[1] is True


def test_what_makes_room_is_not_forgotten_by_the_log(histories):
    for topic in ("p.a", "p.b", "p.c"):
        history = histories.find(topic)
        histories.fill(history, Position("e", 1), events(histories, 1, topic=topic), unheld=0)
    assert histories.logs.closed == ["p.a"]
    assert histories.logs.forgotten == []
    assert history.is_dropped is False


def test_one_with_a_name_of_its_own_may_make_room_too(histories):
    histories.make_way("a")
    assert (histories.logs.closed, histories.logs.forgotten) == (["a"], [])


def test_what_makes_room_before_there_is_a_log_is_no_trouble(histories):
    histories.logs = None
    for topic in ("p.a", "p.b", "p.c"):
        histories.find(topic)
    assert sorted(history.topic for history in histories._histories.values()) == ["a", "p.b", "p.c"]


def test_what_is_on_its_way_to_the_log_does_not_make_room(histories):
    first = histories.find("p.a")
    histories.reserve(first, events(histories, 1, topic="p.a")[0], "role")
    for topic in ("p.b", "p.c", "p.d"):
        histories.find(topic)
    assert "p.a" not in histories.logs.closed


def test_a_channel_that_ends_is_forgotten_by_the_log(histories):
    histories.forget("a")
    assert histories.logs.forgotten == ["a"]


def test_its_past_is_asked_for(histories):
    assert isinstance(histories.ready("a", after=Position("e", 1)), Promise)
    assert histories.logs.asked == [("a", "exact", Position("e", 1))]
    histories.logs = None
    assert histories.ready("a") is None


class TestARealm:
    """Of a whole node: what has a history goes over the log, all else does not."""

    @pytest.fixture
    def world(self):
        world = ClusterWorld("n1", "n2", "n3")
        for node in world.nodes.values():
            node.realm.space.histories.keep("kept", KEEP)
            node.realm.space.histories.keep("durable", DURABLE)
        return world

    def heard(self, client):
        return [message[4][0] for message in client.received() if message[0] == EVENT]

    @pytest.mark.parametrize("topic", ["kept", "durable", "plain"])
    def test_listeners_of_all_nodes_hear_it_once(self, world, topic):
        listeners = [world.join(name) for name in world.nodes]
        for listener in listeners:
            listener.request(SUBSCRIBE, {}, topic)
        pattern = world.join("n3")
        pattern.request(SUBSCRIBE, {"match": "prefix"}, "")
        world.advance(1)
        publisher = world.join("n1")
        publisher.request(PUBLISH, {"acknowledge": True}, topic, [1])
        world.advance(1)
        assert [message[0] for message in publisher.received()] == [17]
        assert [self.heard(one) for one in (*listeners, pattern)] == [[1]] * 4

    def test_the_past_is_told_on_a_node_that_had_none(self, world):
        publisher = world.join("n1")
        for number in range(5):
            publisher.request(PUBLISH, {}, "kept", [number])
        world.advance(1)
        reader = world.join("n2")
        reader.request(48, {}, "radiod.channel.history", ["kept"])
        world.advance(1)
        (answer,) = reader.received()
        assert [event["args"] for event in answer[3][0]["events"]] == [[2], [3], [4]]
        late = world.join("n3")
        late.request(SUBSCRIBE, {"_radiod_after": answer[3][0]["events"][0]["position"]}, "kept")
        world.advance(1)
        assert self.heard(late) == [3, 4]

    def test_what_is_only_counted_reaches_all(self, world):
        listeners = [world.join(name) for name in world.nodes]
        for listener in listeners:
            listener.request(SUBSCRIBE, {"_radiod_position": True}, "counted")
        world.advance(1)
        world.join("n1").request(PUBLISH, {}, "counted", [1])
        world.advance(1)
        messages = [one.received()[-1] for one in listeners]
        assert [message[4] for message in messages] == [[1]] * 3
        # Each node counts by itself.
        assert [message[3]["_seq"] for message in messages] == [1] * 3
        assert len({message[3]["_epoch"] for message in messages}) == 3

    def test_who_is_behind_in_no_epoch_of_ours_is_told(self, world):
        world.join("n1").request(PUBLISH, {}, "kept", [1])
        world.advance(1)
        late = world.join("n2")
        late.request(SUBSCRIBE, {"_radiod_after": "nobodys:7"}, "kept")
        world.advance(1)
        (event,) = [message for message in late.received() if message[0] == EVENT]
        assert event[3]["_recovered"] is False
