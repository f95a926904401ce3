"""How much is begun in one turn."""

import pytest

from radiod.testing import FakeClock
from radiod.webhooks.pace import SHARE_S, Pace


class Turns:
    """Turns of a reactor: what a turn asks for happens in the next."""

    def __init__(self):
        self.clock = FakeClock()
        self.done = []
        self.pace = Pace(self.clock, self.clock.timers)

    def work(self, name, seconds):
        def what():
            self.done.append(name)
            self.clock._now += seconds

        self.pace.soon(what)

    def turn(self):
        self.clock.timers.run(self.clock.seconds())
        done, self.done = self.done, []
        return done


@pytest.fixture
def turns():
    return Turns()


def test_what_is_long_has_a_turn_of_its_own(turns):
    for name in "abc":
        turns.work(name, SHARE_S)
    assert [turns.turn() for _ in range(4)] == [["a"], ["b"], ["c"], []]
    assert len(turns.clock.timers) == 0


def test_what_is_short_shares_one(turns):
    for name in range(20):
        turns.work(name, SHARE_S / 4)
    assert [len(turns.turn()) for _ in range(6)] == [4, 4, 4, 4, 4, 0]


def test_nothing_is_done_at_once(turns):
    turns.work("a", 0)
    assert turns.done == []
    assert turns.turn() == ["a"]


def test_what_fails_keeps_nobody_waiting(turns):
    turns.pace.soon(lambda: 1 / 0)
    turns.work("b", 0)
    with pytest.raises(ZeroDivisionError):
        turns.turn()
    assert turns.turn() == ["b"]
