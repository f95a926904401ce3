"""Counts and rates against plain arithmetic, on a clock that the test turns."""

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import integers

from radiod.core.statistics import Rate, Statistics, Traffic
from radiod.testing import FakeClock


class World:
    def __init__(self, interval=5.0):
        self.clock = FakeClock()
        self.statistics = Statistics(self.clock, self.clock.timers, interval)
        self.rounds = []
        self.statistics.watch(self.rounds.append)

    def told(self, *names):
        told = self.statistics.describe()
        return [told[name] for name in names]


@pytest.fixture
def world():
    return World()


def test_nothing_runs_before_the_start_and_after_the_stop(world):
    assert len(world.clock.timers) == 0
    world.statistics.stop()
    world.statistics.start()
    world.clock.advance(7)
    world.statistics.stop()
    assert len(world.clock.timers) == 0
    world.clock.advance(60)
    assert world.rounds == [5.0]


def test_rounds_follow_each_other(world):
    world.statistics.start()
    world.clock.advance(26)
    assert world.rounds == [5.0] * 5
    assert world.statistics.round == 5


def test_time_and_uptime(world):
    world.clock.advance(100)
    world.statistics.start()
    world.clock.advance(12.5)
    assert world.told("time", "uptime", "interval") == [1_800_000_112.5, 12.5, 5.0]


def test_a_round_that_took_longer_is_divided_by_what_it_took():
    rate = Rate()
    rate.turn(100, 5.0)
    rate.turn(300, 8.0)
    assert rate.per_s == 25.0


class LateClock(FakeClock):
    """Runs what is due only when it is told to, however late that is."""

    def let_pass(self, seconds):
        self._now += seconds

    def catch_up(self):
        self.timers.run(self._now)


def test_the_lag_is_how_late_the_timers_ran():
    clock = LateClock()
    statistics = Statistics(clock, clock.timers)
    statistics.start()
    for seconds in (1.25, 1.0, 2.75):
        clock.let_pass(seconds)
        clock.catch_up()
    assert statistics.describe()["loop_lag"] == {"max": 1.75, "mean": 2.0 / 3}
    assert statistics.longest_lag == 1.75


def test_a_round_without_a_look_leaves_the_lag_as_it_was():
    world = World(interval=0.25)
    world.statistics.start()
    world.clock.advance(1)
    assert world.told("loop_lag") == [{"max": 0.0, "mean": 0.0}]
    world.clock.advance(0.5)
    assert world.told("loop_lag") == [{"max": 0.0, "mean": 0.0}]


class TrafficMachine(RuleBasedStateMachine):
    """A flow whose rounds are turned only when somebody looks, and a list of every round's events."""

    def __init__(self):
        super().__init__()
        self.world = World(interval=2.0)
        self.world.statistics.start()
        self.flow = Traffic()
        self.rounds = [[]]

    @rule(size=integers(0, 1000))
    def add(self, size):
        self.flow.add(size, self.world.statistics.round)
        self.rounds[-1].append(size)

    @rule(rounds=integers(1, 3))
    def wait(self, rounds):
        self.world.clock.advance(2.0 * rounds)
        self.rounds += [[] for _ in range(rounds)]

    @rule()
    def look(self):
        last = self.rounds[-2] if len(self.rounds) > 1 else []
        assert self.flow.rates(self.world.statistics) == {
            "events_per_s": len(last) / 2,
            "bytes_per_s": sum(last) / 2,
        }

    @invariant()
    def totals_are_sums(self):
        assert self.flow.events == sum(map(len, self.rounds))
        assert self.flow.bytes == sum(map(sum, self.rounds))


TestTrafficMachine = TrafficMachine.TestCase


class TestCountersOfOtherParts:
    def test_are_read_when_somebody_asks(self, world):
        connections = [1]
        world.statistics.read_from("port", lambda: {"connections": connections[0]})
        connections[0] = 2
        assert world.told("counters") == [{"port": {"connections": 2}}]

    def test_of_a_part_that_is_made_anew_are_the_new_ones(self, world):
        for waiting in (1, 2):
            world.statistics.read_from("store", lambda waiting=waiting: {"waiting": waiting})
        assert world.told("counters") == [{"store": {"waiting": 2}}]


def test_whoever_watches_rounds_may_cease_to():
    clock = FakeClock()
    statistics, rounds = Statistics(clock, clock.timers), []
    statistics.start()
    statistics.watch(rounds.append)
    clock.advance(5)
    statistics.unwatch(rounds.append)
    statistics.watch(rounds.append)
    statistics.unwatch(rounds.append)
    clock.advance(5)
    assert rounds == [5.0]
