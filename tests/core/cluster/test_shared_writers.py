"""Writers learn of listeners on all nodes."""

import pytest
from support.cluster.desks import HOLD_S, DeskWorld


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def writer_at(world, name, topic="song"):
    writer = world.caller(name)
    assert writer.ask(32, {}, "radiod.channel.on_demand")[0] == 33
    assert writer.do("radiod.channel.open_write", topic) == {"active": False, "readers": 0}
    return writer


def test_a_writer_learns_of_a_listener_elsewhere_and_that_it_left(world):
    writer = writer_at(world, "a")
    listener = world.listener("b", "song")
    world.turn()
    assert writer.events() == [[{"name": "song", "readers": 1, "active": True}]]
    listener.leave()
    world.advance(HOLD_S / 2)
    assert writer.events() == []
    world.advance(HOLD_S)
    assert writer.events() == [[{"name": "song", "readers": 0, "active": False}]]


def test_listeners_by_patterns_count(world):
    writer = writer_at(world, "a", "a.song")
    world.listener("b", ".song", match="wildcard")
    world.turn()
    assert writer.events() == [[{"name": "a.song", "readers": 1, "active": True}]]


def test_a_second_writer_learns_the_same(world):
    writers = [writer_at(world, "a"), writer_at(world, "a")]
    world.listener("b", "song")
    world.turn()
    told = [[{"name": "song", "readers": 1, "active": True}]]
    assert [writer.events() for writer in writers] == [told] * 2
    for writer in writers:
        writer.leave()
    world.advance(80)
    assert len(world["a"].realm.readers) == 0


def test_listeners_of_a_private_channel_count_where_they_are(world):
    owner = world.caller("a")
    key = owner.do("radiod.channel.create", "secret", public=False)["key"]
    writer = world.caller("a")
    assert writer.ask(32, {}, "radiod.channel.on_demand")[0] == 33
    assert writer.do("radiod.channel.open_write", "secret", key=key)["readers"] == 0
    listener = world.caller("a")
    assert listener.ask(32, {"_radiod_key": key}, "secret")[0] == 33
    world.turn()
    assert [event[0]["readers"] for event in writer.events()] == [1]
    writer.leave()
    owner.leave()
    world.advance(80)
    assert len(world["a"].realm.readers) == 0


def test_patterns_tell_nothing_of_what_they_do_not_take(world):
    writer = writer_at(world, "a", "a.song")
    world.listener("b", ".other", match="wildcard")
    world.turn()
    assert writer.events() == []
