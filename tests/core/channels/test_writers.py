"""Who writes to channels: rights, single writers, and the signals that tell them whether anybody listens."""

import pytest
from support.channels import private, publish, samples
from support.realms import World

from radiod.core.disclosure import Visitor
from radiod.core.limits import Limits
from radiod.core.rights import Action
from radiod.errors import NOT_AUTHORIZED, QUOTA, Refused
from radiod.testing import Allow, make_principal
from radiod.wire.codecs import Payload

CREATE = "radiod.channel.create"
DELETE = "radiod.channel.delete"
GET = "radiod.channel.get"
OPEN = "radiod.channel.open_write"
CLOSE = "radiod.channel.close_write"
ON_DEMAND = "radiod.channel.on_demand"


@pytest.fixture
def owner(world):
    return world.caller("owner")


class TestWriters:
    def test_one_at_a_time_where_the_channel_says_so(self, world, owner):
        owner.call(CREATE, "a", single_writer=True)
        other = world.caller()
        assert publish(other, "a") == NOT_AUTHORIZED
        assert other.call(OPEN, "a") == NOT_AUTHORIZED
        assert publish(owner, "a") is None
        assert owner.call(CLOSE, "a") == {"name": "a"}
        assert other.call(OPEN, "a") == {"active": False, "readers": 0}
        assert publish(owner, "a") == NOT_AUTHORIZED
        other.leave()
        assert publish(owner, "a") is None

    def test_over_http_as_long_as_nobody_has_the_slot(self, world, owner):
        owner.call(CREATE, "a", single_writer=True)
        key = Visitor(7, make_principal("key"))
        with pytest.raises(Refused) as refusal:
            world.realm.gateway.publish(key, "a", Payload.of(1))
        assert refusal.value.uri == NOT_AUTHORIZED
        owner.call(CLOSE, "a")
        world.realm.gateway.publish(key, "a", Payload.of(1))

    def test_of_a_topic_that_becomes_a_channel_for_one_have_it_no_more(self, world, owner):
        early = world.caller()
        early.call(OPEN, "a")
        owner.call(CREATE, "a", single_writer=True)
        assert publish(early, "a") == NOT_AUTHORIZED
        assert early.session not in world.realm.writers._by_session

    def test_many_elsewhere(self, world, owner):
        owner.call(CREATE, "a")
        other = world.caller()
        assert publish(other, "a") is None
        other.call(OPEN, "a")
        assert owner.call(GET, "a")["writers"] == 2

    def test_need_the_right_to_publish(self, world, owner):
        owner.call(CREATE, "a")
        listener = world.caller(permissions=Allow(Action.CALL, Action.SUBSCRIBE))
        assert listener.call(OPEN, "a") == NOT_AUTHORIZED
        assert listener.call(CLOSE, "a") == {"name": "a"}

    def test_leave_a_last_will_in_their_channel(self, world, owner):
        writer, listener = world.join(), world.caller()
        owner.call(CREATE, "a", single_writer=True)
        owner.call(CLOSE, "a")
        writer.call(OPEN, "a")
        writer.call("wamp.session.add_testament", "a", ["bye"], {})
        listener.subscribe("a")
        writer.leave()
        assert samples(listener) == ["bye"]


class TestDemand:
    @pytest.fixture
    def writer(self, world):
        writer = world.caller("writer")
        writer.subscribe(ON_DEMAND)
        return writer

    def test_is_told_with_opening(self, world, writer):
        world.caller().subscribe("a")
        assert writer.call(CREATE, "a")["readers"] == 1
        assert writer.call(OPEN, "a") == {"active": True, "readers": 1}
        assert writer.call(OPEN, "b") == {"active": False, "readers": 0}

    @pytest.mark.parametrize(
        ("policy", "pattern"), [("exact", "a.b"), ("prefix", "a"), ("prefix", ""), ("wildcard", ".b")]
    )
    def test_comes_with_the_first_listener_and_goes_with_the_last(self, world, writer, policy, pattern):
        writer.call(CREATE, "a.b")
        first, second = world.caller(), world.caller()
        first.subscribe(pattern, match=policy)
        second.subscribe("a.b")
        assert samples(writer) == [{"name": "a.b", "readers": 1, "active": True}]
        second.leave()
        world.clock.advance(5)
        assert samples(writer) == []
        first.leave()
        world.clock.advance(0.9)
        assert samples(writer) == []
        world.clock.advance(0.2)
        assert samples(writer) == [{"name": "a.b", "readers": 0, "active": False}]

    def test_does_not_flap(self, world, writer):
        writer.call(CREATE, "a")
        for _ in range(10):
            reader = world.caller()
            reader.subscribe("a")
            reader.leave()
            world.clock.advance(0.5)
        assert samples(writer) == [{"name": "a", "readers": 1, "active": True}]

    def test_is_the_writers_affair(self, world, writer):
        writer.call(CREATE, "a")
        others = world.caller()
        others.subscribe(ON_DEMAND)
        others.subscribe("radiod.", match="prefix")
        others.received()
        world.caller().subscribe("a")
        assert samples(others) == []
        assert len(samples(writer)) == 1

    def test_of_a_private_channel_counts_its_members(self, world, writer):
        private(writer)
        world.caller().subscribe("a")
        world.caller().subscribe("", match="prefix")
        assert samples(writer) == []
        world.caller().subscribe("a", _radiod_key="secret")
        assert samples(writer) == [{"name": "a", "readers": 1, "active": True}]

    def test_is_told_to_observers_like_to_writers(self, world, writer):
        observer = world.caller("observer")
        observer.subscribe(ON_DEMAND)
        world.realm.gateway.observe_demand(observer.session, ("a.*", "own", "hidden"))
        for name in ("a.b", "other"):
            writer.call(CREATE, name)
        private(writer, "hidden")
        listeners = [world.caller() for _ in range(3)]
        for listener, name in zip(listeners, ("a.b", "other", "own"), strict=True):
            listener.subscribe(name)
        world.caller().subscribe("hidden", _radiod_key="secret")
        told = [{"name": name, "readers": 1, "active": True} for name in ("a.b", "own")]
        assert samples(observer) == told
        assert [sample["name"] for sample in samples(writer)] == ["a.b", "other", "hidden"]
        listeners[2].leave()
        world.clock.advance(2)
        assert samples(observer) == [{"name": "own", "readers": 0, "active": False}]
        writers = world.realm.writers
        observer.leave()
        assert writers._observers == {}
        assert "own" not in [topic.topic for topic in writers._demand]

    def test_of_a_private_channel_is_told_to_a_member_that_observes_it_by_name(self, world, writer):
        private(writer)
        observer = world.caller("observer")
        observer.subscribe(ON_DEMAND)
        observer.call("radiod.channel.join", "a", key="secret")
        world.realm.gateway.observe_demand(observer.session, ("a",))
        world.caller().subscribe("a")
        assert samples(observer) == []
        world.caller().subscribe("a", _radiod_key="secret")
        assert samples(observer) == [{"name": "a", "readers": 1, "active": True}]
        observer.leave()
        assert world.realm.writers._observers == {}

    def test_other_patterns_do_not_matter(self, world, writer):
        writer.call(CREATE, "a")
        world.caller().subscribe("b", match="prefix")
        assert samples(writer) == []

    def test_changes_when_a_subscription_is_taken_away(self, world, writer):
        writer.call(CREATE, "a")
        reader = world.caller()
        id = reader.subscribe("a")
        writer.received()
        world.join().call("wamp.subscription.remove_subscriber", id, reader.session.id)
        world.clock.advance(1)
        assert samples(writer) == [{"name": "a", "readers": 0, "active": False}]


class TestTable:
    """What is kept of writers, and that nothing is once they are gone."""

    @pytest.fixture
    def writers(self, world):
        return world.realm.writers

    @staticmethod
    def at(world, name):
        return world.realm.space.at(name)

    def test_knows_writers_in_order_of_opening(self, world, writers):
        first, second = world.join().session, world.join().session
        topic = self.at(world, "a")
        for session in (second, first, second):
            assert writers.admit(session, topic) is False
        assert writers.of(topic) == [second, first]
        assert writers.of(self.at(world, "b")) == []
        assert len(writers) == 1

    @pytest.mark.parametrize("how", ["closed", "closed by name", "closed to all", "left"])
    def test_is_empty_when_nobody_writes(self, world, writers, how):
        session, topic = world.join().session, self.at(world, "a")
        writers.admit(session, topic)
        match how:
            case "closed":
                writers.close(session, topic)
            case "closed by name":
                writers.close_named(session, "a")
            case "closed to all":
                writers.close_all(topic)
            case "left":
                writers.leave(session)
        assert writers.of(topic) == []
        assert (len(writers), writers._by_session) == (0, {})

    def test_who_is_no_writer_closes_nothing(self, world, writers):
        session, other, topic = world.join().session, world.join().session, self.at(world, "a")
        writers.admit(session, topic)
        writers.close(other, topic)
        writers.close_named(other, "a")
        writers.leave(other)
        writers.close(session, self.at(world, "b"))
        writers.close_named(session, "b")
        assert writers.of(topic) == [session]

    def test_closing_a_name_closes_it_in_public_and_in_private(self, world, writers):
        session = world.join().session
        public = self.at(world, "a")
        hidden = world.realm.make_space(is_private=True).at("a")
        beside = self.at(world, "b")
        for topic in (public, hidden, beside):
            writers.admit(session, topic)
        writers.close_named(session, "a")
        assert [writers.of(topic) for topic in (public, hidden, beside)] == [[], [], [session]]

    def test_a_session_writes_to_so_many_and_again_to_those(self):
        world = World(limits=Limits(max_memberships=1))
        session, writers = world.join().session, world.realm.writers
        writers.check_room(session)
        writers.admit(session, self.at(world, "a"))
        writers.admit(session, self.at(world, "a"))
        for refused in (writers.check_room, lambda one: writers.admit(one, self.at(world, "b"))):
            with pytest.raises(Refused) as refusal:
                refused(session)
            assert refusal.value.uri == QUOTA
        assert writers.of(self.at(world, "b")) == []
        writers.close(session, self.at(world, "a"))
        writers.check_room(session)

    def test_the_owner_feeds_its_channel_and_so_do_its_writers(self, world, owner, writers):
        owner.call(CREATE, "a")
        owner.call(CLOSE, "a")
        writer, stranger = world.caller(), world.caller()
        writer.call(OPEN, "a")
        channel = world.realm.channels.get("a")
        told = [writers.feeds(client.session, channel) for client in (owner, writer, stranger)]
        assert told == [True, True, False]

    def test_a_channel_that_ends_leaves_no_writer(self, world, owner, writers):
        control = owner.call(CREATE, "a")["control_key"]
        world.caller().call(OPEN, "a")
        owner.call(DELETE, "a", control)
        assert (len(writers), writers._by_session) == (0, {})
