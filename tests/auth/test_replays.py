"""Nothing counts twice, whatever is forgotten; who has no room stands in nobody else's way."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiod.auth.replays import FLOOR_S, ROOM, Replays

FRESH = 300.0
NOW = 1_795_694_400.0


def comes(replays, number, *, key="k", at=NOW, now=NOW):
    return replays.is_new(key, at, str(number).encode(), now)


def test_a_request_is_new_once():
    replays = Replays(FRESH)
    assert comes(replays, 1)
    assert not comes(replays, 1)
    assert comes(replays, 2)
    assert comes(replays, 1, key="other")
    assert not comes(replays, 1, now=NOW + FRESH)


def test_it_is_forgotten_when_it_would_not_be_accepted_any_more():
    replays = Replays(FRESH)
    for number in range(10):
        comes(replays, number, at=NOW + number)
    comes(replays, "late", at=NOW + FRESH, now=NOW + FRESH + 4)
    assert len(replays) == 7


def test_what_keys_left_that_send_no_more_is_forgotten_too():
    replays = Replays(FRESH)
    comes(replays, 1, key="gone")
    comes(replays, 2, at=NOW + FRESH + 61, now=NOW + FRESH + 61)
    assert len(replays) == 1


def test_a_clock_that_was_wrong_for_a_moment_reopens_nothing():
    replays = Replays(FRESH)
    comes(replays, 1)
    comes(replays, 2, at=NOW + 3600, now=NOW + 3600)
    assert len(replays) == 1
    assert not comes(replays, 1)
    assert comes(replays, 3, at=NOW + 0.001)


def test_keys_are_forgotten_in_the_end():
    replays = Replays(FRESH)
    comes(replays, 1)
    later = NOW + FLOOR_S + 61
    comes(replays, 2, at=later, now=later, key="other")
    comes(replays, 3, at=later + 61, now=later + 61, key="other")
    assert comes(replays, 1)


def test_without_room_the_busiest_key_forgets_its_earliest_and_refuses_what_is_as_early():
    replays = Replays(FRESH, most=100)
    assert comes(replays, "quiet", key="quiet")
    for number in range(200):
        assert comes(replays, number, at=NOW + number / 1000)
        assert len(replays) <= 100
    assert len(replays) > 100 - 100 // ROOM - 2
    for number in range(200):
        assert not comes(replays, number, at=NOW + number / 1000)
    assert not comes(replays, "slow clock", at=NOW)
    assert comes(replays, "right clock", at=NOW + 0.2)
    assert not comes(replays, "quiet", key="quiet")
    assert comes(replays, "slow clock", key="quiet")


def test_one_that_comes_without_room_and_is_the_earliest_counts_once():
    replays = Replays(FRESH, most=4)
    for number in range(4):
        assert comes(replays, number, at=NOW + 100)
    assert comes(replays, "early")
    assert not comes(replays, "early")


def test_a_newcomer_finds_room_where_another_has_taken_all():
    replays = Replays(FRESH, most=4)
    for number in range(4):
        assert comes(replays, number, key="busy", at=NOW + number)
    assert comes(replays, 1, key="new")
    assert not comes(replays, 1, key="new")


class Repeated(RuleBasedStateMachine):
    """Any requests at any times, also of a wrong clock: none is new twice, and the bound holds."""

    def __init__(self):
        super().__init__()
        self.replays = Replays(FRESH, most=5)
        self.now = NOW
        self.came = set()

    @rule(
        key=st.sampled_from("ab"), number=st.integers(0, 3), off=st.sampled_from([-300, -10, 0, 0, 10, 300])
    )
    def request(self, key, number, off):
        told = (key, self.now + off, number)
        if self.replays.is_new(key, self.now + off, told_as(self.now + off, number), self.now):
            assert told not in self.came
            self.came.add(told)

    @rule(number=st.integers(0, 200))
    def repeat(self, number):
        fresh = sorted(told for told in self.came if abs(told[1] - self.now) <= FRESH)
        if fresh:
            key, at, name = fresh[number % len(fresh)]
            assert not self.replays.is_new(key, at, told_as(at, name), self.now)

    @rule(by=st.sampled_from([0.5, 10, 100, 301, -0.5, -100, -3600]))
    def time(self, by):
        self.now += by

    @invariant()
    def bounded(self):
        assert len(self.replays) <= 5


def told_as(at, name):
    return f"{at}/{name}".encode()


Repeated.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestRepeated = Repeated.TestCase


def test_what_came_to_another_process_came():
    before, after = Replays(FRESH, 4), Replays(FRESH, 4)
    for number in range(5):
        comes(before, number, at=NOW + number)
    comes(before, 1, key="other")
    for one in before.kept():
        after.resume(*one)
    assert len(after) == len(before)
    assert not any(comes(after, number, at=NOW + number) for number in range(5))
    assert not comes(after, 1, key="other")
    assert comes(after, 9, at=NOW + 9)
    small = Replays(FRESH, 2)
    for one in before.kept():
        small.resume(*one)
    assert len(small) <= 2
    assert not any(comes(small, number, at=NOW + number) for number in range(5))
