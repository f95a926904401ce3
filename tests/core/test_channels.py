"""Channels, case by case and against a plain dictionary on a fake clock."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from radiod.core.channels import Channels
from radiod.core.uris import MAX_URI_LENGTH
from radiod.errors import (
    BAD_KEY,
    BAD_NAME,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    NO_SUCH_CHANNEL,
    QUOTA,
    Refused,
)
from radiod.testing import FakeClock, SequentialIds


class World:
    """Channels on a clock, with a record of how each came to its end and when."""

    def __init__(self, *, max_channels=10, undeclared_topics=True):
        self.clock = FakeClock()
        self.ended = []
        self.channels = Channels(
            self.clock,
            self.clock.timers,
            SequentialIds(),
            max_channels=max_channels,
            undeclared_topics=undeclared_topics,
            on_end=lambda name, reason: self.ended.append((name, reason, self.clock.seconds())),
        )

    def create(self, name, lifetime=None, owner=None):
        return self.channels.create(name, lifetime, owner)

    def reasons(self):
        return [(name, reason) for name, reason, _ in self.ended]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def channels(world):
    return world.channels


def assert_refused(uri, function, *arguments):
    with pytest.raises(Refused) as refusal:
        function(*arguments)
    assert refusal.value.uri == uri


def assert_no_traces(world):
    """No channel, no deadline, no owner left."""
    assert len(world.channels) == 0
    assert len(world.clock.timers) == 0
    assert not world.channels._owned


class TestCreating:
    def test_gives_a_control_key_that_differs_each_time(self, world):
        first, second = world.create("a"), world.create("b")
        assert first.control_key != second.control_key
        assert len(world.channels) == 2
        assert {channel.name for channel in world.channels} == {"a", "b"}

    @pytest.mark.parametrize(
        "name",
        ["", "a..b", "a b", "a\0", "#", "wamp.x", "radiod.channel.on_create", "x" * (MAX_URI_LENGTH + 1)],
    )
    def test_under_a_name_that_cannot_be_is_refused(self, world, name):
        assert_refused(BAD_NAME, world.create, name)
        assert_no_traces(world)

    def test_under_the_longest_name_works(self, world):
        assert world.create("x" * MAX_URI_LENGTH).ends_at is None

    def test_what_exists_is_refused_and_the_old_one_keeps_its_key(self, world, channels):
        key = world.create("a").control_key
        assert_refused(CHANNEL_EXISTS, world.create, "a")
        channels.delete("a", key)

    def test_so_many_and_no_more(self):
        world = World(max_channels=2)
        world.channels.declare("declared")
        key = world.create("a").control_key
        assert_refused(QUOTA, world.create, "b", 5.0, 7)
        assert len(world.clock.timers) == 0
        world.channels.delete("a", key)
        world.create("b")

    def test_a_name_that_was_closed_opens_it_anew_with_a_new_key(self, world, channels):
        old = world.create("a").control_key
        channels.delete("a", old)
        new = world.create("a")
        assert channels.admit("a") is new
        assert_refused(BAD_KEY, channels.delete, "a", old)


class TestDeleting:
    def test_needs_the_control_key(self, world, channels):
        key = world.create("a").control_key
        for wrong in ("", key[:-1], key + "0", key.upper() + "é", "0" * 32):
            assert_refused(BAD_KEY, channels.delete, "a", wrong)
        channels.delete("a", key)
        assert world.reasons() == [("a", "deleted")]
        assert_no_traces(world)

    def test_a_declared_channel_is_nobodys_right(self, channels):
        channels.declare("a")
        for key in ("", "None", "0" * 32):
            assert_refused(BAD_KEY, channels.delete, "a", key)
            assert_refused(BAD_KEY, channels.extend, "a", 1.0, key)

    def test_what_is_not_there_says_whether_it_ever_was(self, world, channels):
        assert_refused(NO_SUCH_CHANNEL, channels.delete, "a", "key")
        key = world.create("a").control_key
        channels.delete("a", key)
        assert_refused(CHANNEL_CLOSED, channels.delete, "a", key)
        assert world.reasons() == [("a", "deleted")]

    def test_stops_the_clock_of_its_end(self, world, channels):
        channels.delete("a", world.create("a", lifetime=5.0).control_key)
        world.clock.advance(10)
        assert world.reasons() == [("a", "deleted")]


class TestExpiry:
    def test_comes_exactly_at_the_end_of_the_lifetime(self, world, channels):
        world.create("a", lifetime=2.5)
        world.clock.advance(2.499)
        assert channels.get("a")
        world.clock.advance(0.002)
        assert world.ended == [("a", "expired", 1002.5)]
        assert_refused(CHANNEL_CLOSED, channels.get, "a")
        assert_no_traces(world)

    def test_is_told_as_a_date(self, world, channels):
        channel = world.create("a", lifetime=60.0)
        before = channels.expires(channel)
        assert before == world.clock.time() + 60
        world.clock.advance(20)
        assert channels.expires(channel) == before
        assert channels.expires(world.create("b")) is None

    def test_moves_with_an_extension_counted_from_now(self, world, channels):
        key = world.create("a", lifetime=10.0).control_key
        world.clock.advance(9)
        assert channels.extend("a", 10.0, key).ends_at == 1019
        world.clock.advance(9.5)
        assert world.ended == []
        world.clock.advance(0.5)
        assert world.reasons() == [("a", "expired")]

    def test_may_be_brought_forward_and_called_off(self, world, channels):
        sooner, never = (world.create(name, lifetime=10.0).control_key for name in "ab")
        channels.extend("a", 1.0, sooner)
        channels.extend("b", None, never)
        world.clock.advance(100)
        assert world.ended == [("a", "expired", 1001.0)]
        assert channels.expires(channels.get("b")) is None

    def test_cannot_be_moved_once_it_has_come(self, world, channels):
        key = world.create("a", lifetime=1.0).control_key
        world.clock.advance(1)
        assert_refused(CHANNEL_CLOSED, channels.extend, "a", 10.0, key)
        assert len(world.clock.timers) == 0

    def test_of_an_earlier_channel_does_not_end_its_successor(self, world, channels):
        channels.delete("a", world.create("a", lifetime=5.0).control_key)
        world.create("a")
        world.clock.advance(10)
        assert channels.get("a")


class TestOwners:
    def test_take_their_channels_along_and_nobody_elses(self, world, channels):
        for name, owner in [("b", 1), ("a", 1), ("c", 2), ("d", None)]:
            world.create(name, owner=owner)
        channels.owner_left(1)
        assert world.reasons() == [("a", "owner_left"), ("b", "owner_left")]
        assert {channel.name for channel in channels} == {"c", "d"}

    def test_without_channels_leave_in_silence(self, world, channels):
        channels.owner_left(1)
        assert world.ended == []

    def test_are_forgotten_with_their_last_channel(self, world, channels):
        channels.delete("a", world.create("a", owner=1).control_key)
        world.create("b", lifetime=1.0, owner=1)
        world.clock.advance(1)
        assert_no_traces(world)
        channels.owner_left(1)
        assert world.reasons() == [("a", "deleted"), ("b", "expired")]


class TestAdmitting:
    def test_knows_channels_and_lets_other_topics_pass(self, world, channels):
        channel = world.create("a")
        assert channels.admit("a") is channel
        assert channels.admit("undeclared") is None

    def test_refuses_undeclared_topics_where_only_channels_may_be_used(self):
        channels = World(undeclared_topics=False).channels
        declared = channels.declare("a")
        assert channels.admit("a") is declared
        assert_refused(NO_SUCH_CHANNEL, channels.admit, "b")

    @pytest.mark.parametrize("undeclared_topics", [True, False])
    def test_refuses_closed_channels_everywhere(self, undeclared_topics):
        world = World(undeclared_topics=undeclared_topics)
        world.channels.delete("a", world.create("a").control_key)
        assert_refused(CHANNEL_CLOSED, world.channels.admit, "a")

    def test_remembers_the_closed_ones_within_a_bound_newest_first(self):
        world = World(max_channels=3)
        for n in range(10):
            world.channels.delete(f"c{n}", world.create(f"c{n}").control_key)
        assert len(world.channels._closed) == 3
        assert world.channels.admit("c6") is None
        for n in (7, 8, 9):
            assert_refused(CHANNEL_CLOSED, world.channels.admit, f"c{n}")

    def test_a_name_closed_again_is_as_new_as_any(self):
        world = World(max_channels=2)
        for name in "abac":
            world.channels.delete(name, world.create(name).control_key)
        assert world.channels.admit("b") is None
        for name in "ac":
            assert_refused(CHANNEL_CLOSED, world.channels.admit, name)


class TestListing:
    def test_pages_by_name(self, world, channels):
        for name in ("c", "a", "b.x", "b.y"):
            world.create(name)
        assert [channel.name for channel in channels.page("", 3, None)] == ["a", "b.x", "b.y"]
        assert [channel.name for channel in channels.page("", 3, "b.x")] == ["b.y", "c"]
        assert [channel.name for channel in channels.page("b.", 9, None)] == ["b.x", "b.y"]
        assert [channel.name for channel in channels.page("b.", 9, "b.x")] == ["b.y"]
        assert channels.page("d", 9, None) == []

    def test_describes_what_anybody_may_know_and_no_key(self, world, channels):
        channel = world.create("a", lifetime=60.0, owner=1)
        channel.traffic.events = 3
        assert channels.describe(channel) == {
            "name": "a",
            "public": True,
            "events": 3,
            "expires": world.clock.time() + 60,
        }


NAMES = st.sampled_from(["a", "b", "b.c", "d", "e"])
LIFETIMES = st.none() | st.integers(1, 20).map(lambda n: n / 4)
OWNERS = st.none() | st.integers(1, 2)


class ChannelsMachine(RuleBasedStateMachine):
    """The model: name -> (key, end, number of asking, owner); and the names closed, oldest first."""

    MAX_CHANNELS = 3

    @initialize(undeclared_topics=st.booleans(), declared=st.booleans())
    def begin(self, undeclared_topics, declared):
        self.world = World(max_channels=self.MAX_CHANNELS, undeclared_topics=undeclared_topics)
        self.channels, self.clock = self.world.channels, self.world.clock
        self.undeclared_topics = undeclared_topics
        self.open = {}
        self.closed = []
        self.keys = {"never a key"}
        self.asked = 0
        self.expected = []
        if declared:
            self.channels.declare("a")
            self.open["a"] = {"key": None, "end": None, "asked": 0, "owner": None, "events": 0}

    def end(self, name, reason, when):
        del self.open[name]
        self.closed = [*self.closed, name][-self.MAX_CHANNELS :]
        self.expected.append((name, reason, when))

    def set_end(self, name, lifetime):
        self.asked += 1
        end = None if lifetime is None else self.clock.seconds() + lifetime
        self.open[name].update(end=end, asked=self.asked)

    def refusal(self, name):
        """Why the channel cannot be got; None if it can."""
        if name in self.open:
            return None
        return CHANNEL_CLOSED if name in self.closed else NO_SUCH_CHANNEL

    @rule(name=NAMES, lifetime=LIFETIMES, owner=OWNERS)
    def create(self, name, lifetime, owner):
        if name in self.open:
            assert_refused(CHANNEL_EXISTS, self.channels.create, name, lifetime, owner)
        elif len(self.open) >= self.MAX_CHANNELS:
            assert_refused(QUOTA, self.channels.create, name, lifetime, owner)
        else:
            channel = self.channels.create(name, lifetime, owner)
            assert channel.control_key not in self.keys
            self.keys.add(channel.control_key)
            self.open[name] = {"key": channel.control_key, "owner": owner, "events": 0}
            self.set_end(name, lifetime)
            if name in self.closed:
                self.closed.remove(name)

    @rule(name=st.sampled_from(["", "a.", "wamp.a", "radiod.a"]))
    def create_under_a_bad_name(self, name):
        assert_refused(BAD_NAME, self.channels.create, name, None, None)

    @rule(name=NAMES, data=st.data(), honest=st.booleans())
    def delete(self, name, data, honest):
        key = self.key_to_try(name, data, honest)
        refusal = self.refusal(name) or (None if self.open[name]["key"] == key else BAD_KEY)
        if refusal:
            assert_refused(refusal, self.channels.delete, name, key)
        else:
            self.end(name, "deleted", self.clock.seconds())
            self.channels.delete(name, key)

    @rule(name=NAMES, data=st.data(), honest=st.booleans(), lifetime=LIFETIMES)
    def extend(self, name, data, honest, lifetime):
        key = self.key_to_try(name, data, honest)
        refusal = self.refusal(name) or (None if self.open[name]["key"] == key else BAD_KEY)
        if refusal:
            assert_refused(refusal, self.channels.extend, name, lifetime, key)
        else:
            self.set_end(name, lifetime)
            assert self.channels.extend(name, lifetime, key).ends_at == self.open[name]["end"]

    def key_to_try(self, name, data, honest):
        key = self.open.get(name, {}).get("key")
        return key if honest and key is not None else data.draw(st.sampled_from(sorted(self.keys)))

    @rule(name=NAMES)
    def publish(self, name):
        if name in self.open:
            self.open[name]["events"] += 1
            self.channels.admit(name).traffic.add(1, 0)
        elif name in self.closed:
            assert_refused(CHANNEL_CLOSED, self.channels.admit, name)
        elif self.undeclared_topics:
            assert self.channels.admit(name) is None
        else:
            assert_refused(NO_SUCH_CHANNEL, self.channels.admit, name)

    @rule(name=NAMES)
    def get(self, name):
        refusal = self.refusal(name)
        if refusal:
            assert_refused(refusal, self.channels.get, name)
        else:
            assert self.channels.get(name).control_key == self.open[name]["key"]

    @rule(prefix=st.sampled_from(["", "b", "b."]), limit=st.integers(1, 4), after=st.none() | NAMES)
    def page(self, prefix, limit, after):
        names = sorted(name for name in self.open if name.startswith(prefix) and name > (after or ""))
        assert [channel.name for channel in self.channels.page(prefix, limit, after)] == names[:limit]

    @rule(owner=st.integers(1, 3))
    def owner_leaves(self, owner):
        for name in sorted(name for name in self.open if self.open[name]["owner"] == owner):
            self.end(name, "owner_left", self.clock.seconds())
        self.channels.owner_left(owner)

    @rule(quarters=st.integers(0, 12))
    def advance(self, quarters):
        until = self.clock.seconds() + quarters / 4
        due = [name for name in self.open if self.open[name]["end"] is not None]
        for name in sorted(due, key=lambda name: (self.open[name]["end"], self.open[name]["asked"])):
            if self.open[name]["end"] <= until:
                self.end(name, "expired", self.open[name]["end"])
        self.clock.advance(quarters / 4)

    @invariant()
    def channels_end_once_for_the_right_reason_at_the_right_moment(self):
        assert self.world.ended == self.expected

    @invariant()
    def the_open_ones_are_described_as_the_model_says(self):
        described = {channel.name: self.channels.describe(channel) for channel in self.channels}
        assert set(described) == set(self.open)
        assert len(self.channels) == len(self.open) <= self.MAX_CHANNELS
        for name, model in self.open.items():
            assert described[name]["events"] == model["events"]
            left = None if model["end"] is None else model["end"] - self.clock.seconds() + self.clock.time()
            assert described[name]["expires"] == left
            assert model["end"] is None or model["end"] > self.clock.seconds()

    @invariant()
    def the_closed_ones_are_remembered_within_a_bound(self):
        assert list(self.channels._closed) == self.closed
        assert len(self.closed) <= self.MAX_CHANNELS

    @invariant()
    def owners_and_deadlines_belong_to_open_channels(self):
        owned = {
            owner: {name for name, model in self.open.items() if model["owner"] == owner} for owner in (1, 2)
        }
        assert self.channels._owned == {owner: names for owner, names in owned.items() if names}
        assert len(self.clock.timers) == sum(model["end"] is not None for model in self.open.values())

    def teardown(self):
        if not hasattr(self, "world"):
            return
        for owner in (1, 2):
            self.channels.owner_left(owner)
        assert not self.channels._owned
        for channel in list(self.channels):
            if channel.control_key is not None:
                self.channels.delete(channel.name, channel.control_key)
        assert all(channel.control_key is None for channel in self.channels)
        assert len(self.clock.timers) == 0


ChannelsMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestChannelsMachine = ChannelsMachine.TestCase
