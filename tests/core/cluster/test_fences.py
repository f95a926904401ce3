"""Waiting until others have taken in what they were told."""

import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.fences import TAKEN_S, Fences
from radiod.errors import NETWORK_FAILURE, Refused
from radiod.testing import FakeClock


class World:
    def __init__(self, *nodes):
        self.clock = FakeClock()
        self.peers = FakePeers(*nodes)
        self.fences = Fences(self.peers, "about", self.clock, self.clock.timers, b"taken?")

    def wait(self, node):
        kept = []
        self.fences.behind(node).then(kept.append)
        return kept

    @property
    def asked(self):
        return [node for node, _ in self.peers.told]


@pytest.fixture
def world():
    return World(2, 3)


def test_all_of_one_turn_ask_once(world):
    kept = [world.wait(2) for _ in range(5)]
    assert world.asked == []
    world.clock.advance(0)
    assert world.peers.told == [(2, b"taken?")]
    world.peers.asked[0].settle(b"")
    assert kept == [[None]] * 5


def test_who_comes_while_a_question_is_open_waits_for_the_next(world):
    first = world.wait(2)
    world.clock.advance(0)
    later = [world.wait(2) for _ in range(5)]
    world.clock.advance(1)
    assert world.asked == [2]
    world.peers.asked[0].settle(b"")
    world.clock.advance(0)
    assert (first, later) == ([None], [[]] * 5)
    assert world.asked == [2, 2]
    world.peers.asked[1].settle(b"")
    assert later == [[None]] * 5


def test_nodes_are_asked_apart(world):
    two = world.wait(2)
    world.clock.advance(0)
    three = world.wait(3)
    world.clock.advance(0)
    assert world.asked == [2, 3]
    world.peers.asked[1].settle(b"")
    assert (two, three) == ([], [None])


def test_who_cannot_be_asked_is_not_waited_for(world):
    world.peers.deaf = {2}
    kept = [world.wait(2), world.wait(3)]
    world.clock.advance(0)
    assert kept == [[None], []]


def test_who_does_not_answer_is_not_waited_for(world):
    kept = world.wait(2)
    world.clock.advance(0)
    assert world.peers.seconds == [TAKEN_S]
    world.peers.asked[0].settle(Refused(NETWORK_FAILURE, "no answer"))
    assert kept == [None]


def test_whoever_waits_again_when_it_is_kept_asks_again(world):
    again = []
    world.fences.behind(2).then(lambda _: again.append(world.wait(2)))
    world.clock.advance(0)
    world.peers.asked[0].settle(b"")
    world.clock.advance(0)
    assert world.asked == [2, 2]
    world.peers.asked[1].settle(b"")
    assert again == [[None]]
