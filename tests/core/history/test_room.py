"""Room that many histories share: whatever comes and goes, the oldest event of all makes room."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from radiod.core.budgets.bounds import Bounds
from radiod.core.history.bounds import RECORD_BYTES, HistoryBounds
from radiod.core.history.histories import Histories
from radiod.core.history.room import STALE
from radiod.testing import FakeClock, SequentialIds
from radiod.wire.codecs import JSON, Payload
from radiod.wire.options import PublishOptions

EVENTS = 8
ROOM = EVENTS * (RECORD_BYTES + 100)
KEEP = HistoryBounds(size=5, seconds=100, bytes=1000)
TOPICS = st.sampled_from([f"p.{number}" for number in range(6)])


class SharedRoom(RuleBasedStateMachine):
    """The model is a list of (order, topic, size, since) of all events, oldest first."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.bounds = Bounds()
        self.histories = Histories(self.clock, SequentialIds(), 4, ROOM, self.bounds)
        self.histories.keep("p.*", KEEP)
        self.events = []
        # Topics with events, in order of the last one.
        self.order = []
        self.dropped = 0

    @rule(topic=TOPICS, size=st.sampled_from([2, 100, 900, 1001]))
    def publish(self, topic, size):
        payload = Payload(JSON, b"[" + b" " * (size - 2) + b"]", b"")
        history = self.histories.find(topic)
        record = self.histories.number(history, 1, 1, payload, PublishOptions(), {})
        self.histories.add(history, record)
        self.events.append((record.order, topic, size, self.clock.seconds()))
        self.bound(topic)
        if topic in self.order:
            self.order.remove(topic)
        self.order.append(topic)
        if len(self.order) > 4:
            self.forgotten(self.order.pop(0))
        while self.bytes() > ROOM:
            self.events.pop(0)
            self.dropped += 1

    @rule(seconds=st.sampled_from([1, 60]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule(topic=TOPICS)
    def look(self, topic):
        """What is looked at is dropped where it is too old."""
        self.expired(topic)
        assert [record.order for record in self.histories.of(topic)] == [one[0] for one in self.of(topic)]

    @precondition(lambda self: self.order)
    @rule(data=st.data())
    def forget(self, data):
        topic = data.draw(st.sampled_from(self.order))
        self.histories.forget(topic)
        self.order.remove(topic)
        self.forgotten(topic)

    def of(self, topic):
        return [one for one in self.events if one[1] == topic]

    def forgotten(self, topic):
        self.events = [one for one in self.events if one[1] != topic]

    def expired(self, topic):
        until = self.clock.seconds() - KEEP.seconds
        self.events = [one for one in self.events if one[1] != topic or one[3] >= until]

    def bound(self, topic):
        self.expired(topic)
        while len(self.of(topic)) > KEEP.size or sum(one[2] for one in self.of(topic)) > KEEP.bytes:
            self.events.remove(self.of(topic)[0])

    def bytes(self):
        return sum(size + RECORD_BYTES for _, _, size, _ in self.events)

    @invariant()
    def holds_what_the_model_holds(self):
        room = self.histories._room
        held = [
            record.order
            for topic in self.histories.topics()
            for record in self.histories._histories[topic].since(0)
        ]
        assert sorted(held) == [one[0] for one in self.events]
        assert room.bytes == self.bytes() <= ROOM
        assert self.bounds.counts.get("max_history_bytes", 0) == self.dropped


TestSharedRoom = SharedRoom.TestCase
TestSharedRoom.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)


def publish(histories, topic, size=100):
    payload = Payload(JSON, b"[" + b" " * (size - 2) + b"]", b"")
    history = histories.find(topic)
    histories.add(history, histories.number(history, 1, 1, payload, PublishOptions(), {}))
    return history


def test_a_thousand_topics_hold_no_more_than_the_room_and_the_newest_stay():
    histories = Histories(FakeClock(), SequentialIds(), 10_000, ROOM)
    histories.keep("*", HistoryBounds(size=1000, seconds=1e6, bytes=1 << 26))
    for number in range(1000):
        publish(histories, f"t.{number}")
    assert histories._room.bytes == ROOM
    assert histories.topics() == [f"t.{number}" for number in range(1000 - EVENTS, 1000)]


def test_entries_of_histories_that_are_gone_do_not_pile_up():
    histories = Histories(FakeClock(), SequentialIds(), 10, 1 << 30)
    histories.keep("*", HistoryBounds(size=10, seconds=1e6, bytes=1 << 26))
    for number in range(2000):
        publish(histories, f"t.{number}")
        assert len(histories._room._heap) <= 2 * 11 + STALE


def test_an_event_larger_than_the_room_is_not_kept():
    histories = Histories(FakeClock(), SequentialIds(), 10, RECORD_BYTES)
    histories.keep("*", HistoryBounds(size=10, seconds=1e6, bytes=1 << 26))
    history = publish(histories, "a")
    assert (len(history), history.seq, histories._room.bytes) == (0, 1, 0)


def test_a_history_that_was_emptied_and_filled_again_keeps_its_place():
    histories = Histories(FakeClock(), SequentialIds(), 10, 2 * RECORD_BYTES + 200)
    histories.keep("*", HistoryBounds(size=10, seconds=1e6, bytes=1 << 26))
    for topic in ("a", "b", "a", "a", "b"):
        publish(histories, topic)
    assert [len(histories.find(topic)) for topic in ("a", "b")] == [1, 1]
