"""The way in without WAMP, where other nodes have listeners, too."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.looks import LOOK_S
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.core.promises import Promise
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.testing import make_principal
from radiod.wire.codecs import JSON, Payload
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


def test_who_has_the_key_may_hear_who_is_in_a_private_channel(world):
    key = world.caller("a").do("radiod.channel.create", "secret", public=False)["key"]
    realm = world["b"].realm
    told = []
    realm.gateway.may_listen(make_principal(), "radiod.presence.secret", key).then(told.append)
    # Others tell first who is there.
    assert told == []
    world.turn()
    assert told == [realm.channels.unlock("secret", key).space]


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


class TestChannels:
    """What is told of them to whoever asks by HTTP."""

    @pytest.fixture
    def channels(self, world):
        creator = world.caller("a")
        for name in ("one", "two"):
            creator.do("radiod.channel.create", name)
        for name in "bcc":
            world.listener(name, "one")
        world.advance(0.2)
        return world

    def ask(self, world, asked):
        """What comes, perhaps later."""
        if not isinstance(asked, Promise):
            return asked
        found = []
        asked.then(found.append)
        world.turn()
        return found[0]

    def readers(self, channels):
        return {
            one["name"]: one["readers"] for one in (JSON.load(bytes(raw)) for raw in channels["channels"])
        }

    def test_counts_the_listeners_of_all_nodes(self, channels):
        gateway = channels["a"].realm.gateway
        assert self.ask(channels, gateway.describe("one", None))["readers"] == 3
        assert gateway.describe("one", None)["readers"] == 3

    def test_tells_where_the_log_stands(self, channels):
        owner = channels.caller("a")
        owner.do("radiod.channel.create", "kept", history={"size": 5})
        owner.ask(16, {"acknowledge": True}, "kept", [1])
        position = owner.do("radiod.channel.get", "kept")["position"]
        assert self.ask(channels, channels["c"].realm.gateway.describe("kept", None))["position"] == position

    def test_every_page_does(self, channels):
        gateway = channels["a"].realm.gateway
        assert self.readers(self.ask(channels, gateway.page("", 10, None, None))) == {"one": 3, "two": 0}
        assert self.readers(gateway.page("", 10, "one", None)) == {"two": 0}

    def test_one_that_ends_meanwhile_is_told_as_it_was(self, channels):
        owner = channels.caller("a")
        made = owner.do("radiod.channel.create", "three")
        channels.pause("c")
        found = []
        gateway = channels["b"].realm.gateway
        gateway.describe("three", None).then(found.append)
        owner.do("radiod.channel.delete", "three", made["control_key"])
        channels.advance(1)
        assert found == []
        assert "three" not in channels["b"].realm.channels
        channels.advance(2)
        assert [one["name"] for one in found] == ["three"]

    def test_that_there_is_none_is_said_at_once(self, channels):
        with pytest.raises(Refused):
            channels["a"].realm.gateway.describe("none", None)
