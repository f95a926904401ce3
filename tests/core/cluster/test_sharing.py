"""What the router tells of sessions and subscriptions reaches listeners on all nodes, once."""

import pytest
from support.cluster.world import ClusterWorld

from radiod.core.rights import Action
from radiod.core.statistics import Traffic
from radiod.testing import Allow
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions


@pytest.fixture
def world():
    return ClusterWorld("a", "b", "c")


def watch(world, name, topic, **options):
    peer = world.join(name, **options)
    peer.request(32, {}, topic)
    world.turn()
    peer.received()
    return peer


def told(peer):
    return [message[4] for message in peer.received() if message[0] == 36]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_sessions_that_join_and_leave_are_told_of_once_wherever_one_listens(world, name):
    joined, left = watch(world, name, "wamp.session.on_join"), watch(world, name, "wamp.session.on_leave")
    told(joined)
    peer = world.join("b", "new")
    peer.leave()
    world.turn()
    assert [event[0]["authid"] for event in told(joined)] == ["new"]
    assert told(left) == [[peer.id, "new", "tester"]]


def test_registrations_are_told_of_once(world):
    peers = [watch(world, name, "wamp.registration.on_register") for name in "abc"]
    world.advance(2)
    callee = world.join("a")
    callee.request(64, {}, "p.q")
    world.advance(1)
    ((_, _, id),) = callee.received()
    assert [told(peer) for peer in peers] == [[[callee.id, id]]] * 3


def test_who_may_not_know_of_a_topic_is_not_told_of_its_subscribers_elsewhere(world):
    topic = "wamp.subscription.on_subscribe"
    sees = watch(world, "b", topic)
    blind = watch(world, "b", topic, permissions=Allow(Action.SUBSCRIBE, hidden=["secret"]))
    told(sees)
    for secret in ("secret", "open"):
        world.join("a").request(32, {}, secret)
        world.turn()
    assert (len(told(sees)), len(told(blind))) == (2, 1)


def test_what_is_each_nodes_own_stays_there(world):
    peer = watch(world, "b", "radiod.server.on_stats")
    world["a"].realm.announcer.announce("radiod.server.on_stats", {})
    world.turn()
    assert told(peer) == []


def test_topics_with_a_history_go_another_way(world):
    world.join("a").request(32, {"_radiod_position": True}, "t")
    world.turn()
    before = world["a"].realm.relay._counts.number
    world.join("a").request(16, {}, "plain", [1])
    assert world["a"].realm.relay._counts.number == before + 2


def test_losses_are_told_to_those_who_may_know_of_the_topic(world):
    peers = [world.join("b", permissions=Allow(*Action, hidden=hidden)) for hidden in ([], ["secret"])]
    for peer in peers:
        peer.request(32, {"match": "prefix"}, "")
    world.turn()
    world["b"].realm.space.broker.lose("secret", 3)
    for peer in peers:
        peer.received()
    world.join("a").request(16, {}, "open", [1])
    world.turn()
    (sees,), (blind,) = ([one for one in peer.received() if one[0] == 36] for peer in peers)
    assert (sees[3].get("_lost"), blind[3].get("_lost")) == (3, None)


class Trace:
    def __init__(self):
        self.fanned = 0

    def fan_out(self):
        self.fanned += 1


def test_what_is_published_is_counted_for_its_channel_and_traced(world):
    realm = world["a"].realm
    traffic, trace = Traffic(), Trace()
    publisher = world.join("a")
    payload, options = Payload.of("some"), PublishOptions()
    realm.space.publishing.publish("t", traffic, publisher.session, payload, options, {}, trace=trace)
    assert (traffic.events, trace.fanned) == (1, 1)
