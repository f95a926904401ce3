"""What goes on in one channel, and who is told."""

import pytest

from radiod.core.procedures.radiod_statistics import MAX_LISTENERS
from radiod.errors import CHANNEL_CLOSED, INVALID_ARGUMENT, NO_SUCH_CHANNEL
from radiod.wire.codecs import CBOR

CREATE, STATS = "radiod.channel.create", "radiod.channel.stats"
SAMPLE = ["sample"]
BYTES = len(CBOR.dump(SAMPLE))


def publish(peer, count, topic="c"):
    for _ in range(count):
        peer.request(16, {}, topic, SAMPLE)


def told(answer, *names):
    return [answer[name] for name in names]


@pytest.fixture
def owner(world):
    owner = world.caller("owner")
    owner.call(CREATE, "c")
    return owner


def test_a_new_channel(owner):
    answer = owner.call(STATS, "c")
    names = ("name", "readers", "writers", "events", "bytes", "queued", "lost", "listeners")
    assert told(answer, *names) == ["c", 0, 1, 0, 0, 0, 0, []]
    assert told(answer, "events_per_s", "bytes_per_s") == [0.0, 0.0]
    assert answer == {**owner.call("radiod.channel.get", "c"), **answer}


def test_events_and_bytes_in_all_and_in_the_last_interval(world, owner):
    world.realm.statistics.start()
    publish(owner, 10)
    world.clock.advance(5)
    publish(owner, 1)
    answer = owner.call(STATS, "c")
    assert told(answer, "events", "bytes") == [11, 11 * BYTES]
    assert told(answer, "events_per_s", "bytes_per_s") == [2.0, 2.0 * BYTES]
    world.clock.advance(10)
    assert told(owner.call(STATS, "c"), "events_per_s", "bytes_per_s") == [0.0, 0.0]


def test_what_waits_for_each_listener_and_what_it_lost(world, owner):
    quick, slow, pattern = (world.join() for _ in range(3))
    quick.subscribe("c")
    slow.subscribe("c", _radiod_buffer={"size": 3})
    pattern.subscribe("", match="prefix")
    for peer in (slow, pattern):
        world.outbox.block(peer.session)
    publish(owner, 10)
    answer = owner.call(STATS, "c")
    assert told(answer, "readers", "queued", "lost") == [3, 13, 7]
    assert answer["listeners"] == [
        {"session": pattern.id, "queued": 10, "lost": 0},
        {"session": slow.id, "queued": 3, "lost": 7},
        {"session": quick.id, "queued": 0, "lost": 0},
    ]


def test_only_those_who_feed_it_are_told_who_listens(world, owner):
    reader, writer, other = (world.caller() for _ in range(3))
    reader.subscribe("c")
    writer.call("radiod.channel.open_write", "c")
    assert reader.call(STATS, "c")["listeners"] is None
    assert other.call(STATS, "c")["listeners"] is None
    assert [one["session"] for one in writer.call(STATS, "c")["listeners"]] == [reader.id]
    owner.call("radiod.channel.close_write", "c")
    assert [one["session"] for one in owner.call(STATS, "c")["listeners"]] == [reader.id]


def test_the_list_is_bounded(world, owner):
    for _ in range(MAX_LISTENERS + 1):
        world.join().subscribe("c")
    answer = owner.call(STATS, "c")
    assert answer["readers"] == MAX_LISTENERS + 1
    assert len(answer["listeners"]) == MAX_LISTENERS


def test_a_private_channel_is_for_members(world, owner):
    owner.call(CREATE, "p", public=False, key="key")
    other = world.caller()
    other.subscribe("p")
    publish(owner, 3, "p")
    assert other.call(STATS, "p") == NO_SUCH_CHANNEL
    other.call("radiod.channel.join", "p", "key")
    assert told(other.call(STATS, "p"), "events", "readers") == [3, 0]


def test_what_is_no_channel(owner):
    assert owner.call(STATS, "nothing") == NO_SUCH_CHANNEL
    key = owner.call(CREATE, "d")["control_key"]
    owner.call("radiod.channel.delete", "d", key)
    assert owner.call(STATS, "d") == CHANNEL_CLOSED


@pytest.mark.parametrize("wrong", [None, 1, [], {}, b"a", True])
def test_what_is_no_name(owner, wrong):
    assert owner.call(STATS, wrong) == INVALID_ARGUMENT
