"""The way in without WAMP, where other nodes have listeners, too."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.looks import LOOK_S
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.errors import STORE_UNAVAILABLE
from radiod.testing import make_principal
from radiod.wire.codecs import Payload
from radiod.wire.options import PublishOptions


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def test_an_http_publish_watches_for_a_while(world):
    world.listener("b", "song")
    gateway = world["a"].realm.gateway

    def publish():
        return gateway.publish(Visitor(1, make_principal()), "song", Payload.of(1)).readers

    assert publish() == 0
    world.turn()
    assert publish() == 1
    world.advance(LOOK_S + 11)
    assert len(world["a"].realm.readers) == 0


def test_of_a_private_channel_those_of_this_node_are_counted_at_least(world):
    key = world.caller("a").do("radiod.channel.create", "secret", public=False)["key"]
    publish = world["a"].realm.gateway.publish
    published = publish(Visitor(1, make_principal()), "secret", Payload.of(1), PublishOptions(key=key))
    assert published.readers == 0
    assert "secret" not in list(world["b"].realm.readers.watched)


class TestALoggedTopic:
    """What is published there is answered when the log has it."""

    @pytest.fixture
    def publish(self, world):
        for node in world.nodes.values():
            node.realm.space.histories.keep("song", HistoryBounds(size=9, seconds=99.0, bytes=10_000))
        world.listener("b", "song")
        visitor = Visitor(1, make_principal())

        def publish(seconds=1):
            outcomes = []
            world["a"].realm.gateway.publish(
                visitor, "song", Payload.of(1), PublishOptions(acknowledge=True)
            ).then(outcomes.append)
            world.advance(seconds)
            return outcomes

        return publish

    def test_has_readers_on_all_nodes_as_far_as_is_known(self, publish):
        assert [one.readers for one in publish()] == [0]
        assert [one.readers for one in publish()] == [1]

    def test_that_takes_nothing_says_so(self, world, publish):
        publish()
        world.engine.elect(60)
        assert [one.uri for one in publish(20)] == [STORE_UNAVAILABLE]
