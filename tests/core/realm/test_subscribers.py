"""Who learns of listeners that come and go, in which order, and what late ones are sent."""

import pytest
from support.answers import assert_refused

from radiod.core.channels.settings import ChannelSettings
from radiod.errors import BAD_KEY, INVALID_ARGUMENT
from radiod.wire.options import SubscribeOptions

PLAIN = SubscribeOptions()
META = [f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete")]


@pytest.fixture
def subscribers(world):
    return world.realm.subscribers


class TestSubscribing:
    def test_tells_nobody_before_the_session_has_its_answer(self, world, subscribers, alice):
        watcher = world.watch(*META)
        done = subscribers.subscribe(alice.session, "a", PLAIN)
        assert watcher.told() == []
        subscribers.added(alice.session, done)
        assert [topic for topic, *_ in watcher.told()] == META[:2]

    def test_again_is_told_to_nobody(self, world, subscribers, alice):
        alice.subscribe("a")
        watcher = world.watch(*META)
        subscribers.added(alice.session, subscribers.subscribe(alice.session, "a", PLAIN))
        assert watcher.told() == []

    def test_goes_to_the_space_that_the_name_means(self, world, subscribers, alice, bob):
        private = world.realm.lifecycle.declare("a", key="secret")
        inside = subscribers.subscribe(alice.session, "a", SubscribeOptions(key="secret")).subscription
        outside = subscribers.subscribe(bob.session, "a", PLAIN).subscription
        assert (inside.broker, outside.broker) == (private.space.broker, world.realm.space.broker)

    @pytest.mark.parametrize(
        ("options", "uri"), [({"key": "wrong"}, BAD_KEY), ({"buffer": {"size": -1}}, INVALID_ARGUMENT)]
    )
    def test_that_is_refused_is_as_if_it_had_not_been(self, world, subscribers, alice, options, uri):
        world.realm.lifecycle.declare("a", key="secret")
        assert_refused(uri, subscribers.subscribe, alice.session, "a", SubscribeOptions(**options))
        assert len(world.realm.subscriptions) == len(world.realm.memberships) == 0


def present(event, count):
    """What the topic of its presence tells of alice."""
    told = {"name": "a", "event": event, "authid": "alice", "sessions": count, "users": count, "total": count}
    return ("a", [told])


class TestWhoIsConcerned:
    """The meta events come first, then the writers' demand, then who is present."""

    @pytest.fixture
    def hear(self, world):
        """What is told of ``a``, by topic."""
        writer = world.join("writer")
        writer.call("radiod.channel.create", "a", presence=True)
        writer.call("radiod.channel.open_write", "a")
        topics = [*META, "radiod.channel.on_demand", "radiod.presence.a"]
        names = {writer.subscribe(topic): topic.rpartition(".")[2] for topic in topics}

        def hear():
            return [(names[event[1]], event[4]) for event in writer.received()]

        return hear

    def test_by_one_who_comes(self, hear, alice):
        subscription = alice.subscribe("a")
        created, *told = hear()
        assert (created[0], created[1][1]["id"]) == ("on_create", subscription)
        assert told == [
            ("on_subscribe", [alice.id, subscription]),
            ("on_demand", [{"name": "a", "readers": 1, "active": True}]),
            present("join", 1),
        ]

    @pytest.mark.parametrize("way", ["unsubscribed", "left", "revoked"])
    def test_by_one_who_goes_in_whichever_way(self, world, hear, alice, way):
        subscription = alice.subscribe("a")
        hear()
        match way:
            case "unsubscribed":
                alice.answer(34, subscription)
            case "left":
                alice.leave()
            case "revoked":
                held = world.realm.subscriptions.find(alice.session, subscription)
                world.realm.departures.revoke_subscription(alice.session, held, None)
        assert hear() == [
            ("on_unsubscribe", [alice.id, subscription]),
            ("on_delete", [alice.id, subscription]),
            (
                "a",
                [{"name": "a", "event": "leave", "authid": "alice", "sessions": 0, "users": 0, "total": 0}],
            ),
        ]
        world.clock.advance(10)
        assert hear() == [("on_demand", [{"name": "a", "readers": 0, "active": False}])]


class TestLateListeners:
    @pytest.fixture
    def late(self, subscribers, bob):
        """What a late listener is sent."""

        def late(topic, match="exact"):
            options = SubscribeOptions(match=match)
            subscription = subscribers.subscribe(bob.session, topic, options).subscription
            for _ in subscribers.send_late(bob.session, subscription):
                pass
            return [event[3:] for event in bob.received()]

        return late

    def test_get_what_was_retained(self, alice, late):
        alice.request(16, {"retain": True}, "a", ["kept"])
        alice.request(16, {"retain": True}, "b", ["kept elsewhere"])
        assert late("a") == [[{"retained": True}, ["kept"]]]

    @pytest.mark.parametrize("match", ["exact", "prefix"])
    def test_get_who_is_present(self, world, alice, late, match):
        world.realm.lifecycle.declare("a", ChannelSettings(presence=True))
        alice.subscribe("a")
        ((details, (state,)),) = late("radiod.presence.a", match)
        assert details["retained"] is True
        assert state["users"] == {"alice": 1}
