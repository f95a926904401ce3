"""Who listens, on all nodes, and that it is told once on each."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.looks import LOOK_S
from radiod.errors import NO_SUCH_CHANNEL

DEAD_S = 7.0
ROOM = "room.one"
PRESENCE = f"radiod.presence.{ROOM}"


class PresenceWorld(DeskWorld):
    def start(self, name):
        node = super().start(name)
        node.realm.presence.show_matching(("room.*",))
        return node

    def enter(self, name, authid, topic=ROOM):
        person = self.caller(name, authid)
        assert person.ask(32, {}, topic)[0] == 33
        return person

    def watch(self, name, topic=PRESENCE, **options):
        watcher = self.caller(name, "watcher")
        assert watcher.ask(32, options, topic)[0] == 33
        return watcher


@pytest.fixture
def world():
    return PresenceWorld("a", "b", "c")


def told(watcher):
    """(event, authid, sessions, users, total) of each."""
    return [tuple(one[name] for name in TOLD) for (one,) in watcher.events()]


TOLD = ("event", "authid", "sessions", "users", "total")


def present(world, name, topic=ROOM):
    caller = world.caller(name, "asker")
    found = caller.do("radiod.presence.get", topic)
    caller.leave()
    return found["users"], found["count"], found["total"]


def test_everybody_is_there_wherever_one_asks(world):
    for name in "abc":
        world.enter(name, f"of-{name}")
        world.enter(name, "many")
    wanted = {"many": 3, "of-a": 1, "of-b": 1, "of-c": 1}
    for name in "abc":
        assert present(world, name) == (wanted, 4, 6)


def test_who_leaves_others_behind_is_there_no_more(world):
    watcher = world.watch("a")
    people = [world.enter("b", f"of-b{number}") for number in range(2)]
    world.turn()
    people[0].leave()
    world.turn()
    assert present(world, "a") == ({"of-b1": 1}, 1, 1)
    assert [event[0] for event in told(watcher)] == ["join", "join", "leave"]


def test_pages_are_of_all(world):
    for number, name in enumerate("abcabc"):
        world.enter(name, f"p{number}")
    asker = world.caller("a")
    page = asker.do("radiod.presence.get", ROOM, limit=4)
    assert (list(page["users"]), page["next"]) == (["p0", "p1", "p2", "p3"], "p3")
    page = asker.do("radiod.presence.get", ROOM, limit=4, after="p3")
    assert (list(page["users"]), page["next"]) == (["p4", "p5"], None)


def test_who_does_not_answer_is_named(world):
    world.enter("b", "lost")
    world.cut("a", "b")
    asker = world.caller("a")
    asker.request(48, {}, "radiod.presence.get", [ROOM])
    world.advance(2.1)
    (answer,) = asker.received()
    assert (answer[3][0]["users"], answer[4]) == ({}, {"unanswered": ["b"]})


def test_a_topic_that_does_not_tell_is_refused(world):
    assert world.caller("a").do("radiod.presence.get", "song") == NO_SUCH_CHANNEL


def test_who_comes_and_goes_is_told_once_on_each_node(world):
    watchers = [world.watch(name) for name in "aabc"]
    one, other = world.enter("b", "p"), world.enter("c", "p")
    world.turn()
    one.leave()
    world.turn()
    other.leave()
    world.turn()
    for watcher in watchers:
        assert told(watcher) == [
            ("join", "p", 1, 1, 1),
            ("change", "p", 2, 1, 2),
            ("change", "p", 1, 1, 1),
            ("leave", "p", 0, 0, 0),
        ]


def test_who_has_come_is_known_before_another_session_of_that_person_goes(world):
    watcher, one = world.watch("a"), world.enter("b", "p")
    world.turn()
    # What c tells a is late; what b tells it is not.
    world.engine.slowness["c", "a"] = 0.1
    other = world.enter("c", "p")
    assert present(world, "a") == ({"p": 2}, 1, 2)
    for session in (one, other):
        session.leave()
        world.turn()
    world.advance(0.2)
    assert told(watcher) == [
        ("join", "p", 1, 1, 1),
        ("change", "p", 2, 1, 2),
        ("change", "p", 1, 1, 1),
        ("leave", "p", 0, 0, 0),
    ]


def test_two_that_come_at_once_are_two(world):
    watcher = world.watch("a")
    people = [world.caller("c", "p") for _ in range(2)]
    for person in people:
        person.request(32, {}, ROOM)
    world.turn()
    assert present(world, "a") == ({"p": 2}, 1, 2)
    people[0].leave()
    world.turn()
    assert present(world, "a") == ({"p": 1}, 1, 1)
    assert [event[0] for event in told(watcher)] == ["join", "change", "change"]


def test_what_happens_behind_subscribed_is_told_and_what_was_before_is_not(world):
    world.enter("b", "early")
    watcher = world.watch("a")
    world.enter("b", "late")
    world.turn()
    assert told(watcher) == [("join", "late", 1, 2, 2)]


def test_a_late_listener_is_sent_all_who_are_there(world):
    for name in "bc":
        world.enter(name, f"of-{name}")
    watcher = world.watch("a", get_retained=True)
    world.turn()
    ((state,),) = watcher.events()
    assert state["users"] == {"of-b": 1, "of-c": 1}


def test_a_dead_nodes_people_leave_everywhere_once(world):
    world.enter("b", "both")
    world.enter("b", "gone")
    world.enter("b", "gone")
    world.enter("c", "both")
    watchers = [world.watch(name) for name in "ac"]
    world.kill("b")
    world.advance(DEAD_S)
    for watcher in watchers:
        assert sorted(told(watcher)) == [("change", "both", 1, 2, 3), ("leave", "gone", 0, 1, 1)]
    assert present(world, "a") == ({"both": 1}, 1, 1)


def test_a_node_that_comes_back_joins_again(world):
    world.enter("b", "p")
    world.enter("c", "q")
    watcher = world.watch("a")
    world.pause("b")
    world.advance(DEAD_S)
    assert told(watcher) == [("leave", "p", 0, 1, 1)]
    world.resume("b")
    world.advance(DEAD_S)
    assert told(watcher) == [("join", "p", 1, 2, 2)]
    for name in "abc":
        assert present(world, name) == ({"p": 1, "q": 1}, 2, 2)


def test_nothing_is_mirrored_that_nobody_wants(world):
    world.enter("b", "p")
    mirrors = world["a"].realm.tables.mirrors
    watcher = world.watch("a")
    assert len(mirrors) == 1
    watcher.leave()
    world.turn()
    assert (len(mirrors), mirrors.tables) == (0, [])
    assert world["a"].realm.presence.headcount.snapshot(world["a"].realm.space.at(ROOM))["count"] == 0


def test_who_has_asked_once_is_answered_from_the_mirror_for_a_while(world):
    world.enter("b", "p")
    present(world, "a")
    sent = world["a"].ways[0]._bus_user.post.bus.sent
    assert present(world, "a") == ({"p": 1}, 1, 1)
    assert world["a"].ways[0]._bus_user.post.bus.sent == sent
    world.advance(LOOK_S + 20)
    assert world["a"].realm.tables.mirrors.tables == []


class TestPatterns:
    def test_take_places_that_only_others_know_of(self, world):
        world.enter("b", "early", "room.early")
        watcher = world.watch("a", "radiod.presence.room.", match="prefix")
        late = world.enter("c", "late", "room.late")
        world.enter("b", "second", "room.early")
        world.turn()
        assert sorted(told(watcher)) == [("join", "late", 1, 1, 1), ("join", "second", 1, 2, 2)]
        late.leave()
        world.turn()
        assert told(watcher) == [("leave", "late", 0, 0, 0)]

    def test_hear_of_whoever_left_while_nothing_came(self, world):
        watcher = world.watch("a", "radiod.presence.room.", match="prefix")
        person = world.enter("b", "p")
        world.turn()
        world.cut("a", "b")
        person.leave()
        world.turn()
        world.heal()
        world.advance(3)
        assert told(watcher) == [("join", "p", 1, 1, 1), ("leave", "p", 0, 0, 0)]

    def test_hear_of_a_room_where_somebody_is_about_to_come_and_the_last_one_goes(self, world):
        watcher = world.watch("a", "radiod.presence.room.", match="prefix")
        last = world.enter("b", "p")
        world.turn()
        person = world.caller("b", "q")
        person.request(32, {}, ROOM)
        last.leave()
        world.turn()
        person.leave()
        world.turn()
        assert [event[:2] for event in told(watcher)] == [
            ("join", "p"),
            ("join", "q"),
            ("leave", "p"),
            ("leave", "q"),
        ]

    def test_take_no_others(self, world):
        world.enter("b", "p", "room.one.x")
        world.enter("b", "p", "room.two.y")
        watcher = world.watch("a", "radiod.presence.room.one.", match="prefix")
        other = world.watch("a", "radiod.presence.room..y", match="wildcard")
        tables = {"places", "present room.one.x", "present room.two.y"}
        assert set(world["a"].realm.tables.mirrors.tables) == tables
        other.leave()
        world.turn()
        assert set(world["a"].realm.tables.mirrors.tables) == {"places", "present room.one.x"}
        world.enter("b", "q", "room.two.y")
        world.enter("b", "q", "room.three.z")
        world.enter("b", "q", "room.one.z")
        world.turn()
        assert told(watcher) == [("join", "q", 1, 1, 1)]
        watcher.leave()
        world.turn()
        assert world["a"].realm.tables.mirrors.tables == []

    def test_of_another_kind_need_nothing(self, world):
        world.enter("b", "p")
        world.watch("a", "radiod.channel.", match="prefix")
        world.watch("a", "wamp..", match="wildcard")
        assert "places" not in world["a"].realm.tables.mirrors.tables

    def test_late_listeners_are_sent_all_places(self, world):
        for name in "bc":
            world.enter(name, "p", f"room.{name}")
        watcher = world.watch("a", "radiod.presence.", match="prefix", get_retained=True)
        world.turn()
        assert sorted(state["name"] for (state,) in watcher.events()) == ["room.b", "room.c"]

    def test_a_dead_nodes_people_leave(self, world):
        world.enter("b", "p")
        world.enter("b", "q", "room.two")
        world.enter("c", "q", "room.two")
        watcher = world.watch("a", "radiod.presence.", match="prefix")
        world.kill("b")
        world.advance(DEAD_S)
        assert sorted(told(watcher)) == [("change", "q", 1, 1, 1), ("leave", "p", 0, 0, 0)]
        assert "present room.one" not in world["a"].realm.tables.mirrors.tables


class TestAChannelThatEnds:
    @pytest.fixture
    def shown(self, world):
        """A channel that tells who listens, on all nodes."""
        for name in "abc":
            presence = world[name].realm.presence
            presence.show(world[name].realm.space.at("show"))
        return world

    def test_is_forgotten_without_a_word(self, shown):
        shown.enter("b", "p", "show")
        shown.enter("c", "p", "show")
        watcher = shown.watch("a", "radiod.presence.show")
        for name in "abc":
            shown[name].realm.presence.forget(shown[name].realm.space.at("show"))
        shown.turn()
        assert told(watcher) == []
        assert len(shown["a"].realm.tables.mirrors) == 0
        for name in "abc":
            shown[name].realm.presence.show(shown[name].realm.space.at("show"))
        shown.enter("b", "q", "show")
        shown.turn()
        # Whoever listens still is counted anew.
        assert told(watcher) == [("join", "q", 1, 1, 1), ("join", "p", 1, 2, 2)]

    def test_that_nobody_listens_to_is_nothing(self, shown):
        shown["a"].realm.presence.forget(shown["a"].realm.space.at("show"))
        assert present(shown, "b", "show") == ({}, 0, 0)


class TestPrivateChannels:
    """Those of one node alone, and those that other nodes know."""

    @pytest.fixture
    def rooms(self, world):
        """For each node the topic of a private channel that tells who listens."""
        rooms = {name: world[name].realm.make_space(is_private=True).at("room") for name in "ab"}
        for name, room in rooms.items():
            world[name].realm.presence.show(room)
        return rooms

    def test_that_only_one_node_has_are_told_there(self, world, rooms):
        presence = world["a"].realm.presence
        presence._add(rooms["a"], "p")
        assert presence.headcount.snapshot(rooms["a"])["users"] == {"p": 1}
        assert presence.keys("places") == []
        # Nor has anybody a table of a private channel that is not known here.
        assert (presence.keys("present #gone"), presence.value("present #gone", "p")) == ([], None)
        presence.forget(rooms["a"])
        assert presence.headcount.snapshot(rooms["a"])["users"] == {}

    def test_that_several_nodes_know_are_told_on_all(self, world, rooms):
        for name, room in rooms.items():
            world[name].realm.places.add("#room", room)
        one, other = world["a"].realm, world["b"].realm
        other.presence._add(rooms["b"], "p")
        one.router_topics.hold(rooms["a"].broker, "exact", "radiod.presence.room")
        world.turn()
        assert one.presence.headcount.snapshot(rooms["a"])["users"] == {"p": 1}
        # It ends while others still tell of it.
        one.places.remove("#room")
        one.presence.forget(rooms["a"])
        other.presence._add(rooms["b"], "q")
        world.turn()
        assert one.presence.headcount.snapshot(rooms["a"])["users"] == {}
        one.router_topics.release(rooms["a"].broker, "exact", "radiod.presence.room")
        assert len(one.tables.mirrors) == 0

    @pytest.mark.interpreted
    def test_that_are_of_one_node_are_asked_for_there(self, world, rooms):
        realm = world["a"].realm
        session = world.join("a").session
        realm.presence._lookup = Rooms(rooms["a"])
        assert realm.presence.get_everywhere(session, "room")[1] == ()


class Rooms:
    """A ``Lookup`` of one topic."""

    def __init__(self, topic):
        self._topic = topic

    def topic(self, session, name):
        return self._topic


def test_who_was_not_counted_is_not_taken_away(world):
    presence = world["a"].realm.presence
    presence._remove(world["a"].realm.space.at(ROOM), "p")
    assert present(world, "a") == ({}, 0, 0)


def test_a_session_more_of_somebody_is_no_new_place(world):
    watcher = world.watch("a", "radiod.presence.", match="prefix")
    one = world.enter("b", "p")
    world.enter("b", "p")
    one.leave()
    world.turn()
    assert [event for event, *_ in told(watcher)] == ["join", "change", "change"]
