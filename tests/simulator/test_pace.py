"""The schedule of samples; time is a variable."""

import pytest

from simulator.pace import AGAIN, WINDOW, Pace


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def pace(clock, lines):
    return Pace(5.0, 10.0, clock, lines.append)


def play(pace, clock, cost, seconds):
    """Samples that take ``cost`` seconds each, for so long. Returns: how many."""
    end, count = clock.now + seconds, 0
    while clock.now < end:
        clock.now += pace.left()
        clock.now += cost
        pace.done()
        count += 1
    return count


def test_marks_do_not_drift(pace, clock):
    for number in range(100):
        clock.now += pace.left()
        assert clock.now == pytest.approx(number * 0.5)
        clock.now += 0.13
        pace.done()


def test_what_was_missed_is_skipped(pace, clock):
    clock.now = 1.7
    pace.done()
    assert clock.now + pace.left() == 2.0


def test_another_speed_counts_from_now(pace, clock):
    clock.now = 0.3
    pace.speed = 1.0
    assert (pace.left(), pace.speed) == (0.0, 1.0)
    pace.done()
    assert pace.left() == 5.0


def test_a_speed_that_cannot_be_kept_is_said_and_that_it_is_kept_again(pace, clock, lines):
    play(pace, clock, 0.8, 2 * WINDOW)
    assert lines == ["too slow for 10 simulated seconds a second: it was 5 in the last 10 s"]
    play(pace, clock, 0.1, 2 * WINDOW + 1)
    assert lines[1:] == ["10 simulated seconds a second are kept again"]


def test_it_is_not_said_each_time(pace, clock, lines):
    play(pace, clock, 0.8, 3 * AGAIN)
    assert 3 <= len(lines) <= 4


def test_a_single_late_sample_is_not_said(pace, clock, lines):
    for _ in range(5):
        play(pace, clock, 0.1, 30.0)
        clock.now += 0.6
    assert lines == []


def test_what_was_excused_is_not_said(pace, clock, lines):
    for _ in range(20):
        clock.now += 17.0
        pace.done(is_excused=True)
    assert lines == []
