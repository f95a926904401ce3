"""What the router tells of sessions and subscriptions reaches listeners on all nodes, once."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.limits import Limits
from radiod.core.rights import Action
from radiod.testing import Allow

DEAD_S = 7.0


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def watch(world, name, topic, **options):
    """A session that listens; nothing has come yet."""
    peer = world.caller(name, "watcher", **options)
    match = {"match": "prefix"} if topic.endswith(".") else {}
    assert peer.ask(32, match, topic)[0] == 33
    peer.events()
    return peer


def ids(events):
    return [event[0]["session"] if isinstance(event[0], dict) else event[0] for event in events]


class TestSessions:
    @pytest.mark.parametrize("name", ["a", "b", "c"])
    def test_are_told_of_once_wherever_one_listens(self, world, name):
        joined, left = (watch(world, name, f"wamp.session.on_{what}") for what in ("join", "leave"))
        joined.events()
        peer = world.join("b", "new")
        peer.leave()
        world.turn()
        assert [event[0]["authid"] for event in joined.events()] == ["new"]
        assert left.events() == [[peer.id, "new", "tester"]]

    def test_what_happens_behind_subscribed_is_told(self, world):
        peer = world.caller("a", "watcher")
        peer.ask(32, {}, "wamp.session.on_join")
        new = world.join("b")
        world.turn()
        assert ids(peer.events()) == [new.id]

    def test_of_a_dead_node_leave_once_on_every_node_that_listens(self, world):
        there = world.join("b", "there")
        watchers = [watch(world, name, "wamp.session.on_leave") for name in "acac"]
        gone = world.join("b", "gone")
        gone.leave()
        late = world.join("b", "late")
        world.turn()
        for one in watchers:
            assert ids(one.events()) == [gone.id]
        world.kill("b")
        world.advance(DEAD_S)
        for one in watchers:
            assert sorted(ids(one.events())) == sorted([there.id, late.id])

    def test_of_a_node_that_comes_back_as_a_new_one_leave_and_join_again(self, world):
        there = world.join("b", "there")
        joined, left = (watch(world, "a", f"wamp.session.on_{what}") for what in ("join", "leave"))
        joined.events()
        world.pause("b")
        world.advance(DEAD_S)
        assert ids(left.events()) == [there.id]
        world.resume("b")
        world.advance(DEAD_S)
        assert ids(joined.events()) == [there.id]
        assert left.events() == []

    def test_of_a_node_that_starts_are_told_of(self, world):
        joined = watch(world, "a", "wamp.session.on_join")
        new = world.start("d").join("new")
        world.advance(2)
        assert ids(joined.events()) == [new.id]

    def test_that_are_killed_with_all_others_are_told_of_nowhere(self, world):
        left = watch(world, "a", "wamp.session.on_leave")
        world.join("b")
        killer = world.caller("c")
        assert killer.do("wamp.session.kill_all") == 2
        world.turn()
        assert left.events() == []
        assert len(world["a"].realm.tables.mirrors) <= 1

    def test_what_was_lost_on_the_way_is_told_when_it_is_noticed(self, world):
        joined, left = (watch(world, "a", f"wamp.session.on_{what}") for what in ("join", "leave"))
        early = world.join("b")
        world.turn()
        joined.events()
        world.cut("a", "b")
        new = world.join("b")
        early.leave()
        world.turn()
        world.heal()
        assert joined.events() == left.events() == []
        world.advance(3)
        assert (ids(joined.events()), ids(left.events())) == ([new.id], [early.id])

    def test_are_mirrored_only_while_somebody_listens(self, world):
        world.join("b")
        mirrors = [world[name].realm.tables.mirrors for name in "abc"]
        assert [len(one) for one in mirrors] == [0, 0, 0]
        peer = watch(world, "a", "wamp.session.on_leave")
        assert [len(one) for one in mirrors] == [1, 0, 0]
        assert [len(world[name].realm.tables.news) for name in "abc"] == [0, 1, 1]
        peer.leave()
        world.turn()
        assert [len(one) for one in mirrors] == [0, 0, 0]
        assert [len(world[name].realm.tables.news) for name in "abc"] == [0, 0, 0]

    def test_patterns_of_the_routers_own_take_them(self, world):
        peer = watch(world, "a", "wamp.session.")
        new = world.join("b")
        new.leave()
        world.turn()
        assert ids(peer.events()) == [new.id, new.id]

    def test_who_subscribes_does_not_wait_longer_than_two_seconds(self, world):
        world.cut("a", "b")
        peer = world.caller("a")
        peer.request(32, {}, "wamp.session.on_join")
        world.advance(1.9)
        assert not peer.received()
        world.advance(0.2)
        assert peer.received()[0][0] == 33


class TestSubscriptions:
    EVENTS = ("on_create", "on_subscribe", "on_unsubscribe", "on_delete")

    @pytest.fixture
    def watchers(self, world):
        """For each node what hands out (event, session, subscription) of all."""
        peers = {name: watch(world, name, "wamp.subscription.") for name in "ab"}
        [peer.events() for peer in peers.values()]

        def told(name):
            peer = peers[name]
            kept, peer.kept = [*peer.kept, *peer.received()], []
            found = []
            for message in kept:
                topic, (session, about) = message[3]["topic"], message[4]
                id = about["id"] if isinstance(about, dict) else about
                found.append((topic.rpartition(".")[2], session, id))
            return found

        return told

    def test_are_created_with_the_first_and_deleted_with_the_last_listener_of_all(self, world, watchers):
        one, other = world.listener("b", "song"), world.listener("c", "song")
        world.turn()
        (id,) = {event[2] for event in watchers("a")} | {event[2] for event in watchers("b")}
        other_again = world.listener("a", "song")
        for peer in (one, other, other_again):
            peer.leave()
            world.turn()
        for name in "ab":
            assert watchers(name) == [
                ("on_subscribe", other_again.id, id),
                ("on_unsubscribe", one.id, id),
                ("on_unsubscribe", other.id, id),
                ("on_unsubscribe", other_again.id, id),
                ("on_delete", other_again.id, id),
            ]

    def test_creation_is_told_once(self, world, watchers):
        listeners = [world.listener(name, "song") for name in "cab"]
        world.turn()
        for name in "ab":
            told = watchers(name)
            assert [event for event, _, _ in told] == ["on_create", *["on_subscribe"] * 3]
            assert told[0][1] == listeners[0].id

    def test_what_was_there_before_is_not_told(self, world):
        world.listener("b", "song")
        peer = watch(world, "a", "wamp.subscription.on_create")
        world.listener("c", "song")
        world.listener("c", "other")
        world.turn()
        assert [event[1]["uri"] for event in peer.events()] == ["other"]

    def test_of_a_dead_node_end(self, world, watchers):
        gone = world.listener("c", "song")
        world.turn()
        (_, _, id), _ = watchers("a")
        world.kill("c")
        world.advance(DEAD_S)
        assert watchers("a") == [("on_unsubscribe", gone.id, id), ("on_delete", gone.id, id)]

    def test_two_nodes_that_begin_at_once_are_told_of_one_creation(self, world, watchers):
        for name in "ab":
            world.join(name).request(32, {}, "song")
        world.advance(0.1)
        for name in "ab":
            assert sorted(event for event, _, _ in watchers(name)) == ["on_create", *["on_subscribe"] * 2]

    def test_who_may_not_know_of_a_topic_is_not_told_of_its_subscribers_elsewhere(self, world):
        topic = "wamp.subscription.on_subscribe"
        sees = watch(world, "b", topic)
        blind = watch(world, "b", topic, permissions=Allow(Action.SUBSCRIBE, hidden=["secret"]))
        for secret in ("secret", "open"):
            world.listener("a", secret)
        world.turn()
        assert (len(sees.events()), len(blind.events())) == (2, 1)

    def test_who_has_come_is_known_before_whoever_goes_then(self, world, watchers):
        one = world.listener("b", "song")
        world.turn()
        # What c tells a is late; what b tells it is not.
        world.engine.slowness["c", "a"] = 0.1
        other = world.listener("c", "song")
        for peer in (one, other):
            peer.leave()
            world.turn()
        world.advance(0.2)
        for name in "ab":
            told = [(event, session) for event, session, _ in watchers(name)]
            assert told[:2] == [("on_create", one.id), ("on_subscribe", one.id)]
            assert told[2:4] == [("on_subscribe", other.id), ("on_unsubscribe", one.id)]
            assert told[4:] == [("on_unsubscribe", other.id), ("on_delete", other.id)]

    def test_a_node_that_is_silent_is_not_waited_for(self, world, watchers):
        world.cut("c", "a")
        peer = world.caller("c")
        peer.request(32, {}, "song")
        world.advance(DEAD_S)
        assert [message[0] for message in peer.received()] == [33]

    def test_who_is_refused_at_once_is_told_of_to_nobody(self, world, watchers):
        peer = world.caller("c")
        assert peer.ask(32, {"_radiod_buffer": {"size": -1}}, "song")[0] == 8
        world.turn()
        assert watchers("a") == []
        self.check_nobody_is_left(world)

    def test_who_is_refused_after_all_is_told_of_no_more(self):
        world = DeskWorld("a", "c", options={"limits": Limits(max_subscriptions=1)})
        watchers = {
            topic: watch(world, "a", f"wamp.subscription.on_{topic}") for topic in ("create", "delete")
        }
        peer = world.join("c")
        for topic in ("song", "late"):
            peer.request(32, {}, topic)
        world.turn()
        assert sorted(message[0] for message in peer.received()) == [8, 33]
        assert [event[1]["uri"] for event in watchers["create"].events()] == ["song", "late"]
        ((_, gone),) = watchers["delete"].events()
        assert gone == world["a"].realm.space.broker.id_of("exact", "late")
        entries = world["a"].realm.tables.mirrors.entries("subscribers", world["c"].cluster.nodes.me)
        assert [told["uri"] for told in entries.values()] == ["song"]

    def test_who_has_all_told_anew_meanwhile_is_told_of_who_comes_once(self, world, watchers):
        world.engine.slowness["a", "c"] = 0.05
        peer = world.caller("c")
        peer.request(32, {}, "song")
        world["c"].realm.tables.news.again(world["a"].cluster.nodes.me)
        world.advance(0.2)
        assert [message[0] for message in peer.received()] == [33]
        assert [event for event, _, _ in watchers("a")] == ["on_create", "on_subscribe"]

    def check_nobody_is_left(self, world):
        assert list(world["c"].realm.tables.news.entries("subscribers")) == []
        for name in "ab":
            assert world[name].realm.tables.mirrors.entries("subscribers", world["c"].cluster.nodes.me) == {}

    def test_nothing_is_counted_any_more_when_all_have_gone(self, world, watchers):
        listener = world.listener("c", "song")
        world.turn()
        listener.leave()
        world.turn()
        assert [world[name].realm.events.pairs for name in "abc"] == [{}, {}, {}]


class TestTheTableOfSubscribers:
    """What a snapshot that takes its time finds changed."""

    def test_has_no_more_those_who_have_left(self, world):
        events = world["a"].realm.events
        listener = world.listener("a", "song")
        other = world.listener("a", "song")
        (key, kept) = events.keys("subscribers")
        assert events.value("subscribers", key)["uri"] == "song"
        listener.leave()
        assert events.value("subscribers", key) is None
        other.leave()
        assert events.value("subscribers", kept) is None
        assert events.value("sessions", listener.id) is None

    def test_tells_nothing_of_a_subscription_that_was_made_anew(self, world):
        """It was made again before its listener was known to be gone."""
        watcher = watch(world, "b", "wamp.subscription.on_create")
        listener = world.listener("a", "song")
        world.turn()
        assert len(watcher.events()) == 1
        events = world["a"].realm.events
        (key,) = events.keys("subscribers")
        again = {**events.value("subscribers", key), "created": "later"}
        world["a"].realm.tables.news.put("subscribers", key, again)
        world.turn()
        assert watcher.events() == []
        listener.leave()
        world.turn()
        assert world["b"].realm.events.pairs == {}


def test_registrations_are_told_of_once(world):
    peers = [watch(world, name, "wamp.registration.on_register") for name in "abc"]
    world.advance(2)
    callee = world.join("a")
    callee.request(64, {}, "p.q")
    world.advance(1)
    ((_, _, id),) = callee.received()
    assert [peer.events() for peer in peers] == [[[callee.id, id]]] * 3


def test_what_is_each_nodes_own_stays_there(world):
    peer = watch(world, "b", "radiod.server.on_stats")
    world["a"].realm.announcer.announce("radiod.server.on_stats", {})
    world.turn()
    assert peer.events() == []


def test_what_is_mirrored_no_more_has_not_ended(world):
    world.listener("b", "song")
    watcher = watch(world, "a", "wamp.subscription.on_delete")
    watcher.leave()
    world.advance(100)
    later = watch(world, "a", "wamp.subscription.on_delete")
    assert later.events() == []
