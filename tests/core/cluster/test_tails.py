"""The end of one topic's log: its past, and what can be said of what was before it."""

import pytest
from msgspec import structs
from support.cluster.logged import HistoryListener as Listener
from support.cluster.logged import HistoryPublisher as Publisher
from support.cluster.logged import LoggedWorld

from radiod.core.cluster.appender import MAY_HAVE
from radiod.core.cluster.logged import Epoch, decode, encode
from radiod.core.cluster.logs import PUBLIC
from radiod.core.cluster.tails import MOST_HELD_BACK
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.errors import CHANNEL_CLOSED
from radiod.wire.scan import Undecodable

pytestmark = pytest.mark.interpreted

KEEP = HistoryBounds(size=100, seconds=1000.0, bytes=1_000_000)


SHORT = HistoryBounds(size=100, seconds=20.0, bytes=1_000_000)


@pytest.fixture
def world():
    return LoggedWorld("n1", "n2", keep={"a": KEEP, "short": SHORT})


def behind(world, node, topic, details):
    listener = Listener(world, node, topic, _radiod_after=f"{details['_epoch']}:{details['_seq']}")
    world.clock.advance(1)
    listener.take()
    return listener


def test_a_tail_without_its_beginning_is_whole_from_its_first_event_on(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish(5)
    world.clock.advance(1)
    listener.take()
    (stream,) = world.engine.streams.values()
    # The marker of its birth and two events have gone.
    del stream.records[1:4]
    told = [behind(world, "n2", "a", details) for details in listener.details]
    assert [one.events for one in told] == [
        listener.events[2:],
        listener.events[2:],
        listener.events[3:],
        listener.events[4:],
        [],
    ]
    assert [one.details[0].get("_recovered", True) for one in told[:4]] == [False, False, True, True]


def test_what_has_grown_too_old_for_the_stream_is_missing(world):
    listener = Listener(world, "n1", "short")
    publisher = Publisher(world, "n1", "short")
    publisher.publish(2)
    world.clock.advance(100)
    publisher.publish(1)
    world.clock.advance(1)
    listener.take()
    late = behind(world, "n2", "short", listener.details[0])
    assert late.events == listener.events[2:]
    assert late.details[0]["_recovered"] is False


def test_its_age_is_that_of_the_event(world):
    publisher = Publisher(world, "n1", "short")
    publisher.publish(1)
    world.clock.advance(15)
    publisher.publish(1)
    late = Listener(world, "n2", "short", _radiod_after="x:0")
    world.clock.advance(1)
    assert late.take() == publisher.take()
    world.clock.advance(10)
    again = Listener(world, "n2", "short", _radiod_after="x:0")
    world.clock.advance(1)
    assert again.take() == publisher.take()[1:]


def test_somebody_who_knows_more_than_this_node_waits_for_it(world):
    listener, other = Listener(world, "n1"), Listener(world, "n2")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    port = world.nodes["n2"].port
    subject = next(one for one in port.followed if one.endswith("p.a"))
    copies = port.followed.pop(subject)
    publisher.publish(2)
    world.clock.advance(0.1)
    port.followed[subject] = copies
    assert len(listener.take()) == 3
    assert len(other.take()) == 1
    late = Listener(world, "n2", _radiod_after=listener.position)
    publisher.publish()
    world.clock.advance(0.5)
    assert late.take() == listener.take()[3:]
    assert "_recovered" not in late.details[0]


@pytest.mark.parametrize("unapplied", [1, 2])
def test_what_a_leader_has_not_worked_through_yet_is_waited_for(world, unapplied):
    listener, other = Listener(world, "n1"), Listener(world, "n2")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    port = world.nodes["n2"].port
    subject = next(one for one in port.followed if one.endswith("p.a"))
    copies = port.followed.pop(subject)
    publisher.publish(2)
    world.clock.advance(0.1)
    port.followed[subject] = copies
    (name,) = world.engine.streams
    world.engine.streams[name].lag = unapplied
    world.engine.be_stale(name, unapplied, 1.5)
    late = Listener(world, "n2", _radiod_after=listener.position)
    world.clock.advance(1.4)
    assert late.take() == []
    world.engine.streams[name].lag = 0
    world.clock.advance(2)
    publisher.publish()
    world.clock.advance(1)
    assert late.take() == listener.take()[3:]
    assert other.take() == listener.events
    assert "_recovered" not in late.details[0]
    assert not any("_lost" in details for details in other.details)


def test_also_by_whoever_has_waited_for_the_past_for_long(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish(3)
    world.clock.advance(1)
    (name,) = world.engine.streams
    world.engine.replica = lambda stream: stream.records[:-2]
    world.engine.elect(4)
    world.engine.be_stale(name, 2, 5.5)
    late = Listener(world, "n2", _radiod_after=listener.position)
    world.clock.advance(5.4)
    assert not late.take()
    assert not late.is_subscribed
    del world.engine.replica
    world.clock.advance(3)
    publisher.publish()
    world.clock.advance(1)
    assert late.take() == listener.take()[3:]
    assert "_recovered" not in late.details[0]


def test_no_number_of_strangers_makes_a_node_wait_long_for_what_is_not_there(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    epoch = listener.position.partition(":")[0]
    late = Listener(world, "n1", _radiod_after=f"{epoch}:9007199254740000")
    world.clock.advance(2.5)
    publisher.publish()
    world.clock.advance(1)
    assert late.take() == listener.take() == publisher.take()
    assert late.details[0]["_recovered"] is False
    # The end of what it could wait for finds it served.
    world.clock.advance(20)
    late.take()
    assert late.errors == []


def test_nobody_looks_for_what_a_topic_that_has_ended_did_not_have(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    epoch = listener.position.partition(":")[0]
    late = Listener(world, "n1", _radiod_after=f"{epoch}:9007199254740000")
    world.clock.advance(0.5)
    world.nodes["n1"].realm.space.histories.forget("a")
    world.clock.advance(3)
    late.take()
    assert late.errors == [CHANNEL_CLOSED]


def test_no_more_than_agreed_waits_for_the_past(world):
    world.engine.elect(5)
    publisher = Publisher(world, "n1")
    publisher.publish(MOST_HELD_BACK + 1)
    publisher.take()
    assert list(publisher.refused.values()) == ["too much waits for the log: it did not happen"]
    world.clock.advance(10)
    assert len(publisher.take()) == MOST_HELD_BACK


def test_what_was_before_the_birth_of_a_channel_is_none_of_its_past(world):
    """What another one of its name had, of which nothing may have been let go yet."""
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish(3)
    world.clock.advance(1)
    listener.take()
    second = listener.details[1]
    world.nodes["n2"].logs.space(PUBLIC).begin("a", Position(second["_epoch"], second["_seq"]))
    late = Listener(world, "n2", _radiod_after="x:0")
    world.clock.advance(1)
    assert late.take() == listener.events[1:]
    publisher.publish()
    world.clock.advance(1)
    assert late.take() == listener.take()[1:]


STREAM, SUBJECT = "r-radio-history-512", "r.log.radio.history-512.topic.p.a"


def store(world, data, subject=SUBJECT):
    """Somebody stores this."""
    return world.engine.store(world.engine.streams[STREAM], subject, data, "", None, 0.0)


def deafen(world, name):
    """Nobody tells a node of records of the topic: it must look itself."""
    del world.nodes[name].port.followed[SUBJECT]


def test_a_new_epoch_before_the_past_has_come_is_the_first(world):
    before = Listener(world, "n2")
    Listener(world, "n1", "short")
    publisher = Publisher(world, "n2")
    publisher.publish()
    world.clock.advance(1)
    world.engine.elect(3)
    listener = Listener(world, "n1", _radiod_after="x:0")
    store(world, encode(Epoch("another")), "r.log.radio.history-512.epoch")
    world.clock.advance(5)
    publisher.publish()
    world.clock.advance(3)
    assert listener.take() == before.take() == publisher.take()
    assert {one["_epoch"] for one in listener.details} == {"another"}


def test_a_topic_that_is_born_again_goes_on(world):
    listeners = [Listener(world, name) for name in ("n1", "n2")]
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    histories = world.nodes["n2"].realm.space.histories
    histories.forget("a")
    histories.keep("a", KEEP)
    world.clock.advance(1)
    late = Listener(world, "n2")
    world.clock.advance(1)
    publisher.publish()
    world.clock.advance(1)
    assert [one.take() for one in (*listeners, late)] == [
        publisher.take(),
        publisher.acknowledged,
        publisher.acknowledged[1:],
    ]


def test_what_nobody_can_read_is_passed_over(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish()
    world.clock.advance(1)
    store(world, b"?")
    publisher.publish()
    world.clock.advance(1)
    assert listener.take() == publisher.take()
    assert len(listener.events) == 2
    assert sorted(world.malformed) == ["n1", "n2"]


@pytest.mark.parametrize("spoilt", [{"options": b"?"}, {"options": b"[]"}, {"details": b"{"}])
def test_an_event_of_which_nobody_knows_for_whom_it_is_is_for_nobody(world, spoilt):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish()
    world.clock.advance(1)
    found = decode(world.engine.streams[STREAM].records[-1].data)
    store(world, encode(structs.replace(found, id="x-1", publication=17, **spoilt)))
    publisher.publish()
    world.clock.advance(1)
    assert listener.take() == publisher.take()
    # Nor where it is in the past.
    late = Listener(world, "n2", _radiod_after="x:0")
    world.clock.advance(1)
    assert late.take() == publisher.take()
    assert set(world.malformed) == {"n1", "n2"}


def test_an_event_in_a_serializer_that_is_not_known_here_is_damaged(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n2")
    publisher.publish()
    world.clock.advance(1)
    found = decode(world.engine.streams[STREAM].records[-1].data)
    store(world, encode(structs.replace(found, id="x-1", publication=17, codec="newer")))
    assert len(listener.take()) == 1
    world.clock.advance(1)
    # Where it is written for a listener it cannot be said, and counts as lost.
    with pytest.raises(Undecodable, match="damaged"):
        listener.take()
    publisher.publish()
    world.clock.advance(1)
    assert listener.take() == publisher.take()


def test_a_topic_whose_first_record_is_an_event_begins_with_that(world):
    other = Publisher(world, "n2")
    other.publish()
    world.clock.advance(1)
    found = decode(world.engine.streams[STREAM].records[-1].data)
    for node in world.nodes.values():
        node.realm.space.histories.keep("b", KEEP)
    port = world.nodes["n1"].port
    ask = port.append

    def be_overtaken(*args, **options):
        port.append = ask
        store(world, encode(structs.replace(found, id="x-1", topic="b")), SUBJECT[:-1] + "b")
        ask(*args, **options)

    port.append = be_overtaken
    listener = Listener(world, "n1", "b")
    world.clock.advance(3)
    assert listener.take() == other.take()
    assert listener.is_subscribed
    publisher = Publisher(world, "n1", "b")
    publisher.publish()
    world.clock.advance(1)
    assert listener.take() == other.acknowledged + publisher.take()


def test_an_event_of_ours_that_is_gone_before_it_came_may_have_happened(world):
    listener = Listener(world, "n1")
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    deafen(world, "n1")
    publisher.publish()
    world.clock.advance(0.1)
    world.engine.streams[STREAM].records.pop()
    world.clock.advance(8)
    publisher.take()
    assert list(publisher.refused.values()) == [MAY_HAVE]
    assert len(listener.take()) == 1


def test_so_may_one_that_is_not_in_the_epoch_that_begins(world):
    publisher = Publisher(world, "n1")
    publisher.publish()
    world.clock.advance(1)
    deafen(world, "n1")
    publisher.publish()
    world.clock.advance(0.1)
    world.engine.streams[STREAM].records.pop()
    world.nodes["n1"].port.follow(SUBJECT)
    world.engine.elect(1)
    publisher.publish()
    store(world, encode(Epoch("another")), "r.log.radio.history-512.epoch")
    world.clock.advance(3)
    assert len(publisher.take()) == 2
    assert list(publisher.refused.items()) == [(f"{publisher.name}:2", MAY_HAVE)]


def test_who_comes_while_the_past_is_read_goes_on_behind_what_others_have_heard_since(world):
    listener, publisher = Listener(world, "n1"), Publisher(world, "n1")
    publisher.publish(3)
    world.clock.advance(1)
    listener.take()
    epoch, _, seq = listener.position.partition(":")
    # It reads as far as the log goes now, and this one has heard more at another node.
    Listener(world, "n2")
    (space,) = world.nodes["n2"].logs._spaces.values()
    tail = space.tails["a"]
    known = []
    later = tail.ready(Position(epoch, int(seq) + 1))
    later.then(lambda _: known.append(tail.history.seq))
    while not tail.is_ready:
        world.clock.advance(0.0001)
    # As far as this is not enough: the leader is asked again.
    assert known == []
    publisher.publish()
    world.clock.advance(2)
    assert len(known) == 1
    assert len(listener.take()) == 4


def test_events_of_a_log_that_was_lost_are_not_mixed_with_those_of_the_next(world):
    listeners = [Listener(world, "n1"), Listener(world, "n2")]
    publisher = Publisher(world, "n1")
    publisher.publish(3)
    world.clock.advance(1)
    for node in ("n1", "n2"):
        world.engine.disconnect(node)
    publisher.publish(8)
    world.clock.advance(1)
    world.engine.streams.clear()
    for node in ("n1", "n2"):
        world.engine.connect(node)
        # Whoever comes first begins anew, and has its events stored.
        world.clock.advance(2)
    world.clock.advance(10)
    for listener in listeners:
        assert len(listener.take()) == 11
        assert len(set(listener.events)) == 11
        epochs = [detail["_epoch"] for detail in listener.details]
        assert epochs == [epochs[0]] * 3 + [epochs[3]] * 8
        assert epochs[0] != epochs[3]
