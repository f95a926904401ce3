"""Others answer when they know a claim, and ask for it if nobody has told them."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster.agreement import Agreement
from radiod.core.cluster.channel_records import Known, write_known


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


@pytest.fixture
def agreements(world):
    """Of each node, by name."""
    clusters = {name: node.cluster for name, node in world.nodes.items()}
    return {
        name: Agreement("part", one.nodes, one.claims, world[name].clock, world[name].clock.timers)
        for name, one in clusters.items()
    }


def deaf(world, name):
    """Nothing that is stored is told to a node."""
    for port in world[name].ports:
        world.engine.ports[port].followed.clear()


def claim(world, name="a"):
    world[name].cluster.claims.create("part", "key", b"value")
    while world[name].cluster.claims.get("part", "key") is None:
        world.advance(0.0001)


def agree(agreements, world, seconds=0.05):
    done = []
    agreements["a"].agree("key").then(done.append)
    world.advance(seconds)
    return done


def test_it_is_kept_when_all_know(world, agreements):
    claim(world)
    assert agree(agreements, world) == [None]
    assert all(node.cluster.claims.get("part", "key") for node in world.nodes.values())


def test_who_was_not_told_asks(world, agreements):
    deaf(world, "b")
    claim(world)
    assert agree(agreements, world) == [None]
    assert world["b"].cluster.claims.get("part", "key") is not None


def test_who_gets_no_answer_asks_again(world, agreements):
    deaf(world, "b")
    claim(world)
    world.engine.elect(2)
    assert agree(agreements, world, 1) == []
    world.advance(3)
    assert world["b"].cluster.claims.get("part", "key") is not None


def test_who_is_dead_is_not_waited_for(world, agreements):
    claim(world)
    world.pause("b")
    assert agree(agreements, world, 1) == []
    done = agree(agreements, world, 10)
    assert done == [None]


def test_what_is_no_letter_is_counted(world, agreements):
    assert agreements["a"]._take(1, b"?") is None
    assert agreements["a"]._take(1, write_known(Known("other", 0))) is None
    assert world["a"].cluster.nodes.malformed == 1
