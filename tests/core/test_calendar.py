"""The calendar: what happens on a date happens when the wall clock says so, however that is set."""

import math

import pytest

from radiod.core.calendar import Calendar
from radiod.core.timers import COMPACT_ABOVE
from radiod.testing import FakeClock


class Diary:
    """A calendar, and what has happened."""

    def __init__(self):
        self.clock = FakeClock()
        self.calendar = Calendar(self.clock, self.clock.timers)
        self.calendar.on_set_back = lambda: self.happened.append("set back")
        self.happened = []

    def plan(self, name, seconds):
        return self.calendar.at(self.clock.time() + seconds, lambda: self.happened.append(name))


@pytest.fixture
def diary():
    return Diary()


def test_appointments_come_on_time_in_the_order_of_their_dates(diary):
    for name, seconds in (("later", 7.25), ("soon", 0.5), ("as soon", 0.5)):
        diary.plan(name, seconds)
    diary.clock.advance(0.499)
    assert diary.happened == []
    diary.clock.advance(0.001)
    assert diary.happened == ["soon", "as soon"]
    diary.clock.advance(6.749)
    assert diary.happened == ["soon", "as soon"]
    diary.clock.advance(0.001)
    assert diary.happened == ["soon", "as soon", "later"]


def test_a_date_that_is_over_comes_next(diary):
    diary.plan("over", -5)
    assert diary.happened == []
    diary.clock.advance(0)
    assert diary.happened == ["over"]


def test_it_rests_when_nothing_is_to_come(diary):
    diary.plan("one", 3)
    assert len(diary.clock.timers) == 1
    diary.clock.advance(3)
    assert len(diary.clock.timers) == 0


def test_a_date_that_is_set_forward_is_noticed_within_a_second(diary):
    diary.plan("next year", 365 * 86_400)
    diary.clock.advance(10)
    diary.clock.set_date(366 * 86_400)
    diary.clock.advance(1)
    assert diary.happened == ["next year"]


def test_a_date_that_is_set_back_delays(diary):
    diary.plan("today", 60)
    diary.clock.set_date(-3600)
    diary.clock.advance(3659.5)
    assert diary.happened == ["set back"]
    diary.clock.advance(0.5)
    assert diary.happened == ["set back", "today"]


def test_a_small_correction_is_nobodys_doing(diary):
    diary.plan("today", 60)
    diary.clock.advance(10)
    diary.clock.set_date(-0.9)
    diary.clock.advance(10)
    assert diary.happened == []


def test_what_never_comes_keeps_it_awake(diary):
    diary.plan("never", math.inf)
    diary.clock.advance(1000)
    diary.clock.set_date(-10)
    diary.clock.advance(1)
    assert diary.happened == ["set back"]


def test_what_was_set_back_while_it_rested_is_nothing_to_it(diary):
    diary.plan("one", 1)
    diary.clock.advance(1)
    diary.clock.set_date(-100)
    diary.plan("two", 1)
    diary.clock.advance(1)
    assert diary.happened == ["one", "two"]


def test_a_cancelled_appointment_does_not_come(diary):
    first = diary.plan("first", 1)
    diary.plan("second", 2)
    first.cancel()
    first.cancel()
    assert len(diary.calendar) == 1
    diary.clock.advance(2)
    assert diary.happened == ["second"]
    assert len(diary.calendar) == 0
    first.cancel()
    assert len(diary.calendar) == 0


def test_one_may_lead_to_others(diary):
    diary.calendar.at(diary.clock.time() + 1, lambda: diary.plan("second", 0))
    diary.clock.advance(1)
    assert diary.happened == ["second"]


def test_a_failure_keeps_nobody_else_waiting(diary):
    def fail():
        raise RuntimeError

    diary.calendar.at(diary.clock.time() + 1, fail)
    diary.plan("other", 1)
    with pytest.raises(RuntimeError):
        diary.clock.advance(1)
    diary.clock.advance(0)
    assert diary.happened == ["other"]


def test_many_cancelled_ones_are_swept_out(diary):
    diary.plan("kept", 5)
    for _ in range(3 * COMPACT_ABOVE):
        diary.plan("cancelled", 100).cancel()
    assert len(diary.calendar) == 1
    assert len(diary.calendar._dates._heap) <= COMPACT_ABOVE + 1
    diary.clock.advance(5)
    assert diary.happened == ["kept"]


def test_nothing_happens_when_it_has_stopped(diary):
    diary.plan("one", 1)
    diary.calendar.stop()
    diary.calendar.stop()
    diary.clock.advance(10)
    assert (diary.happened, len(diary.calendar), len(diary.clock.timers)) == ([], 0, 0)


def test_nobody_need_mind_that_the_date_is_set_back():
    clock = FakeClock()
    calendar = Calendar(clock, clock.timers)
    calendar.at(math.inf, lambda: None)
    clock.set_date(-100)
    clock.advance(1)
    assert len(calendar) == 1


def test_what_is_planned_behind_something_cancelled_wakes_it_again(diary):
    diary.plan("cancelled", 100).cancel()
    diary.clock.advance(2)
    assert len(diary.clock.timers) == 0
    diary.plan("later", 200)
    diary.clock.advance(200)
    assert diary.happened == ["later"]
    assert len(diary.clock.timers) == 0
