"""Who does not keep up, and what its buffers hold; private channels are their members' affair."""

import pytest

from radiod.errors import INVALID_ARGUMENT
from radiod.wire.codecs import CBOR

LISTENERS = "radiod.admin.listeners"
SAMPLE = ["sample"]
SIZE = len(CBOR.dump(SAMPLE))


def publish(peer, count, topic):
    for _ in range(count):
        peer.request(16, {}, topic, SAMPLE)


def slow(world, topic, name, **options):
    peer = world.join(name, codec=CBOR)
    peer.subscribe(topic, **options)
    world.outbox.block(peer.session)
    return peer


@pytest.fixture
def writer(world):
    return world.join("writer", codec=CBOR)


def rows(operator, *names, **arguments):
    return [tuple(one[name] for name in names) for one in operator.call(LISTENERS, **arguments)["listeners"]]


def test_whoever_keeps_up_is_not_told(world, operator, writer):
    world.join("quick").subscribe("a")
    publish(writer, 3, "a")
    assert rows(operator, "authid") == []


def test_the_most_behind_come_first(world, operator, writer):
    one = slow(world, "a", "one", _radiod_buffer={"size": 2, "policy": "skip"})
    slow(world, "a", "two")
    slow(world, "b", "three")
    publish(writer, 5, "a")
    publish(writer, 1, "b")
    assert rows(operator, "authid", "queued", "lost") == [("two", 5, 0), ("one", 2, 3), ("three", 1, 0)]
    told = operator.call(LISTENERS)["listeners"][1]
    assert told == {
        "session": one.id,
        "authid": "one",
        "authrole": "tester",
        "agent": None,
        "peer": "",
        "backlog_bytes": 0,
        "is_blocked": False,
        "channel": "a",
        "match": "exact",
        "queued": 2,
        "queued_bytes": 2 * SIZE,
        "lost": 3,
        "size": 2,
        "max_bytes": 1 << 20,
        "policy": "skip",
    }
    assert rows(operator, "authid", limit=1) == [("two",)]


def test_whoever_has_caught_up_is_told_while_it_lost_something(world, operator, writer):
    peer = slow(world, "a", "one", _radiod_buffer={"size": 2})
    publish(writer, 5, "a")
    world.outbox.unblock(peer.session)
    assert rows(operator, "authid", "queued", "lost") == [("one", 0, 3)]
    peer.leave()
    assert rows(operator, "authid") == []


def test_several_listeners_of_one_session_are_told_apart(world, operator, writer):
    peer = slow(world, "a", "one")
    peer.subscribe("b.", match="prefix")
    publish(writer, 1, "a")
    publish(writer, 2, "b.c")
    assert rows(operator, "channel", "match", "queued") == [("b.", "prefix", 2), ("a", "exact", 1)]


def test_sessions_of_other_realms_are_not_told(world, operator, writer):
    peer = slow(world, "a", "one")
    publish(writer, 1, "a")
    # As if it had joined another one, of the same id perhaps.
    world.realm.sessions[peer.id] = writer.session
    assert rows(operator, "authid") == []


def test_names_of_private_channels_are_for_their_members(world, operator, writer):
    owner = world.caller("owner", codec=CBOR)
    owner.call("radiod.channel.create", "secret", public=False, key="k")
    peer = slow(world, "other", "one")
    peer.call("radiod.channel.join", "secret", "k")
    peer.subscribe("secret")
    publish(owner, 2, "secret")
    assert rows(operator, "channel", "queued") == [(None, 2)]
    assert rows(owner, "channel", "queued") == [("secret", 2)]
    # A member of another one of the same name does not learn that this is one.
    operator.call("radiod.channel.create", "secret", public=False, key="another")
    assert rows(operator, "channel", "queued") == [(None, 2)]


def test_topics_that_the_caller_may_not_know_of_are_not_named(world, narrow, writer):
    slow(world, "closed", "one")
    slow(world, "open.a", "two")
    publish(writer, 2, "closed")
    publish(writer, 1, "open.a")
    assert rows(narrow, "channel", "queued") == [(None, 2), ("open.a", 1)]


@pytest.mark.parametrize("limit", [0, 1001, "1", None])
def test_a_wrong_limit_is_refused(operator, limit):
    assert operator.call(LISTENERS, limit=limit) == INVALID_ARGUMENT
