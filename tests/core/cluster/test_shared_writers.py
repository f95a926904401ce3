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
