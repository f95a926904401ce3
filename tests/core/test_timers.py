"""The heap of deadlines, against a sorted list."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiod.core.timers import COMPACT_ABOVE, Timers
from radiod.testing import FakeClock


class RecordingWaker:
    def __init__(self):
        self.asked = []

    def wake_at(self, when):
        self.asked.append(when)


@pytest.fixture
def waker():
    return RecordingWaker()


@pytest.fixture
def timers(waker):
    return Timers(waker)


def test_what_is_due_runs_in_order_of_time_and_then_of_asking(timers):
    ran = []
    for name, when in [("b", 2), ("a", 1), ("c", 2), ("d", 2.5), ("e", 3)]:
        timers.at(when, lambda name=name: ran.append(name))
    timers.run(2.5)
    assert ran == ["a", "b", "c", "d"]
    assert len(timers) == 1


def test_nothing_runs_a_moment_early(timers):
    ran = []
    timers.at(2.0, lambda: ran.append(1))
    timers.run(1.9999999999)
    assert ran == []
    timers.run(2.0)
    assert ran == [1]


def test_the_waker_is_asked_for_the_first_deadline_only(timers, waker):
    for when in (5, 7, 3, 4):
        timers.at(when, lambda: None)
    assert waker.asked == [5, 3]
    timers.run(3)
    assert waker.asked == [5, 3, 4]
    timers.run(9)
    assert waker.asked == [5, 3, 4]


def test_a_cancelled_deadline_does_not_happen(timers):
    ran = []
    deadline = timers.at(1, lambda: ran.append(1))
    deadline.cancel()
    assert len(timers) == 0
    timers.run(2)
    assert ran == []
    assert len(timers) == 0


def test_cancelling_twice_or_too_late_changes_nothing(timers):
    deadline, late = timers.at(1, lambda: None), timers.at(2, lambda: None)
    timers.at(9, lambda: None)
    deadline.cancel()
    deadline.cancel()
    assert len(timers) == 2
    timers.run(3)
    late.cancel()
    assert len(timers) == 1


def test_a_deadline_may_ask_for_and_cancel_others(timers):
    ran = []
    doomed = timers.at(2, lambda: ran.append("doomed"))

    def first():
        doomed.cancel()
        timers.at(1.5, lambda: ran.append("added"))
        timers.at(5, lambda: ran.append("later"))
        ran.append("first")

    own = timers.at(1, lambda: (own.cancel(), first()))
    timers.run(3)
    assert ran == ["first", "added"]
    assert len(timers) == 1


def test_a_deadline_that_raises_leaves_the_others_to_be_woken_for(timers, waker):
    ran = []

    def fail():
        raise ZeroDivisionError

    timers.at(1, fail)
    timers.at(1, lambda: ran.append("next"))
    waker.asked.clear()
    with pytest.raises(ZeroDivisionError):
        timers.run(1)
    assert waker.asked == [1]
    timers.run(1)
    assert ran == ["next"]
    assert len(timers) == 0


def test_cancelled_deadlines_do_not_pile_up(timers):
    kept = [timers.at(1e6 + n, lambda: None) for n in range(10)]
    for n in range(50_000):
        timers.at(n, lambda: None).cancel()
        assert len(timers._heap) <= len(kept) + COMPACT_ABOVE + 1
    assert len(timers) == 10


def test_a_heap_that_lives_in_the_main_is_not_swept(timers):
    doomed = [timers.at(n, lambda: None) for n in range(COMPACT_ABOVE + 1)]
    for n in range(3 * COMPACT_ABOVE):
        timers.at(n, lambda: None)
    size = len(timers._heap)
    for deadline in doomed:
        deadline.cancel()
    assert len(timers._heap) == size
    assert len(timers) == 3 * COMPACT_ABOVE


quarters = st.integers(0, 40).map(lambda n: n / 4)


class TimersMachine(RuleBasedStateMachine):
    """The model: everything that is still to happen, number to when, and what has happened."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock(start=0.0)
        self.timers = self.clock.timers
        self.deadlines = {}
        self.waiting = {}
        self.ran = []
        self.expected = []

    def _ask(self, when, then=None):
        number = len(self.deadlines)

        def happen():
            self.ran.append((number, self.clock.seconds()))
            if then is not None:
                then()

        self.deadlines[number] = self.timers.at(when, happen)
        self.waiting[number] = when

    @rule(delay=quarters)
    def ask(self, delay):
        self._ask(self.clock.seconds() + delay)

    @rule(delay=quarters, count=st.sampled_from([COMPACT_ABOVE - 1, COMPACT_ABOVE + 2, COMPACT_ABOVE + 200]))
    def ask_for_many_and_cancel_them(self, delay, count):
        before = len(self.deadlines)
        for n in range(count):
            self._ask(self.clock.seconds() + delay + n % 7)
        for number in range(before, len(self.deadlines)):
            self._cancel(number)

    @rule(pick=st.integers(0, 10**6))
    def cancel(self, pick):
        if self.deadlines:
            self._cancel(pick % len(self.deadlines))

    def _cancel(self, number):
        self.deadlines[number].cancel()
        self.waiting.pop(number, None)

    @rule(seconds=quarters)
    def advance(self, seconds):
        until = self.clock.seconds() + seconds
        due = sorted((when, number) for number, when in self.waiting.items() if when <= until)
        for when, number in due:
            del self.waiting[number]
            self.expected.append((number, when))
        self.clock.advance(seconds)

    @invariant()
    def what_happened_is_what_was_due_in_order(self):
        assert self.ran == self.expected

    @invariant()
    def the_rest_is_still_to_happen(self):
        assert len(self.timers) == len(self.waiting)

    @invariant()
    def the_heap_is_bounded_by_what_lives(self):
        assert len(self.timers._heap) <= 2 * len(self.timers) + COMPACT_ABOVE + 1

    def teardown(self):
        self.clock.advance(1000)
        assert len(self.timers) == 0
        assert not self.timers._heap


TimersMachine.TestCase.settings = settings(max_examples=12, stateful_step_count=20)
TestTimersMachine = TimersMachine.TestCase
