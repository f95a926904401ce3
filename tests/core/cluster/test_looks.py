"""What is held for a while because somebody has asked."""

import pytest

from radiod.core.cluster import looks as looks_module
from radiod.core.cluster.looks import LOOK_S, SWEEP_S, Looks
from radiod.testing import FakeClock


class Held:
    def __init__(self):
        self.clock = FakeClock()
        self.names = []
        self.looks = Looks(self.clock, self.clock.timers, self.names.append, self.names.remove)


@pytest.fixture
def held():
    return Held()


def test_what_was_asked_for_again_and_again_is_held_once(held):
    held.looks.look("x")
    held.looks.look("x")
    assert held.names == ["x"]
    assert len(held.looks) == 1


def test_it_is_held_for_a_while_from_the_last_question_on(held):
    held.looks.look("x")
    held.clock.advance(LOOK_S / 2)
    held.looks.look("y")
    held.looks.look("x")
    held.clock.advance(LOOK_S / 2 + SWEEP_S)
    assert held.names == ["x", "y"]
    held.clock.advance(LOOK_S)
    assert held.names == []
    held.looks.look("z")
    held.clock.advance(LOOK_S + 2 * SWEEP_S)
    assert held.names == []


@pytest.mark.interpreted
def test_the_one_asked_for_longest_ago_makes_way(held, monkeypatch):
    monkeypatch.setattr(looks_module, "MAX_LOOKED", 2)
    for name in "xyxz":
        held.looks.look(name)
    assert held.names == ["x", "z"]
