"""What is told of a channel is of all nodes, also where this one has not read its log."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.channels.channel import ChannelSettings
from radiod.core.cluster import shared_descriptions
from radiod.core.cluster.shared_descriptions import FRESH_S
from radiod.core.cluster.space_logs import ENDS_S, LINGER_S
from radiod.core.history.bounds import HistoryBounds
from radiod.wire.codecs import Payload

GET, LIST, CREATE = "radiod.channel.get", "radiod.channel.list", "radiod.channel.create"
BOUNDS = HistoryBounds(size=10, seconds=1000.0, bytes=100_000)


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def publish(world, name, topic, count=1, **options):
    caller = world.caller(name)
    for number in range(count):
        assert caller.ask(16, {"acknowledge": True, **options}, topic, [number])[0] == 17
    return caller


def told(world, name, channel="song"):
    """(writers, events, position) of it, as radiod.channel.get tells them, and the list."""
    caller = world.caller(name)
    one = caller.do(GET, channel)
    (same,) = [each for each in caller.do(LIST)["channels"] if each["name"] == channel]
    assert {**same, "owner": None} == {**one, "owner": None}
    return one["writers"], one["events"], one["position"]


class TestAChannel:
    def test_has_the_writers_and_events_of_all_nodes(self, world):
        world.caller("a").do(CREATE, "song")
        for name, count in (("a", 1), ("b", 2), ("c", 3)):
            publish(world, name, "song", count)
            world.caller(name).do("radiod.channel.open_write", "song")
        world.advance(FRESH_S + 1)
        assert [told(world, name)[:2] for name in "abc"] == [(4, 6)] * 3

    def test_is_described_to_http_alike(self, world):
        world.caller("a").do(CREATE, "song")
        publish(world, "b", "song", 2)
        answers = []
        gateway = world["c"].realm.gateway
        gateway.describe("song", None).then(answers.append)
        gateway.page("", 10, None, None).then(answers.append)
        world.turn()
        assert answers[0]["events"] == 2
        assert b'"events":2' in bytes(answers[1]["channels"][0])

    def test_has_the_position_of_its_log_where_nobody_has_read_it(self, world):
        world.caller("a").do(CREATE, "song", history={"size": 5, "seconds": 600})
        publish(world, "b", "song", 3)
        world.advance(LINGER_S + 10)
        assert not any(world[name].realm.logs.space("p").has_read("song") for name in "abc")
        seq = next(stream.last["r.log.radio.history-64.topic.p.song"] for stream in streams(world, "history"))
        positions = {told(world, name)[2] for name in "abc"}
        assert len(positions) == 1
        assert positions.pop().endswith(f":{seq}")

    def test_has_the_position_that_this_node_has_read(self, world):
        world.caller("a").do(CREATE, "song", history={"size": 5, "seconds": 600})
        listener = world.caller("c")
        listener.ask(32, {"_radiod_position": True}, "song")
        publish(world, "b", "song", 3)
        (*_, last) = [one for one in [*listener.kept, *listener.received()] if one[0] == 36]
        position = f"{last[3]['_epoch']}:{last[3]['_seq']}"
        assert {told(world, name)[2] for name in "abc"} == {position}
        # A moment ago somebody had to ask; by now it is here.
        assert told(world, "a")[2] == position
        world.caller("a").ask(32, {}, "song")
        publish(world, "b", "song")
        assert told(world, "a")[2] != position

    def test_that_is_private_too(self, world):
        owner = world.caller("a")
        made = owner.do(CREATE, "club", public=False, key="k", history={"size": 5, "seconds": 600})
        other = world.caller("b")
        other.do("radiod.channel.open_write", "club", key="k")
        assert other.ask(16, {"acknowledge": True}, "club", [1])[0] == 17
        assert owner.do(GET, "club")["writers"] == 2
        assert owner.do(GET, "club")["events"] == 1
        world.advance(LINGER_S + 10)
        mine, theirs = (caller.do(GET, "club")["position"] for caller in (owner, other))
        assert mine == theirs
        assert made["name"] == "club"

    def test_of_the_configuration_that_is_private_too(self, world):
        for node in world.nodes.values():
            node.realm.lifecycle.declare("club", key="k")
        one, other = world.caller("a"), world.caller("b")
        for caller in (one, other):
            caller.ask(32, {"_radiod_key": "k"}, "club")
        assert other.ask(16, {"acknowledge": True}, "club", [1])[0] == 17
        assert one.do(GET, "club")["events"] == 1


class TestAChannelOfTheConfiguration:
    @pytest.fixture
    def world(self, world):
        for node in world.nodes.values():
            for name in ("kept", "other"):
                node.realm.lifecycle.add(name, ChannelSettings(history=BOUNDS))
        return world

    def test_has_a_position_before_anybody_has_published_that_is_good_on_any_node(self, world):
        position = world.caller("c").do(GET, "kept")["position"]
        publish(world, "a", "kept", 3)
        listener = world.caller("b")
        listener.request(32, {"_radiod_after": position}, "kept")
        world.advance(4)
        events = [message for message in listener.received() if message[0] == 36]
        assert [event[4] for event in events] == [[0], [1], [2]]
        assert all(event[3].get("_recovered", True) for event in events)

    def test_is_not_read_for_a_list(self, world):
        assert len(world.caller("a").do(LIST)["channels"]) == 2
        assert not any(world[name].realm.logs.space("p").has_read("kept") for name in "abc")


class TestATopicThatIsNoChannel:
    def test_has_the_events_of_all_nodes_where_they_are_only_counted(self, world):
        listeners = [world.caller(name) for name in "abc"]
        for listener in listeners:
            listener.ask(32, {"_radiod_position": True}, "plain")
        publish(world, "a", "plain", 2)
        publish(world, "b", "plain")
        world.advance(1)
        counts = [listener.do(GET, "plain")["events"] for listener in listeners]
        # Each node counts those of the others, too, once they have come.
        assert len(set(counts)) == 1

    def test_has_the_position_of_its_log(self, world):
        for node in world.nodes.values():
            node.realm.space.histories.keep("kept.*", BOUNDS)
        publish(world, "a", "kept.one", 2)
        world.advance(LINGER_S + 10)
        positions = {world.caller(name).do(GET, "kept.one")["position"] for name in "abc"}
        assert len(positions) == 1

    def test_is_not_told_of_a_subject_that_was_not_asked_for(self, world):
        for node in world.nodes.values():
            node.realm.space.histories.keep("kept.*", BOUNDS)
        publish(world, "a", "kept.one")
        publish(world, "a", "kept.two", 2)
        world.advance(LINGER_S + 10)
        streams = world["b"].cluster.streams
        last_many = streams.last_many
        streams.last_many = lambda stream, subjects, done: last_many(
            stream, [subject.replace("one", "*") for subject in subjects], done
        )
        told = world.caller("b").do(GET, "kept.one")["position"]
        assert told == world.caller("a").do(GET, "kept.one")["position"]


def streams(world, kind):
    return [stream for name, stream in world.engine.streams.items() if kind in name]


class TestWhoDoesNotAnswer:
    def test_is_not_waited_for_longer_than_that(self, world):
        world.caller("a").do(CREATE, "song", history={"size": 5, "seconds": 600})
        publish(world, "b", "song", 2)
        world.advance(LINGER_S + 10)
        world.cut("a", "b")
        world.engine.elect(3600)
        caller = world.caller("a")
        caller.received()
        caller.request(48, {}, GET, ["song"])
        world.advance(ENDS_S + 1)
        (answer,) = caller.received()
        assert answer[0] == 50


def test_what_was_found_is_told_for_a_moment_without_asking(world):
    world.caller("a").do(CREATE, "song")
    caller = world.caller("a")
    publish(world, "b", "song")
    assert caller.do(GET, "song")["events"] == 1
    publish(world, "b", "song")
    assert caller.do(GET, "song")["events"] == 1
    world.advance(FRESH_S + 0.1)
    assert caller.do(GET, "song")["events"] == 2


@pytest.mark.interpreted
def test_what_was_found_has_a_bound(world, monkeypatch):
    monkeypatch.setattr(shared_descriptions, "MAX_FACTS", 2)
    caller = world.caller("a")
    for name in ("one", "two", "three"):
        caller.do(CREATE, name)
        caller.do(GET, name)
    assert list(world["a"].realm.descriptions._facts) == ["two", "three"]


def test_many_are_asked_for_in_several_letters(world):
    caller = world.caller("a")
    for number in range(shared_descriptions.IN_A_LETTER + 5):
        world["a"].realm.lifecycle.declare(f"song.{number}")
        world["b"].realm.lifecycle.declare(f"song.{number}")
    publish(world, "b", f"song.{shared_descriptions.IN_A_LETTER}", 3)
    page = caller.do(LIST, limit=1000)
    assert sum(one["events"] for one in page["channels"]) == 3
    assert len(page["channels"]) == shared_descriptions.IN_A_LETTER + 5


class TestWhatHasEndedMeanwhile:
    def test_has_no_events_and_no_end(self, world):
        described = world["a"].realm.descriptions
        space = world["a"].realm.make_space(is_private=True)
        assert described._events(space.at("club")) == 0
        assert described._end("#0123", ["club"], {}) is None

    def test_is_not_minded_when_another_tells_of_it(self, world):
        world["b"].realm.census.offer(
            {"tallies": ({"places": None}, lambda caller, places: Payload.of({"other": (1, 2)}))}
        )
        caller = world.caller("a")
        caller.do(CREATE, "song")
        assert caller.do(GET, "song")["events"] == 0
