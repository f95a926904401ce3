"""When samples go out, on a reactor whose time is a variable and with a source that only counts."""

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, succeed
from twisted.internet.task import Clock

from simulator.pace import Pace
from simulator.source import Ended
from simulator.station import IDLE, Station


class Counting:
    """A source; its samples are (time, whether it is a key frame)."""

    name, step = "town", 5.0

    def __init__(self, last=None):
        self.time = 0.0
        self.last = last
        self.is_key = False

    def next(self):
        if self.time == self.last:
            raise Ended("the end")
        self.time += self.step

    def dump_state(self, format):
        sample = (self.time, self.is_key)
        self.is_key = False
        return sample

    def forget_key(self):
        self.is_key = True

    def map(self):
        return {}


class Radio:
    """What listens: ``heard`` is (second, time of the sample). A server that is not there takes nothing."""

    def __init__(self, clock):
        self.clock = clock
        self.heard = []
        self.keys = []
        self.is_there = True
        self.is_slow = False
        self.under_way = []

    def __call__(self, make):
        if not self.is_there:
            return None
        time, is_key = make()
        self.heard.append((round(self.clock.seconds(), 3), time))
        self.keys.append(is_key)
        if not self.is_slow:
            return succeed(None)
        self.under_way.append(Deferred())
        return self.under_way[-1]


class World:
    """A station on the air, with a sample in each half second."""

    def __init__(self, source=None, **options):
        self.clock = Clock()
        self.source = source or Counting()
        self.radio = Radio(self.clock)
        self.lines = []
        self.computing = []
        pace = Pace(5.0, 10.0, self.clock.seconds, self.lines.append)
        options = {"in_thread": self.in_thread, **options}
        self.station = Station(self.source, pace, self.radio, self.clock, **options)
        self.is_held = False
        self.outcome = []

    def in_thread(self, action):
        if self.is_held:
            self.computing.append(Deferred().addCallback(lambda _: action()))
            return self.computing[-1]
        return succeed(None).addCallback(lambda _: action())

    def begin(self):
        ensureDeferred(self.station.run()).addBoth(self.outcome.append)
        return self

    def play(self, seconds):
        for _ in range(round(seconds * 20)):
            self.clock.advance(0.05)
        return self.radio.heard


@pytest.fixture
def world():
    return World().begin()


def test_who_listens_gets_every_sample_in_time(world):
    world.station.demand(True)
    world.play(2.02)
    assert [time for _, time in world.radio.heard] == [0.0, 5.0, 10.0, 15.0, 20.0]
    # The first two at once: one for nobody, and one for the listener's sake, who has not to wait.
    seconds = [second for second, _ in world.radio.heard]
    assert seconds == pytest.approx([0.0, 0.0, 1.0, 1.5, 2.0], abs=0.06)


def test_while_nobody_listens_time_goes_on_and_one_sample_in_ten_seconds_goes_out(world):
    heard = world.play(35.0)
    assert [second for second, _ in heard] == pytest.approx([0.0, 10.0, 20.0, 30.0], abs=0.6)
    assert world.source.time == pytest.approx(350.0, abs=5.0)


def test_always_is_for_nobody_too():
    assert len(World(always=True).begin().play(10.02)) == 21


def test_who_comes_gets_a_key_frame_at_once(world):
    world.play(3.2)
    before = len(world.radio.heard)
    world.station.demand(True)
    assert world.radio.heard[before:] == [(3.2, world.source.time)]
    assert world.radio.keys[before:] == [True]
    # Not the same once more when it is due.
    world.play(0.4)
    assert len({time for _, time in world.radio.heard[before:]}) == len(world.radio.heard[before:])


def test_who_comes_while_others_listen_changes_nothing(world):
    world.station.demand(True)
    world.play(1.2)
    before = len(world.radio.heard)
    world.station.demand(True)
    assert len(world.radio.heard) == before


def test_who_comes_while_it_computes_gets_a_sample_right_after(world):
    world.play(0.3)
    world.is_held = True
    world.play(0.5)
    before = len(world.radio.heard)
    world.station.demand(True)
    assert len(world.radio.heard) == before
    world.computing.pop().callback(None)
    assert len(world.radio.heard) == before + 1


def test_nobody_is_disturbed_while_it_computes(world):
    world.is_held = True
    world.play(1.0)
    done = []
    world.station.alone(lambda: done.append(world.source.time))
    assert done == []
    time = world.source.time
    world.computing.pop().callback(None)
    assert done == [time + 5.0]


def test_what_fails_alone_comes_to_its_error(world):
    failed = []
    world.station.alone(lambda: 1 / 0).addErrback(lambda failure: failed.append(failure.type))
    assert failed == [ZeroDivisionError]
    world.play(1.0)
    assert world.source.time > 0


def test_while_it_is_paused_time_stands_and_one_sample_in_ten_seconds_goes_out(world):
    world.station.demand(True)
    world.play(1.2)
    world.station.is_paused = True
    time, before = world.source.time, len(world.radio.heard)
    heard = world.play(3 * IDLE + 1)[before:]
    assert world.source.time == time
    assert [when for _, when in heard] == [time] * len(heard)
    assert 2 <= len(heard) <= 3
    world.station.is_paused = False
    world.play(1.2)
    assert world.source.time > time


def test_another_speed_takes_effect_at_once():
    world = World().begin()
    world.station.speed = 0.01
    world.play(2.0)
    assert world.source.time <= 10
    world.station.speed = 100.0
    world.play(1.0)
    assert world.source.time > 50
    assert world.station.speed == 100.0


def test_a_slow_server_gets_one_sample_at_a_time_and_slows_the_source_down(world):
    world.radio.is_slow = True
    world.station.demand(True)
    world.play(30.0)
    assert len(world.radio.under_way) <= 2
    assert world.source.time <= 15
    for _ in range(5):
        world.radio.under_way[-1].callback(None)
        world.play(0.6)
    assert len(world.radio.under_way) >= 5
    assert any(line.startswith("too slow for 10 simulated seconds") for line in world.lines)


def test_without_a_server_time_goes_on(world):
    world.radio.is_there = False
    world.station.demand(True)
    world.play(5.0)
    world.radio.is_there = True
    world.play(0.6)
    assert world.radio.heard[-1][1] >= 45


def test_so_many_samples_and_no_more():
    world = World(samples=3, always=True).begin()
    world.play(5.0)
    assert (len(world.radio.heard), world.outcome) == (3, [None])


def test_the_end_of_the_source_is_told():
    world = World(Counting(last=20.0), always=True).begin()
    world.play(5.0)
    (failure,) = world.outcome
    assert (failure.type, str(failure.value)) == (Ended, "the end")
    assert [time for _, time in world.radio.heard] == [0, 5, 10, 15, 20]


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_stop_ends_it(world, is_paused):
    world.play(0.7)
    world.station.is_paused = is_paused
    world.station.stop()
    world.play(0.05)
    assert world.outcome == [None]
    assert not [call for call in world.clock.getDelayedCalls() if call.active()]
