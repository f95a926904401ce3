"""Those who are about to listen, and what is told of them before they are told that they do."""

import pytest
from support.cluster.desks import DeskWorld


class ArrivalWorld(DeskWorld):
    def start(self, name):
        node = super().start(name)
        node.realm.presence.show_matching(("room.*",))
        return node

    def watch(self, name, *topics, **options):
        watcher = self.caller(name, "watcher")
        for topic in topics:
            assert watcher.ask(32, options, topic)[0] == 33
        return watcher

    def told(self, name, other):
        """What a node mirrors of another."""
        mirrors = self[name].realm.tables.mirrors
        node = self[other].cluster.nodes.me
        return {table: dict(found) for table in mirrors.tables if (found := mirrors.entries(table, node))}


@pytest.fixture
def world():
    return ArrivalWorld("a", "b")


def ask(world, topic, **options):
    """A session of b that has asked, and has no answer yet."""
    peer = world.caller("b", "new")
    peer.request(32, options, topic)
    return peer


def leftovers(world):
    realm = world["b"].realm
    return realm.events._expected, realm.presence._expected


def test_others_know_before_the_answer(world):
    world.watch("a", "wamp.subscription.on_create", "radiod.presence.room.one")
    peer = ask(world, "room.one")
    while not world.told("a", "b"):
        world.advance(0.0001)
        assert not peer.received()
    subscription = world["b"].realm.space.broker.id_of("exact", "room.one")
    assert world.told("a", "b")["subscribers"].keys() == {(subscription, peer.id)}
    world.turn()
    assert [message[:3:2] for message in peer.received()] == [[33, subscription]]
    assert world.told("a", "b")["present room.one"] == {"new": 1}
    assert leftovers(world) == ({}, {})


def test_what_is_told_is_what_comes(world):
    world.watch("a", "wamp.subscription.on_create")
    ask(world, "t")
    world.turn()
    (told,) = world.told("a", "b")["subscribers"].values()
    peer = world.caller("b")
    assert peer.do("wamp.subscription.get", told["id"]) == told
    # The second one is told of the same.
    ask(world, "t")
    world.turn()
    assert list(world.told("a", "b")["subscribers"].values()) == [told, told]


def test_a_pattern_is_told_of_as_a_subscription_and_not_as_presence(world):
    world.watch("a", "wamp.subscription.on_create", "radiod.presence.room.one")
    ask(world, "room.", match="prefix")
    world.turn()
    assert list(world.told("a", "b")) == ["subscribers"]
    assert leftovers(world) == ({}, {})


@pytest.mark.parametrize(("topic", "options"), [("room.one", {}), ("room.", {"match": "prefix"})])
def test_who_leaves_before_the_answer_has_not_come(world, topic, options):
    world.watch("a", "wamp.subscription.on_create", "radiod.presence.room.one")
    peer = ask(world, topic, **options)
    peer.leave()
    world.turn()
    assert world.told("a", "b") == {}
    assert leftovers(world) == ({}, {})


def test_of_the_routers_own_topics_nothing_is_told(world):
    world.watch("a", "wamp.subscription.on_create", "radiod.presence.room.one")
    ask(world, "radiod.presence.room.one")
    world.turn()
    assert world.told("a", "b") == {}


@pytest.mark.parametrize("is_asked_again", [False, True])
def test_one_that_asks_twice_at_once_is_one(world, is_asked_again):
    watcher = world.watch("a", "radiod.presence.room.one")
    peer = ask(world, "room.one")
    if is_asked_again:
        peer.request(32, {}, "room.one")
    world.turn()
    assert [message[0] for message in peer.received()] == [33] * (1 + is_asked_again)
    assert [(change["event"], change["sessions"]) for (change,) in watcher.events()] == [("join", 1)]


class TestAPrivateChannel:
    @pytest.fixture
    def world(self, world):
        made = world.caller("a").do("radiod.channel.create", "p", public=False, presence=True)
        world.key, world.control_key = made["key"], made["control_key"]
        world.turn()
        return world

    def test_is_told_as_presence_and_not_as_a_subscription(self, world):
        world.watch("a", "wamp.subscription.on_create")
        watcher = world.watch("a", "radiod.presence.p", _radiod_key=world.key)
        ask(world, "p", _radiod_key=world.key)
        world.turn()
        (table,) = world.told("a", "b")
        assert table.startswith("present #")
        assert [change["event"] for (change,) in watcher.events()] == ["join"]

    def test_that_ends_meanwhile_leaves_nothing(self, world):
        peer = ask(world, "p", _radiod_key=world.key)
        world.caller("a").do("radiod.channel.delete", "p", control_key=world.control_key)
        world.turn()
        assert [message[0] for message in peer.received()] == [8]
        assert leftovers(world) == ({}, {})
