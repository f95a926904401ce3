import tracemalloc

import pytest

from radiod.core.cluster.gaps import MAX_SENDERS
from radiod.core.cluster.interest import EVERYTHING, MOST_SPANS, Interest
from radiod.testing import FakeClock


class Others:
    """``Peers`` of which only who is alive matters."""

    settled_at = 0.0

    def __init__(self, *nodes):
        self.nodes = list(nodes)

    def live(self):
        return list(self.nodes)


class Listened:
    """A bus that notes what it is to listen to."""

    def __init__(self):
        self.subjects = []

    def listen(self, subject):
        self.subjects.append(subject)

    def unlisten(self, subject):
        self.subjects.remove(subject)


class Made:
    def __init__(self, *nodes):
        self.clock, self.bus, self.peers, self.asked = FakeClock(), Listened(), Others(*nodes), []
        self.interest = Interest(
            "r",
            self.bus,
            self.peers,
            self.clock,
            self.clock.timers,
            lambda barrier: self.asked.append(barrier),
        )

    def begin(self, match, topic):
        known = []
        promise = self.interest.begin(match, topic)
        if promise is not None:
            promise.then(known.append)
        return known


@pytest.fixture
def made():
    return Made(1, 2)


def test_it_is_known_when_all_have_answered(made):
    known = made.begin("exact", "t")
    made.clock.advance(0)
    (barrier,) = made.asked
    assert (barrier.wanted, barrier.whom) == ([("exact", "t")], {1, 2})
    made.interest.answered(barrier.id, 1, 11, 5, barrier.wanted)
    assert known == []
    made.interest.answered(barrier.id, 2, 12, 6, barrier.wanted)
    assert known == [None]
    assert (made.interest.begun("t", 11), made.interest.begun("t", 12)) == (5, 6)


def test_the_bus_listens_from_the_first_to_the_last(made):
    made.interest.hold("exact", "t")
    made.interest.hold("exact", "t")
    assert made.bus.subjects == ["r.t"]
    assert made.interest.is_wanted("t")
    made.interest.end("exact", "t")
    assert made.bus.subjects == ["r.t"]
    made.interest.end("exact", "t")
    assert made.bus.subjects == []
    assert not made.interest.is_wanted("t")


def test_all_of_a_turn_is_asked_together_and_each_once(made):
    made.begin("exact", "t")
    made.begin("exact", "t")
    made.begin("prefix", "t")
    made.clock.advance(0)
    assert [barrier.wanted for barrier in made.asked] == [[("exact", "t"), ("prefix", "t")]]


def test_who_does_not_answer_is_asked_again(made):
    made.begin("exact", "t")
    made.clock.advance(2.5)
    assert len(made.asked) == 3
    assert len({barrier.id for barrier in made.asked}) == 1


def test_who_dies_is_not_waited_for_and_who_joins_is(made):
    known = made.begin("exact", "t")
    made.clock.advance(0)
    barrier = made.asked[0]
    made.interest.answered(barrier.id, 1, 11, 5, barrier.wanted)
    made.interest.joined(3)
    assert made.asked[-1].wanted == EVERYTHING
    made.interest.left(2)
    assert known == []
    made.interest.answered(barrier.id, 3, 13, 0, barrier.wanted)
    assert known == [None]


def join(made, node, number, age=None):
    """A node joins, whose process counts from there, and perhaps says for how long it has been there."""
    made.interest.joined(node)
    if age is not None:
        assert made.interest.meet(made.asked[-1].id, 10 + node, age)
    made.interest.answered(made.asked[-1].id, node, 10 + node, number, EVERYTHING)


def test_what_a_node_that_joins_says_is_about_all_that_is_listened_to(made):
    made.interest.hold("exact", "t")
    made.interest.hold("prefix", "u")
    join(made, 3, 7)
    assert (made.interest.begun("t", 13), made.interest.begun("u.x", 13)) == (7, 7)
    made.interest.hold("exact", "later")
    assert made.interest.begun("later", 13) is None
    join(made, 3, 9)
    assert (made.interest.begun("t", 13), made.interest.begun("later", 13)) == (7, 9)


def test_an_answer_is_about_what_had_begun_when_it_was_asked_for(made):
    made.begin("exact", "again")
    made.interest.joined(3)
    first, everything = made.clock.advance(0) or made.asked[-1], made.asked[-2]
    made.interest.end("exact", "again")
    made.begin("exact", "again")
    made.begin("exact", "new")
    made.interest.answered(first.id, 1, 11, 5, first.wanted)
    made.interest.answered(everything.id, 3, 13, 5, EVERYTHING)
    assert [made.interest.begun(topic, origin) for topic in ("again", "new") for origin in (11, 13)] == [
        None
    ] * 4
    made.clock.advance(0)
    second = made.asked[-1]
    made.interest.answered(second.id, 1, 11, 8, second.wanted)
    assert (made.interest.begun("again", 11), made.interest.begun("new", 11)) == (8, 8)


def test_an_answer_that_nobody_waits_for_says_nothing(made):
    made.interest.hold("exact", "t")
    made.interest.answered(99, 3, 13, 7, EVERYTHING)
    assert made.interest.begun("t", 13) is None


def test_processes_that_come_and_go_cost_nothing_for_each_listening(made):
    for number in range(1000):
        made.interest.hold("exact", f"t.{number}")
    join(made, 3, 1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for node in range(4, 500):
            join(made, node, 1, age=0.0)
            made.interest.left(node)
            made.asked.clear()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100_000
    # Of one that is remembered.
    assert made.interest.begun("t.5", 509) == 0


def test_what_is_remembered_of_a_sender_has_a_bound(made):
    for number in range(MOST_SPANS + 10):
        made.interest.hold("exact", f"t.{number}")
        join(made, 3, number)
    assert made.interest.begun("t.0", 13) == 0
    assert made.interest.begun(f"t.{MOST_SPANS + 9}", 13) == MOST_SPANS + 9
    # It knew it then at the latest: of what it sent before, nothing is told.
    assert made.interest.begun("t.1", 13) > 1


def test_who_is_alone_waits_for_nobody():
    made = Made()
    assert made.interest.begin("exact", "t") is None
    made.clock.advance(5)
    assert made.asked == []


def test_nothing_is_asked_for_ever(made):
    made.begin("exact", "t")
    made.clock.advance(0)
    made.interest.left(1)
    made.interest.left(2)
    made.clock.advance(10)
    assert len(made.asked) == 1
    # Of no concern.
    made.interest.gap(1)
    made.interest.isolated()
    made.interest.healed()


def test_nobody_is_asked_if_all_are_dead_before_the_turn_is_over(made):
    known = made.begin("exact", "t")
    made.peers.nodes.clear()
    made.clock.advance(1)
    assert (known, made.asked) == ([None], [])


def test_an_answer_about_what_is_not_listened_to_any_more_changes_nothing(made):
    made.begin("exact", "t")
    made.clock.advance(0)
    (barrier,) = made.asked
    made.interest.end("exact", "t")
    for node in (1, 2):
        made.interest.answered(barrier.id, node, 10 + node, 5, barrier.wanted)
    assert len(made.interest) == 0


def test_all_of_a_sender_is_for_those_who_listened_before_it_was_there(made):
    made.interest.hold("exact", "early")
    made.clock.advance(10)
    made.interest.hold("exact", "late")
    made.clock.advance(10)
    join(made, 1, 5, age=15.0)
    assert (made.interest.begun("early", 11), made.interest.begun("late", 11)) == (0, 5)


def test_however_long_its_answer_takes_a_sender_was_not_there_later(made):
    made.interest.hold("exact", "early")
    made.clock.advance(1)
    made.interest.joined(3)
    barrier = made.asked[-1]
    # It began a second ago, and says so; but its answer is late.
    made.clock.advance(0.5)
    made.interest.hold("exact", "late")
    made.clock.advance(5)
    assert made.interest.meet(barrier.id, 13, 0.5)
    assert (made.interest.begun("early", 13), made.interest.begun("late", 13)) == (0, None)
    # Nobody waits for that one.
    assert not made.interest.meet(99, 14, 0.5)
    assert made.interest.begun("early", 14) is None


def test_who_answers_is_remembered_longer_than_who_is_silent(made):
    made.interest.hold("exact", "t")
    join(made, 3, 7)
    for node in range(4, MAX_SENDERS + 10):
        join(made, node, 1)
        made.begin("exact", f"t.{node}")
        made.clock.advance(0)
        made.interest.answered(made.asked[-1].id, 3, 13, 8, made.asked[-1].wanted)
    assert made.interest.begun("t", 13) == 7
    assert made.interest.begun("t", 14) is None
