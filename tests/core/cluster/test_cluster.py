from support.cluster.world import ClusterWorld

from radiod.core.cluster.cluster import EventWay, Records
from radiod.core.cluster.ports import Stored


def test_what_comes_goes_to_the_realm_that_its_subject_begins_with():
    way, came = EventWay(), []
    for realm in ("one", "two"):
        way.take(f"r.event.{realm}", lambda subject, reply, data, realm=realm: came.append((realm, data)))
    way.came("r.event.two.topic.t", "", b"x")
    way.came("r.event.three.topic.t", "", b"y")
    way.unreachable("nobody asked for that")
    way.down()
    assert came == [("two", b"x")]


def test_all_are_told_of_a_new_connection():
    way, told = EventWay(), []
    way.on_up += [lambda: told.append(1), lambda: told.append(2)]
    way.up()
    assert told == [1, 2]


def test_a_record_goes_to_whoever_takes_what_begins_so():
    records, taken = Records(), []
    records.take("r.claims.", lambda record: taken.append(("claims", record.seq)))
    records.take("r.log.a.", lambda record: taken.append(("log", record.seq)))
    for number, subject in enumerate(("r.claims.x.y", "r.log.a.t", "r.log.b.t", "other"), 1):
        records.stored(Stored(subject, number, 0, b""))
    assert taken == [("claims", 1), ("log", 2)]


def test_the_stream_of_retained_events_is_asked_for_until_it_is_there():
    world = ClusterWorld("a")
    world.engine.streams.pop("r-retained")
    world.disconnect("a")
    world["a"].cluster._ensure()
    world.advance(3)
    assert "r-retained" not in world.engine.streams
    world.connect("a")
    world.advance(2)
    assert "r-retained" in world.engine.streams


def test_who_reaches_the_leader_of_a_stream_is_not_isolated_though_it_is_alone():
    world = ClusterWorld("a", "b")
    world.kill("b")
    world.advance(20)
    assert not world["a"].cluster.nodes.is_isolated


def test_a_leader_that_was_cut_off_with_a_node_and_still_answers_proves_nothing():
    world = ClusterWorld("a", "b", "c")
    world.advance(2)
    for name in world["a"].ports:
        world.engine.ports[name].last = lambda stream, subject, done: done(None)
    world.isolate("a")
    world.advance(8)
    assert world["a"].cluster.nodes.is_isolated
    world.heal()
    world.advance(5)
    assert not world["a"].cluster.nodes.is_isolated


def test_who_says_goodbye_has_left_at_once():
    world = ClusterWorld("a", "b")
    world["b"].cluster.stop()
    world.turn()
    assert world["a"].cluster.nodes.live() == []


def test_what_was_too_much_for_mirrors_is_counted_over_all_realms():
    node = ClusterWorld("a", "b")["a"]
    assert node.cluster.overflowed == 0
    for mirrors in node.cluster.mirrors:
        mirrors.overflowed += 2
    assert node.cluster.overflowed == 2 * len(node.cluster.mirrors) > 0
