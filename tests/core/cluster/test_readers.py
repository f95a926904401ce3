"""How many listen on other nodes."""

import pytest
from support.cluster.desks import HOLD_S, DeskWorld

from radiod.core.cluster import looks as looks_module
from radiod.core.cluster.looks import LOOK_S


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def writer_at(world, name, topic="song"):
    writer = world.caller(name)
    assert writer.ask(32, {}, "radiod.channel.on_demand")[0] == 33
    assert writer.do("radiod.channel.open_write", topic) == {"active": False, "readers": 0}
    return writer


def test_a_dead_nodes_listeners_do_not_count(world):
    writer = writer_at(world, "a")
    world.listener("b", "song")
    world.turn()
    writer.events()
    world.kill("b")
    world.advance(7 + HOLD_S)
    assert writer.events() == [[{"name": "song", "readers": 0, "active": False}]]


def test_a_node_that_comes_later_is_told_what_is_watched(world):
    writer = writer_at(world, "a")
    world.start("d")
    world.advance(2)
    world.listener("d", "song")
    world.turn()
    assert writer.events() == [[{"name": "song", "readers": 1, "active": True}]]


def test_counts_are_right_again_after_a_cut(world):
    writer = writer_at(world, "a")
    world.cut("a", "b")
    listeners = [world.listener("b", "song") for _ in range(3)]
    world.advance(1)
    world.heal()
    world.advance(3)
    assert writer.events() == [[{"name": "song", "readers": 3, "active": True}]]
    world.isolate("b")
    world.advance(20)
    assert writer.events() == [[{"name": "song", "readers": 0, "active": False}]]
    listeners.pop().leave()
    world.heal()
    world.advance(20)
    assert writer.events() == [[{"name": "song", "readers": 2, "active": True}]]


def test_nobody_is_told_of_what_nobody_watches(world):
    writer = writer_at(world, "a")
    assert list(world["b"].realm.readers.watched) == ["song"]
    writer.leave()
    world.advance(LOOK_S + 20)
    assert len(world["a"].realm.readers) == 0
    assert list(world["b"].realm.readers.watched) == []
    assert world["b"].realm.readers._told == {}


@pytest.mark.interpreted
def test_what_is_watched_because_of_a_question_is_bounded(world, monkeypatch):
    monkeypatch.setattr(looks_module, "MAX_LOOKED", 3)
    found = world["a"].realm.readers
    for number in range(10):
        found.look(f"song{number}")
    world.turn()
    assert len(found) == 3
    assert sorted(world["b"].realm.readers.watched) == ["song7", "song8", "song9"]


def test_what_is_no_letter_is_counted(world):
    world["a"].cluster.nodes.tell(world["b"].cluster.nodes.me, "radio readers", b"nonsense")
    world.turn()
    assert world["b"].realm.readers.malformed == 1
