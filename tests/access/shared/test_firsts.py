"""What all nodes notice is told by one of them."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster.engine import FakeEngine

from radiod.access.shared.firsts import MAX_ASKED, PATIENCE_S, Firsts
from radiod.core.cluster.ports import StreamSettings
from radiod.testing import FakeClock


class Node:
    """One node; ``told``: what it has told."""

    is_isolated = False

    def __init__(self, world, name, me):
        self.me = me
        self.port = world.engine.attach(name, self)
        self.firsts = Firsts(self.port, world.clock, world.clock.timers, self, "r")
        self.told = []

    def up(self):
        self.port.ensure(StreamSettings("r-once", ("r.once.>",), 1), lambda failure: None)

    def down(self):
        pass

    def notice(self, what, seconds=600.0):
        self.firsts.tell(what, seconds, lambda: self.told.append(what))


class World:
    def __init__(self, count=3, **mishaps):
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock, mishaps.pop("chance", Random(1)), **mishaps)
        self.nodes = [Node(self, f"n{at}", 100 + at) for at in range(count)]
        self.clock.advance(2)

    def notice(self, what, seconds=600.0, wait=1.0):
        for node in self.nodes:
            node.notice(what, seconds)
        self.clock.advance(wait)

    @property
    def told(self):
        return sorted(what for node in self.nodes for what in node.told)


@pytest.fixture
def world():
    return World()


def test_one_node_tells_each_thing(world):
    world.notice("acme has used it up")
    world.notice("another has")
    world.notice("acme has used it up")
    assert world.told == ["acme has used it up", "another has"]


def test_it_is_told_again_when_its_time_is_over(world):
    world.notice("it", seconds=100)
    world.notice("it", wait=101)
    assert world.told == ["it"]
    world.notice("it")
    assert world.told == ["it"] * 2


def test_a_short_time_is_a_minute(world):
    world.notice("it", seconds=-5, wait=50)
    world.notice("it")
    assert world.told == ["it"]


def test_a_node_that_comes_back_does_not_tell_it_again(world):
    world.notice("it")
    world.nodes.append(Node(world, "n0 again", 999))
    world.clock.advance(1)
    world.nodes[-1].notice("it")
    world.clock.advance(1)
    assert world.told == ["it"]


def test_where_nobody_can_say_who_is_first_each_tells(world):
    world.engine.elect(60)
    world.notice("it", wait=PATIENCE_S + 3)
    assert world.told == ["it"] * 3


def test_a_leader_that_comes_in_time_has_one_tell(world):
    world.engine.elect(2)
    world.notice("it", wait=PATIENCE_S + 3)
    assert world.told == ["it"]


def test_who_is_cut_off_tells_itself(world):
    for other in ("n1", "n2"):
        world.engine.cut("n0", other)
    world.notice("it", wait=PATIENCE_S + 3)
    assert len(world.nodes[0].told) == 1
    assert len(world.told) == 2


def test_as_many_are_asked_about_as_may_be():
    world = World(1)
    world.engine.elect(60)
    for number in range(MAX_ASKED + 1):
        world.nodes[0].notice(str(number))
    assert world.told == [str(MAX_ASKED)]
    world.clock.advance(60)
    assert len(world.told) == MAX_ASKED + 1
    world.nodes[0].notice("more")
    world.clock.advance(1)
    assert world.told[-1] == "more"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.floats(0, 0.3))
def test_whatever_is_lost_somebody_tells(seed, mishaps):
    world = World(chance=Random(seed), mishaps=mishaps)
    for number in range(5):
        world.notice(str(number))
    world.clock.advance(PATIENCE_S + 3)
    assert set(world.told) == set("01234")
