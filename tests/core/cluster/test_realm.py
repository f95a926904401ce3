import subprocess
import sys

import pytest
from support.cluster.desks import DeskWorld
from support.cluster.world import ClusterWorld

from radiod.core.cluster.reader_letters import Counts, write_readers
from radiod.core.cluster.relay import Relay
from radiod.core.cluster.sharing import SharedBroker
from radiod.errors import PAYLOAD_SIZE_EXCEEDED


def test_what_is_public_is_shared_and_what_is_private_by_its_place():
    realm = ClusterWorld("a")["a"].realm
    assert type(realm.space.broker) is SharedBroker
    channel = realm.lifecycle.declare("club", key="secret")
    place = realm.places.of(channel.space.broker, "club")
    assert place.startswith("#")
    assert realm.places.at(place) == channel.topic
    assert isinstance(realm.relay, Relay)
    assert realm.about("part") == "radio part"
    assert realm.has_shared_log


def test_nobody_listens_to_a_private_channel_that_is_not_known():
    world = ClusterWorld("a", "b")
    world["b"].realm.readers.hold("#0123")
    world.turn()
    assert list(world["a"].realm.readers.watched) == ["#0123"]
    assert world["b"].realm.readers.elsewhere("#0123") == 0
    # Somebody knows it; no writer here does.
    nodes = world["a"].cluster.nodes
    nodes.tell(world["b"].cluster.nodes.me, "radio readers", write_readers(Counts({"#0123": 2})))
    world.turn()
    assert world["b"].realm.readers.elsewhere("#0123") == 2


def publish_long(world, size):
    caller = world.caller("a")
    caller.do("radiod.channel.create", "past", history={"size": 5, "seconds": 60, "bytes": 4_000_000})
    return caller.ask(16, {"acknowledge": True}, "past", ["x" * size])


def test_a_record_is_as_long_as_the_configuration_has_messages():
    assert publish_long(DeskWorld("a", "b", max_record=3_000_000), 2_900_000)[0] == 17


def test_one_that_is_longer_is_refused_to_its_publisher_who_learns_how_long_it_may_be():
    answer = publish_long(DeskWorld("a", "b", max_record=1_000), 1_000)
    assert answer[4] == PAYLOAD_SIZE_EXCEEDED
    assert answer[5] == ["the log takes 1000 bytes with all details"]


class TestAPrivateChannelThatANodeDoesNotKnow:
    @pytest.fixture
    def world(self):
        return DeskWorld("a", "b")

    def create(self, world):
        owner = world.caller("a")
        owner.do("radiod.channel.create", "club", public=False)
        return owner

    def test_has_events_that_come_by_a_pattern_and_go_to_nobody(self, world):
        listener = world.listener("b", "", match="prefix")
        owner = self.create(world)
        taken = count_events(world["b"])
        for topic in ("club", "open"):
            assert owner.ask(16, {"acknowledge": True}, topic, [topic])[0] == 17
        world.turn()
        assert len(taken) == 2
        assert listener.events() == [["open"]]

    def test_has_events_whose_loss_is_told_to_nobody(self, world):
        listener = world.listener("b", "", match="prefix")
        owner = self.create(world)

        def publish():
            assert owner.ask(16, {"acknowledge": True}, "club", ["x"])[0] == 17
            world.turn()

        publish()
        world.cut("a", "b")
        publish()
        world.heal()
        world.turn()
        publish()
        assert world["b"].realm.relay.lost == 1
        assert listener.events() == []


def count_events(node):
    """What comes from other nodes."""
    taken = []
    take = node.realm.relay._take
    node.realm.relay._take = lambda crossing: (taken.append(crossing), take(crossing))
    return taken


def test_two_realms_of_one_cluster_do_not_hear_each_other():
    world = ClusterWorld("a", "b")
    peer = world.join("b")
    peer.request(32, {}, "t")
    world.turn()
    peer.received()
    relay = world["a"].realm.relay
    relay._topics = relay._topics.replace("radio", "other")
    world.join("a").request(16, {}, "t", [1])
    world.turn()
    assert peer.received() == []


def test_a_server_that_is_alone_imports_nothing_of_it():
    code = "import sys, radiod.tap, radiod.service.service; print([n for n in sys.modules if 'cluster' in n])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # What is said of one, in the configuration and to operators, is there all the same.
    own = ("radiod.config", "radiod.admin")
    assert [name for name in eval_list(done.stdout) if not name.startswith(own)] == []


def eval_list(text):
    return [word.strip(" '[]\n") for word in text.split(",") if word.strip(" '[]\n")]
