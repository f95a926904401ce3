import pytest
from support.cluster.world import ClusterWorld

from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.limits import Limits
from radiod.core.promises import Promise
from radiod.core.realm.inbox import MAX_AHEAD
from radiod.errors import QUOTA, STORE_UNAVAILABLE
from radiod.testing import make_principal
from radiod.wire.messages import Event


@pytest.fixture
def world():
    return ClusterWorld("a", "b", "c")


def kinds(peer):
    return [message[0] for message in peer.received()]


def test_subscribed_waits_until_all_others_know(world):
    peer = world.join("a")
    peer.request(32, {}, "t")
    assert kinds(peer) == []
    world.turn()
    assert kinds(peer) == [33]


def test_what_is_published_anywhere_from_then_on_arrives(world):
    publisher = world.join("b")
    for number in range(50):
        peer = world.join("a")
        peer.request(32, {}, f"t.{number}")
        while not (answer := peer.received()):
            world.advance(0.0001)
        assert [message[0] for message in answer] == [33]
        publisher.request(16, {}, f"t.{number}", [number])
        world.turn()
        assert [message[4] for message in peer.received()] == [[number]]


def test_who_is_alone_is_answered_at_once():
    peer = ClusterWorld("a").join("a")
    peer.request(32, {}, "t")
    assert kinds(peer) == [33]


def test_who_listens_already_is_answered_at_once(world):
    peer = world.join("a")
    peer.request(32, {}, "t")
    world.turn()
    first = peer.received()
    peer.request(32, {}, "t")
    assert [message[2] for message in peer.received()] == [first[0][2]]


def test_a_dead_node_is_not_waited_for(world):
    world.isolate("c")
    peer = world.join("a")
    peer.request(32, {}, "t")
    world.advance(3)
    assert kinds(peer) == []
    world.advance(4)
    assert kinds(peer) == [33]


def test_a_question_that_was_lost_is_asked_again(world):
    world.cut("a", "c")
    peer = world.join("a")
    peer.request(32, {}, "t")
    world.turn()
    world.heal()
    world.advance(1.5)
    assert kinds(peer) == [33]


def test_who_has_left_meanwhile_holds_nothing(world):
    peer = world.join("a")
    peer.request(32, {}, "t")
    peer.leave()
    world.turn()
    assert len(world["a"].realm.relay.interest) == 0
    assert not any("topic.t" in subject for subject in world.engine.ports["a.events"].interest)


def test_who_unsubscribes_last_has_the_bus_listen_no_more(world):
    peers = [world.join("a"), world.join("a")]
    ids = []
    for peer in peers:
        peer.request(32, {}, "t")
        world.turn()
        ids.append(peer.received()[0][2])
    peers[0].request(34, ids[0])
    assert len(world["a"].realm.relay.interest) == 1
    peers[1].request(34, ids[1])
    assert len(world["a"].realm.relay.interest) == 0


def test_a_refusal_comes_at_once(world):
    peer = world.join("a")
    peer.request(32, {"_radiod_key": "wrong"}, "t")
    (answer,) = peer.received()
    assert answer[:2] == [8, 32]


def test_what_stands_against_it_is_found_before_others_are_asked(world):
    peer = world.join("a")
    peer.request(32, {"_radiod_buffer": {"size": -1}}, "t")
    (answer,) = peer.received()
    assert answer[:2] == [8, 32]
    assert len(world["a"].realm.relay.interest) == 0


def test_what_can_be_refused_only_then_is_refused_and_holds_nothing():
    world = ClusterWorld("a", "b", options={"limits": Limits(max_subscriptions=1)})
    peer = world.join("a")
    for topic in ("t", "u"):
        peer.request(32, {}, topic)
    world.turn()
    answers = peer.received()
    assert sorted(answer[0] for answer in answers) == [8, 33]
    assert [answer[4] for answer in answers if answer[0] == 8] == [QUOTA]
    assert len(world["a"].realm.relay.interest) == 1


def test_all_of_one_turn_ask_together(world):
    before = world.engine.ports["a.events"].sent
    for number in range(20):
        world.join("a").request(32, {}, f"t.{number}")
    world.turn()
    # Each of the 20 sessions was told of as well.
    assert world.engine.ports["a.events"].sent - before < 100


def test_a_subscription_has_the_same_id_on_all_nodes(world):
    ids = set()
    for name in ("a", "b"):
        peer = world.join(name)
        peer.request(32, {}, "t")
        world.turn()
        ids.add(peer.received()[0][2])
    assert len(ids) == 1


class TestWithoutWamp:
    def ask(self, world, topic, **options):
        gateway = world["a"].realm.gateway
        found = gateway.may_listen(make_principal("somebody", "tester"), topic, **options)
        told = []
        if isinstance(found, Promise):
            found.then(told.append)
        else:
            told.append(found)
        return told

    def test_who_may_listen_is_told_so_when_all_others_know(self, world):
        told = self.ask(world, "t")
        assert told == []
        world.turn()
        space = world["a"].realm.space
        assert told == [space]
        session = world["a"].realm.gateway.join(make_principal("somebody", "tester"), None)
        world["a"].realm.gateway.listen(session, "t")
        world.join("b").request(16, {}, "t", [1])
        world.turn()
        assert [type(sent.message) for sent in world["a"].outbox.take(session)] == [Event]
        world.advance(20)
        assert len(world["a"].realm.relay.interest) == 1

    def test_who_does_not_come_after_all_holds_nothing(self, world):
        self.ask(world, "t")
        world.advance(20)
        assert len(world["a"].realm.relay.interest) == 0

    def test_who_is_alone_is_told_at_once(self):
        world = ClusterWorld("a")
        assert self.ask(world, "t") == [world["a"].realm.space]

    def test_a_private_channel_is_told_by_its_place(self, world):
        channel = world["a"].realm.lifecycle.declare("p", ChannelSettings(), key="k" * 20)
        agreed = self.ask(world, "p", key="k" * 20)
        world.turn()
        assert agreed == [channel.space]
        assert world["a"].realm.relay.interest.is_wanted(channel.space.broker.place)
        assert not world["a"].realm.relay.interest.is_wanted("p")


def test_who_is_alone_gets_what_is_retained():
    world = ClusterWorld("a")
    world.join("a").request(16, {"retain": True}, "t", [1])
    world.turn()
    peer = world.join("a")
    peer.request(32, {"get_retained": True}, "t")
    world.turn()
    assert kinds(peer) == [33, 36]


def test_who_wants_what_is_retained_and_cannot_have_the_past_is_refused(world):
    for node in world.nodes.values():
        node.realm.space.histories.keep("kept", HistoryBounds(size=3, seconds=100.0, bytes=10_000))
    world.engine.elect(60)
    world.isolate("a")
    peer = world.join("a")
    peer.request(32, {"get_retained": True}, "kept")
    world.advance(20)
    assert [message[4] for message in peer.received()] == [STORE_UNAVAILABLE]


@pytest.mark.parametrize("after", [0.0, 0.01, 0.1, 0.5, 0.9, 1.1])
def test_who_comes_to_a_node_that_begins_misses_nothing_either(world, after):
    world.kill("c")
    world.start("c")
    world.advance(after)
    peer, publisher = world.join("c"), world.join("a")
    peer.request(32, {}, "t")
    while kinds(peer) == []:
        world.advance(0.001)
    for number in range(100):
        publisher.request(16, {}, "t", [number])
        world.advance(0.01)
    assert [message[4] for message in peer.received()] == [[number] for number in range(100)]


def test_who_comes_to_a_node_that_is_back_as_another_misses_nothing_either(world):
    world.pause("c")
    world.advance(9)
    world.resume("c")
    peer, publisher = world.join("c"), world.join("a")
    peer.request(32, {}, "t")
    while kinds(peer) == []:
        world.advance(0.001)
    for number in range(100):
        publisher.request(16, {}, "t", [number])
        world.advance(0.01)
    assert [message[4] for message in peer.received()] == [[number] for number in range(100)]


class TestManyAtOnce:
    """SUBSCRIBEs that come one behind the other."""

    def test_others_are_asked_about_all_at_once(self, world):
        peer = world.join("a")
        for number in range(100):
            peer.request(32, {}, f"t.{number}")
        assert kinds(peer) == []
        world.turn()
        assert kinds(peer) == [33] * 100

    def test_each_request_has_its_answer(self, world):
        peer, publisher = world.join("a"), world.join("b")
        requests = {peer.request(32, {}, topic): topic for topic in ("t", "u", "t", "v")}
        world.turn()
        found = {requests[message[1]]: message[2] for message in peer.received()}
        for topic in ("t", "u", "v"):
            publisher.request(16, {}, topic)
        world.turn()
        assert [message[1] for message in peer.received()] == [found["t"], found["u"], found["v"]]

    def test_what_is_no_subscribe_stays_behind_all(self, world):
        peer = world.join("a")
        for topic in ("t", "u"):
            peer.request(32, {}, topic)
        peer.request(16, {"acknowledge": True, "exclude_me": False}, "u")
        peer.request(32, {}, "v")
        assert kinds(peer) == []
        world.turn()
        world.turn()
        assert kinds(peer) == [33, 33, 36, 17, 33]

    def test_more_than_a_bound_wait_for_the_first(self, world):
        peer, count = world.join("a"), 2 * MAX_AHEAD + 3
        for number in range(count):
            peer.request(32, {}, f"t.{number}")
        assert len(world["a"].realm.relay.interest) == MAX_AHEAD
        world.turn()
        assert kinds(peer) == [33] * count

    def test_whoever_leaves_meanwhile_holds_nothing(self, world):
        peer = world.join("a")
        for topic in ("t", "u"):
            peer.request(32, {}, topic)
        peer.request(16, {"acknowledge": True}, "u")
        peer.leave()
        world.turn()
        assert len(world["a"].realm.relay.interest) == 0
