"""Demand: what writers are told, case by case and against a plain model on a fake clock."""

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiod.core.channels.demand import Demand
from radiod.testing import FakeClock

HOLD = 1.0


class World:
    """Demand on a clock; ``readers`` is the truth, ``told`` what the writers heard and when."""

    def __init__(self):
        self.clock = FakeClock(start=0.0)
        self.readers = Counter()
        self.told = []
        self.demand = Demand(
            self.clock,
            self.clock.timers,
            HOLD,
            self.readers.__getitem__,
            lambda place, writers, is_active: self.told.append(
                (self.clock.seconds(), place, writers, is_active)
            ),
        )

    def read(self, place, change):
        self.readers[place] += change
        self.demand.update(place)


@pytest.fixture
def world():
    return World()


def test_a_writer_learns_at_once_whether_anybody_listens(world):
    world.readers["b"] = 1
    assert world.demand.add("a", 1) is False
    assert world.demand.add("b", 1) is True
    assert world.demand.add("b", 2) is True
    assert world.demand.writers("b") == [1, 2]
    assert list(world.demand) == ["a", "b"]


def test_observers_are_told_behind_the_writers_and_without_them(world):
    world.demand.observe("a", 9)
    assert (len(world.demand), list(world.demand), world.demand.writers("a")) == (0, ["a"], [])
    world.read("a", 1)
    assert world.demand.add("a", 1) is True
    world.read("a", -1)
    world.clock.advance(HOLD)
    world.demand.overlook("a", 9)
    world.demand.overlook("a", 8)
    world.demand.overlook("b", 9)
    world.read("a", 1)
    assert world.told == [(0.0, "a", [9], True), (HOLD, "a", [1, 9], False), (HOLD, "a", [1], True)]
    world.demand.observe("a", 9)
    world.demand.remove("a", 1)
    world.read("a", -1)
    world.demand.overlook("a", 9)
    world.clock.advance(HOLD)
    assert list(world.demand) == []
    assert len(world.told) == 3


def test_the_first_reader_is_told_of_at_once_and_others_not_at_all(world):
    world.demand.add("a", 1)
    world.read("a", 1)
    world.read("a", 1)
    assert world.told == [(0.0, "a", [1], True)]


def test_the_last_readers_leaving_is_told_after_the_hold(world):
    world.readers["a"] = 1
    world.demand.add("a", 1)
    world.read("a", -1)
    world.clock.advance(0.99)
    assert world.told == []
    world.clock.advance(0.02)
    assert world.told == [(HOLD, "a", [1], False)]


def test_a_reader_who_comes_back_in_time_was_never_gone(world):
    world.readers["a"] = 1
    world.demand.add("a", 1)
    for _ in range(5):
        world.read("a", -1)
        world.clock.advance(0.9)
        world.read("a", 1)
        world.clock.advance(5)
    assert world.told == []


def test_nobody_is_told_once_the_channel_has_no_writer(world):
    world.readers["a"] = 1
    world.demand.add("a", 1)
    world.read("a", -1)
    world.demand.remove("a", 1)
    world.demand.remove("a", 1)
    world.demand.remove("b", 1)
    assert world.demand.writers("a") == []
    assert len(world.clock.timers) == len(world.demand) == 0
    world.read("a", 1)
    assert world.told == []


def test_a_change_that_is_none_is_not_told(world):
    world.demand.add("a", 1)
    world.demand.update("a")
    world.read("a", 1)
    world.read("a", -1)
    world.clock.advance(0.5)
    world.demand.update("a")
    world.demand.update("b")
    world.clock.advance(0.5)
    assert [told[-1] for told in world.told] == [True, False]


def test_what_has_ended_is_forgotten(world):
    world.readers["a"] = 1
    for writer in (1, 2):
        world.demand.add("a", writer)
    world.read("a", -1)
    world.demand.forget("a")
    world.demand.forget("a")
    world.clock.advance(10)
    assert world.told == []
    assert world.demand.add("a", 1) is False


PLACES = st.sampled_from(["a", "b"])
WRITERS = st.integers(1, 3)


class DemandMachine(RuleBasedStateMachine):
    """The model says for each watched channel whether it is active: readers now, or some within the hold."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.demand, self.clock = self.world.demand, self.world.clock
        self.writers = {"a": [], "b": []}
        # channel -> is it active; since when it has no readers
        self.active = {}
        self.empty_since = {}
        self.expected = []

    @rule(place=PLACES, writer=WRITERS)
    def open(self, place, writer):
        if not self.writers[place]:
            self.active[place] = self.world.readers[place] > 0
        if writer not in self.writers[place]:
            self.writers[place].append(writer)
        assert self.demand.add(place, writer) is self.active[place]

    @rule(place=PLACES, writer=WRITERS)
    def close(self, place, writer):
        if writer in self.writers[place]:
            self.writers[place].remove(writer)
        if not self.writers[place]:
            self.active.pop(place, None)
            self.empty_since.pop(place, None)
        self.demand.remove(place, writer)

    @rule(place=PLACES)
    def come(self, place):
        if place in self.active and not self.active[place]:
            self.expected.append((self.clock.seconds(), place, list(self.writers[place]), True))
            self.active[place] = True
        self.empty_since.pop(place, None)
        self.world.read(place, 1)

    @rule(place=PLACES)
    def go(self, place):
        if self.world.readers[place]:
            if self.world.readers[place] == 1 and self.active.get(place):
                self.empty_since[place] = self.clock.seconds()
            self.world.read(place, -1)

    @rule(tenths=st.integers(1, 25))
    def advance(self, tenths):
        until = self.clock.seconds() + tenths / 8
        for place, since in sorted(self.empty_since.items(), key=lambda item: item[1]):
            if since + HOLD <= until:
                self.expected.append((since + HOLD, place, list(self.writers[place]), False))
                self.active[place] = False
                del self.empty_since[place]
        self.clock.advance(tenths / 8)

    @invariant()
    def writers_hear_what_the_model_says(self):
        assert self.world.told == self.expected

    @invariant()
    def only_what_has_writers_is_watched(self):
        assert {place: self.demand.writers(place) for place in self.demand} == {
            place: writers for place, writers in self.writers.items() if writers
        }
        assert len(self.clock.timers) == len(self.empty_since)


DemandMachine.TestCase.settings = settings(max_examples=100)
TestDemandMachine = DemandMachine.TestCase
