"""Whatever happened in a realm: in the next process its answers are the same."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.lives import Life

from radiod.core.history.positions import Position
from radiod.store.sqlite import SqliteStore

TEXT = """
[realms.radio.channels.kept]
history = { size = 4, bytes = 1024 }

[realms.radio.channels."many.*"]
history = { size = 3, seconds = 60 }

[realms.radio.channels.secret]
public = false
key = "the-key-of-it"
history = { size = 3 }
"""
LIMITS = {"max_channels": 4, "max_retained_topics": 3}
TOPICS = ("kept", "many.a", "many.b", "many.c", "counted", "other", "mine", "hers")
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "retain": st.just(True),
        "exclude_me": st.booleans(),
        "exclude_authrole": st.just(["listener"]),
        "eligible": st.just([1, 2]),
    },
)


class Lives(RuleBasedStateMachine):
    """A radiod in memory is used, and now and then another goes on with what it was."""

    def __init__(self):
        super().__init__()
        self.life = Life(TEXT, **LIMITS)
        self.keys = {}
        self.number = 0

    @rule(topic=st.sampled_from(TOPICS), options=OPTIONS, count=st.integers(1, 4))
    def publish(self, topic, options, count):
        for _ in range(count):
            self.number += 1
            self.life.publish(topic, self.number, **options)

    @rule(count=st.integers(1, 4))
    def publish_in_private(self, count):
        self.life.publish("secret", *range(count), key="the-key-of-it")

    @rule(topic=st.sampled_from(TOPICS))
    def track(self, topic):
        self.life.position(topic)

    @rule(
        name=st.sampled_from(["mine", "hers"]),
        lifetime=st.none() | st.integers(5, 50).map(float),
        history=st.sampled_from([{}, {"size": 2}]),
    )
    def create(self, name, lifetime, history):
        """Of owners, for whom the time in between does not count, ``test_registry`` tells."""
        answer = self.life.call(
            "radiod.channel.create", name, lifetime=lifetime, on_owner_leave="keep", history=history
        )
        if isinstance(answer, list):
            self.keys[name] = answer[0]["control_key"]

    @rule(name=st.sampled_from(["mine", "hers"]))
    def delete(self, name):
        self.life.call("radiod.channel.delete", name, self.keys.get(name, "none"))

    @rule(seconds=st.floats(0.5, 40))
    def wait(self, seconds):
        self.life.wait(seconds)

    @rule(away=st.floats(0, 30))
    def restart(self, away):
        """Ages go on while it is away, as if the one before had waited and nothing had happened."""
        before = self.life
        after = before.next(TEXT, away=away, **LIMITS)
        assert after.notes == []
        before.wait(away)
        self.assert_same(before, after)
        self.life = after

    def assert_same(self, before, after):
        for one, other in zip(spaces(before), spaces(after), strict=True):
            self.assert_same_past(one, other)
            assert {topic: told(each) for topic, each in one.broker.retained.items()} == {
                topic: told(each) for topic, each in other.broker.retained.items()
            }
        for name in before.realm.channels.closed:
            assert name in after.realm.channels.closed
        for channel in before.realm.channels:
            other = after.realm.channels.get(channel.name)
            assert (other.settings, other.control_hash) == (channel.settings, channel.control_hash)
            ends = [world.realm.channels.left(one) for world, one in ((before, channel), (after, other))]
            assert ends[0] is ends[1] is None or ends[0] == pytest.approx(ends[1], abs=1e-6)

    def assert_same_past(self, one, other):
        topics = [history.topic for history in one.histories]
        assert topics == [history.topic for history in other.histories]
        for topic in topics:
            mine, yours = one.histories.find(topic), other.histories.find(topic)
            assert mine.position == yours.position
            for seq in range(mine.seq + 2):
                at = Position(mine.epoch, seq)
                assert answers(one, mine, at) == answers(other, yours, at)
            assert not yours.after(Position("another", 0))[1]

    @invariant()
    def bounds_hold(self):
        for space in spaces(self.life):
            for history in space.histories:
                held = sum(record.size for record in space.histories.of(history.topic))
                assert len(history) <= history.keep.size
                assert history.bytes == held


def spaces(life):
    realm = life.realm
    return [realm.space, *(channel.space for channel in realm.channels.private)]


def told(one):
    return one.publication, one.payload.args, one.details, one.options.exclude_authrole, one.options.eligible


def answers(space, history, at):
    """What whoever comes back behind a position gets: whether it is all, and the events."""
    space.histories.expire(history)
    index, is_whole = history.after(at)
    events = [
        (record.seq, record.order, record.time, record.publication, record.payload.args, record.details)
        for record in history.since(index)
    ]
    return is_whole, events


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=15, stateful_step_count=20)


class TestDurableChannels:
    """What is in the store comes from there; of the rest the state tells."""

    TEXT = """
[realms.radio.channels."log.*"]
durable = true
"""

    @pytest.fixture
    def open(self, tmp_path):
        stores = []

        def open(text=self.TEXT):
            life = Life(text)
            store = SqliteStore(str(tmp_path / "store"), life.calls.append)
            store.open()
            life.radio.remember(store)
            store.start()
            stores.append(store)
            return life, store

        yield open
        for store in stores:
            store.close()

    def go_on(self, open, life, store):
        data = life.stop()
        store.close()
        after, other = open()
        after.go_on(data)
        return after, other

    def settle(self, life, store):
        """Have all that was asked be written, and answered."""
        while life.calls or store.counters()["waiting"]:
            for call in [life.calls.pop(0) for _ in range(len(life.calls))]:
                call()

    def test_go_on_in_their_epochs_with_events_and_without(self, open):
        life, store = open()
        empty = life.position("log.empty")
        life.publish("log.a", 1)
        self.settle(life, store)
        at = life.position("log.a")
        after, _ = self.go_on(open, life, store)
        assert (after.position("log.a"), after.position("log.empty")) == (at, empty)
        assert after.held("log.a") == [1]

    def test_of_sessions_wait_for_their_owners_where_they_say_so(self, open):
        life, store = open()
        wire = life.join()
        for name, leaves in (("a", "delete"), ("b", 5.0)):
            arguments = {"durable": True, "on_owner_leave": leaves}
            wire.say([48, None, {}, "radiod.channel.create", [name], arguments])
            self.settle(life, store)
        life.publish("a", 1)
        self.settle(life, store)
        after, _ = self.go_on(open, life, store)
        assert after.held("a") == [1]
        after.wait(100)
        assert "a" in after.realm.channels
        assert "b" not in after.realm.channels
