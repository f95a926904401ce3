"""Who is gone, and when that counts."""

import pytest
from support.cluster.desks import DeskWorld

CREATE = "radiod.channel.create"


@pytest.fixture
def world():
    return DeskWorld("a", "b")


def owners(world, node):
    return world[node].realm.channel_claims._owners


def test_owners_are_known_by_their_nodes(world):
    owner = world.caller("a")
    for name in ("one", "two"):
        owner.do(CREATE, name)
    me, id = world["a"].cluster.nodes.me, owner.session.id
    for node in "ab":
        assert owners(world, node)._places == {me: {id: {"one", "two"}}}
    owner.leave()
    world.turn()
    for node in "ab":
        assert owners(world, node)._places == {}
        assert not owners(world, node).away


def test_a_node_is_gone_a_moment_after_it_died(world):
    world.caller("a").do(CREATE, "song")
    dead = world["a"].cluster.nodes.me
    world.kill("a")
    assert not owners(world, "b").is_gone(dead)
    world.advance(6)
    assert not owners(world, "b").is_gone(dead)
    assert "song" in world["b"].realm.channels
    world.advance(3)
    assert "song" not in world["b"].realm.channels
    assert owners(world, "b")._gone == {}


def test_of_a_node_without_owners_nothing_is_expected(world):
    world.kill("a")
    world.advance(10)
    assert owners(world, "b")._gone == {}


def test_a_session_that_left_while_nothing_could_be_agreed_on_is_gone(world):
    owner = world.caller("a")
    owner.do(CREATE, "song")
    world.engine.elect(30)
    world["a"].realm.leave(owner.session)
    world.advance(20)
    assert "song" in world["b"].realm.channels
    world.advance(30)
    assert "song" not in world["b"].realm.channels


def test_a_node_that_is_met_late_is_not_gone(world):
    world.caller("a").do(CREATE, "song")
    world.pause("a")
    world.kill("b")
    world.start("b")
    world.advance(3)
    assert owners(world, "b")._gone
    world.resume("a")
    world.advance(20)
    assert owners(world, "b")._gone == {}
    assert "song" in world["b"].realm.channels


def test_a_node_that_is_heard_again_is_not_gone():
    world = DeskWorld("a", "b", "c")
    world.caller("a").do(CREATE, "song")
    world.isolate("b")
    world.advance(12)
    gone = world["a"].cluster.nodes.me
    assert owners(world, "b").is_gone(gone)
    world.engine.heal()
    for _ in range(400):
        world.advance(0.01)
        is_live = gone in world["b"].cluster.nodes.live()
        assert not (is_live and owners(world, "b").is_gone(gone))
    assert is_live
    assert "song" in world["b"].realm.channels
