import pytest
from support.cluster.desks import DeskWorld
from support.cluster.world import ClusterWorld

from radiod.core.cluster.envelope import Crossing, decode
from radiod.core.cluster.ports import Appended, Failure
from radiod.core.cluster.retaining import MAX_WAITING, PAGE, RetainedRecords
from radiod.core.limits import Limits
from radiod.testing import FakeClock


@pytest.fixture
def world():
    return ClusterWorld("a", "b", "c")


def retained(world, name, topic, **options):
    """What a late listener gets: (topic, or none of an exact subscription; argument)."""
    peer = world.join(name)
    peer.request(32, {"get_retained": True, **options}, topic)
    world.advance(4)
    answer, *events = peer.received()
    assert answer[0] == 33
    assert all(event[3]["retained"] for event in events)
    return sorted((event[3].get("topic"), event[4][0]) for event in events)


def keep(world, name, topic, arg, **options):
    peer = world.join(name)
    peer.request(16, {"retain": True, **options}, topic, [arg])
    return peer


def test_it_is_had_on_any_node(world):
    keep(world, "a", "t", 1)
    world.turn()
    assert [retained(world, name, "t") for name in "abc"] == [[(None, 1)]] * 3


def test_the_last_one_counts_wherever_it_was_published(world):
    assert retained(world, "c", "t") == []
    for number, name in enumerate("abcab"):
        keep(world, name, "t", number)
        world.advance(3)
    assert [retained(world, name, "t") for name in "abc"] == [[(None, 4)]] * 3


def test_it_outlives_the_node_that_it_was_published_on(world):
    keep(world, "a", "t", 1)
    world.turn()
    world.kill("a")
    assert retained(world, "b", "t") == [(None, 1)]


def test_a_pattern_has_all_that_it_takes(world):
    for number in range(3):
        keep(world, "a", f"t.{number}", number)
        keep(world, "b", f"u.{number}", number)
    world.turn()
    assert retained(world, "c", "t.", match="prefix") == [(f"t.{number}", number) for number in range(3)]
    assert retained(world, "c", ".1", match="wildcard") == [("t.1", 1), ("u.1", 1)]


def test_one_that_is_about_to_be_stored_is_had_too(world):
    world.engine.elect(1.0)
    keep(world, "a", "t", 1)
    assert retained(world, "b", "t") == [(None, 1)]


def test_it_is_stored_when_there_is_a_leader_again(world):
    world.engine.elect(6.0)
    keep(world, "a", "t", 1)
    keep(world, "a", "t", 2)
    world.advance(8)
    world.kill("a")
    assert retained(world, "b", "t") == [(None, 2)]
    assert not world["b"].realm.records.lost


def test_what_cannot_be_stored_for_long_is_given_up_and_counted(world):
    world.engine.elect(60.0)
    keep(world, "a", "t", 1)
    world.advance(20)
    assert world["a"].realm.records.lost == 1
    assert retained(world, "a", "t") == [(None, 1)]


def test_a_replica_that_lags_behind_is_waited_for_but_not_for_ever(world):
    keep(world, "a", "t.1", 1)
    world.turn()
    (stream,) = [one for one in world.engine.streams.values() if "retained" in one.settings.name]
    stream.lag = 1
    assert retained(world, "b", "t.", match="prefix") == []
    stream.lag = 0
    assert retained(world, "b", "t.", match="prefix") == [("t.1", 1)]


def test_who_may_not_have_it_does_not_get_it_elsewhere(world):
    peer = world.join("b")
    keep(world, "a", "t", 1, exclude=[peer.id])
    world.turn()
    peer.request(32, {"get_retained": True}, "t")
    world.turn()
    assert [message[0] for message in peer.received()] == [33]
    assert retained(world, "b", "t") == [(None, 1)]


def test_what_is_dropped_is_dropped_everywhere(world):
    keep(world, "a", "t", 1)
    world.turn()
    retained(world, "b", "t")
    world["a"].realm.space.broker.forget("t")
    world.advance(3)
    assert [retained(world, name, "t") for name in "abc"] == [[]] * 3


def stream_of(world):
    return world.engine.streams["r-retained"]


def test_more_than_a_page_is_had(world):
    peer = world.join("a")
    for number in range(PAGE + 1):
        peer.request(16, {"retain": True}, f"t.{number:03}", [number])
    world.turn()
    assert [arg for _, arg in retained(world, "b", "t.", match="prefix")] == list(range(PAGE + 1))


def test_what_nobody_can_read_is_passed_over(world):
    keep(world, "a", "t.1", 1)
    keep(world, "a", "t.2", 2)
    world.turn()
    record = next(one for one in stream_of(world).records if b"t.1" in one.data)
    world.engine.store(stream_of(world), record.subject, b"?", "", None, 0.0)
    assert retained(world, "b", "t.", match="prefix") == [("t.2", 2)]
    assert world["b"].cluster.nodes.malformed == 1


def test_what_was_seen_a_moment_ago_is_better_than_nothing(world):
    keep(world, "a", "t", 1)
    world.turn()
    stream_of(world).records.clear()
    assert retained(world, "a", "t") == [(None, 1)]
    assert retained(world, "b", "t") == []


def test_what_has_no_room_here_is_left_out():
    world = ClusterWorld("a", "b", options={"limits": Limits(max_retained_topics=2)})
    for name, number in zip("aabb", range(4), strict=True):
        keep(world, name, f"t.{number}", number)
    world.turn()
    found = retained(world, "a", "t.", match="prefix")
    assert len(found) == 2
    assert world["a"].realm.records.lost == 2


def test_a_pattern_takes_nothing_of_a_private_channel_that_nobody_knows_here():
    world = DeskWorld("a", "b")
    owner = world.caller("a")
    owner.do("radiod.channel.create", "club", public=False)
    assert owner.ask(16, {"retain": True, "acknowledge": True}, "club", ["secret"])[0] == 17
    keep(world, "a", "t", 1)
    world.turn()
    assert len(stream_of(world).records) == 2
    assert retained(world, "b", "", match="prefix") == [("t", 1)]
    assert world["b"].realm.records.lost == 0


def test_a_private_channel_that_ends_while_its_last_event_is_looked_for_has_none(world):
    found = []
    world["a"].realm.records.fetch("exact", "#0123").then(found.append)
    world.turn()
    assert found == [None]


class Silent:
    """Streams that never answer."""

    def append(self, *args):
        pass


def test_no_more_than_agreed_waits_to_be_stored():
    clock = FakeClock()
    records = RetainedRecords("radio", "r", "s", Silent(), clock, clock.timers)
    for number in range(MAX_WAITING + 3):
        records.store(Crossing(1, number, 1, 1, f"t{number}", number, "json", b"", b""))
    assert records.lost == 3
    records.store(Crossing(1, 0, 1, 2, "t0", 0, "json", b"[1]", b""))
    assert records.lost == 3


class Slow:
    """Streams that answer when a test does: what was stored, and how to answer."""

    def __init__(self):
        self.asked = []

    def append(self, stream, subject, data, done):
        self.asked.append((decode(data).publication, done))

    def answer(self, outcome):
        """What was stored, of all that is on its way."""
        ((publication, done),) = self.asked
        self.asked.clear()
        done(outcome)
        return publication


def test_those_of_one_topic_are_stored_one_behind_another_and_the_last_one_counts():
    clock, streams = FakeClock(), Slow()
    records = RetainedRecords("radio", "r", "s", streams, clock, clock.timers)
    for number in range(1, 4):
        records.store(Crossing(1, number, 1, number, "t", number, "json", b"", b""))
    assert streams.answer(Appended(1)) == 1
    for number in range(4, 6):
        records.store(Crossing(1, number, 1, number, "t", number, "json", b"", b""))
    assert streams.answer(Failure.UNKNOWN) == 3
    records.store(Crossing(1, 6, 1, 6, "t", 6, "json", b"", b""))
    # The one before may be on its way yet, through a server that was left.
    assert streams.asked == []
    clock.advance(0.5)
    assert streams.answer(Appended(2)) == 6
    clock.advance(5)
    assert (streams.asked, records.pending([("exact", "t")])) == ([], [])
