"""Channels, case by case and against a plain dictionary on a fake clock."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace
from support.answers import assert_refused

from radiod.core.channels.lookup import Lookup
from radiod.core.channels.memberships import Memberships
from radiod.core.channels.registry import RETURN_S, Channels
from radiod.core.channels.settings import NO_RULES, ChannelSettings, SavedChannel
from radiod.core.history.bounds import HistoryBounds
from radiod.core.holders import Account
from radiod.core.ids import digest
from radiod.core.limits import Limits
from radiod.core.sessions.session import Session
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
from radiod.testing import FakeClock, SequentialIds, make_principal, make_realm

STRANGER = Session(99, make_principal(), None)


class World:
    """Channels on a clock, with a record of how each came to its end and when."""

    def __init__(self, *, max_channels=10, max_per_session=10, undeclared_topics=True, **per_user):
        self.clock = FakeClock()
        self.ended = []
        self.keys = {}
        self.space = self.make_space()
        self.channels = Channels(
            self.clock,
            self.clock.timers,
            SequentialIds(),
            Limits(
                max_channels=max_channels,
                max_channels_per_session=max_per_session,
                max_history_bytes=1 << 20,
                max_channels_per_user=per_user.get("channels", 10),
                max_history_bytes_per_user=per_user.get("bytes", 1 << 20),
            ),
            space=self.space,
            make_space=self.make_space,
            undeclared_topics=undeclared_topics,
            on_end=lambda channel, reason: self.ended.append((channel.name, reason, self.clock.seconds())),
        )
        # Says why a key controls nothing.
        self.lookup = Lookup(self.channels, Memberships(10), self.space)

    def make_space(self):
        return make_realm(clock=self.clock).make_space()

    def create(self, name, lifetime=None, owner=None, *, key=None, on_owner_leave="delete", **rules):
        """Returns: the channel; its control key is in ``keys`` of the world."""
        settings = ChannelSettings(lifetime=lifetime, on_owner_leave=on_owner_leave, **rules)
        channel, self.keys[channel] = self.channels.create(name, settings, key=key, owner=owner)
        return channel

    def key(self, name, **options):
        """Create a channel. Returns: its control key."""
        return self.keys[self.create(name, **options)]

    def delete(self, name, key):
        self.channels.delete(self.lookup.controlled(STRANGER, name, key))

    def extend(self, name, lifetime, key):
        channel = self.lookup.controlled(STRANGER, name, key)
        self.channels.extend(channel, lifetime)
        return channel

    def reasons(self):
        return [(name, reason) for name, reason, _ in self.ended]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def channels(world):
    return world.channels


def assert_no_traces(world):
    """No channel, no deadline, no owner left."""
    assert len(world.channels) == 0
    assert len(world.clock.timers) == 0
    assert not world.channels._owned
    assert not world.channels._controlled


class TestCreating:
    def test_gives_a_control_key_that_differs_each_time(self, world):
        first, second = world.create("a"), world.create("b")
        assert world.keys[first] != world.keys[second]
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
        key = world.key("a")
        assert_refused(CHANNEL_EXISTS, world.create, "a")
        world.delete("a", key)

    def test_so_many_and_no_more(self):
        world = World(max_channels=2)
        world.channels.declare("declared")
        key = world.key("a")
        assert_refused(QUOTA, world.create, "b", 5.0, 7)
        assert len(world.clock.timers) == 0
        world.delete("a", key)
        world.create("b")

    def test_a_name_that_was_closed_opens_it_anew_with_a_new_key(self, world, channels):
        old = world.key("a")
        world.delete("a", old)
        new = world.create("a")
        assert channels.admit("a") is new
        assert_refused(BAD_KEY, world.delete, "a", old)


class TestDeleting:
    def test_needs_the_control_key(self, world, channels):
        key = world.key("a")
        for wrong in ("", key[:-1], key + "0", key.upper() + "é", "0" * 32):
            assert_refused(BAD_KEY, world.delete, "a", wrong)
        world.delete("a", key)
        assert world.reasons() == [("a", "deleted")]
        assert_no_traces(world)

    def test_a_declared_channel_is_nobodys_right(self, world, channels):
        channels.declare("a")
        for key in ("", "None", "0" * 32):
            assert_refused(BAD_KEY, world.delete, "a", key)
            assert_refused(BAD_KEY, world.extend, "a", 1.0, key)

    def test_what_is_not_there_says_whether_it_ever_was(self, world, channels):
        assert_refused(NO_SUCH_CHANNEL, world.delete, "a", "key")
        key = world.key("a")
        world.delete("a", key)
        assert_refused(CHANNEL_CLOSED, world.delete, "a", key)
        assert world.reasons() == [("a", "deleted")]

    def test_stops_the_clock_of_its_end(self, world, channels):
        world.delete("a", world.key("a", lifetime=5.0))
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

    def test_is_the_same_date_though_two_clocks_are_read_one_after_the_other(self, world, channels):
        channel = world.create("a", lifetime=60.0)
        before = channels.expires(channel)
        world.clock.advance(2e-6)
        read = world.clock.seconds
        world.clock.seconds = lambda: read() - 1e-6
        assert channels.expires(channel) == before

    def test_moves_with_an_extension_counted_from_now(self, world, channels):
        key = world.key("a", lifetime=10.0)
        world.clock.advance(9)
        assert world.extend("a", 10.0, key).ends_at == 1019
        world.clock.advance(9.5)
        assert world.ended == []
        world.clock.advance(0.5)
        assert world.reasons() == [("a", "expired")]

    def test_may_be_brought_forward_and_called_off(self, world, channels):
        sooner, never = (world.key(name, lifetime=10.0) for name in "ab")
        world.extend("a", 1.0, sooner)
        world.extend("b", None, never)
        world.clock.advance(100)
        assert world.ended == [("a", "expired", 1001.0)]
        assert channels.expires(channels.get("b")) is None

    def test_cannot_be_moved_once_it_has_come(self, world, channels):
        key = world.key("a", lifetime=1.0)
        world.clock.advance(1)
        assert_refused(CHANNEL_CLOSED, world.extend, "a", 10.0, key)
        assert len(world.clock.timers) == 0

    def test_of_an_earlier_channel_does_not_end_its_successor(self, world, channels):
        world.delete("a", world.key("a", lifetime=5.0))
        world.create("a")
        world.clock.advance(10)
        assert channels.get("a")


class TestOwners:
    def test_take_their_channels_along_and_nobody_elses(self, world, channels):
        for name, owner in [("b", 1), ("a", 1), ("c", 2), ("d", None)]:
            world.create(name, owner=owner)
        channels.owner_left(1)
        assert world.reasons() == [("b", "owner_left"), ("a", "owner_left")]
        assert {channel.name for channel in channels} == {"c", "d"}

    def test_without_channels_leave_in_silence(self, world, channels):
        channels.owner_left(1)
        assert world.ended == []

    def test_are_forgotten_with_their_last_channel(self, world, channels):
        world.delete("a", world.key("a", owner=1))
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
        world.delete("a", world.key("a"))
        assert_refused(CHANNEL_CLOSED, world.channels.admit, "a")

    def test_remembers_the_closed_ones_within_a_bound_newest_first(self):
        world = World(max_channels=3)
        for n in range(10):
            world.delete(f"c{n}", world.key(f"c{n}"))
        assert len(list(world.channels.closed)) == 3
        assert world.channels.admit("c6") is None
        for n in (7, 8, 9):
            assert_refused(CHANNEL_CLOSED, world.channels.admit, f"c{n}")

    def test_a_name_closed_again_is_as_new_as_any(self):
        world = World(max_channels=2)
        for name in "abac":
            world.delete(name, world.key(name))
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

    def test_says_nothing_of_private_ones(self, world, channels):
        world.create("a", key="secret")
        world.create("b")
        assert [channel.name for channel in channels.page("", 9, None)] == ["b"]
        assert [channel.name for channel in channels] == ["b"]
        assert ("a" in channels, "b" in channels, len(channels)) == (False, True, 2)


class TestPrivate:
    """To whoever lacks the key, a private channel is a name like any other."""

    def test_is_found_by_name_and_key_together(self, world, channels):
        channel = world.create("a", key="secret")
        assert channels.unlock("a", "secret") is channel
        assert not channel.is_public
        for name, key in (("a", "Secret"), ("a", ""), ("b", "secret"), ("a", "secret\ud800")):
            assert_refused(BAD_KEY, channels.unlock, name, key)

    def test_is_unknown_by_name(self, world, channels):
        world.create("a", key="secret")
        assert channels.admit("a") is None
        assert_refused(NO_SUCH_CHANNEL, channels.get, "a")
        closed = World(undeclared_topics=False)
        closed.create("a", key="secret")
        assert_refused(NO_SUCH_CHANNEL, closed.channels.admit, "a")

    def test_leaves_its_name_to_others(self, world, channels):
        first, second, public = (world.create("a", key=key) for key in ("one", "two", None))
        assert [channels.unlock("a", key) for key in ("one", "two")] == [first, second]
        assert channels.admit("a") is public
        assert len({channel.space for channel in (first, second, public)}) == 3
        assert public.space is world.space
        assert_refused(CHANNEL_EXISTS, world.create, "a", key="one")

    def test_is_controlled_by_its_control_key_alone(self, world, channels):
        key = world.key("a", key="secret")
        assert_refused(NO_SUCH_CHANNEL, world.delete, "a", "secret")
        assert_refused(NO_SUCH_CHANNEL, world.delete, "b", key)
        world.create("a")
        assert_refused(BAD_KEY, world.delete, "a", "secret")
        world.delete("a", key)
        assert world.reasons() == [("a", "deleted")]
        assert "a" in channels

    def test_has_ended_only_for_those_who_know_its_key(self, world, channels):
        key = world.key("a", key="secret")
        world.delete("a", key)
        assert_refused(CHANNEL_CLOSED, channels.unlock, "a", "secret")
        assert channels.admit("a") is None
        assert channels.controlled("a", key) is None
        assert_refused(NO_SUCH_CHANNEL, channels.get, "a")
        assert_refused(NO_SUCH_CHANNEL, world.delete, "a", key)

    def test_may_be_declared(self, world, channels):
        channel = channels.declare("a", ChannelSettings(single_writer=True, presence=True), key="secret")
        assert channels.declared_private("a") is channels.unlock("a", "secret") is channel
        rules = channel.settings
        assert (rules.single_writer, rules.presence, channel.control_hash) == (True, True, None)
        assert_refused(NO_SUCH_CHANNEL, world.delete, "a", "None")

    def test_keeps_digests_only(self, world):
        channel = world.create("a", key="secret")
        held = [getattr(channel, name) for name in dir(channel)]
        assert digest("secret") in held
        assert "secret" not in held
        assert world.keys[channel] not in held


class TestLeavingOwners:
    def test_may_leave_their_channel_behind(self, world, channels):
        channel = world.create("a", owner=1, on_owner_leave="keep")
        channels.owner_left(1)
        assert "a" in channels
        assert channel.owner is None
        world.delete("a", world.keys[channel])
        assert_no_traces(world)

    def test_may_have_time_to_come_back(self, world, channels):
        channel = world.create("a", owner=1, on_owner_leave=2.5)
        channels.owner_left(1)
        world.clock.advance(2.4)
        assert "a" in channels
        channels.take_over(channel, 2)
        world.clock.advance(100)
        assert "a" in channels
        channels.owner_left(2)
        world.clock.advance(2.4)
        assert "a" in channels
        world.clock.advance(0.2)
        assert world.ended == [("a", "owner_left", 1000 + 102.4 + 2.5)]
        assert_no_traces(world)

    def test_have_no_more_time_than_the_lifetime(self, world, channels):
        world.create("a", lifetime=1.0, owner=1, on_owner_leave=5.0)
        channels.owner_left(1)
        world.clock.advance(10)
        assert world.ended == [("a", "expired", 1001)]
        assert_no_traces(world)

    def test_are_not_missed_once_somebody_else_took_over(self, world, channels):
        channel = world.create("a", owner=1)
        channels.take_over(channel, 2)
        channels.take_over(channel, 2)
        channels.owner_left(1)
        assert "a" in channels
        channels.owner_left(2)
        assert world.reasons() == [("a", "owner_left")]
        assert_no_traces(world)


class TestQuotaOfASession:
    def test_counts_what_it_owns(self):
        world = World(max_per_session=2)
        key = world.key("a", owner=1, on_owner_leave="keep")
        world.create("b", owner=1, key="private")
        assert_refused(QUOTA, world.create, "c", owner=1)
        world.create("c", owner=2)
        world.delete("a", key)
        world.create("d", owner=1)

    def test_counts_what_it_takes_over(self):
        world = World(max_per_session=1)
        mine, other = world.create("a", owner=1), world.create("b", owner=2)
        assert_refused(QUOTA, world.channels.take_over, other, 1)
        assert (mine.owner, other.owner) == (1, 2)
        world.channels.take_over(mine, 1)

    def test_keeps_a_channel_of_the_same_name_as_a_pattern_away(self, world):
        for name in ("a.*", "*", "a*"):
            assert_refused(BAD_NAME, world.create, name)


NAMES = st.sampled_from(["a", "b", "b.c"])
SECRETS = st.sampled_from([None, None, "one", "two"])
LIFETIMES = st.none() | st.integers(1, 20).map(lambda n: n / 4)
OWNERS = st.none() | st.integers(1, 2)
POLICIES = st.sampled_from(["delete", "keep", 1.5])


class ChannelsMachine(RuleBasedStateMachine):
    """The model: (name, key) -> what is known of the channel; and those closed, oldest first.

    What falls due at the same moment happens in order of asking: ``asked`` counts that.
    """

    MAX_CHANNELS = 4
    MAX_PER_SESSION = 3
    MAX_PER_USER = 2

    @initialize(undeclared_topics=st.booleans(), declared=st.booleans())
    def begin(self, undeclared_topics, declared):
        self.world = World(
            max_channels=self.MAX_CHANNELS,
            max_per_session=self.MAX_PER_SESSION,
            channels=self.MAX_PER_USER,
            undeclared_topics=undeclared_topics,
        )
        self.channels, self.clock = self.world.channels, self.world.clock
        self.undeclared_topics = undeclared_topics
        self.open = {}
        self.closed = []
        self.control_keys = {"never a key"}
        self.asked = 0
        self.expected = []
        if declared:
            self.channels.declare("a")
            self.open["a", None] = {
                "control": None, "owner": None, "policy": "keep", "end": None, "grace": None
            }  # fmt: skip

    def end(self, place, reason, when):
        del self.open[place]
        self.closed.append(place)
        if len(self.kin(self.closed, place[1])) > self.MAX_CHANNELS:
            self.closed.remove(self.kin(self.closed, place[1])[0])
        self.expected.append((place[0], reason, when))

    @staticmethod
    def kin(places, key):
        """The public ones, or the private ones: there may be so many of each."""
        return [place for place in places if (place[1] is None) is (key is None)]

    def due(self, seconds):
        self.asked += 1
        return None if seconds is None else (self.clock.seconds() + seconds, self.asked)

    def owned(self, owner):
        return [place for place, model in self.open.items() if owner is not None and model["owner"] == owner]

    def of_user(self, user, key):
        return sum(self.open[place].get("user") == user for place in self.kin(self.open, key))

    @rule(name=NAMES, key=SECRETS, lifetime=LIFETIMES, owner=OWNERS, policy=POLICIES)
    def create(self, name, key, lifetime, owner, policy):
        user = None if owner is None else (f"user {owner}", "role")
        settings = ChannelSettings(lifetime=lifetime, on_owner_leave=policy, user=user)
        arguments = {"key": key, "owner": owner}
        if (name, key) in self.open:
            refusal = CHANNEL_EXISTS
        elif (
            len(self.kin(self.open, key)) >= self.MAX_CHANNELS
            or len(self.owned(owner)) >= self.MAX_PER_SESSION
            or (user and self.of_user(user, key) >= self.MAX_PER_USER)
        ):
            refusal = QUOTA
        else:
            channel, control = self.channels.create(name, settings, **arguments)
            assert control not in self.control_keys
            self.control_keys.add(control)
            end = self.due(lifetime)
            self.open[name, key] = {
                "control": control, "owner": owner, "policy": policy, "end": end, "grace": None,
                "since": self.asked, "user": user,
            }  # fmt: skip
            if (name, key) in self.closed:
                self.closed.remove((name, key))
            assert channel.is_public is (key is None)
            return
        assert_refused(refusal, self.channels.create, name, settings, **arguments)

    @rule(name=st.sampled_from(["", "a.", "wamp.a", "radiod.a", "a.*"]), key=SECRETS)
    def create_under_a_bad_name(self, name, key):
        assert_refused(BAD_NAME, self.channels.create, name, NO_RULES, key=key)

    def refusal(self, name, key=None):
        if key is not None:
            return CHANNEL_CLOSED if (name, key) in self.closed else BAD_KEY
        return CHANNEL_CLOSED if (name, None) in self.closed else NO_SUCH_CHANNEL

    @rule(name=NAMES, data=st.data(), what=st.sampled_from(["delete", "extend", "take over"]))
    def control(self, name, data, what):
        control = data.draw(st.sampled_from(sorted(self.control_keys)))
        place = next((p for p, m in self.open.items() if p[0] == name and m["control"] == control), None)
        if place is None:
            refusal = BAD_KEY if (name, None) in self.open else self.refusal(name)
            assert self.channels.controlled(name, control) is None
            assert_refused(refusal, self.world.lookup.controlled, STRANGER, name, control)
            return
        channel, model = self.channels.controlled(name, control), self.open[place]
        assert self.world.lookup.controlled(STRANGER, name, control) is channel
        if what == "delete":
            self.end(place, "deleted", self.clock.seconds())
            self.channels.delete(channel)
        elif what == "extend":
            lifetime = data.draw(LIFETIMES)
            model["end"] = self.due(lifetime)
            self.channels.extend(channel, lifetime)
        else:
            owner = data.draw(st.integers(1, 2))
            if model["owner"] != owner and len(self.owned(owner)) >= self.MAX_PER_SESSION:
                assert_refused(QUOTA, self.channels.take_over, channel, owner)
            else:
                if model["owner"] != owner:
                    self.due(None)
                    model["since"] = self.asked
                model.update(owner=owner, grace=None)
                self.channels.take_over(channel, owner)

    @rule(name=NAMES)
    def publish(self, name):
        if (name, None) in self.open:
            assert self.channels.admit(name).name == name
        elif (name, None) in self.closed or not self.undeclared_topics:
            assert_refused(self.refusal(name), self.channels.admit, name)
        else:
            assert self.channels.admit(name) is None

    @rule(name=NAMES, key=st.sampled_from(["one", "two", "three"]))
    def unlock(self, name, key):
        if (name, key) in self.open:
            channel = self.channels.unlock(name, key)
            assert (channel.name, channel.key_hash) == (name, digest(key))
        else:
            assert_refused(self.refusal(name, key), self.channels.unlock, name, key)

    @rule(name=NAMES)
    def get(self, name):
        if (name, None) in self.open:
            assert self.channels.get(name).is_public
        else:
            assert_refused(self.refusal(name), self.channels.get, name)

    @rule(prefix=st.sampled_from(["", "b", "b."]), limit=st.integers(1, 4), after=st.none() | NAMES)
    def page(self, prefix, limit, after):
        public = [name for name, key in self.open if key is None]
        names = sorted(name for name in public if name.startswith(prefix) and name > (after or ""))
        assert [channel.name for channel in self.channels.page(prefix, limit, after)] == names[:limit]

    @rule(owner=st.integers(1, 3))
    def owner_leaves(self, owner):
        for place in sorted(self.owned(owner), key=lambda place: self.open[place]["since"]):
            model = self.open[place]
            model["owner"] = None
            if model["policy"] == "delete":
                self.end(place, "owner_left", self.clock.seconds())
            elif model["policy"] != "keep":
                model["grace"] = self.due(model["policy"])
        self.channels.owner_left(owner)

    @rule(quarters=st.integers(0, 12))
    def advance(self, quarters):
        until = self.clock.seconds() + quarters / 4
        due = [
            (model[what], place, reason)
            for place, model in self.open.items()
            for what, reason in (("end", "expired"), ("grace", "owner_left"))
            if model[what] is not None and model[what][0] <= until
        ]
        for (when, _), place, reason in sorted(due, key=lambda item: item[0]):
            if place in self.open:
                self.end(place, reason, when)
        self.clock.advance(quarters / 4)

    @invariant()
    def channels_end_once_for_the_right_reason_at_the_right_moment(self):
        assert self.world.ended == self.expected

    @invariant()
    def users_that_have_none_are_forgotten(self):
        users = {(key is None, model["user"]) for (_, key), model in self.open.items() if model.get("user")}
        assert self.channels.room.users == users

    @invariant()
    def the_open_ones_are_those_of_the_model(self):
        assert {channel.name for channel in self.channels} == {n for n, key in self.open if key is None}
        assert len(self.channels) == len(self.open)
        assert all(len(self.kin(self.open, key)) <= self.MAX_CHANNELS for key in (None, "one"))
        for (name, key), model in self.open.items():
            channel = self.channels.get(name) if key is None else self.channels.unlock(name, key)
            assert not channel.is_ended
            assert channel.owner == model["owner"]
            end = model["end"]
            left = None if end is None else end[0] - self.clock.seconds() + self.clock.time()
            assert self.channels.expires(channel) == left
            assert end is None or end[0] > self.clock.seconds()

    @invariant()
    def the_closed_ones_are_remembered_within_a_bound(self):
        for key in (None, "one"):
            remembered = [one for one in self.channels.closed if (one[1] is None) == (key is None)]
            assert remembered == [
                (name, None if key is None else digest(key)) for name, key in self.kin(self.closed, key)
            ]
            assert len(remembered) <= self.MAX_CHANNELS

    @invariant()
    def owners_and_deadlines_belong_to_open_channels(self):
        owned = {
            owner: {(channel.name, channel.key_hash) for channel in channels}
            for owner, channels in self.channels._owned.items()
        }
        expected = {
            owner: {(n, None if key is None else digest(key)) for n, key in self.owned(owner)}
            for owner in (1, 2)
        }
        assert owned == {owner: places for owner, places in expected.items() if places}
        assert len(self.channels._controlled) == sum(m["control"] is not None for m in self.open.values())
        due = sum((m["end"] is not None) + (m["grace"] is not None) for m in self.open.values())
        assert len(self.clock.timers) == due


ChannelsMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestChannelsMachine = ChannelsMachine.TestCase


class TestUsers:
    """Each user has a share, of the public channels and apart from that of the private ones."""

    KEEP = HistoryBounds(size=1, seconds=1, bytes=1000)
    ALICE, BOB = ("alice", "writer"), ("bob", "writer")

    def test_one_user_cannot_take_all_names(self):
        world = World(channels=2)
        for number in range(2):
            world.create(f"a.{number}", user=self.ALICE, on_owner_leave="keep")
        assert_refused(QUOTA, world.create, "a.2", user=self.ALICE)
        world.create("a.2", user=self.ALICE, key="k")
        world.create("b.0", user=self.BOB)
        world.create("c.0")

    def test_one_user_cannot_take_the_whole_promise(self):
        world = World(bytes=2 * self.KEEP.most)
        for number in range(2):
            world.create(f"a.{number}", user=self.ALICE, history=self.KEEP)
        assert_refused(QUOTA, world.create, "a.2", user=self.ALICE, history=self.KEEP)
        world.create("a.2", user=self.ALICE)
        world.create("a.3", user=self.ALICE, key="k", history=self.KEEP)
        world.create("b.0", user=self.BOB, history=self.KEEP)

    def test_what_ended_counts_no_longer(self):
        world = World(channels=1, bytes=self.KEEP.most)
        key = world.key("a", user=self.ALICE, history=self.KEEP)
        world.delete("a", key)
        world.create("b", user=self.ALICE, history=self.KEEP, lifetime=1.0)
        world.clock.advance(1)
        world.create("c", user=self.ALICE, history=self.KEEP)

    def test_what_comes_back_counts(self):
        world = World(channels=1)
        settings = ChannelSettings(
            on_owner_leave="keep",
            single_writer=False,
            presence=False,
            history=self.KEEP,
            buffer={},
            user=self.ALICE,
        )
        world.channels.restore(
            SavedChannel(name="a", control_hash=digest("k"), expires=None, settings=settings)
        )
        assert_refused(QUOTA, world.create, "b", user=self.ALICE)


class TestRestored:
    """A channel that outlived the server has no owner, its old control key, and the time that is left."""

    @staticmethod
    def restore(world, *, expires=None, **rules):
        saved = SavedChannel(
            name="a", control_hash=digest("control"), expires=expires, settings=ChannelSettings(**rules)
        )
        return world.channels.restore(saved)

    def test_is_public_and_nobodys(self, world, channels):
        channel = self.restore(world, on_owner_leave="delete", presence=True)
        assert channels.get("a") is channels.created("a") is channel
        assert (channel.owner, channel.is_public, channel.is_saved) == (None, True, True)
        assert channel.settings.presence
        channels.owner_left(1)
        assert "a" in channels
        assert_refused(CHANNEL_EXISTS, world.create, "a")

    def test_is_controlled_by_its_old_key(self, world, channels):
        self.restore(world)
        assert_refused(BAD_KEY, world.delete, "a", "another")
        world.delete("a", "control")
        assert world.reasons() == [("a", "deleted")]
        assert_no_traces(world)

    def test_may_be_taken_over(self, world, channels):
        channel = self.restore(world, on_owner_leave="delete")
        channels.take_over(channel, 1)
        channels.owner_left(1)
        assert world.reasons() == [("a", "owner_left")]

    @pytest.mark.parametrize(
        ("date", "lifetime", "left"),
        [
            (None, None, None),
            (20.0, None, 20.0),
            (20.0, 60.0, 20.0),
            # The clock is behind, or was when the date was written.
            (1e9, 60.0, 60.0),
            (-5.0, 60.0, -5.0),
        ],
    )
    def test_lives_as_long_as_is_left(self, world, channels, date, lifetime, left):
        expires = None if date is None else world.clock.time() + date
        channel = self.restore(world, expires=expires, lifetime=lifetime)
        assert channels.left(channel) == left
        world.clock.advance(0 if left is None else max(0, left))
        assert ("a" in channels) is (left is None)

    def test_is_open_though_one_of_its_name_has_ended(self, world, channels):
        world.delete("a", world.key("a"))
        channel = self.restore(world)
        assert channels.admit("a") is channel


class TestAnotherProcess:
    """Channels that sessions created, after a restart."""

    def stop(self, world, away=0.0, account=None, **options):
        """Returns: the world after it, and what it has not taken."""
        after, refused = World(**options), []
        for kept in world.channels.kept():
            left = None if kept.left is None else kept.left - away
            try:
                after.channels.resume(replace(kept, left=left), account)
            except Refused as refusal:
                refused.append((kept.name, refusal.uri))
        return after, refused

    def test_they_are_there_with_their_lifetimes_and_control_keys(self, world):
        key = world.key("a", lifetime=100.0, on_owner_leave="keep")
        private = world.key("p", key="secret", on_owner_leave="keep")
        world.channels.declare("declared")
        world.clock.advance(30)
        after, refused = self.stop(world, away=20.0)
        assert refused == []
        assert [channel.name for channel in after.channels] == ["a"]
        assert after.channels.left(after.channels.get("a")) == 50.0
        assert after.channels.controlled("a", key) is after.channels.get("a")
        assert after.channels.controlled("p", private) is after.channels.unlock("p", "secret")
        after.clock.advance(51)
        assert after.reasons() == [("a", "expired")]

    def test_one_whose_time_is_over_ends_with_the_first_turn(self, world):
        world.create("a", lifetime=10.0)
        after, _ = self.stop(world, away=20.0)
        after.clock.advance(0)
        assert after.reasons() == [("a", "expired")]

    @pytest.mark.parametrize(("rule", "seconds"), [("delete", RETURN_S), (7.0, 7.0)])
    def test_one_whose_owner_was_there_waits_for_it(self, world, rule, seconds):
        world.create("a", owner=1, on_owner_leave=rule)
        after, _ = self.stop(world)
        after.clock.advance(seconds - 1)
        assert after.reasons() == []
        # What waits goes on waiting: nobody can come while there is no server.
        again, _ = self.stop(after, away=1000.0)
        again.clock.advance(2)
        assert again.reasons() == [("a", "owner_left")]

    def test_one_whose_owner_comes_back_stays(self, world):
        world.create("a", owner=1)
        after, _ = self.stop(world)
        after.channels.take_over(after.channels.get("a"), 2)
        after.clock.advance(RETURN_S + 1)
        assert after.reasons() == []
        assert [one.waits for one in after.channels.kept()] == [RETURN_S]

    @pytest.mark.parametrize("owner", [None, 1])
    def test_one_that_needs_no_owner_stays(self, world, owner):
        world.create("a", owner=owner, on_owner_leave="keep" if owner else "delete")
        after, _ = self.stop(world)
        after.clock.advance(1e6)
        assert after.reasons() == []

    def test_a_durable_one_is_the_stores_and_only_waits_where_it_says_so(self, world):
        kept = HistoryBounds(size=1, seconds=1.0, bytes=1, is_durable=True)
        world.create("a", owner=1, history=kept)
        world.create("b", owner=1, history=kept, on_owner_leave=5.0)
        after = World()
        for one in world.channels.kept():
            after.channels.restore(
                SavedChannel(
                    name=one.name, control_hash=one.control_hash, expires=None, settings=one.settings
                )
            )
            after.channels.resume(one, None)
        after.clock.advance(1e6)
        assert after.reasons() == [("b", "owner_left")]

    def test_who_creates_one_that_waits_for_the_same_user_begins_anew(self, world):
        user = ("ann", "role")
        world.create("a", owner=1, user=user)
        after, _ = self.stop(world)
        for other in ({"user": ("bob", "role")}, {}):
            assert_refused(CHANNEL_EXISTS, after.create, "a", **other)
        after.create("a", owner=2, user=user)
        assert after.reasons() == [("a", "owner_left")]
        # That one has an owner.
        assert_refused(CHANNEL_EXISTS, after.create, "a", user=user)

    def test_nobody_takes_the_place_of_one_that_waits_by_its_own_rule(self, world):
        user = ("ann", "role")
        world.create("a", owner=1, user=user, on_owner_leave=9.0)
        after, _ = self.stop(world)
        assert_refused(CHANNEL_EXISTS, after.create, "a", user=user)

    def test_the_configuration_comes_first(self, world):
        world.create("a")
        after = World()
        after.channels.declare("a")
        (kept,) = world.channels.kept()
        assert_refused(CHANNEL_EXISTS, after.channels.resume, kept, None)

    def test_there_are_no_more_than_may_be(self, world):
        for name in ("a", "b"):
            world.create(name, owner=1)
        after, refused = self.stop(world, max_channels=1)
        assert refused == [("b", QUOTA)]
        assert [channel.name for channel in after.channels] == ["a"]

    def test_they_count_for_their_accounts(self, world):
        account = Account("firm")
        world.channels.create("a", NO_RULES, account=account)
        (kept,) = world.channels.kept()
        assert kept.account == "firm"
        other = Account("firm")
        after, _ = self.stop(world, account=other)
        assert other.channels == 1
        after.channels.delete(after.channels.get("a"))
        assert other.channels == 0
