"""What is published on public topics is counted for other nodes, unless it is logged."""

from support.cluster.world import ClusterWorld

from radiod.core.rights import Action
from radiod.core.statistics import Traffic
from radiod.testing import Allow
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions


def test_topics_with_a_history_go_another_way():
    world = ClusterWorld("a", "b", "c")
    world.join("a").request(32, {"_radiod_position": True}, "t")
    world.turn()
    before = world["a"].realm.relay._counts.number
    world.join("a").request(16, {}, "plain", [1])
    assert world["a"].realm.relay._counts.number == before + 1


def test_losses_are_told_to_those_who_may_know_of_the_topic():
    world = ClusterWorld("a", "b", "c")
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


def test_what_is_published_is_counted_for_its_channel_and_traced():
    world = ClusterWorld("a", "b", "c")
    realm = world["a"].realm
    traffic, trace = Traffic(), Trace()
    publisher = world.join("a")
    payload, options = Payload.of("some"), PublishOptions()
    realm.space.publishing.publish("t", traffic, publisher.session, payload, options, {}, trace=trace)
    assert (traffic.events, trace.fanned) == (1, 1)
