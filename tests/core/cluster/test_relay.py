"""Plain events over several nodes, as their listeners hear them."""

import pytest
from support.cluster.world import ClusterWorld

from radiod.core.cluster import relay as module
from radiod.core.cluster.envelope import Baseline, Crossing, encode


@pytest.fixture
def world():
    return ClusterWorld("a", "b", "c")


def listener(world, name, topic, **options):
    peer = world.join(name)
    peer.request(32, options, topic)
    world.turn()
    assert [message[0] for message in peer.received()] == [33]
    return peer


def heard(peer):
    """(lost, argument) of each event."""
    return [(message[3].get("_lost", 0), message[4][0]) for message in peer.received() if message[0] == 36]


def publish(world, peer, topic, *args, **options):
    for arg in args:
        peer.request(16, options, topic, [arg])
    world.turn()


def lose(world, peer, topic, *args, of="ab"):
    world.cut(*of)
    publish(world, peer, topic, *args)
    world.heal()
    world.turn()


def test_an_event_reaches_listeners_of_any_kind_on_other_nodes_once(world):
    peers = [
        listener(world, "b", "t.x"),
        listener(world, "b", "t", match="prefix"),
        listener(world, "b", "t.", match="wildcard"),
        listener(world, "c", "", match="prefix"),
    ]
    publish(world, world.join("a"), "t.x", 1, 2)
    assert [heard(peer) for peer in peers] == [[(0, 1), (0, 2)]] * 4


def test_the_publication_has_the_same_id_everywhere(world):
    here, there = listener(world, "a", "t"), listener(world, "b", "t")
    publish(world, world.join("a"), "t", 1)
    assert here.received()[0][1:3] == there.received()[0][1:3]


def test_what_a_wide_subject_brings_besides_is_dropped(world):
    peer = listener(world, "b", "t.xy", match="prefix")
    publish(world, world.join("a"), "t.other", 1)
    assert heard(peer) == []


def test_the_publisher_says_for_whom_it_is(world):
    one, other = listener(world, "b", "t"), listener(world, "b", "t")
    publish(world, world.join("a"), "t", 1, exclude=[one.id])
    publish(world, world.join("a"), "t", 2, eligible=[one.id])
    assert (heard(one), heard(other)) == ([(0, 2)], [(0, 1)])


def test_what_was_lost_is_told_with_the_next_event_of_that_sender(world):
    peer, other = listener(world, "b", "t"), listener(world, "c", "t")
    publisher = world.join("a")
    publish(world, publisher, "t", 1)
    lose(world, publisher, "t", 2, 3)
    publish(world, publisher, "t", 4, 5)
    assert heard(peer) == [(0, 1), (2, 4), (0, 5)]
    assert heard(other) == [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]
    assert world["b"].realm.relay.lost == 2


def test_the_first_events_after_subscribed_may_be_those_that_are_lost(world):
    publisher = world.join("a")
    publish(world, publisher, "old", 1, 2, 3)
    peers = [listener(world, "b", "", match="prefix"), listener(world, "b", "old")]
    lose(world, publisher, "old", 4, 5)
    lose(world, publisher, "new", 1)
    publish(world, publisher, "old", 6)
    publish(world, publisher, "new", 2)
    assert [heard(peer) for peer in peers] == [[(2, 6), (1, 2)], [(2, 6)]]


def test_who_listens_later_is_not_told_of_what_was_lost_before(world):
    publisher = world.join("a")
    first = listener(world, "b", "t")
    lose(world, publisher, "t", 1, 2)
    second = listener(world, "b", "t")
    third = listener(world, "b", "t", match="prefix")
    publish(world, publisher, "t", 3)
    assert [heard(peer) for peer in (first, second, third)] == [[(2, 3)], [(0, 3)], [(0, 3)]]


def test_what_cannot_be_sent_is_counted_and_told(world):
    peer, publisher = listener(world, "b", "t"), world.join("a")
    world.disconnect("a")
    publish(world, publisher, "t", 1, 2)
    assert world["a"].realm.relay.unsent >= 2
    world.connect("a")
    world.turn()
    publish(world, publisher, "t", 3)
    assert heard(peer) == [(2, 3)]


def test_what_a_long_cut_cost_is_told_though_its_node_has_come_back_as_a_new_one(world):
    peer, publisher = listener(world, "b", "t"), world.join("c")
    publish(world, publisher, "t", 0)
    world.isolate("c")
    publish(world, publisher, "t", 1, 2)
    world.advance(10)
    world.heal()
    world.advance(5)
    publish(world, publisher, "t", 3)
    # Here it is told at once: those that are sent nothing learn it when the nodes join.
    assert heard(peer) == [(0, 0), (2, 3)]


def test_a_loss_between_nodes_and_one_of_the_listener_are_told_together(world):
    peer, publisher = listener(world, "b", "t", _radiod_buffer={"size": 1}), world.join("a")
    world["b"].outbox.block(peer.session)
    publish(world, publisher, "t", 1)
    lose(world, publisher, "t", 2, 3)
    publish(world, publisher, "t", 4)
    world["b"].outbox.unblock(peer.session)
    assert heard(peer) == [(3, 4)]


@pytest.mark.interpreted
def test_an_answer_of_many_topics_comes_in_parts(world, monkeypatch):
    monkeypatch.setattr(module, "BASELINE", 2)
    publisher = world.join("a")
    topics = [f"t.{number}" for number in range(5)]
    for topic in topics:
        publish(world, publisher, topic, 1)
    peer = listener(world, "b", "t.", match="prefix")
    for topic in topics:
        lose(world, publisher, topic, 2)
        publish(world, publisher, topic, 3)
    assert heard(peer) == [(1, 3)] * 5


def test_meta_events_reach_other_nodes_and_only_those_who_may_know(world):
    peer = listener(world, "b", "wamp.session.on_join")
    joined = world.join("a", "new")
    world.turn()
    assert [message[4][0]["session"] for message in peer.received()] == [joined.id]


def test_what_is_no_event_of_ours_is_dropped(world):
    listener(world, "b", "t")
    world["b"].cluster.way.came("r.event.radio.topic.t", "", b"\xff")
    world["b"].cluster.way.came("r.event.other.topic.t", "", b"")


def test_what_is_no_retained_event_is_dropped(world):
    listener(world, "b", "t")
    way, relay = world["b"].cluster.way, world["b"].realm.relay
    told = Baseline(17, 18, 19, 1, [], {}, True, 0.0, [b"?"])
    way.came(f"{relay._answers}.{relay._origin}", "", encode(told))
    publisher = world.join("a")
    publish(world, publisher, "t", 1)
    assert world["b"].realm.relay.lost == 0


def test_what_a_node_published_before_anybody_could_hear_it_is_told(world):
    peer = listener(world, "a", "t")
    world.kill("b")
    world.engine.cuts |= {frozenset((one, other)) for one in ("a", "a.events") for other in ("b", "b.events")}
    world.start("b")
    world.advance(2)
    publisher = world.join("b")
    publish(world, publisher, "t", 1, 2)
    world.heal()
    world.advance(4)
    publish(world, publisher, "t", 3)
    assert heard(peer) == [(2, 3)]


def test_what_was_lost_before_a_new_process_was_met_is_told_though_a_later_event_came_first(world):
    peer = listener(world, "b", "t")
    world.kill("a")
    world.advance(10)
    world.start("a")
    world.cut("a", "b")
    publisher = world.join("a")
    publish(world, publisher, "t", 1, 2)
    world.heal()
    world.turn()
    publish(world, publisher, "t", 3)
    world.advance(3)
    publish(world, publisher, "t", 4)
    assert heard(peer) == [(0, 3), (2, 4)]


@pytest.mark.parametrize(("age", "told"), [(0.0, 2), (100.0, 0)])
def test_what_came_before_a_process_was_met_says_what_was_lost_to_those_who_listened_before_it_began(
    world, age, told
):
    peer = listener(world, "b", "t")
    way, relay = world["b"].cluster.way, world["b"].realm.relay
    for number in (3, 4):
        crossing = Crossing(17, number, 1, number, "t", 100 + number, "json", b"[%d]" % number, b"")
        way.came(f"{relay._topics}.t", "", encode(crossing))
    relay.interest.joined(18)
    (id,) = relay.interest._open
    way.came(f"{relay._answers}.{relay._origin}", "", encode(Baseline(17, 18, id, 4, [], {}, True, age)))
    publish(world, world.join("c"), "t", 9)
    assert relay.lost == told
    assert heard(peer) == [(0, 3), (0, 4), (told, 9)]


def test_what_comes_back_from_a_server_that_was_left_is_not_heard_again(world):
    peer = listener(world, "b", "t")
    way, relay = world["b"].cluster.way, world["b"].realm.relay
    publish(world, world.join("b"), "t", 1)
    crossing = Crossing(relay._origin, 1, 1, 1, "t", 100, "json", b"[1]", b"")
    way.came(f"{relay._topics}.t", "", encode(crossing))
    assert heard(peer) == [(0, 1)]
