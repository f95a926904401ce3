"""Beginnings of messages: each has its time, and all of them have a bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.budgets.unfinished import LOW, Unfinished
from radiod.core.statistics import REFUSALS
from radiod.testing import FakeClock

SECONDS, MOST = 10, 1000


class Holder:
    def __init__(self, world):
        self.world = world
        self.can_go_on = True
        self.given_up = []

    def is_read(self):
        return self.can_go_on

    def give_up_message(self, reason, *, is_urgent):
        self.given_up.append((reason, is_urgent))
        self.world.unfinished.release(self)


class World:
    def __init__(self):
        self.clock = FakeClock()
        self.refused = dict.fromkeys(REFUSALS, 0)
        self.unfinished = Unfinished(self.clock, self.clock.timers, self.refused, SECONDS, MOST)

    def holder(self, size=None, **how):
        holder = Holder(self)
        if size is not None:
            self.unfinished.hold(holder, size, **how)
        return holder


@pytest.fixture
def world():
    return World()


def test_a_message_has_its_time_however_steadily_it_drips(world):
    slow = world.holder(1)
    for size in range(2, 11):
        world.clock.advance(1)
        world.unfinished.hold(slow, size)
    assert slow.given_up == []
    world.clock.advance(1)
    assert slow.given_up == [("a message took longer than 10 s", False)]
    assert world.refused["slow_messages"] == 1
    assert world.unfinished.bytes == len(world.unfinished) == len(world.clock.timers) == 0


def test_the_next_message_has_its_own(world):
    busy = world.holder(1)
    for _ in range(5):
        world.clock.advance(9)
        world.unfinished.hold(busy, 1, is_new=True)
    assert busy.given_up == []
    world.unfinished.release(busy)
    world.unfinished.release(busy)
    world.clock.advance(100)
    assert busy.given_up == []


def test_a_peer_that_is_not_read_has_more(world):
    waiting = world.holder(1)
    waiting.can_go_on = False
    world.clock.advance(35)
    assert waiting.given_up == []
    waiting.can_go_on = True
    world.clock.advance(10)
    assert len(waiting.given_up) == 1


def test_what_has_a_clock_of_its_own_gets_none(world):
    own = world.holder(1, is_timed=False)
    world.clock.advance(1000)
    assert own.given_up == []
    world.unfinished.release(own)


def test_the_longest_are_given_up_first_and_no_more_than_needed(world):
    holders = {size: world.holder(size) for size in (100, 300, 200, 250)}
    assert world.unfinished.bytes == 850
    last = world.holder(200)
    assert [size for size, holder in holders.items() if holder.given_up] == [300]
    assert holders[300].given_up[0][1] is True
    assert last.given_up == []
    assert world.refused["unfinished_bytes"] == 1


def test_one_alone_can_be_too_much(world):
    alone = world.holder(MOST + 1)
    assert len(alone.given_up) == 1
    assert world.unfinished.bytes == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=60))
def test_the_bound_holds_and_the_sum_is_that_of_those_left(steps):
    world = World()
    holders = [world.holder() for _ in range(10)]
    model = {}
    for which, size in steps:
        holder = holders[which]
        if size:
            model[holder] = size
            world.unfinished.hold(holder, size)
            gone = [model.pop(each) for each in holders if each.given_up]
            assert not gone or min(gone) >= max(model.values(), default=0)
            for each in holders:
                each.given_up.clear()
        else:
            model.pop(holder, None)
            world.unfinished.release(holder)
        assert world.unfinished.bytes == sum(model.values()) <= MOST
        assert len(world.unfinished) == len(model)
    assert LOW < 1
