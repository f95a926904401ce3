"""What the states of an outlet are drawn from: each transition happens, and leads where the tables say."""

from math import inf

import pytest
from support.outlets import ENDING, READING, WRITING, PlainOutlet
from twisted.internet.testing import MemoryReactorClock

from radiod.transport.clock import ReactorClock
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import TURN_BYTES
from radiod.transport.schedule import FINISH_SECONDS, READ_PAUSE

pytestmark = pytest.mark.interpreted


class Case:
    """One outlet, and what may happen to it."""

    def __init__(self):
        self.reactor = MemoryReactorClock()
        self.outlet = PlainOutlet(FanOut(ReactorClock(self.reactor), max_backlog=1 << 24))

    def fill(self):
        self.outlet.room = 0
        self.outlet.push(b"x")
        self.reactor.advance(0)

    def make_room(self):
        self.outlet.room = inf
        self.outlet.resumeProducing()

    def take_its_share(self):
        for _ in range(2):
            self.outlet.push(bytes(TURN_BYTES))
        self.make_room()

    def leave_answers_unread(self):
        self.fill()
        self.outlet.push(bytes(READ_PAUSE + 1))

    def wait_for_others(self):
        self.outlet.pause_reads(True)

    def have_the_answer(self):
        self.outlet.pause_reads(False)

    def rest(self):
        self.outlet.rest()

    def end_turn(self):
        self.reactor.advance(0)

    def become_full(self):
        self.outlet.pauseProducing()

    def finish(self):
        self.outlet.finish()

    def be_cut(self):
        self.outlet.abandon()

    def wait(self):
        self.reactor.advance(FINISH_SECONDS)


# (region, state, what happens): how to come to that state, and how to make it happen
HOW = {
    ("writing", "flowing", "its socket is full"): ([], Case.fill),
    ("writing", "flowing", "the turn is over"): ([], Case.rest),
    ("writing", "blocked", "its socket has room"): ([Case.fill], Case.make_room),
    ("writing", "blocked", "it had its share of the turn"): ([Case.fill], Case.take_its_share),
    ("writing", "resting", "the next turn"): ([Case.rest], Case.end_turn),
    ("writing", "resting", "its socket is full"): ([Case.rest], Case.become_full),
    ("reading", "read", "too many answers are unread"): ([], Case.leave_answers_unread),
    ("reading", "held", "it has read its answers"): ([Case.leave_answers_unread], Case.make_room),
    ("reading", "read", "its request waits for others"): ([], Case.wait_for_others),
    ("reading", "held", "the others have answered"): ([Case.wait_for_others], Case.have_the_answer),
    ("ending", "in use", "finish, all has left"): ([], Case.finish),
    ("ending", "in use", "finish, some waits"): ([Case.leave_answers_unread], Case.finish),
    ("ending", "in use", "it is cut or lost"): ([], Case.be_cut),
    ("ending", "finishing", "all has left"): ([Case.leave_answers_unread, Case.finish], Case.make_room),
    ("ending", "finishing", "two seconds"): ([Case.leave_answers_unread, Case.finish], Case.wait),
    ("ending", "finishing", "it is cut or lost"): ([Case.leave_answers_unread, Case.finish], Case.be_cut),
}
REGIONS = {"writing": WRITING, "reading": READING, "ending": ENDING}


def test_there_is_a_way_to_make_each_transition():
    listed = {
        (region, state, what)
        for region, table in REGIONS.items()
        for state, then in table.items()
        for what in then
    }
    assert HOW.keys() == listed


@pytest.mark.parametrize(("region", "state", "what"), HOW, ids=str)
def test_each_transition_leads_where_the_table_says(region, state, what):
    case = Case()
    way, happen = HOW[region, state, what]
    for step in way:
        step(case)
    assert getattr(case.outlet, region) == state
    happen(case)
    assert getattr(case.outlet, region) == REGIONS[region][state][what]


@pytest.mark.parametrize("region", REGIONS)
def test_a_new_one_is_in_the_first_state(region):
    assert getattr(Case().outlet, region) == next(iter(REGIONS[region]))


def test_an_outlet_that_waits_for_two_things_is_held_until_both_are_over():
    case = Case()
    for step in (Case.leave_answers_unread, Case.wait_for_others, Case.make_room):
        step(case)
    assert case.outlet.reading == "held"
    case.have_the_answer()
    assert case.outlet.reading == "read"
