"""Channels in use: opened, joined, left and ended, and told of to nobody who must not know."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.channels import (
    EVENT,
    PUBLISHED,
    private,
    publish,
    samples,
    subscribe,
)
from support.realms import World

from radiod.core.channels.settings import NO_RULES, ChannelSettings, KeptChannel, SavedChannel
from radiod.core.history.bounds import HistoryBounds
from radiod.core.ids import digest
from radiod.core.limits import Limits
from radiod.errors import (
    BAD_KEY,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    HISTORY_UNAVAILABLE,
    NO_SUCH_CHANNEL,
    NOT_AUTHORIZED,
    QUOTA,
    Refused,
)
from radiod.wire.options import SubscribeOptions

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
EXTEND = "radiod.channel.extend"
GET = "radiod.channel.get"
LIST = "radiod.channel.list"
JOIN = "radiod.channel.join"
LEAVE = "radiod.channel.leave"
OPEN = "radiod.channel.open_write"
CLOSE = "radiod.channel.close_write"
ON_CREATE = "radiod.channel.on_create"
ON_DELETE = "radiod.channel.on_delete"


@pytest.fixture
def owner(world):
    return world.caller("owner")


class TestOfTheConfiguration:
    KEPT = HistoryBounds(size=5, seconds=60.0, bytes=1 << 20)

    def test_one_that_is_added_is_told_of_and_there(self, world, owner):
        watcher, lifecycle = world.watch(ON_CREATE), world.realm.lifecycle
        lifecycle.check_free("a")
        lifecycle.add("a", ChannelSettings(presence=True, single_writer=True, history=self.KEPT))
        assert len(watcher.told()) == 1
        assert owner.call(GET, "a")["name"] == "a"
        lifecycle.add("b", NO_RULES)
        assert [one["name"] for one in owner.call(LIST)["channels"]] == ["a", "b"]

    def test_a_name_that_is_taken_is_in_the_way(self, world, owner):
        owner.call(CREATE, "a")
        with pytest.raises(Refused) as refusal:
            world.realm.lifecycle.check_free("a")
        assert refusal.value.uri == CHANNEL_EXISTS

    def test_what_others_were_promised_is_in_the_way(self, world):
        histories = world.realm.space.histories
        histories.keep("log.*", HistoryBounds(size=9, seconds=99, bytes=999, is_durable=True))
        world.realm.lifecycle.check_free("log.a")
        histories.track("log.a").seq = 1
        with pytest.raises(Refused) as refusal:
            world.realm.lifecycle.check_free("log.a")
        assert refusal.value.uri == CHANNEL_EXISTS

    @pytest.mark.parametrize("key", [None, "the key"])
    def test_one_that_changes_has_other_buffers_and_bounds(self, world, key):
        lifecycle = world.realm.lifecycle
        channel = lifecycle.declare("a", ChannelSettings(history=self.KEPT, buffer={"size": 3}), key=key)
        assert channel.space.tuning.default("a").size == 3
        fewer = HistoryBounds(size=1, seconds=60.0, bytes=1 << 20)
        lifecycle.change("a", ChannelSettings(history=fewer, buffer={"size": 4}), is_private=key is not None)
        assert channel.space.tuning.default("a").size == 4
        assert channel.space.histories.find("a").keep is fewer
        lifecycle.change("a", NO_RULES, is_private=key is not None)
        assert channel.space.tuning.default("a").size == 100
        assert channel.settings is NO_RULES


class TestPrivate:
    def test_gets_a_key_if_its_creator_has_none_in_mind(self, world, owner):
        key = owner.call(CREATE, "a", public=False)["key"]
        assert len(key) == 32
        assert world.caller().call(JOIN, "a", key)["name"] == "a"

    def test_hides_from_patterns(self, world, owner):
        private(owner)
        for policy, pattern in (("prefix", ""), ("prefix", "a"), ("wildcard", "")):
            owner.subscribe(pattern, match=policy)
        owner.received()
        publisher = world.caller()
        assert publish(publisher, "a", _radiod_key="secret") is None
        assert samples(owner) == []

    def test_causes_no_meta_event(self, world, owner):
        meta = [f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete")]
        watcher = world.watch(*meta, ON_CREATE, ON_DELETE)
        answer = private(owner)
        id = owner.subscribe("a")
        owner.request(34, id)
        owner.subscribe("a")
        owner.call(DELETE, "a", answer["control_key"])
        assert watcher.told() == []

    def test_no_meta_procedure_knows_its_subscriptions(self, world, owner):
        private(owner)
        id = owner.subscribe("a")
        meta = world.join()
        assert meta.call("wamp.subscription.list") == [{"exact": [], "prefix": [], "wildcard": []}]
        assert meta.call("wamp.subscription.lookup", "a") == [None]
        assert meta.call("wamp.subscription.match", "a") == [None]
        for procedure in ("get", "list_subscribers", "count_subscribers", "get_events"):
            assert meta.call(f"wamp.subscription.{procedure}", id).endswith("no_such_subscription")

    def test_its_subscriptions_have_ids_that_do_not_count(self, world, owner):
        private(owner)
        assert owner.subscribe("a") >= 2**52
        assert owner.subscribe("public") == 1

    def test_tells_its_members_of_its_life(self, world, owner):
        member, stranger = world.caller(), world.caller()
        owner.subscribe(ON_CREATE)
        for client in (owner, member, stranger):
            client.subscribe(ON_DELETE)
        stranger.subscribe(ON_CREATE)
        owner.request(48, {}, CREATE, ["a"], {"public": False, "key": "secret", "lifetime": 5})
        told, answer = owner.received()
        assert told[4] == [{"name": "a"}]
        control_key = answer[3][0]["control_key"]
        member.call(JOIN, "a", "secret")
        member.received()
        assert owner.call(EXTEND, "a", 1, control_key)["name"] == "a"
        world.clock.advance(1)
        assert samples(owner) == [{"name": "a", "reason": "expired"}]
        assert samples(member) == [{"name": "a", "reason": "expired"}]
        assert samples(stranger) == []

    def test_keeps_its_retained_event_to_itself(self, world, owner):
        private(owner)
        publish(owner, "a", "kept", retain=True)
        member, stranger = world.caller(), world.caller()
        member.call(JOIN, "a", "secret")
        for client, expected in ((member, ["kept"]), (stranger, [])):
            client.received()
            client.request(32, {"get_retained": True}, "a")
            assert samples(client) == expected

    def test_takes_its_retained_event_along(self, world):
        """What one leaves behind no longer counts: the bound is that of all private channels."""
        world = World(limits=Limits(max_retained_topics=1))
        owner = world.caller()
        for _ in range(3):
            control = private(owner)["control_key"]
            private(owner, "b")
            assert publish(owner, "a", retain=True) is None
            assert publish(owner, "b", retain=True) == QUOTA
            owner.call(DELETE, "a", control)
        assert publish(owner, "b", retain=True) is None

    def test_its_history_is_its_own(self, world, owner):
        private(owner, history={"size": 5})
        publish(owner, "a")
        channel = world.realm.memberships.of(owner.session)["a"]
        assert len(channel.space.histories.of("a")) == 1
        assert world.realm.space.histories.of("a") == []
        assert owner.call(GET, "a")["position"].endswith(":1")
        assert len(owner.call("radiod.channel.history", "a")["events"]) == 1
        assert world.caller().call("radiod.channel.history", "a") == HISTORY_UNAVAILABLE

    def test_recovers_from_its_own_history(self, world, owner):
        private(owner, history={"size": 5})
        stranger = world.caller()
        publish(stranger, "a", "public")
        for n in range(4):
            publish(owner, "a", n)
        position = owner.call("radiod.channel.history", "a", limit=2)["position"]
        member = world.caller()
        assert subscribe(member, "a", _radiod_key="secret", _radiod_after=position) is None
        publish(owner, "a", 4)
        late = world.caller()
        late.request(32, {"_radiod_key": "secret", "_radiod_after": position}, "a")
        assert samples(late) == [2, 3, 4]

    def test_recovers_for_plain_listeners(self, world, owner):
        private(owner, history={"size": 5})
        for n in range(3):
            publish(owner, "a", n)
        position = owner.call("radiod.channel.history", "a", limit=1)["position"]
        plain = world.join()
        world.realm.gateway.listen(plain.session, "a", SubscribeOptions(after=position, key="secret"))
        assert samples(plain) == [1, 2]

    def test_takes_no_room_from_what_is_public(self):
        """Or who fills that room to its end can tell how many there are."""
        world = World(limits=Limits(max_channels=2, max_retained_topics=2, max_retained_bytes=40))
        owner, stranger = world.caller("owner"), world.caller("stranger")
        for key in ("one", "two"):
            private(owner, key=key)
            publish(owner, "a", "x" * 15, retain=True)
            owner.call(LEAVE, "a")
        assert private(owner, key="three") == QUOTA
        for name in "bc":
            assert stranger.call(CREATE, name)["name"] == name
            assert publish(stranger, name, "x" * 15, retain=True) is None
        assert stranger.call(CREATE, "d") == QUOTA
        assert publish(stranger, "d", retain=True) == QUOTA

    def test_ends_without_a_trace_among_the_public_names_that_ended(self):
        world = World(limits=Limits(max_channels=1))
        owner, stranger = world.caller("owner"), world.caller("stranger")
        stranger.call(DELETE, "a", stranger.call(CREATE, "a")["control_key"])
        owner.call(DELETE, "b", private(owner, "b")["control_key"])
        assert stranger.call(GET, "a") == CHANNEL_CLOSED


class TestLeaving:
    def test_ends_subscriptions_and_writing(self, world, owner):
        private(owner)
        member = world.caller(is_revocable=True)
        member.call(JOIN, "a", "secret")
        id, public = member.subscribe("a"), member.subscribe("b")
        member.call(OPEN, "a")
        member.received()
        assert outcome_of_leave(member, "a") == [[35, 0, {"subscription": id}]]
        assert list(member.subscriptions) == [public]
        assert member.session not in world.realm.writers._by_session
        assert owner.call(GET, "a")["readers"] == 0
        publish(owner, "a")
        assert samples(member) == []
        assert member.call(GET, "a") == NO_SUCH_CHANNEL

    def test_of_a_member_that_only_joined(self, world, owner):
        private(owner)
        member = world.caller()
        member.call(JOIN, "a", "secret")
        assert member.call(LEAVE, "a") == {"name": "a"}
        assert member.call(GET, "a") == NO_SUCH_CHANNEL

    def test_what_was_never_joined_tells_nothing(self, world, owner):
        private(owner)
        for name in ("a", "b"):
            assert world.caller().call(LEAVE, name) == {"name": name}

    def test_by_hanging_up_forgets_everything(self, world, owner):
        private(owner)
        for _ in range(100):
            member = world.caller()
            member.subscribe("a", _radiod_key="secret")
            member.call(OPEN, "a")
            member.leave()
        channel = world.realm.memberships.of(owner.session)["a"]
        assert list(channel.members) == [owner.session]
        assert owner.call(GET, "a")["writers"] == 1
        assert len(channel.space.broker) == 0

    def test_publishes_its_last_will_where_it_was_a_member(self, world, owner):
        private(owner, on_owner_leave="keep")
        listener, stranger = world.caller(), world.caller()
        listener.subscribe("a", _radiod_key="secret")
        stranger.subscribe("a")
        client = world.join()
        client.call("wamp.session.add_testament", "a", ["with key"], {}, {"_radiod_key": "secret"})
        client.leave()
        assert samples(listener) == ["with key"]
        assert samples(stranger) == []


def outcome_of_leave(client, name):
    client.request(48, {}, LEAVE, [name])
    return [message for message in client.received() if message[0] != 50]


class TestEnding:
    def test_revokes_private_subscriptions_and_leaves_public_ones(self, world, owner):
        control = private(owner)["control_key"]
        open_control = owner.call(CREATE, "b")["control_key"]
        member = world.caller(is_revocable=True)
        id = member.subscribe("a", _radiod_key="secret")
        member.subscribe("b")
        owner.call(DELETE, "a", control)
        assert member.received() == [[35, 0, {"subscription": id, "reason": CHANNEL_CLOSED}]]
        owner.call(DELETE, "b", open_control)
        assert member.received() == []
        assert len(member.subscriptions) == 1

    def test_closes_it_to_members_until_they_leave(self, world, owner):
        """Nothing that was meant for the members goes out to everybody."""
        control = private(owner)["control_key"]
        stranger = world.caller()
        stranger.subscribe("a")
        owner.call(DELETE, "a", control)
        assert publish(owner, "a") == CHANNEL_CLOSED
        assert subscribe(owner, "a") == CHANNEL_CLOSED
        assert owner.call(GET, "a") == CHANNEL_CLOSED
        assert publish(owner, "a", _radiod_key="secret") == CHANNEL_CLOSED
        assert samples(stranger) == []
        owner.call(LEAVE, "a")
        assert publish(owner, "a") is None
        assert samples(stranger) == ["x"]

    def test_an_ended_name_may_be_opened_to_everybody(self, world, owner):
        owner.call(DELETE, "a", private(owner)["control_key"])
        assert owner.call(CREATE, "a")["name"] == "a"
        assert owner.call(GET, "a")["public"] is True

    def test_finishes_streams_on_it(self, world, owner):
        control = owner.call(CREATE, "a")["control_key"]
        on_it, elsewhere = world.join(), world.join()
        first = on_it.subscribe("a")
        elsewhere.subscribe("", match="prefix")
        owner.call(DELETE, "a", control)
        assert world.outbox.ended == [(on_it.session, first, CHANNEL_CLOSED)]
        private(owner, "b", lifetime=1)
        second = on_it.subscribe("b", _radiod_key="secret")
        world.clock.advance(1)
        assert world.outbox.ended[1:] == [(on_it.session, second, CHANNEL_CLOSED)]

    def test_forgets_writers_history_and_presence(self, world, owner):
        control = owner.call(CREATE, "a", history={"size": 3}, presence=True)["control_key"]
        owner.subscribe("a")
        publish(owner, "a")
        owner.call(DELETE, "a", control)
        presence = world.realm.presence
        assert (len(world.realm.writers), list(presence.headcount), presence._showing) == (0, [], set())
        assert world.realm.space.histories.of("a") == []
        assert world.realm.space.histories.wanted("a") is None
        assert owner.session not in world.realm.writers._by_session

    def test_with_the_server_nothing_ends(self, world, owner):
        """Its channels are not over, it is."""
        owner.call(CREATE, "a")
        world.realm.close()
        assert "a" in world.realm.channels


class TestOwners:
    def test_who_extends_during_the_grace_is_the_owner(self, world, owner):
        control = owner.call(CREATE, "a", on_owner_leave=5)["control_key"]
        owner.leave()
        world.clock.advance(4)
        heir = world.caller()
        heir.call(EXTEND, "a", None, control)
        world.clock.advance(10)
        assert heir.call(GET, "a")["name"] == "a"
        heir.leave()
        world.clock.advance(5)
        assert world.caller().call(GET, "a") == CHANNEL_CLOSED

    def test_who_comes_back_before_the_old_connection_is_gone_stays_the_owner(self, world, owner):
        control = owner.call(CREATE, "a", on_owner_leave=5)["control_key"]
        again = world.caller()
        again.call(EXTEND, "a", None, control)
        owner.leave()
        world.clock.advance(10)
        assert again.call(GET, "a")["name"] == "a"

    def test_who_extends_a_channel_that_ends_with_its_owner_does_not_become_it(self, world, owner):
        control = owner.call(CREATE, "a")["control_key"]
        helper = world.caller()
        helper.call(EXTEND, "a", 100, control)
        helper.leave()
        assert owner.call(GET, "a")["name"] == "a"

    def test_who_opens_with_the_control_key_is_the_owner_and_the_writer(self, world, owner):
        control = owner.call(CREATE, "a", single_writer=True)["control_key"]
        again = world.caller()
        assert again.call(OPEN, "a") == NOT_AUTHORIZED
        assert again.call(OPEN, "a", control_key="forged") == BAD_KEY
        assert again.call(OPEN, "a", control_key=control) == {"active": False, "readers": 0}
        assert publish(owner, "a") == NOT_AUTHORIZED
        assert publish(again, "a") is None
        owner.leave()
        assert again.call(GET, "a")["writers"] == 1
        again.leave()
        assert world.caller().call(GET, "a") == CHANNEL_CLOSED

    def test_of_a_private_channel_come_back_by_control_key_alone(self, world, owner):
        control = private(owner, on_owner_leave=5)["control_key"]
        owner.leave()
        again = world.caller()
        assert again.call(OPEN, "a", control_key=control)["readers"] == 0
        assert again.call(GET, "a")["public"] is False
        world.clock.advance(10)
        assert publish(again, "a") is None

    def test_may_own_and_write_only_so_much(self, world):
        world = World(limits=Limits(max_channels_per_session=2, max_memberships=3))
        owner = world.caller()
        for name in "ab":
            owner.call(CREATE, name)
        assert owner.call(CREATE, "c") == QUOTA
        control = world.caller().call(CREATE, "c")["control_key"]
        assert owner.call(OPEN, "c", control_key=control) == QUOTA
        owner.call(OPEN, "c")
        owner.call(OPEN, "c")
        assert owner.call(OPEN, "d") == QUOTA
        owner.call(CLOSE, "c")
        assert owner.call(OPEN, "d")["active"] is False

    def test_keep_only_so_much_of_the_past_together(self):
        """Each may ask for much, and a hundred sessions for a hundred times a hundred of that."""
        world = World(limits=Limits(max_history_bytes=10_000))
        owner = world.caller("owner")
        history = {"size": 1, "bytes": 6000}
        control = owner.call(CREATE, "a", history=history)["control_key"]
        assert owner.call(CREATE, "b", history=history) == QUOTA
        assert owner.call(CREATE, "b", history={"size": 100, "bytes": 512}) == QUOTA
        assert private(owner, "b", history=history)["name"] == "b"
        assert private(owner, "c", history=history) == QUOTA
        assert owner.call(CREATE, "d", history={"size": 1, "bytes": 512})["name"] == "d"
        owner.call(DELETE, "a", control)
        assert owner.call(CREATE, "c", history=history)["name"] == "c"

    @pytest.mark.parametrize("procedure", [OPEN, EXTEND])
    def test_whose_quota_is_used_up_take_over_nothing(self, owner, procedure):
        """And are no members of what they could not take over."""
        world = World(limits=Limits(max_channels_per_session=1))
        owner, other = world.caller("owner"), world.caller("other")
        control = private(owner, on_owner_leave=60)["control_key"]
        other.call(CREATE, "mine")
        arguments = {"lifetime": 5} if procedure == EXTEND else {}
        assert other.call(procedure, "a", control_key=control, **arguments) == QUOTA
        assert other.call(GET, "a") == NO_SUCH_CHANNEL
        assert owner.call(GET, "a")["expires"] is None

    def test_whose_quota_is_used_up_create_nothing(self, world):
        world = World(limits=Limits(max_memberships=1))
        owner = world.caller()
        owner.call(OPEN, "x")
        assert owner.call(CREATE, "a") == QUOTA
        assert len(world.realm.channels) == 0


KEYS = ("one", "two")
NAMES = ("a", "a.b")

INSIDE = st.one_of(
    st.tuples(st.just("create"), st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(KEYS)),
    st.tuples(st.just("delete"), st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(KEYS)),
    st.tuples(st.just("subscribe"), st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(KEYS)),
    st.tuples(st.just("publish"), st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(KEYS)),
    st.tuples(st.just("leave"), st.integers(0, 1), st.sampled_from(NAMES), st.sampled_from(KEYS)),
)
OUTSIDE = st.one_of(
    st.tuples(
        st.just("call"),
        st.sampled_from([
            (GET,), (CREATE,), (OPEN,), (CLOSE,), (LEAVE,), (JOIN, "guess"), (DELETE, "guess"),
            (EXTEND, 5, "guess"), ("radiod.presence.get",), ("wamp.subscription.match",),
            ("wamp.subscription.lookup",), ("radiod.channel.history",), ("radiod.channel.stats",),
            ("radiod.channel.tune", 5),
        ]),
        st.sampled_from(NAMES),
    ),
    st.tuples(st.just("ask"), st.sampled_from([LIST, "radiod.server.stats", "wamp.subscription.list"])),
    st.tuples(st.just("publish"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("subscribe"), st.sampled_from(NAMES), st.sampled_from([None, "guess"])),
)  # fmt: skip


class Story:
    """Two insiders and a stranger in one realm; the insiders may be kept from doing anything."""

    def __init__(self, *, undeclared_topics, do_insiders_act):
        self.world = World(undeclared_topics=undeclared_topics)
        self.acts = do_insiders_act
        self.insiders = [self.world.caller("insider"), self.world.caller("insider")]
        self.controls = {}
        self.stranger = self.world.caller("stranger")
        for topic in ("", "a", "radiod.", "wamp."):
            self.stranger.subscribe(topic, match="prefix", get_retained=True)
        self.heard = []
        self.listen()

    def listen(self):
        self.heard += [self.masked(message) for message in self.stranger.received()]

    def masked(self, message):
        """Without what is drawn at random: publication ids and secrets."""
        if message[0] in (EVENT, PUBLISHED):
            message[2] = 0
        if message[0] == 50 and isinstance(message[3][0], dict):
            message[3][0].pop("control_key", None)
        return message

    def inside(self, what, who, name, key):
        if not self.acts:
            return
        insider = self.insiders[who]
        if what == "create":
            answer = insider.call(
                CREATE, name, public=False, key=key, presence=True, lifetime=50, history={"size": 2}
            )
            if isinstance(answer, dict):
                self.controls[name, key] = answer["control_key"]
        elif what == "delete":
            insider.call(DELETE, name, self.controls.get((name, key), "none"))
        elif what == "subscribe":
            insider.request(32, {"_radiod_key": key, "_radiod_buffer": {"every": 2}}, name)
        elif what == "publish":
            insider.request(16, {"_radiod_key": key, "retain": True}, name, ["secret"])
        else:
            insider.call(LEAVE, name)
        insider.received()

    def outside(self, what, *arguments):
        client = self.stranger
        if what == "call":
            (procedure, *rest), name = arguments
            client.request(48, {}, procedure, [name, *rest])
        elif what == "ask":
            client.request(48, {}, arguments[0])
        elif what == "publish":
            name, retain = arguments
            client.request(16, {"acknowledge": True, "retain": retain}, name, [1])
        else:
            name, key = arguments
            client.request(32, {"get_retained": True, **({"_radiod_key": key} if key else {})}, name)
        self.listen()


@settings(max_examples=300)
@given(
    steps=st.lists(INSIDE | OUTSIDE | st.just(("wait",)), max_size=30),
    undeclared_topics=st.booleans(),
)
def test_a_stranger_hears_the_same_whatever_happens_in_private(steps, undeclared_topics):
    stories = [Story(undeclared_topics=undeclared_topics, do_insiders_act=do_act) for do_act in (True, False)]
    for step in steps:
        for story in stories:
            if step[0] == "wait":
                story.world.clock.advance(20)
            elif len(step) == 4:
                story.inside(*step)
            else:
                story.outside(*step)
            story.listen()
    assert stories[0].heard == stories[1].heard


class TestOnADurableTopic:
    """A pattern of the configuration keeps ``log.*``; a channel of such a name ends nothing of that."""

    @pytest.fixture
    def log(self, world, owner):
        histories = world.realm.space.histories
        histories.keep("log.*", HistoryBounds(size=9, seconds=99, bytes=999, is_durable=True))
        publish(owner, "log.a", 1)
        assert histories.is_promised("log.a")
        return histories

    def test_a_channel_with_a_history_of_its_own_is_refused(self, owner, log):
        assert owner.call(CREATE, "log.a", history={"size": 1}) == CHANNEL_EXISTS
        assert len(log.of("log.a")) == 1

    def test_a_channel_without_one_ends_and_the_history_stays(self, owner, log):
        key = owner.call(CREATE, "log.a")["control_key"]
        owner.call(DELETE, "log.a", key)
        assert len(log.of("log.a")) == 1

    def test_a_private_one_is_another_topic(self, owner, log):
        assert "key" in owner.call(CREATE, "log.a", public=False, history={"size": 1})
        assert len(log.of("log.a")) == 1


class Store:
    """A ``ChannelStore`` that answers when the test wants it."""

    def __init__(self):
        self.saved = []

    def save(self, channel, done):
        self.saved.append((channel, done))


class TestSaved:
    """Durable channels, which come back after a crash; more of them is in the tests of publishing."""

    CONTROL = "0" * 32
    LOG = HistoryBounds(size=9, seconds=99, bytes=999, is_durable=True)

    @pytest.fixture
    def store(self, world):
        world.realm.lifecycle.store = store = Store()
        return store

    def test_one_is_there_at_once_and_answered_for_when_it_is_on_disk(self, world, owner, store):
        later = world.realm.lifecycle.create(owner.session, "a", ChannelSettings(history=self.LOG))
        assert world.realm.channels.get("a").is_saved
        told = []
        later.then(told.append)
        assert told == []
        ((saved, done),) = store.saved
        done(None)
        assert [(saved.name, answer["name"], answer["expires"]) for answer in told] == [("a", "a", None)]

    def test_one_that_is_not_durable_is_not_saved(self, world, owner, store):
        answer = world.realm.lifecycle.create(owner.session, "a", NO_RULES)
        world.realm.lifecycle.extend(owner.session, "a", 60, answer["control_key"])
        world.clock.set_date(3600)
        world.realm.lifecycle.check_date()
        assert store.saved == []
        assert not world.realm.channels.get("a").is_saved

    def test_what_is_saved_says_what_is_left_not_what_was_given(self, world, owner, store):
        rules = ChannelSettings(history=self.LOG, lifetime=60, on_owner_leave="keep")
        world.realm.lifecycle.create(owner.session, "a", rules)
        world.clock.advance(20)
        world.clock.set_date(3600)
        for _ in range(2):
            world.realm.lifecycle.check_date()
        first, second = (saved for saved, _ in store.saved)
        assert (first.settings.lifetime, second.settings.lifetime) == (60, 40)
        assert second.expires == world.clock.time() + 40

    def test_what_comes_back_is_set_up_as_it_was_created(self, world, owner):
        rules = ChannelSettings(history=self.LOG, presence=True, buffer={"size": 7})
        saved = SavedChannel(name="a", control_hash=digest(self.CONTROL), expires=None, settings=rules)
        for _ in range(2):
            world.realm.lifecycle.restore(saved)
        space = world.realm.space
        assert space.histories.wanted("a") == self.LOG
        assert space.tuning.default("a").size == 7
        owner.subscribe("a")
        assert owner.call("radiod.presence.get", "a")["users"] == {"owner": 1}
        assert owner.call(DELETE, "a", self.CONTROL) == {"name": "a"}
        assert (space.histories.wanted("a"), space.tuning.default("a").size) == (None, 100)

    def test_what_the_configuration_declares_meanwhile_is_not_replaced(self, world):
        declared = world.realm.lifecycle.declare("a")
        rules = ChannelSettings(history=self.LOG)
        saved = SavedChannel(name="a", control_hash=digest(self.CONTROL), expires=None, settings=rules)
        world.realm.lifecycle.restore(saved)
        assert world.realm.channels.get("a") is declared
        assert world.realm.space.histories.wanted("a") is None


class TestAnotherProcess:
    """Channels that sessions created, after a restart."""

    KEPT = HistoryBounds(size=5, seconds=60.0, bytes=1 << 20)

    def stop(self, world, **options):
        world.realm.close()
        after = World(**options)
        for kept in world.realm.channels.kept():
            after.realm.lifecycle.resume(kept, None)
        return after

    def test_one_is_set_up_as_it_was_created(self, world, owner):
        created = owner.call(
            CREATE, "a", presence=True, history={"size": 3}, buffer={"size": 7}, lifetime=60.0
        )
        after = self.stop(world)
        space = after.realm.space
        assert (space.histories.wanted("a").size, space.tuning.default("a").size) == (3, 7)
        other = after.caller("owner")
        other.subscribe("a")
        assert other.call("radiod.presence.get", "a")["users"] == {"owner": 1}
        assert other.call(OPEN, "a", control_key=created["control_key"])["active"]
        after.clock.advance(59)
        assert other.call(GET, "a")["name"] == "a"
        after.clock.advance(2)
        assert other.call(GET, "a") == CHANNEL_CLOSED

    def test_a_private_one_is_found_by_its_key(self, world, owner):
        owner.call(CREATE, "a", public=False, key="secret")
        after = self.stop(world)
        other = after.caller()
        assert other.call(JOIN, "a", "wrong") == BAD_KEY
        assert other.call(JOIN, "a", "secret")["name"] == "a"

    def test_a_buffer_must_be_one_of_now(self, world, owner):
        owner.call(CREATE, "a", buffer={"max_bytes": 1 << 20})
        with pytest.raises(Refused, match="max_bytes"):
            self.stop(world, limits=Limits(max_buffer_bytes=1 << 16))

    def test_a_durable_one_is_in_the_store_or_nowhere(self, world, owner):
        rules = ChannelSettings(history=HistoryBounds(size=1, seconds=1.0, bytes=1, is_durable=True))
        kept = KeptChannel(name="a", control_hash=digest("key"), settings=rules, waits=5.0)
        with pytest.raises(Refused, match="not in the store"):
            world.realm.lifecycle.resume(kept, None)
        saved = SavedChannel(name="a", control_hash=kept.control_hash, expires=None, settings=rules)
        world.realm.lifecycle.restore(saved)
        world.realm.lifecycle.resume(kept, None)
        world.clock.advance(6)
        assert owner.call(GET, "a") == CHANNEL_CLOSED


class TestRemoving:
    """What stewards do, without a control key."""

    def test_ends_what_a_session_created(self, world, owner):
        owner.call(CREATE, "a", on_owner_leave="keep")
        assert world.realm.lifecycle.remove(owner.session, "a") == {"name": "a"}
        assert owner.call(GET, "a") == CHANNEL_CLOSED

    @pytest.mark.parametrize(("name", "uri"), [("declared", BAD_KEY), ("b", NO_SUCH_CHANNEL)])
    def test_ends_nothing_else(self, world, owner, name, uri):
        world.realm.lifecycle.declare("declared")
        with pytest.raises(Refused) as refusal:
            world.realm.lifecycle.remove(owner.session, name)
        assert refusal.value.uri == uri

    def test_forgets_what_a_pattern_keeps(self, world, owner):
        histories = world.realm.space.histories
        histories.keep("log.*", HistoryBounds(size=9, seconds=99, bytes=999))
        publish(owner, "log.a")
        assert world.realm.lifecycle.remove(owner.session, "log.a") == {"name": "log.a"}
        assert histories.of("log.a") == []


def test_a_realm_that_everybody_left_holds_nothing_of_them(world, owner):
    private(owner)
    owner.call(CREATE, "b", presence=True, single_writer=True)
    member = world.caller()
    member.call(JOIN, "a", "secret")
    member.call(OPEN, "a")
    for client in (owner, member):
        client.subscribe("a")
        client.subscribe("b")
    owner.leave()
    member.leave()
    realm = world.realm
    tables = (realm.channels, realm.memberships, realm.writers, realm.space.broker, realm.sessions)
    assert [len(table) for table in tables] == [0] * len(tables)
    assert list(realm.presence.headcount) == []
