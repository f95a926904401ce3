"""Those who are about to listen, and what is told of them before they are told that they do."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.fences import TAKEN_S


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
    for _ in range(100):
        world.advance(0.0001)
        if world.told("a", "b"):
            break
        assert not peer.received()
    subscription = world["b"].realm.space.broker.id_of("exact", "room.one")
    assert world.told("a", "b")["subscribers"].keys() == {(subscription, peer.id)}
    world.turn()
    assert [message[:3:2] for message in peer.received()] == [[33, subscription]]
    assert world.told("a", "b")["present room.one"] == {"new": 1}
    assert leftovers(world) == ({}, {})


def test_what_is_told_is_what_comes(world):
    watcher = world.watch("a", "wamp.subscription.on_create")
    world.engine.slowness["a", "b"] = 0.1
    ask(world, "t")
    world.advance(1)
    (told,) = world.told("a", "b")["subscribers"].values()
    assert [event[1] for event in watcher.events()] == [told]
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


LEAVING = {
    "its connection is lost": lambda realm, session: realm.departures.leave(session),
    "it is killed": lambda realm, session: realm.departures.kill(session, "wamp.close.killed", {}),
}


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize(
    ("topic", "options"),
    [
        ("room.one", {}),
        ("room.one", {"get_retained": True}),
        ("room.one", {"_radiod_after": "other:0"}),
        ("room.", {"match": "prefix"}),
    ],
    ids=["exact", "with what is retained", "behind a position", "prefix"],
)
def test_who_leaves_before_the_answer_is_told_of_no_more(world, topic, options, leave):
    subscriptions = world.watch("a", "wamp.subscription.", match="prefix")
    crowd = world.watch("a", "radiod.presence.room.one")
    sessions = world.watch("a", "wamp.session.on_leave")
    peer = ask(world, topic, **options)
    wanted = {"subscribers"} if "match" in options else {"subscribers", "present room.one"}
    for _ in range(100):
        world.advance(0.0001)
        if world.told("a", "b").keys() >= wanted:
            break
    # Nobody answers any more, so it waits.
    world.cut("a", "b")
    assert not peer.received()
    leave(world["b"].realm, peer.session)
    assert leftovers(world) == ({}, {})
    world.heal()
    world.advance(3)
    assert world.told("a", "b").get("subscribers", {}) == {}
    told = [event[0] for event in subscriptions.events() if event[0] != crowd.id and event[0] != sessions.id]
    assert told == [peer.id] * 4
    assert [change["event"] for (change,) in crowd.events()] == ["join", "leave"] * (len(wanted) - 1)
    assert [event[0] for event in sessions.events()] == [peer.id]


def test_who_leaves_while_others_do_not_answer_is_told_of_no_more_at_once(world):
    """They may be deaf to the question, and not to what they are told."""
    subscriptions = world.watch("a", "wamp.subscription.", match="prefix")
    world.engine.slowness["a", "b"] = 5.0
    peer = ask(world, "room.one")
    world.turn()
    assert not peer.received()
    world["b"].realm.departures.leave(peer.session)
    world.turn()
    assert [event[0] for event in subscriptions.events()] == [peer.id] * 4


def test_many_that_come_at_once_cost_one_question(world):
    world.watch("a", "wamp.subscription.on_create", "radiod.presence.room.one")
    world.engine.slowness["a", "b"] = 0.2
    peers = [world.join("b") for _ in range(50)]
    for peer in peers:
        for topic in ("room.one", "t"):
            peer.request(32, {}, topic)
    world.turn()
    assert len(world["b"].cluster.nodes.post.questions) <= 1
    world.advance(1)
    assert [[message[0] for message in peer.received()] for peer in peers] == [[33, 33]] * 50
    assert len(world["b"].cluster.nodes.post.questions) == 0


def test_who_answers_late_is_not_told_all_again(world):
    world.watch("a", "wamp.subscription.on_create")
    world.turn()
    world.engine.slowness["a", "b"] = TAKEN_S + 0.2
    peer = ask(world, "t")
    world.advance(TAKEN_S - 0.1)
    assert [message[0] for message in peer.received()] == []
    world.advance(0.2)
    assert [message[0] for message in peer.received()] == [33]
    assert len(world["b"].realm.tables._stale) == 0


def test_a_watcher_that_dies_is_not_waited_for(world):
    world.watch("a", "wamp.subscription.on_create")
    world.kill("a")
    peer = ask(world, "t")
    world.advance(10)
    assert [message[0] for message in peer.received()] == [33]
    assert leftovers(world) == ({}, {})


def test_a_node_that_becomes_another_meanwhile_answers_all_the_same(world):
    watcher = world.watch("a", "wamp.subscription.on_create")
    peer = ask(world, "t")
    world.pause("b")
    world.advance(9)
    world.resume("b")
    world.advance(9)
    assert [message[0] for message in peer.received()] == [33]
    # It was taken for dead, with all that was about to come.
    assert [event[1]["uri"] for event in watcher.events()] == ["t", "t"]
    assert leftovers(world) == ({}, {})


def test_a_channel_that_shows_nobody_any_more_leaves_nobody_behind(world):
    world.watch("a", "radiod.presence.room.one")
    peer = ask(world, "room.one")
    world["b"].realm.presence.show_matching(())
    world.turn()
    assert [message[0] for message in peer.received()] == [33]
    assert "present room.one" not in world.told("a", "b")


def test_who_listens_to_many_places_hears_of_a_person_at_two_once(world):
    """Its question who is there is late, and so is the answer."""
    world.start("c")
    world.advance(3)
    watchers = [
        world.watch("a", "radiod.presence.room.", match="prefix"),
        world.watch("a", "radiod.presence.room.one"),
    ]
    world.turn()
    world.engine.slowness |= {("a", "c"): 0.05, ("c", "a"): 0.1}
    one, other = world.caller("b", "p"), world.caller("c", "p")
    for person in (one, other):
        assert person.ask(32, {}, "room.one")[0] == 33
    one.leave()
    world.advance(1)
    for watcher in watchers:
        assert [change["event"] for (change,) in watcher.events()] == ["join", "change", "change"]


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
        world.watch("a", "radiod.presence.p", _radiod_key=world.key)
        world.engine.slowness["a", "b"] = 0.5
        peer = ask(world, "p", _radiod_key=world.key)
        world.caller("a").do("radiod.channel.delete", "p", control_key=world.control_key)
        world.advance(1)
        assert [message[0] for message in peer.received()] == [8]
        assert leftovers(world) == ({}, {})
